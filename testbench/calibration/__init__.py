"""Measurements of the timing constants in RTL."""
