"""A cocotb bench for an emitted accelerator; it needs nothing of Cosilico but its JSON description."""
