"""Traces of runs on anybody's system, and the memory systems that are fitted to them."""
