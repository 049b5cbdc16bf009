"""MobileNetV3-Small and EfficientNet-B0 as int8 models for TensorFlow Lite, with seeded weights, of any image size.

Both have squeeze-and-excitation blocks: products of an activation and a gate for each channel. Their activations are functions that
become activation tables. As converters write them: a hard sigmoid is a sum that is clamped to 0 … 6 and a sixth of it, a swish is a
logistic function and a product. Scales are calibrated on a random image.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sim.spec.network import Padding
from testbench.cases.tflite_writer import ModelWriter

__all__ = ["MOBILE_MODELS", "CalibratedModel", "CalibratedValue", "mobile_model", "require_name"]

MOBILE_MODELS = ("mobilenet_v3_small", "efficientnet_b0")
"""Models by name."""

_CALIBRATED = 64
"""Rows and columns of the image that scales are calibrated on, at most."""

_SPREAD = 1.5
"""Standard deviation of what a layer with weights makes, before its activation."""

_RELU6 = 3
"""TensorFlow Lite's number of the fused activation, that of ReLU is 1."""


class _Block(NamedTuple):
    """A row of MobileNetV3's table: an inverted residual block."""

    kernel: int
    expanded: int
    channels: int
    squeezes: bool
    swishes: bool
    stride: int


class _Stage(NamedTuple):
    """A row of EfficientNet's table: blocks, of which the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_MOBILENET_V3_SMALL = (
    _Block(3, 16, 16, True, False, 2), _Block(3, 72, 24, False, False, 2), _Block(3, 88, 24, False, False, 1),
    _Block(5, 96, 40, True, True, 2), _Block(5, 240, 40, True, True, 1), _Block(5, 240, 40, True, True, 1),
    _Block(5, 120, 48, True, True, 1), _Block(5, 144, 48, True, True, 1), _Block(5, 288, 96, True, True, 2),
    _Block(5, 576, 96, True, True, 1), _Block(5, 576, 96, True, True, 1),
)  # fmt: skip
"""Howard et al., Searching for MobileNetV3, Table 2."""

_EFFICIENTNET_B0 = (
    _Stage(1, 3, 1, 1, 16), _Stage(2, 3, 2, 6, 24), _Stage(2, 5, 2, 6, 40), _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112), _Stage(4, 5, 2, 6, 192), _Stage(1, 3, 1, 6, 320),
)  # fmt: skip
"""Tan and Le, EfficientNet, Table 1."""


def require_name(name: str, names: tuple[str, ...]) -> None:
    """Raise a ValueError unless a model's name is one of those that there are."""
    if name not in names:
        raise ValueError(f"name must be one of {names}, not {name!r}")


def mobile_model(
    name: str,
    *,
    resolution: int = 224,
    share: int = 1,
    classes: int = 1000,
    seed: int = 0,
) -> bytes:
    """A model file with random weights.

    Parameters
    ----------
    name : str
        Of ``MOBILE_MODELS``.
    resolution : int
        Rows and columns of the image.
    share : int
        By which the channels of all layers are divided, to multiples of 4.
    classes, seed : int

    Raises
    ------
    ValueError
        If there is no such model.
    """
    require_name(name, MOBILE_MODELS)
    model = CalibratedModel(resolution, share, np.random.default_rng(seed))
    last = model.mobilenet_v3_small() if name == MOBILE_MODELS[0] else model.efficientnet_b0()
    return model.finish(last, classes)


