"""Faults in sources, programs and files, and whether they are noticed."""
