"""Settings that every task has."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from search.sections import Section, integer, number, required
from sim.spec.archives import file_sha256
from sim.spec.rules import PathText

__all__ = [
    "DATA_LIMIT_BYTES",
    "DrawnSplitSettings",
    "FileTaskSettings",
    "TaskSettings",
    "content_digest",
]

DATA_LIMIT_BYTES = 1 << 32
"""Most bytes of a file of data, and of what it unpacks to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings(Section, ABC):
    """A section ``[task]``: the data and their split, which the search's seed does not touch.

    Parameters
    ----------
    name : str
        Task. The split of its data is fixed by this section, not by a search's seed.
    """

    name: str

    @property
    @abstractmethod
    def training_images(self) -> int | None:
        """Images that are neither for validation nor for the test; None where the data decide."""

    @property
    def network_space(self) -> str:
        """Network space where the experiment names none."""
        return "fashion"

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the data are read from, which no result may replace."""
        return ()

    def fingerprint(self) -> str:
        """Digest of the data's files; empty where an installed package brings the data."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSplitSettings(TaskSettings):
    """A task whose validation images are drawn out of its training images.

    Parameters
    ----------
    validation_share : float
        Share of the training images that is held out for the search's choices.
    split_seed : int
        Decides which images are drawn.
    train_limit, test_limit : int
        Most images that are used, drawn from all; 0 for all.
    """

    validation_share: float = number(0.1, 0.001, 0.9)
    split_seed: int = integer(0, 0, 2**31 - 1)
    train_limit: int = integer(0, 0, 10**9)
    test_limit: int = integer(0, 0, 10**9)

    @property
    def training_images(self) -> int | None:
        """Not known before the data are read."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTaskSettings(DrawnSplitSettings):
    """A task whose data are files of the user's.

    Parameters
    ----------
    path : str
        File or folder of the data, relative to the experiment's file.
    folder : Path
        Folder of the experiment's file; not a field of the section.
    """

    path: str = required(PathText())
    folder: Path = field(default=Path(), compare=False)

    @property
    def place(self) -> Path:
        """Where the data are."""
        return self.folder / self.path

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the data are read from."""
        return (self.place,)

    def fingerprint(self) -> str:
        """Digest of all files' names and contents."""
        return content_digest(self.files, self.place.parent)


def content_digest(files: Iterable[Path], root: Path) -> str:
    """Digest of the names, relative to ``root``, and contents of files; those absent are left out.

    Raises
    ------
    DesignFileError
        If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            name = path.relative_to(root).as_posix()
            digest.update(f"{name}\0{file_sha256(path, 'data file', DATA_LIMIT_BYTES)}\n".encode())
    return digest.hexdigest()
