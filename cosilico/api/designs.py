"""Design files of the public API."""

from pathlib import Path

from cosilico.api import arguments
from sim.spec import design as design_files
from sim.spec.design import Design

__all__ = ["load_design", "save_design"]


def load_design(path: str | Path) -> Design:
    """Read a design file, with the weights that it names beside it.

    Raises
    ------
    TypeError
        If it is no path.
    CosilicoError
        One line that names the file or field, the rule and the value.
    """
    return design_files.load(arguments.path("path", path))


def save_design(design: Design, path: str | Path) -> None:
    """Write a design file and ``weights.npz`` beside it.

    Parameters
    ----------
    design : Design
    path : str or Path
        File to write, usually ``design.json``; replaced if it exists, its folder made if it does not.

    Raises
    ------
    TypeError
        If either argument is of another kind.
    """
    if not isinstance(design, Design):
        raise TypeError(f"design must be a Design, not {design!r}")
    design_files.save(design, arguments.path("path", path))
