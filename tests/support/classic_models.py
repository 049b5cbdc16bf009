"""SqueezeNet 1.1, ResNet-50 and an SSD head on MobileNetV2 as int8 models for TensorFlow Lite, with seeded weights, of any image size.

Windows are padded as TensorFlow's SAME. Scales are calibrated on a random image. Tensors that are concatenated have a single scale.
"""

from typing import NamedTuple

import numpy as np

from mobile_models import CalibratedModel, CalibratedValue, require_name

__all__ = ["CLASSIC_MODELS", "classic_model"]

CLASSIC_MODELS = ("squeezenet_v1_1", "resnet_50", "ssd_mobilenet_v2")
"""Models by name."""

_RELU, _RELU6 = 1, 3
_JOINED_SCALE = float(np.float32(7 / 255))
"""Scale of tensors that are concatenated, of values from 0 on."""

_ANCHORS = 6
_BOX = 4


class _Fire(NamedTuple):
    """A fire module: channels that it squeezes to, and of each of its two expanding convolutions."""

    squeezed: int
    expanded: int


_SQUEEZENET = (
    (_Fire(16, 64), _Fire(16, 64)), (_Fire(32, 128), _Fire(32, 128)),
    (_Fire(48, 192), _Fire(48, 192), _Fire(64, 256), _Fire(64, 256)),
)  # fmt: skip
"""Iandola et al., SqueezeNet, version 1.1: modules behind each of the pools."""

_RESNET_50 = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
"""He et al., Deep Residual Learning, Table 1: blocks, their channels, and the stride of the first."""

_MOBILENET_V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Sandler et al., MobileNetV2, Table 2: expansion, channels, blocks, and the stride of the first."""


def classic_model(
    name: str, *, resolution: int = 224, share: int = 1, classes: int = 1000, seed: int = 0
) -> bytes:
    """A model file with random weights: one of ``CLASSIC_MODELS``, and all else as of :func:`mobile_models.mobile_model`."""
    require_name(name, CLASSIC_MODELS)
    model = _Classic(resolution, share, np.random.default_rng(seed))
    if name == "squeezenet_v1_1":
        return model.squeezenet(classes)
    if name == "resnet_50":
        return model.resnet(classes)
    return model.ssd(classes)


class _Classic(CalibratedModel):
    def squeezenet(self, classes: int) -> bytes:
        """Stem, fire modules with pools, a convolution to the classes and a mean."""
        x = self._conv(self.image, self._width(64), 3, 2, fused=_RELU)
        for modules in _SQUEEZENET:
            x = self._max_pool(x)
            for fire in modules:
                x = self._fire(x, fire)
        x = self._mean(self._conv(x, classes, fused=_RELU))
        return self._flat([x])

    def resnet(self, classes: int) -> bytes:
        """Stem, bottlenecks with the stride in their middle, a mean and a full connection."""
        x = self._max_pool(self._conv(self.image, self._width(64), 7, 2, fused=_RELU))
        for blocks, channels, stride in _RESNET_50:
            for position in range(blocks):
                x = self._bottleneck(x, self._width(channels), stride if position == 0 else 1)
        return self.finish(self._mean(x), classes)

    def ssd(self, classes: int) -> bytes:
        """MobileNetV2, and boxes and scores of each pixel's anchors: two outputs."""
        x = self._conv(self.image, self._width(32), 3, 2, fused=_RELU6)
        for expansion, channels, blocks, stride in _MOBILENET_V2:
            for position in range(blocks):
                source = x
                if expansion > 1:
                    x = self._conv(x, expansion * x.channels, fused=_RELU6)
                x = self._conv(x, 0, 3, stride if position == 0 else 1, fused=_RELU6)
                x = self._conv(x, self._width(channels))
                x = self._binary("ADD", source, x) if position else x
        x = self._conv(x, self._width(1280), fused=_RELU6)
        heads = [
            self._conv(self._conv(x, 0, 3, fused=_RELU6), _ANCHORS * size)
            for size in (_BOX, classes)
        ]
        return self.writer.finish([self.image.index], [head.index for head in heads])

    def _fire(self, x: CalibratedValue, fire: _Fire) -> CalibratedValue:
        squeezed = self._conv(x, self._width(fire.squeezed), fused=_RELU)
        self.fixed = (_JOINED_SCALE, -128)
        parts = [
            self._conv(squeezed, self._width(fire.expanded), kernel, fused=_RELU)
            for kernel in (1, 3)
        ]
        real = np.concatenate([part.real for part in parts], axis=2)
        shape = (*parts[0].shape[:3], sum(part.channels for part in parts))
        out = self._value(shape, real)
        self.fixed = None
        self.writer.operator("CONCATENATION", [part.index for part in parts], [out.index], Axis=3)
        return out

    def _bottleneck(self, x: CalibratedValue, channels: int, stride: int) -> CalibratedValue:
        inner = self._conv(x, channels, fused=_RELU)
        inner = self._conv(inner, channels, 3, stride, fused=_RELU)
        last, source = self._conv(inner, 4 * channels), x
        if x.shape != last.shape:
            source = self._conv(x, 4 * channels, 1, stride)
        real = (last.real + source.real).clip(0, None)
        out = self._value(last.shape, real)
        self.writer.operator(
            "ADD", [source.index, last.index], [out.index], FusedActivationFunction=_RELU
        )
        return out

    def _max_pool(self, x: CalibratedValue) -> CalibratedValue:
        """The largest of windows of 3×3, 2 apart."""
        height, width = (-(-size // 2) for size in x.shape[1:3])
        pooled = self._windows_of(x, 3, 2).max((3, 4))
        out = self._value((1, height, width, x.channels), pooled, x)
        self.writer.operator(
            "MAX_POOL_2D", [x.index], [out.index], FilterHeight=3, FilterWidth=3, StrideH=2, StrideW=2,
            Padding=0, FusedActivationFunction=0,
        )  # fmt: skip
        return out

    def _flat(self, values: list[CalibratedValue]) -> bytes:
        return self.writer.finish([self.image.index], [value.index for value in values])
