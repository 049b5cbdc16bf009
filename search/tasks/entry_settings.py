"""Settings of a task from a user's own Python package."""

from dataclasses import dataclass, field
from pathlib import Path

from search.sections import choice, required, ruled
from search.tasks.settings import TaskSettings
from sim.spec.rules import EntryPoint, Text

__all__ = ["EntrySettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySettings(TaskSettings):
    """Data that a user's own function returns.

    Parameters
    ----------
    name : "entry"
        May be left out where entry is given.
    entry : str
        Function as "package:object": called with argument, it returns a dict of "train",
        "validation" and "test", each a pair of arrays x and y as in an npz file.
    argument : str
        Text that the function is called with.
    version : str
        Text that is changed with the data: a search is resumed only with the same.
    folder : Path
        Folder of the experiment's file; not a field of the section.
    """

    name: str = choice("entry", "entry")
    entry: str = required(EntryPoint())
    argument: str = ruled("", Text(1000))
    version: str = ruled("", Text(100))
    folder: Path = field(default=Path(), compare=False)

    @property
    def training_images(self) -> int | None:
        """Not known before the data are made."""
        return None
