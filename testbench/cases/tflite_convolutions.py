"""Random int8 models for TensorFlow Lite with convolutions that become others, and images that are put together."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_mosaics import (
    MOSAICS,
    bordered,
    interpolated,
    joined_pixels,
    nearest,
    transposed,
)
from testbench.cases.tflite_tensors import MOST_VALUES, Activation, TensorDraw

__all__ = ["CONVOLUTIONS", "convolution_model"]

_LARGER = (nearest, interpolated, transposed, bordered, joined_pixels)

CONVOLUTIONS = (
    *MOSAICS, "BATCH_TO_SPACE_ND", "CONV_2D", "DEPTHWISE_CONV_2D", "MAXIMUM", "MINIMUM", "PAD", "REDUCE_MAX", "SPACE_TO_BATCH_ND",
)  # fmt: skip
"""Operators that are drawn."""

_MOST_LAYERS = 4
_SAME, _VALID = 0, 1


class _Window(NamedTuple):
    """A dilated window that fits: taps, their distances, stride, padding option and the output's size."""

    kernel: tuple[int, int]
    dilation: tuple[int, int]
    stride: tuple[int, int]
    padding: int
    size: tuple[int, int]

    @property
    def options(self) -> dict[str, int]:
        """Options that say the dilation."""
        return {"DilationHFactor": self.dilation[0], "DilationWFactor": self.dilation[1]}


def convolution_model(seed: int, images: int = 2) -> RandomModel:
    """Draw a model of 1 … 4 operators. It does not depend on ``images``."""
    return _Draw(np.random.default_rng(seed)).model(images)


