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
    TypeError
        If it is no accelerator, text or path.
    CosilicoError
        If it is neither a name nor a file that can be read.
    """
    if isinstance(source, AcceleratorConfig):
        return source
    if not isinstance(source, str | Path):
        raise TypeError(f"accelerator must be an accelerator, its name or its path, not {source!r}")
    return accelerator_argument(str(source))


def load_space(source: HardwareSpace | str) -> HardwareSpace:
    """Return a hardware space by its name, "tiny" or "edge"; iterating over it gives its accelerators.

    Raises
    ------
    TypeError
        If it is no space and no text.
    CosilicoError
        If there is no space of that name.
    """
    if isinstance(source, HardwareSpace):
        return source
    if not isinstance(source, str):
        raise TypeError(f"space must be a hardware space or its name, not {source!r}")
    return named_space(source)
