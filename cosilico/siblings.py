"""Cosilico's other packages: those of another project may come first where Python runs."""

from importlib.util import find_spec
from pathlib import Path

__all__ = ["SIBLINGS", "require_siblings"]

SIBLINGS = ("sim", "hwgen", "testbench", "search")


def require_siblings() -> None:
    """Refuse to work with packages of another project.

    A folder with a ``sim/`` or ``search/`` of its own shadows Cosilico's when Python looks there first,
    as ``python -m`` and a notebook do.

    Raises
    ------
    ImportError
        One line that names the package and the folder.
    """
    home = Path(__file__).parents[1]
    for name in SIBLINGS:
        place = _place(name)
        if place is None or place.resolve() == (home / name).resolve():
            continue
        text = (
            f"package {name} must be Cosilico's, but {place} shadows it: "
            "run elsewhere or rename the folder"
        )
        raise ImportError(text, name=name, path=str(place))


def _place(name: str) -> Path | None:
    """Folder of the package, or file of the module, that an import of that name takes."""
    spec = find_spec(name)
    if spec is None:
        return None
    folders = spec.submodule_search_locations
    if folders:
        return Path(next(iter(folders)))
    return None if spec.origin is None else Path(spec.origin)
