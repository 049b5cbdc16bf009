"""Image sets as npz files: ``x`` int8[N, height, width, channels] and, if known, labels ``y``."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.inputs import join
from sim.spec.network import Network
from sim.spec.npz import npz_bytes
from sim.spec.npz import read_arrays as load_arrays

__all__ = [
    "RANDOM_IMAGES",
    "ImageSet",
    "images_for",
    "labels",
    "load_images",
    "random_images",
    "read_arrays",
    "require_memory",
    "save_arrays",
]

MAX_VALUES = 1 << 30
"""Most values of all tensors of all images that run in RTL.

They are kept, as computed and as expected.
"""

MAX_RANDOM_VALUES = 1 << 26
"""Most values of random images, of which nobody needs many."""

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
    write_atomic(path, npz_bytes(arrays))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of an npz file that must have ``x``.

    Raises
    ------
    CosilicoError
        If the file is missing, damaged or has no ``x``.
    """
    arrays = load_arrays(path, "image file", finite=True)
    if "x" not in arrays:
        raise CosilicoError(f"image file {path} must hold array 'x'")
    return arrays


def labels(path: Path, arrays: dict[str, NDArray[Any]], count: int) -> NDArray[np.int64] | None:
    """Labels ``y`` of a file with ``count`` images, None where it has none.

    Raises
    ------
    CosilicoError
        If they are not one integer for each image.
    """
    y = arrays.get("y")
    if y is None:
        return None
    if not np.issubdtype(y.dtype, np.integer) or y.shape != (count,):
        raise CosilicoError(
            f"y of {path} must be integers of shape ({count},), not {y.dtype} of shape {y.shape}"
        )
    return y.astype(np.int64)


def load_images(path: Path, network: Network) -> ImageSet:
    """Read images and check them against the network's input.

    Raises
    ------
    CosilicoError
        If the file is missing, damaged or does not fit the network.
    """
    arrays = read_arrays(path)
    x = _inputs(path, arrays, network)
    if x.dtype != np.int8 or x.shape[1:] != network.image_shape or not len(x):
        raise CosilicoError(
            f"x of {path} must be int8 of shape (N, {', '.join(map(str, network.image_shape))}), "
            f"not {x.dtype} of shape {x.shape}"
        )
    return ImageSet(x, labels(path, arrays, len(x)))


def _inputs(path: Path, arrays: dict[str, NDArray[Any]], network: Network) -> NDArray[Any]:
    """Images of a file: ``x``, or where that is the first of several inputs, ``x.1`` and so on for the others."""
    if not network.further_inputs or "x.1" not in arrays:
        return arrays["x"]
    names = ["x", *(f"x.{place}" for place in range(1, len(network.inputs)))]
    for name in names:
        if name not in arrays:
            raise CosilicoError(f"image file {path} must hold array {name!r}")
    given = {spec.name: arrays[name] for spec, name in zip(network.inputs, names, strict=True)}
    try:
        return join(network.inputs, given)
    except ValueError as error:
        raise CosilicoError(f"image file {path}: {error}") from None


def random_images(network: Network, count: int | None = None) -> ImageSet:
    """Images of random bytes, the same for the same shape and count; 8 or fewer if not given.

    Raises
    ------
    CosilicoError
        If there are more than memory should hold.
    """
    values = _values(network)
    if count is None:
        count = max(1, min(RANDOM_IMAGES, MAX_RANDOM_VALUES // values))
    _require(count, values, MAX_RANDOM_VALUES)
    shape = (count, *network.image_shape)
    return ImageSet(np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8))


def require_memory(network: Network, count: int) -> None:
    """Raise :class:`CosilicoError` for more images than memory should hold while they run."""
    _require(count, _values(network), MAX_VALUES)


def _values(network: Network) -> int:
    """Values of all tensors of one image."""
    return sum(math.prod(tensor.shape) for tensor in network.tensors.values())


def _require(count: int, values: int, limit: int) -> None:
    most = max(1, limit // values)
    if count > most:
        rule = f"must be at most {most}, with {values} values in all tensors of each"
        raise CosilicoError(f"images {rule}, not {count}")


def images_for(
    design_path: Path, network: Network, input_file: Path | None, count: int | None
) -> ImageSet:
    """Images for a design: those given, else ``test.npz`` beside it, else random images."""
    beside = design_path.parent / "test.npz"
    if input_file is not None:
        return load_images(input_file, network).first(count)
    if beside.exists():
        return load_images(beside, network).first(count)
    return random_images(network, count)
