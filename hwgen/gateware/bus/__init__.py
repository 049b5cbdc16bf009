"""AXI channels, bursts, pacing and the errors of a bus."""
