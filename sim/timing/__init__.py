"""The cycle model, on the deterministic memory and on a DRAM, with its measured constants."""
