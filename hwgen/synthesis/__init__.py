"""Synthesis to standard cells, and the timing of what comes out."""
