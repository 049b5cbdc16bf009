"""Photographs that come with Python packages: some to calibrate with, others to be judged by."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cosilico.photographs import resize_area
from sim.spec.errors import CosilicoError

__all__ = [
    "FREE",
    "JUDGED",
    "SIDE",
    "calibration_photographs",
    "judged_photographs",
]

SIDE = 224
"""Height and width of the networks' inputs."""

_CROP = 224 / 256
"""Share of the shorter side that both networks' evaluations keep: a border of 32 around 224 pixels."""

JUDGED = ("chelsea", "coffee", "china", "flower", "motorcycle", "rocket", "astronaut")
"""Photographs of scikit-image and scikit-learn by name; none of them calibrates."""

FREE = ("chelsea", "coffee", "china", "flower", "rocket", "astronaut")
"""Those of them that anyone may pass on: CC0, public domain, or CC BY 2.0 (china, flower)."""


def judged_photographs() -> NDArray[np.uint8]:
    """The photographs of ``JUDGED``: uint8[7, 224, 224, 3]."""
    import skimage.data
    from sklearn.datasets import load_sample_image

    left, _, _ = skimage.data.stereo_motorcycle()
    photographs = {
        "chelsea": skimage.data.chelsea(),
        "coffee": skimage.data.coffee(),
        "china": load_sample_image("china.jpg"),
        "flower": load_sample_image("flower.jpg"),
        "motorcycle": left,
        "rocket": skimage.data.rocket(),
        "astronaut": skimage.data.astronaut(),
    }
    return np.stack([_framed(photographs[name]) for name in JUDGED])


def calibration_photographs() -> tuple[NDArray[np.uint8], list[int]]:
    """The 20 images of ImageNet in foolbox, uint8[20, 224, 224, 3], and their classes."""
    package = find_spec("foolbox")
    if package is None or package.origin is None:
        raise CosilicoError("this example needs the packages of the extra 'examples'")
    files = sorted((Path(package.origin).parent / "data").glob("imagenet_*.jpg"))
    images = []
    for path in files:
        with Image.open(path) as image:
            images.append(_framed(np.asarray(image.convert("RGB"), np.uint8)))
    return np.stack(images), [int(path.stem.rpartition("_")[2]) for path in files]


def _framed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a photograph, resized by area."""
    side = round(min(pixels.shape[:2]) * _CROP)
    top, left = ((size - side) // 2 for size in pixels.shape[:2])
    crop = pixels[top : top + side, left : left + side].astype(np.float64)
    return np.rint(resize_area(crop, SIDE, SIDE)).astype(np.uint8)
