"""Tensors and weighted operators of random TensorFlow Lite models: scales, zero points and numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbench.cases.tflite_writer import ModelWriter

__all__ = ["MOST_VALUES", "Activation", "TensorDraw", "excited", "multiplied"]

MOST_VALUES = 4096
"""Most values of an activation: a draw takes milliseconds."""

_POINTS = [0.35, 0.2, 0.4, 0.05]

_SAFE_SUM = 2**31 - 512
"""Sums of this magnitude still hold an output's zero point without overflow."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation of a model: index, shape, scale and zero point."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class TensorDraw:
    """Draws tensors, constants and operators with weights, and writes them.

    Parameters
    ----------
    rng : Generator
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.writer = ModelWriter()

    def activation(
        self,
        shape: tuple[int, ...],
        scale: float | None = None,
        zero_point: int | None = None,
        near: float | None = None,
    ) -> Activation:
        """A tensor with a scale and zero point of its own, if not given.

        ``near``: a scale that this one mostly resembles, so that values neither vanish nor saturate.
        """
        rng = self.rng
        if scale is None and near is not None and rng.random() < 0.8:
            scale = float(np.float32(near * 2.0 ** rng.uniform(-1.5, 1.5)))
        if scale is None:
            scale = float(np.float32(2.0 ** rng.uniform(-9, 1)))
        if zero_point is None:
            zero_point = int(rng.choice([-128, 0, int(rng.integers(-128, 128)), 127], p=_POINTS))
        index = self.writer.tensor(shape, scales=[scale], zero_points=[zero_point])
        return Activation(index, shape, scale, zero_point)

    def like(self, source: Activation, shape: tuple[int, ...]) -> Activation:
        """A tensor of another shape with the same scale and zero point."""
        return self.activation(shape, source.scale, source.zero_point)

    def weighted(
        self,
        name: str,
        source: Activation,
        weights: NDArray[np.int8],
        axis: int,
        shape: tuple[int, ...],
        stride: tuple[int, int] | None,
        padding: int | None,
        into: Activation | None = None,
        **options: Any,
    ) -> Activation:
        """An operator with weights; multipliers from far below 2^-31 to far above 1."""
        rng, writer = self.rng, self.writer
        channels = weights.shape[axis]
        out = into or self.activation(shape)
        per_channel = bool(rng.random() < 0.7)
        count = channels if per_channel else 1
        # Real multipliers: such that the sums fill int8, any, so tiny that they become 0, above 1.
        typical = np.sqrt(weights.size / channels) * 75 * 90
        fitting = np.log2(60 / typical)
        ranges = [(fitting - 1.5, fitting + 1), (-30, -1), (-40, -28), (0, 6)]
        usual = int(rng.choice(4, p=[0.7, 0.14, 0.08, 0.08]))
        reals = 2.0 ** rng.uniform(*ranges[usual], count)
        scales = (reals * out.scale / source.scale).astype(np.float32)
        if name == "FULLY_CONNECTED":
            # The interpreter compares input scale times weight scale with the bias's scale.
            scales = np.maximum(scales, np.float32(1e-30))
        limit = self.bias_limit(weights, axis, float(reals.max()))
        inputs = [source.index]
        inputs.append(
            writer.constant(
                weights, "int8", scales=scales.tolist(), axis=axis if per_channel else 0
            )
        )
        if rng.random() < 0.85:
            extreme = rng.random(channels) < 0.1
            bias = np.where(
                extreme if usual == 0 else rng.random(channels) < 0.5,
                limit * rng.choice([-1.0, -0.5, 1.0], channels),
                rng.normal(0, typical, channels),
            )
            bias_scales = (np.float32(source.scale) * scales).tolist()
            data = bias.clip(-limit, limit).astype(np.int32)
            inputs.append(writer.constant(data, "int32", scales=bias_scales))
        elif name == "FULLY_CONNECTED":
            inputs.append(-1)  # the interpreter's convolutions want it left out instead
        fields: dict[str, Any] = {"FusedActivationFunction": int(rng.integers(4))} | options
        if stride is not None:
            fields |= {"StrideH": stride[0], "StrideW": stride[1], "Padding": padding}
        writer.operator(name, inputs, [out.index], **fields)
        return out

    def bias_limit(self, weights: NDArray[np.int8], axis: int, real: float) -> int:
        """Largest bias with which no sum leaves int32, and none that is scaled up either.

        Past that the interpreter's behaviour is undefined: its C++ overflows signed integers.
        """
        others = tuple(i for i in range(weights.ndim) if i != axis)
        reach = int(np.abs(weights.astype(np.int64)).sum(axis=others).max()) * 255
        room = _SAFE_SUM / max(1.0, 4 * real) - reach
        return max(0, int(room))

    def window(
        self, source: Activation, channels: int
    ) -> tuple[tuple[int, int], tuple[int, int], int, tuple[int, ...]] | None:
        """Kernel, stride, padding option and output shape that fit."""
        rng = self.rng
        _, height, width, _ = source.shape
        kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        padding = int(rng.integers(2))
        if padding == 0:
            size = (-(-height // stride[0]), -(-width // stride[1]))
        else:
            if kernel[0] > height or kernel[1] > width:
                return None
            size = ((height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1)
        if size[0] * size[1] * channels > MOST_VALUES:
            return None
        return kernel, stride, padding, (1, *size, channels)

    def weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        """Random weights, some of them extreme."""
        weights = self.rng.integers(-127, 128, shape).astype(np.int8)
        if self.rng.random() < 0.2:
            weights[self.rng.random(shape) < 0.5] = self.rng.choice([-128, 127, 0])
        return weights

    def constant(self, source: Activation) -> Activation:
        """A constant for all values, or for each channel."""
        channels = source.shape[-1] if self.rng.random() < 0.7 else 1
        shape = [(channels,), (1,) * (len(source.shape) - 1) + (channels,)][self.rng.integers(2)]
        kind = self.activation(shape, near=source.scale)
        data = self.rng.integers(-128, 128, shape).astype(np.int8)
        index = self.writer.constant(
            data, "int8", scales=[kind.scale], zero_points=[kind.zero_point]
        )
        return Activation(index, shape, kind.scale, kind.zero_point)

    def elementwise(
        self, name: str, a: Activation, b: Activation, out: Activation, *, either: bool = False
    ) -> None:
        """An operator of two operands, in either order if asked, with a fused activation."""
        operands = [a.index, b.index]
        if either and self.rng.random() < 0.5:
            operands.reverse()
        activation = int(self.rng.integers(4))
        self.writer.operator(name, operands, [out.index], FusedActivationFunction=activation)

    def transposed(self, source: Activation, order: list[int]) -> Activation:
        """The activation with its axes in another order."""
        out = self.like(source, tuple(source.shape[axis] for axis in order))
        inputs = [source.index, self.writer.constant(order, "int32")]
        self.writer.operator("TRANSPOSE", inputs, [out.index])
        return out

    def reshaped(self, source: Activation, shape: tuple[int, ...]) -> Activation:
        """The activation's values in another shape."""
        out = self.like(source, shape)
        inputs = [source.index, self.writer.constant(shape, "int32")]
        self.writer.operator("RESHAPE", inputs, [out.index])
        return out


