"""Files with which other tools take an emitted accelerator: constraints, cores, components, pages."""
