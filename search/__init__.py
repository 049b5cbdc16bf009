"""Co-search of the network and the accelerator: spaces, supernet, agent, quantization, export."""
