"""The vocabulary, the mapper, the performance model and the integer reference."""
