"""Objects of a user's own Python package that an experiment names."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from sim.spec.errors import DesignFileError

__all__ = ["entry_point"]


def entry_point(text: str, folder: Path, what: str) -> Callable[..., Any]:
    """Callable that ``"package:object"`` names, installed or a module in ``folder``.

    This executes the package. An experiment with an entry is a program and deserves the same trust.

    Parameters
    ----------
    text : str
    folder : Path
        Folder of the experiment's file, searched after everything that is installed.
    what : str
        Field that names the object, for errors.

    Raises
    ------
    DesignFileError
        If there is no such object, or it cannot be called. What the import itself raises is not
        caught: it is the package's fault to tell.
    """
    module_name, _, path = text.partition(":")
    place = str(folder.resolve())
    sys.path.append(place)
    try:
        target: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise DesignFileError(
            f"{what} must be package:object, but there is no module {module_name!r}"
        ) from None
    finally:
        sys.path.remove(place)
    for name in path.split("."):
        if not hasattr(target, name):
            raise DesignFileError(f"{what} must be package:object, but {text!r} has no {name!r}")
        target = getattr(target, name)
    if not callable(target):
        raise DesignFileError(f"{what} must be an object that can be called, not {text!r}")
    called: Callable[..., Any] = target
    return called
