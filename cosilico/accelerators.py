"""Accelerators that a user names: a space's default, or a JSON file."""

from pathlib import Path

from search.space_settings import load_space_file
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of
from sim.spec.documents import read_json
from sim.spec.errors import CosilicoError
from sim.spec.spaces import SPACE_NAMES, HardwareSpace

__all__ = ["accelerator_argument", "is_space_file", "named_space"]


def named_space(name: str) -> HardwareSpace:
    """Hardware space of a name that a user gave, or of a TOML file with a section ``[hardware]``.

    Raises
    ------
    CosilicoError
        If it is neither a name nor a file that can be read.
    """
    if name in SPACE_NAMES:
        return SPACE_NAMES[name]
    if not is_space_file(name):
        known = ", ".join(SPACE_NAMES)
        raise CosilicoError(f"space must be one of {known}, or a TOML file, not {name!r}")
    return load_space_file(Path(name))


def is_space_file(name: str) -> bool:
    """Whether a space's name is that of a file."""
    return name not in SPACE_NAMES and Path(name).suffix == ".toml"


def accelerator_argument(text: str) -> AcceleratorConfig:
    """Default of a space by its name, or a file with the accelerator's fields, or a design file.

    Raises
    ------
    CosilicoError
        If it is neither a name nor a file that can be read.
    """
    if text in SPACE_NAMES:
        return SPACE_NAMES[text].default
    path = Path(text)
    if not path.suffix and not path.exists():
        known = ", ".join(SPACE_NAMES)
        raise CosilicoError(f"accelerator must be one of {known}, or a JSON file, not {text!r}")
    document = read_json(path, "accelerator file")
    if isinstance(document, dict) and "accelerator" in document:
        document = document["accelerator"]
    return accelerator_of(document)
