"""Networks that have a name: published topologies with seeded weights."""
