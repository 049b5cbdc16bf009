"""The mapper: tiles, residency, splits and addresses of a network on an accelerator."""
