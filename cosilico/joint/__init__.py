"""Joint enumeration: every network of a benchmark on every accelerator of a space."""