@dataclass(frozen=True, slots=True)
class CalibratedValue:
    """An activation: its tensor, and its real values for the image that scales are calibrated on: float32[y, x, c]."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    real: NDArray[np.float32]

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return self.shape[-1]


class CalibratedModel:
    """A model in the making."""

    def __init__(self, resolution: int, share: int, rng: np.random.Generator) -> None:
        self.writer, self.rng, self.share = ModelWriter(), rng, share
        self.fixed: tuple[float, int] | None = None
        """Scale and zero point of the values to come, where they are given."""
        size = min(resolution, _CALIBRATED)
        image = rng.uniform(-1, 1, (size, size, 3)).astype(np.float32)
        self.image = self._value((1, resolution, resolution, 3), image)

    def mobilenet_v3_small(self) -> CalibratedValue:
        """Stem, blocks, head of 576 channels, pool and a layer of 1,024."""
        x = self._hard_swish(self._conv(self.image, self._width(16), 3, 2))
        for block in _MOBILENET_V3_SMALL:
            source, act = x, 0 if block.swishes else 1
            if block.expanded != 16:
                x = self._conv(x, self._width(block.expanded), fused=act)
                x = self._hard_swish(x) if block.swishes else x
            x = self._conv(x, 0, block.kernel, block.stride, fused=act)
            x = self._hard_swish(x) if block.swishes else x
            if block.squeezes:
                x = self._excited(x, self._width(block.expanded // 4), hard=True)
            x = self._projected(x, source, self._width(block.channels))
        x = self._mean(self._hard_swish(self._conv(x, self._width(576))))
        return self._hard_swish(self._conv(x, self._width(1024)))

    def efficientnet_b0(self) -> CalibratedValue:
        """Stem, blocks, head of 1,280 channels and pool."""
        x = self._swish(self._conv(self.image, self._width(32), 3, 2))
        channels = 32
        for stage in _EFFICIENTNET_B0:
            for position in range(stage.blocks):
                source, expanded = x, channels * stage.expansion
                if stage.expansion > 1:
                    x = self._swish(self._conv(x, self._width(expanded)))
                x = self._conv(x, 0, stage.kernel, stage.stride if position == 0 else 1)
                x = self._excited(self._swish(x), self._width(channels // 4), hard=False)
                x = self._projected(x, source, self._width(stage.channels))
                channels = stage.channels
        return self._mean(self._swish(self._conv(x, self._width(1280))))

    def finish(self, source: CalibratedValue, classes: int) -> bytes:
        """Append the classifier and encode the model."""
        logits = self._conv(source, classes)
        flat = self._value((1, classes), logits.real, logits)
        shape = self.writer.constant([1, classes], "int32")
        self.writer.operator("RESHAPE", [logits.index, shape], [flat.index])
        return self.writer.finish([self.image.index], [flat.index])

    def _width(self, channels: int) -> int:
        return max(4, channels // self.share // 4 * 4)

    def _value(
        self, shape: tuple[int, ...], real: NDArray[Any], like: CalibratedValue | None = None
    ) -> CalibratedValue:
        """A tensor with the scale that its real values need, or another's."""
        low, high = min(0.0, float(real.min())), max(1e-3, float(real.max()))
        scale = float(np.float32((high - low) / 255))
        point = int(np.clip(round(-128 - low / scale), -128, 127))
        if like is not None:
            scale, point = like.scale, like.zero_point
        if self.fixed is not None:
            scale, point = self.fixed
        index = self.writer.tensor(shape, scales=[scale], zero_points=[point])
        return CalibratedValue(index, shape, scale, point, real.astype(np.float32))

    def _conv(
        self, x: CalibratedValue, channels: int, kernel: int = 1, stride: int = 1, fused: int = 0
    ) -> CalibratedValue:
        """A convolution with a bias; depthwise where no channels are given."""
        own = channels == 0
        count, depth = channels or x.channels, x.channels
        shape = (1, kernel, kernel, count) if own else (count, kernel, kernel, depth)
        weights = self.rng.integers(-127, 128, shape)
        sums = self._windows_of(x, kernel, stride)  # [y, x, c, ky, kx]
        if own:
            real = np.einsum("yxcij,ijc->yxc", sums, weights[0].astype(np.float32))
        else:
            real = np.tensordot(sums, weights.astype(np.float32), ([3, 4, 2], [1, 2, 3]))
        scale = float(np.float32(_SPREAD / max(1e-6, float(real.std()))))
        bias = (self.rng.normal(0, 0.3, count) / (scale * x.scale)).astype(np.int32)
        real = (real + bias * x.scale) * scale
        if fused:
            real = real.clip(0, None)
        height, width = (-(-size // stride) for size in x.shape[1:3])
        out = self._value((1, height, width, count), real)
        inputs = [
            x.index,
            self.writer.constant(weights, "int8", scales=[scale], axis=3 if own else 0),
            self.writer.constant(bias, "int32", scales=[float(np.float32(scale * x.scale))]),
        ]
        options = {
            "Padding": 0, "StrideH": stride, "StrideW": stride, "DilationHFactor": 1, "DilationWFactor": 1,
            "FusedActivationFunction": fused,
        }  # fmt: skip
        if own:
            self.writer.operator(
                "DEPTHWISE_CONV_2D", inputs, [out.index], DepthMultiplier=1, **options
            )
        else:
            self.writer.operator("CONV_2D", inputs, [out.index], **options)
        return out

    def _windows_of(self, x: CalibratedValue, kernel: int, stride: int) -> NDArray[np.float32]:
        """Taps of all windows of real values: float32[y, x, c, ky, kx]."""
        return _windows(x.real, kernel, stride)

    def _projected(
        self, x: CalibratedValue, source: CalibratedValue, channels: int
    ) -> CalibratedValue:
        """A linear projection, and its sum with the block's input where the shapes agree."""
        x = self._conv(x, channels)
        return self._binary("ADD", source, x) if x.shape == source.shape else x

    def _hard_swish(self, x: CalibratedValue) -> CalibratedValue:
        return self._unary("HARD_SWISH", x, x.real * (x.real + 3).clip(0, 6) / 6)

    def _sigmoid(self, x: CalibratedValue) -> CalibratedValue:
        index = self.writer.tensor(x.shape, scales=[1 / 256], zero_points=[-128])
        out = CalibratedValue(
            index, x.shape, 1 / 256, -128, (1 / (1 + np.exp(-x.real))).astype(np.float32)
        )
        self.writer.operator("LOGISTIC", [x.index], [out.index])
        return out

    def _swish(self, x: CalibratedValue) -> CalibratedValue:
        return self._binary("MUL", x, self._sigmoid(x))

    def _hard_sigmoid(self, x: CalibratedValue) -> CalibratedValue:
        shifted = self._value(x.shape, (x.real + 3).clip(0, 6))
        three = self.writer.constant(np.array([127]), "int8", scales=[3 / 127], zero_points=[0])
        self.writer.operator(
            "ADD", [x.index, three], [shifted.index], FusedActivationFunction=_RELU6
        )
        out = self._value(x.shape, shifted.real / 6)
        sixth = self.writer.constant(np.array([127]), "int8", scales=[1 / 6 / 127], zero_points=[0])
        self.writer.operator("MUL", [shifted.index, sixth], [out.index], FusedActivationFunction=0)
        return out

    def _excited(self, x: CalibratedValue, channels: int, *, hard: bool) -> CalibratedValue:
        """A squeeze-and-excitation block."""
        reduced = self._conv(self._mean(x), channels, fused=1 if hard else 0)
        gates = self._conv(reduced if hard else self._swish(reduced), x.channels)
        return self._binary("MUL", x, self._hard_sigmoid(gates) if hard else self._sigmoid(gates))

    def _mean(self, x: CalibratedValue) -> CalibratedValue:
        out = self._value((1, 1, 1, x.channels), x.real.mean((0, 1), keepdims=True))
        axes = self.writer.constant([1, 2], "int32")
        self.writer.operator("MEAN", [x.index, axes], [out.index], KeepDims=True)
        return out

    def _unary(self, name: str, x: CalibratedValue, real: NDArray[Any]) -> CalibratedValue:
        out = self._value(x.shape, real)
        self.writer.operator(name, [x.index], [out.index])
        return out

    def _binary(self, name: str, a: CalibratedValue, b: CalibratedValue) -> CalibratedValue:
        out = self._value(a.shape, a.real * b.real if name == "MUL" else a.real + b.real)
        self.writer.operator(name, [a.index, b.index], [out.index], FusedActivationFunction=0)
        return out


def _windows(real: NDArray[np.float32], kernel: int, stride: int) -> NDArray[np.float32]:
    """Taps of all windows with TensorFlow's SAME padding: float32[y, x, c, ky, kx]."""
    pad = Padding.same(real.shape[:2], (kernel, kernel), (stride, stride))
    padded = np.pad(real, ((pad.top, pad.bottom), (pad.left, pad.right), (0, 0)))
    windows = sliding_window_view(padded, (kernel, kernel), axis=(0, 1))
    return windows[::stride, ::stride]
