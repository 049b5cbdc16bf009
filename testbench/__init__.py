"""Running emitted accelerators in RTL simulation and comparing them with model and reference."""
