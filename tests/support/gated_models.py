"""MnasNet-A1 and GhostNet as int8 models for TensorFlow Lite, with seeded weights, of any image size.

Both have squeeze-and-excitation blocks: products of an activation and a gate for each channel. GhostNet makes one half of its channels by a
depthwise convolution of the other half, and joins the halves. Windows are padded as TensorFlow's SAME. Scales are calibrated on a random image.
"""

from typing import NamedTuple

import numpy as np

from mobile_models import CalibratedModel, CalibratedValue, require_name

__all__ = ["GATED_MODELS", "gated_model"]

GATED_MODELS = ("mnasnet_a1", "ghostnet")
"""Models by name."""

_NONE, _RELU = 0, 1
"""TensorFlow Lite's numbers of fused activations."""

_HALVES = {_RELU: (float(np.float32(7 / 255)), -128), _NONE: (float(np.float32(12 / 255)), 0)}
"""Scale and zero point of halves that are joined, by their activation."""


class _Stage(NamedTuple):
    """A row of MnasNet-A1's figure: blocks, of which the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int
    squeezes: bool


class _Bottleneck(NamedTuple):
    """A row of GhostNet's table."""

    kernel: int
    expanded: int
    channels: int
    squeezes: bool
    stride: int


_MNASNET_A1 = (
    _Stage(2, 3, 2, 6, 24, False), _Stage(3, 5, 2, 3, 40, True), _Stage(4, 3, 2, 6, 80, False),
    _Stage(2, 3, 1, 6, 112, True), _Stage(3, 5, 2, 6, 160, True), _Stage(1, 3, 1, 6, 320, False),
)  # fmt: skip
"""Tan et al., MnasNet, Figure 7, behind the stem and the separable convolution."""

_GHOSTNET = (
    _Bottleneck(3, 16, 16, False, 1), _Bottleneck(3, 48, 24, False, 2), _Bottleneck(3, 72, 24, False, 1),
    _Bottleneck(5, 72, 40, True, 2), _Bottleneck(5, 120, 40, True, 1), _Bottleneck(3, 240, 80, False, 2),
    _Bottleneck(3, 200, 80, False, 1), _Bottleneck(3, 184, 80, False, 1), _Bottleneck(3, 184, 80, False, 1),
    _Bottleneck(3, 480, 112, True, 1), _Bottleneck(3, 672, 112, True, 1), _Bottleneck(5, 672, 160, True, 2),
    _Bottleneck(5, 960, 160, False, 1), _Bottleneck(5, 960, 160, True, 1), _Bottleneck(5, 960, 160, False, 1),
    _Bottleneck(5, 960, 160, True, 1),
)  # fmt: skip
"""Han et al., GhostNet, Table 1."""


def gated_model(
    name: str, *, resolution: int = 224, share: int = 1, classes: int = 1000, seed: int = 0
) -> bytes:
    """A model file with random weights: one of ``GATED_MODELS``, and all else as of :func:`mobile_models.mobile_model`."""
    require_name(name, GATED_MODELS)
    model = _Gated(resolution, share, np.random.default_rng(seed))
    last = model.mnasnet_a1() if name == "mnasnet_a1" else model.ghostnet()
    return model.finish(last, classes)


class _Gated(CalibratedModel):
    def mnasnet_a1(self) -> CalibratedValue:
        """Stem, a separable convolution, blocks, head of 1,280 channels and pool."""
        x = self._conv(self.image, self._width(32), 3, 2, fused=_RELU)
        x = self._conv(self._conv(x, 0, 3, fused=_RELU), self._width(16))
        for stage in _MNASNET_A1:
            for position in range(stage.blocks):
                source = x
                x = self._conv(x, stage.expansion * x.channels, fused=_RELU)
                stride = stage.stride if position == 0 else 1
                x = self._conv(x, 0, stage.kernel, stride, fused=_RELU)
                if stage.squeezes:
                    squeezed = max(4, source.channels // 4)
                    reduced = self._conv(self._mean(x), squeezed, fused=_RELU)
                    x = self._binary("MUL", x, self._sigmoid(self._conv(reduced, x.channels)))
                x = self._projected(x, source, self._width(stage.channels))
        return self._mean(self._conv(x, self._width(1280), fused=_RELU))

    def ghostnet(self) -> CalibratedValue:
        """Stem, bottlenecks, head of 960 channels, pool and a layer of 1,280."""
        x = self._conv(self.image, self._width(16), 3, 2, fused=_RELU)
        for row in _GHOSTNET:
            source, channels = x, self._width(row.channels)
            x = self._ghost(x, self._width(row.expanded), _RELU)
            if row.stride > 1:
                x = self._conv(x, 0, row.kernel, row.stride)
            if row.squeezes:
                x = self._excited(x, max(4, (x.channels // 4 + 2) // 4 * 4), hard=True)
            x = self._ghost(x, channels, _NONE)
            if source.shape != x.shape:
                source = self._conv(self._conv(source, 0, row.kernel, row.stride), channels)
            x = self._binary("ADD", x, source)
        x = self._mean(self._conv(x, self._width(960), fused=_RELU))
        return self._conv(x, self._width(1280), fused=_RELU)

    def _ghost(self, x: CalibratedValue, channels: int, fused: int) -> CalibratedValue:
        """One half of the channels by a 1×1 convolution, the other by a cheap 3×3 of the first."""
        self.fixed = _HALVES[fused]
        own = self._conv(x, channels // 2, fused=fused)
        cheap = self._conv(own, 0, 3, fused=fused)
        real = np.concatenate([own.real, cheap.real], axis=2)
        out = self._value((*own.shape[:3], 2 * own.channels), real)
        self.fixed = None
        self.writer.operator("CONCATENATION", [own.index, cheap.index], [out.index], Axis=3)
        return out
