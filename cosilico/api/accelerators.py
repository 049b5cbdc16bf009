"""Accelerators and hardware spaces of the public API."""

from pathlib import Path

from cosilico.accelerators import accelerator_argument, named_space
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["load_accelerator", "load_space"]


def load_accelerator(source: AcceleratorConfig | str | Path) -> AcceleratorConfig:
    """Return an accelerator: a space's default by name, or that of a file.

    Parameters
    ----------
    source : AcceleratorConfig, str or Path
        "tiny" or "edge", a JSON file with the accelerator's fields, or a design file. A configuration
        is returned as it is.

    Raises
    ------
    CosilicoError
        If it is neither a name nor a file that can be read.
    """
    if isinstance(source, AcceleratorConfig):
        return source
    return accelerator_argument(str(source))


def load_space(source: HardwareSpace | str) -> HardwareSpace:
    """Return a hardware space by its name, "tiny" or "edge"; iterating over it gives its accelerators.

    Raises
    ------
    CosilicoError
        If there is no space of that name.
    """
    return source if isinstance(source, HardwareSpace) else named_space(source)
