"""The Fashion-MNIST task: four IDX files."""

from pathlib import Path

from search.tasks.fashion_mnist_settings import DEBIAN_FOLDER, FashionMnistSettings
from search.tasks.idx import idx_file, read_idx
from search.tasks.pictures import Pictures, drawn_task
from search.tasks.task import Task
from sim.spec.errors import DesignFileError

__all__ = ["fashion_mnist"]


def fashion_mnist(size: tuple[int, int] | None, settings: FashionMnistSettings) -> Task:
    """Fashion-MNIST; its own test part is the test part.

    Raises
    ------
    DesignFileError
        If a file is absent or damaged; the line says which package brings the files.
    """
    folder = settings.place
    if settings.path == DEBIAN_FOLDER and not folder.is_dir():
        raise DesignFileError(
            f"task.path must be given, or Debian's package dataset-fashion-mnist installed: "
            f"there is no folder {DEBIAN_FOLDER}"
        )
    return drawn_task(settings, _part(folder, "train"), _part(folder, "t10k"), f"folder {folder}")


def _part(folder: Path, prefix: str) -> Pictures:
    images = idx_file(folder, f"{prefix}-images-idx3-ubyte")
    labels = idx_file(folder, f"{prefix}-labels-idx1-ubyte")
    names = (images.name, labels.name)
    return Pictures.of(read_idx(images, 3), read_idx(labels, 1), f"folder {folder}", names=names)
