"""The schedule: the descriptors of a mapped network in program order, with their tokens."""
