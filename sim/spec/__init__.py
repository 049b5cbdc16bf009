"""The vocabulary that every stage shares: accelerator, network, descriptors, design files."""
