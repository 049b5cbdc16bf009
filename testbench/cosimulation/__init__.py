"""Emitted accelerators in cocotb: descriptions for its bench, builds, and whole networks."""
