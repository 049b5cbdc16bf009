"""The commands, each in a file; what they work with is loaded when they run."""
