"""Cosilico's other packages: those of another project may come first where Python runs."""

import sys
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
    SystemExit
        With status 2 and that line on stderr, where the command is being started.
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
        if not _is_command():
            raise ImportError(text, name=name, path=str(place))
        print(f"cosilico: {text}", file=sys.stderr)
        raise SystemExit(2)


def _place(name: str) -> Path | None:
    """Folder of the package, or file of the module, that an import of that name takes."""
    spec = find_spec(name)
    if spec is None:
        return None
    folders = spec.submodule_search_locations
    if folders:
        return Path(next(iter(folders)))
    return None if spec.origin is None else Path(spec.origin)


def _is_command() -> bool:
    """Whether Python is starting ``cosilico`` or ``python -m cosilico``."""
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # until the module has its own path there
        return any(word.partition(".")[0] == "cosilico" for word in sys.orig_argv[1:])
    return Path(program).name == "cosilico"
