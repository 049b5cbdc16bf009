"""The task of a user's own Python package."""

from search.entry_points import entry_point
from search.tasks.entry_settings import EntrySettings
from search.tasks.pictures import Pictures, task_of
from search.tasks.task import Task
from sim.spec.errors import DesignFileError
from sim.spec.rules import shown

__all__ = ["entry"]

_PARTS = ("train", "validation", "test")


def entry(size: tuple[int, int] | None, settings: EntrySettings) -> Task:
    """Data that the function ``settings.entry`` returns.

    Raises
    ------
    DesignFileError
        If there is no such function, or it returns something else.
    """
    made = entry_point(settings.entry, settings.folder, "task.entry")(settings.argument)
    what = f"task.entry {settings.entry!r}"
    if not isinstance(made, dict) or set(made) != set(_PARTS):
        raise DesignFileError(
            f"{what} must return a dict of {', '.join(_PARTS)}, not {shown(made)}"
        )
    parts = []
    for name in _PARTS:
        pair = made[name]
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise DesignFileError(f"{what} must return arrays x and y as a pair for {name!r}")
        parts.append(Pictures.of(*pair, what, names=(f"{name} x", f"{name} y")))
    train, validation, test = parts
    return task_of(train, validation, test, what)