class _Draw(TensorDraw):
    def model(self, images: int) -> RandomModel:
        rng = self.rng
        (values,) = rng.spawn(1)
        wide = rng.random() < 0.15  # ranges of channels that are computed apart
        size = rng.integers(1, 5 if wide else 13, 2)
        channels = 128 if wide else int(rng.choice([1, 2, 3, 4, 6, 8, 12]))
        first = current = self.activation((1, *(int(n) for n in size), channels))
        kinds: tuple[Callable[[Activation], Activation | None], ...] = (
            self.conv, self.depthwise, *[self.grouped] * 2, *[self.multiplied] * 2, *[self.batches] * 2, self.bounded,
            *(partial(draw, self) for draw in _LARGER),
        )  # fmt: skip
        wanted, made = int(rng.integers(1, _MOST_LAYERS + 1)), 0
        if wide:
            current = self.grouped(current) or self.bounded(current)
        while made < wanted:
            following = kinds[int(rng.integers(len(kinds)))](current)
            if following is not None:
                current, made = following, made + 1
        if rng.random() < 0.3:
            current = self.largest(current)
        x = values.integers(-128, 128, (images, *first.shape[1:])).astype(np.int8)
        return RandomModel(self.writer.finish([first.index], [current.index]), x)

    def dilated(self, source: Activation, channels: int) -> _Window | None:
        """A window with its taps apart."""
        rng, size = self.rng, source.shape[1:3]
        kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        dilation = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        # TensorFlow has no stride with dilation
        stride = (1, 1) if max(dilation) > 1 else (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
        padding = int(rng.choice([_SAME, _VALID]))
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        if padding == _VALID and any(k > n for k, n in zip(reach, size, strict=True)):
            return None
        least = [0, 0] if padding == _SAME else [k - 1 for k in reach]
        rows, columns = (-(-(n - k) // s) for n, k, s in zip(size, least, stride, strict=True))
        if rows * columns * channels > MOST_VALUES:
            return None
        return _Window(kernel, dilation, stride, padding, (rows, columns))

    def written(
        self, name: str, source: Activation, window: _Window, depth: int, channels: int
    ) -> Activation:
        """A convolution of groups of ``depth`` channels."""
        shape, axis = (channels, *window.kernel, depth), 0
        options: dict[str, Any] = window.options
        if name == "DEPTHWISE_CONV_2D":
            shape, axis = (1, *window.kernel, channels), 3
            options = {**options, "DepthMultiplier": channels // source.shape[3]}
        return self.weighted(
            name,
            source,
            self.weights(shape),
            axis,
            (1, *window.size, channels),
            window.stride,
            window.padding,
            **options,
        )

    def conv(self, source: Activation) -> Activation | None:
        channels = int(self.rng.choice([1, 4, 6, 9]))
        window = self.dilated(source, channels)
        return window and self.written("CONV_2D", source, window, source.shape[3], channels)

    def depthwise(self, source: Activation) -> Activation | None:
        channels = source.shape[3]
        window = self.dilated(source, channels)
        return window and self.written("DEPTHWISE_CONV_2D", source, window, 1, channels)

    def grouped(self, source: Activation) -> Activation | None:
        """Groups of channels."""
        inputs = source.shape[3]
        counts = [n for n in range(2, inputs + 1) if inputs % n == 0]
        if not counts:
            return None
        groups = counts[0] if self.rng.random() < 0.5 else int(self.rng.choice(counts))
        wide = inputs >= 128
        channels = inputs if wide else groups * int(self.rng.integers(1, 4))
        window = self.dilated(source, channels)
        return window and self.written("CONV_2D", source, window, inputs // groups, channels)

    def multiplied(self, source: Activation) -> Activation | None:
        """A depthwise convolution with several outputs for a channel."""
        channels = source.shape[3] * int(self.rng.integers(2, 4))
        window = self.dilated(source, channels)
        return window and self.written("DEPTHWISE_CONV_2D", source, window, 1, channels)

    def batches(self, source: Activation) -> Activation | None:
        """A dilated convolution as the converter of earlier years writes it."""
        rng, (_, height, width, inputs) = self.rng, source.shape
        block = [int(n) for n in rng.integers(1, 4, 2)]
        kernel = [int(n) for n in rng.integers(1, 4, 2)]
        paddings, crops, parts, size = [], [], [], []
        for whole, step, taps in zip((height, width), block, kernel, strict=True):
            around = (taps - 1) * step if rng.random() < 0.6 else int(rng.integers(0, 4))
            more = -(whole + around) % step
            paddings.append([around // 2, around - around // 2 + more])
            parts.append((whole + around + more) // step)
            crops.append([int(rng.integers(0, around // 2 + 1)) if rng.random() < 0.3 else 0, more])
            size.append((parts[-1] - taps + 1) * step - sum(crops[-1]))
        depthwise = bool(rng.random() < 0.4)
        channels = inputs if depthwise else int(rng.choice([1, 5, 8]))
        batch = block[0] * block[1]
        if min(size) < 1 or batch * parts[0] * parts[1] * max(inputs, channels) > MOST_VALUES:
            return None
        # TensorFlow Lite Micro pads with what its memory holds here: PAD does it instead.
        if np.any(paddings):
            padded = self.like(
                source, (1, *(n * s for n, s in zip(parts, block, strict=True)), inputs)
            )
            widths = self.writer.constant([[0, 0], *paddings, [0, 0]], "int32")
            self.writer.operator("PAD", [source.index, widths], [padded.index])
            source = padded
        cut = self.like(source, (batch, *parts, inputs))
        places = [self.writer.constant(numbers, "int32") for numbers in (block, np.zeros((2, 2)))]
        self.writer.operator("SPACE_TO_BATCH_ND", [source.index, *places], [cut.index])
        window = _Window(
            (kernel[0], kernel[1]), (1, 1), (1, 1), _VALID,
            (parts[0] - kernel[0] + 1, parts[1] - kernel[1] + 1),
        )  # fmt: skip
        filters = [1, *kernel, channels] if depthwise else [channels, *kernel, inputs]
        out = self.activation((batch, *window.size, channels))
        options: dict[str, Any] = window.options | ({"DepthMultiplier": 1} if depthwise else {})
        self.weighted(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
            cut, self.weights(tuple(filters)), 3 if depthwise else 0, out.shape, (1, 1), _VALID, out, **options,
        )  # fmt: skip
        joined = self.like(out, (1, *size, channels))
        places = [self.writer.constant(numbers, "int32") for numbers in (block, crops)]
        self.writer.operator("BATCH_TO_SPACE_ND", [out.index, *places], [joined.index])
        return joined

    def bounded(self, source: Activation) -> Activation:
        """The larger or smaller of the activation and a number."""
        name = str(self.rng.choice(["MAXIMUM", "MINIMUM"]))
        shape = [(), (1,), (source.shape[3],)][int(self.rng.integers(3))]
        bound = self.writer.constant(
            np.full(shape, self.rng.integers(-128, 128)), "int8",
            scales=[source.scale], zero_points=[source.zero_point],
        )  # fmt: skip
        out = self.like(source, source.shape)
        operands = [source.index, bound]
        if self.rng.random() < 0.5:
            operands.reverse()
        self.writer.operator(name, operands, [out.index])
        return out

    def largest(self, source: Activation) -> Activation:
        """The largest value of each channel."""
        keep = bool(self.rng.random() < 0.5)
        channels = source.shape[3]
        out = self.like(source, (1, 1, 1, channels) if keep else (1, channels))
        axes = self.writer.constant([[1, 2], [2, 1], [-3, -2]][int(self.rng.integers(3))], "int32")
        self.writer.operator("REDUCE_MAX", [source.index, axes], [out.index], KeepDims=keep)
        return out
