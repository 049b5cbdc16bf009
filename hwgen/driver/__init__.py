"""Driver of the accelerators in C, and programs as its data."""
