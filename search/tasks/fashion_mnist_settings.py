"""Settings of the Fashion-MNIST task."""

from dataclasses import dataclass, field
from pathlib import Path

from search.sections import choice, ruled
from search.tasks.settings import DrawnSplitSettings, content_digest
from sim.spec.rules import PathText

__all__ = ["DEBIAN_FOLDER", "FashionMnistSettings"]

DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package ``dataset-fashion-mnist`` puts the files."""

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FashionMnistSettings(DrawnSplitSettings):
    """Fashion-MNIST (Xiao et al., 2017), or any data set in the four files of MNIST.

    Parameters
    ----------
    name : "fashion_mnist"
        60,000 and 10,000 grey pictures of 28x28 pixels, in 10 classes.
    path : str
        Folder of the four IDX files, plain or gzip; that of Debian's package dataset-fashion-mnist
        if not given.
    folder : Path
        Folder of the experiment's file; not a field of the section.
    """

    name: str = choice("fashion_mnist", "fashion_mnist")
    path: str = ruled(DEBIAN_FOLDER, PathText())
    folder: Path = field(default=Path(), compare=False)

    @property
    def place(self) -> Path:
        """Folder of the files."""
        return self.folder / self.path

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the data are read from: those of these names that are there."""
        places = (self.place / f"{name}{end}" for name in NAMES for end in ("", ".gz"))
        return tuple(path for path in places if path.is_file())

    def fingerprint(self) -> str:
        """Digest of all files' names and contents."""
        return content_digest(self.files, self.place)
