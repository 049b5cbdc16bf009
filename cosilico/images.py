"""Image sets as npz files: ``x`` int8[N, height, width, channels] and, if known, labels ``y``."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.network import Network

__all__ = ["ImageSet", "images_for", "load_images", "random_images", "save_arrays"]

RANDOM_IMAGES = 8
"""Images drawn where a design has no test images beside it and none are given."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """``x`` int8[N, height, width, channels]; ``y`` int64[N], or None without labels."""

    x: NDArray[np.int8]
    y: NDArray[np.int64] | None = None

    def first(self, count: int | None) -> "ImageSet":
        """Return the first ``count`` images (all if None)."""
        if count is not None and count > len(self.x):
            raise CosilicoError(f"images must be at most the {len(self.x)} given, not {count}")
        return ImageSet(self.x[:count], None if self.y is None else self.y[:count])


def save_arrays(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write an npz file whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes allow_pickle for one
    write_atomic(path, buffer.getvalue())


def load_images(path: Path, network: Network) -> ImageSet:
    """Read images and check them against the network's input.

    Raises
    ------
    CosilicoError
        If the file is missing, damaged or does not fit the network.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise CosilicoError(f"image file {path} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, AttributeError):
        raise CosilicoError(f"image file {path} must be an npz file with array x") from None
    if "x" not in arrays:
        raise CosilicoError(f"image file {path} must hold array 'x'")
    x, y = arrays["x"], arrays.get("y")
    if x.dtype != np.int8 or x.ndim != 4 or x.shape[1:] != network.input.shape or not len(x):
        raise CosilicoError(
            f"x of {path} must be int8 of shape (N, {', '.join(map(str, network.input.shape))}), "
            f"not {x.dtype} of shape {x.shape}"
        )
    if y is not None and (not np.issubdtype(y.dtype, np.integer) or y.shape != (len(x),)):
        raise CosilicoError(
            f"y of {path} must be integers of shape ({len(x)},), not {y.dtype} of shape {y.shape}"
        )
    return ImageSet(x, None if y is None else y.astype(np.int64))


def random_images(network: Network, count: int) -> ImageSet:
    """Images of random bytes, the same for the same shape and count."""
    shape = (count, *network.input.shape)
    return ImageSet(np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8))


def images_for(
    design_path: Path, network: Network, input_file: Path | None, count: int | None
) -> ImageSet:
    """Images for a design: those given, else ``test.npz`` beside it, else random ones."""
    beside = design_path.parent / "test.npz"
    if input_file is not None:
        return load_images(input_file, network).first(count)
    if beside.exists():
        return load_images(beside, network).first(count)
    return random_images(network, count or RANDOM_IMAGES)
