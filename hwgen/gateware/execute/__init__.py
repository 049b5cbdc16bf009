"""The EXECUTE unit: windows, reads, steps and stores of a descriptor."""
