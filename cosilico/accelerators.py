"""Accelerators that a user names: a space's default, or a JSON file."""

from pathlib import Path

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of
from sim.spec.documents import read_json
from sim.spec.errors import CosilicoError
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace

__all__ = ["accelerator_argument", "named_space"]


def named_space(name: str) -> HardwareSpace:
    """Hardware space of a name that a user gave."""
    if name not in HARDWARE_SPACES:
        known = ", ".join(HARDWARE_SPACES)
        raise CosilicoError(f"space must be one of {known}, not {name!r}")
    return HARDWARE_SPACES[name]


def accelerator_argument(text: str) -> AcceleratorConfig:
    """Default of a space by its name, or a file with the accelerator's fields, or a design file.

    Raises
    ------
    CosilicoError
        If it is neither a name nor a file that can be read.
    """
    if text in HARDWARE_SPACES:
        return HARDWARE_SPACES[text].default
    path = Path(text)
    if not path.suffix and not path.exists():
        known = ", ".join(HARDWARE_SPACES)
        raise CosilicoError(f"accelerator must be one of {known}, or a JSON file, not {text!r}")
    document = read_json(path, "accelerator file")
    if isinstance(document, dict) and "accelerator" in document:
        document = document["accelerator"]
    return accelerator_of(document)
