"""Settings of the tasks whose data are files of the user's."""

from dataclasses import dataclass
from pathlib import Path

from search.sections import choice, number, truth
from search.tasks.settings import FileTaskSettings, content_digest

__all__ = ["PICTURE_SUFFIXES", "Cifar10Settings", "FolderSettings", "NpzSettings"]

PICTURE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Ends of the names of pictures; other files in a class's folder are passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cifar10Settings(FileTaskSettings):
    """CIFAR-10 (Krizhevsky, 2009): 50,000 and 10,000 colour pictures of 32x32 pixels, 10 classes.

    Parameters
    ----------
    name : "cifar10"
        The folder that the archive of the binary or of the Python version unpacks to.
    """

    name: str = choice("cifar10", "cifar10")

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the data are read from: those of either version that are there."""
        names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
        places = (self.place / f"{name}{end}" for name in names for end in ("", ".bin"))
        return tuple(path for path in places if path.is_file())

    def fingerprint(self) -> str:
        """Digest of all files' names and contents."""
        return content_digest(self.files, self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings(FileTaskSettings):
    """Pictures in a folder for each class, in ``train/`` and ``val/`` and perhaps ``test/``.

    Without ``test/``, ``val/`` is the test part, and the validation part is drawn out of ``train/``.

    Parameters
    ----------
    name : "folder"
        Pictures are resized to network.image when they are read.
    grey : bool
        Make the pictures grey: one channel instead of three.
    """

    name: str = choice("folder", "folder")
    grey: bool = truth(False)

    @property
    def files(self) -> tuple[Path, ...]:
        """All pictures."""
        if not self.place.is_dir():
            return ()
        return tuple(
            path
            for path in sorted(self.place.glob("*/*/*"))
            if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
        )

    def fingerprint(self) -> str:
        """Digest of all files' names and contents."""
        return content_digest(self.files, self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class NpzSettings(FileTaskSettings):
    """Arrays in an npz file: ``x`` and ``y``, and perhaps ``x_test`` and ``y_test``.

    Parameters
    ----------
    name : "npz"
        x is uint8 or float, [N, H, W, C] or [N, H, W]; y holds N class numbers from 0.
    test_share : float
        Share of x that is held out for the final figures, where there is no x_test.
    """

    name: str = choice("npz", "npz")
    test_share: float = number(0.2, 0.001, 0.9)
