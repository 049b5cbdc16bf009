"""The accelerator's modules, one unit per file, built for one ``AcceleratorConfig``."""