def excited(draw: TensorDraw, source: Activation) -> Activation | None:
    """The product of an activation and its pixels' mean, which is an image of a pixel or a row; None if there are too few axes."""
    if len(source.shape) != 4:
        return None
    rng, channels = draw.rng, source.shape[-1]
    vector = draw.activation((1, 1, 1, channels), near=source.scale)
    axes = draw.writer.constant([1, 2], "int32")
    draw.writer.operator("MEAN", [source.index, axes], [vector.index], KeepDims=True)
    if rng.random() < 0.4:
        weights = draw.weights((channels, channels))
        vector = draw.weighted("FULLY_CONNECTED", vector, weights, 0, (1, channels), None, None)
    if len(vector.shape) == 4 and rng.random() < 0.3:
        vector = draw.reshaped(vector, (1, channels))
    elif len(vector.shape) == 2 and rng.random() < 0.5:
        vector = draw.reshaped(vector, (1, 1, 1, channels))
    return multiplied(draw, source, vector)


def multiplied(draw: TensorDraw, source: Activation, vector: Activation) -> Activation:
    """The product of an activation and a vector, in either order, to a scale with which it mostly fills int8."""
    reach = source.scale * vector.scale * 255 * float(2.0 ** draw.rng.uniform(-5, 2))
    scale = np.clip(reach, 2.0**-14, 2.0**4)
    if draw.rng.random() < 0.1:
        scale = 2.0 ** draw.rng.uniform(-20, 10)
    out = draw.activation(source.shape, float(np.float32(scale)))
    draw.elementwise("MUL", source, vector, out, either=True)
    return out
