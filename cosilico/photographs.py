"""Inputs of named networks: photographs, cropped, resized by area and quantized, or noise."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosilico.images import ImageSet
from sim.seeded import noise_image
from sim.spec.errors import CosilicoError
from sim.spec.network import TensorSpec

__all__ = ["default_images", "load_photograph", "photograph_input", "resize_area"]

DEFAULT_PHOTOGRAPH = "china.jpg"
"""Of scikit-learn's sample images: a palace, 640 by 427."""

NOISE_SEED = 1


def default_images(tensor: TensorSpec) -> ImageSet:
    """One image for an input: scikit-learn's photograph if it has 3 channels, else seeded noise."""
    if tensor.channels == 3:
        return ImageSet(photograph_input(load_photograph(), tensor))
    return ImageSet(noise_image(tensor, np.random.default_rng(NOISE_SEED)))


def load_photograph(path: Path | None = None) -> NDArray[np.uint8]:
    """Pixels of an image file, or of scikit-learn's photograph: uint8[height, width, 3].

    Raises
    ------
    CosilicoError
        If the file is missing or no image.
    """
    if path is None:
        from sklearn.datasets import load_sample_image

        return np.asarray(load_sample_image(DEFAULT_PHOTOGRAPH), np.uint8)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), np.uint8)
    except UnidentifiedImageError:
        raise CosilicoError(f"image file {path} must be a picture") from None
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise CosilicoError(f"image file {path} cannot be read: {reason}") from None


def photograph_input(pixels: NDArray[np.uint8], tensor: TensorSpec) -> NDArray[np.int8]:
    """Center crop, resize and quantize to int8[1, *tensor.shape]; byte b is the real (b - 128)/128.

    Raises
    ------
    CosilicoError
        If the tensor has neither 1 (gray) nor 3 channels.
    """
    if tensor.channels not in (1, 3):
        raise CosilicoError(
            f"a picture needs an input of 1 or 3 channels, but {tensor.name!r} has "
            f"{tensor.channels}"
        )
    height, width = pixels.shape[:2]
    scale = min(height / tensor.height, width / tensor.width)
    rows, columns = round(tensor.height * scale), round(tensor.width * scale)
    top, left = (height - rows) // 2, (width - columns) // 2
    crop = pixels[top : top + rows, left : left + columns].astype(np.float64)
    if tensor.channels == 1:
        crop = crop.mean(axis=2, keepdims=True)
    resized = np.rint(resize_area(crop, tensor.height, tensor.width))
    real = (resized - 128) / 128
    values = np.rint(real / tensor.scale) + tensor.zero_point
    return values.clip(-128, 127).astype(np.int8)[None]


def resize_area(pixels: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Average over the area that each output pixel covers: float64[height, width, channels]."""
    rows = _coverage(pixels.shape[0], height)
    columns = _coverage(pixels.shape[1], width)
    resized: NDArray[np.float64] = np.einsum("yi,ijc,xj->yxc", rows, pixels, columns, optimize=True)
    return resized


def _coverage(source: int, target: int) -> NDArray[np.float64]:
    """Share of each source pixel in each target pixel: float64[target, source], rows sum to 1."""
    edges = np.arange(target + 1) * source / target
    pixels = np.arange(source)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    shares: NDArray[np.float64] = np.maximum(0, high - low) * (target / source)
    return shares
