"""Energy of accelerators at work: mapped modules, driven by what RTL simulation has shown at their ports."""
