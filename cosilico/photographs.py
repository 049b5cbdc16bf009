"""Inputs of named networks: photographs, cropped, resized by area and quantized, or noise."""

import math
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cosilico.extras import require_module
from cosilico.images import ImageSet
from sim.networks.seeded import noise_image
from sim.spec.archives import open_file
from sim.spec.errors import CosilicoError
from sim.spec.network import TensorSpec

__all__ = ["default_images", "load_photograph", "photograph_input", "resize_area"]

DEFAULT_PHOTOGRAPH = "china.jpg"
"""Name of a sample image of scikit-learn: a palace, 640 by 427."""

NOISE_SEED = 1

MAX_PIXELS = 1 << 25
"""Most pixels of a picture: those of a camera, not those of a bomb."""

MAX_SIDE = 1 << 14
MAX_INPUT_SIDE = 1 << 11

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that are read; others of Pillow's run programs."""

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


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
        If the file is missing, no image, larger than a photograph or of more than 8 bits.
    """
    if path is None:
        path = _installed_photograph()
    with open_file(path, "image file") as file:
        return _pixels(file, path)


def _installed_photograph() -> Path:
    """File of scikit-learn's photograph; the package is not imported, which takes seconds."""
    require_module("the photograph", "sklearn")
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / "images" / DEFAULT_PHOTOGRAPH


def _pixels(file: BinaryIO, path: Path) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(action="ignore"):  # of sizes, which are checked here
            image = Image.open(file, formats=_FORMATS)
        with image:
            if max(image.size) > MAX_SIDE or math.prod(image.size) > MAX_PIXELS:
                width, height = image.size
                rule = f"at most {MAX_PIXELS} pixels and {MAX_SIDE} on a side"
                raise CosilicoError(f"image file {path} must have {rule}, not {width}x{height}")
            if image.mode not in _MODES:
                rule = "must have channels of 8 bits"
                raise CosilicoError(f"image file {path} {rule}, not mode {image.mode!r}")
            return np.asarray(image.convert("RGB"), np.uint8)
    except CosilicoError:
        raise
    except UnidentifiedImageError:
        raise CosilicoError(f"image file {path} must be a picture") from None
    except Image.DecompressionBombError:
        raise CosilicoError(f"image file {path} must have at most {MAX_PIXELS} pixels") from None
    except Exception:  # whatever Pillow's readers raise on a damaged file
        raise CosilicoError(f"image file {path} cannot be read: it is damaged") from None


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
    if max(tensor.height, tensor.width) > MAX_INPUT_SIDE:
        raise CosilicoError(
            f"a picture needs an input of at most {MAX_INPUT_SIDE} pixels on a side, "
            f"but {tensor.name!r} has {tensor.height}x{tensor.width}"
        )
    height, width = pixels.shape[:2]
    scale = min(height / tensor.height, width / tensor.width)
    rows = max(1, round(tensor.height * scale))
    columns = max(1, round(tensor.width * scale))
    top, left = (height - rows) // 2, (width - columns) // 2
    crop = pixels[top : top + rows, left : left + columns]
    if tensor.channels == 1:
        gray: NDArray[np.float64] = crop.mean(axis=2, keepdims=True)
        resized = resize_area(gray, tensor.height, tensor.width)
    else:  # one channel after the other, for the sake of memory
        parts = [
            resize_area(crop[:, :, channel, None].astype(np.float64), tensor.height, tensor.width)
            for channel in range(crop.shape[2])
        ]
        resized = np.concatenate(parts, axis=2)
    resized = np.rint(resized)
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
