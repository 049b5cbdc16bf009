"""A streaming wake-word model for TensorFlow Lite in int8, with seeded weights: a stack of mixed depthwise convolutions over time.

The form of microWakeWord's MixedNet (https://github.com/kahrendt/microWakeWord): each step brings three rows of 40 features; every
layer that looks back keeps its last rows in a variable, which the model reads, joins to the new row, and assigns.
"""

from typing import Any

import numpy as np

from testbench.cases.tflite_writer import ModelWriter

__all__ = ["FEATURES", "ROWS", "wake_word_model"]

ROWS, FEATURES = 3, 40
"""Rows of features that a step brings, and their number."""

_FIRST_KERNEL = 5
_MIXED_KERNELS = ((5,), (7, 11), (9, 15), (23,))
"""Rows that the depthwise convolutions of each block look back; each of several takes a share of the channels."""

_LAST_ROWS = 5
"""Rows that the decision is made of."""

_SCALE, _ZERO_POINT = 0.03, -90
_RELU, _NONE = 1, 0
_WINDOW = {"Padding": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def wake_word_model(*, first: int = 32, channels: int = 64, seed: int = 0) -> bytes:
    """A model file of int8[1, 3, 40] features and a uint8 probability.

    Parameters
    ----------
    first, channels : int
        Filters of the first convolution, and of the 1×1 convolution of each block; even.
    seed : int
        Of the weights.
    """
    return _Stream(seed).finished(first, channels)


class _Stream:
    def __init__(self, seed: int) -> None:
        self.writer, self.rng = ModelWriter(), np.random.default_rng(seed)
        self.variables = 0

    def finished(self, first: int, channels: int) -> bytes:
        features = self._tensor((1, ROWS, FEATURES), name="features")
        seen = self._looking_back(self._reshaped(features, (1, ROWS, 1, FEATURES)), _FIRST_KERNEL)
        current = self._convolved(seen, first, _FIRST_KERNEL, ROWS, _RELU)
        for kernels in _MIXED_KERNELS:
            mixed = self._mixed(self._looking_back(current, max(kernels)), kernels)
            current = self._convolved(mixed, channels, 1, 1, _RELU)
        flat = self._reshaped(self._looking_back(current, _LAST_ROWS), (1, _LAST_ROWS * channels))
        logit = self._decided(flat)
        writer = self.writer
        chance = writer.tensor((1, 1), scales=[1 / 256], zero_points=[-128])
        writer.operator("LOGISTIC", [logit], [chance])
        result = writer.tensor((1, 1), "uint8", scales=[1 / 256], zero_points=[0], name="y")
        writer.operator("QUANTIZE", [chance], [result])
        return writer.finish([features], [result])

    def _tensor(self, shape: tuple[int, ...], **more: Any) -> int:
        return self.writer.tensor(shape, scales=[_SCALE], zero_points=[_ZERO_POINT], **more)

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return self.writer.tensors[tensor].shape

    def _reshaped(self, source: int, shape: tuple[int, ...]) -> int:
        made = self._tensor(shape)
        numbers = self.writer.constant(shape, "int32")
        self.writer.operator("RESHAPE", [source, numbers], [made], NewShape=shape)
        return made

    def _looking_back(self, source: int, rows: int) -> int:
        """The last rows of a tensor, of which those of the steps before are a variable."""
        _, new, width, channels = self._shape(source)
        shape = (1, rows - new, width, channels)
        resource, writer = self.writer.tensor((), "resource"), self.writer
        writer.operator(
            "VAR_HANDLE", [], [resource], Container="", SharedName=f"rows{self.variables}"
        )
        self.variables += 1
        earlier, seen = self._tensor(shape), self._tensor((1, rows, width, channels))
        writer.operator("READ_VARIABLE", [resource], [earlier])
        writer.operator("CONCATENATION", [earlier, source], [seen], Axis=1)
        left = self._rows(seen, rows - new)
        writer.operator("ASSIGN_VARIABLE", [resource, left], [])
        return seen

    def _rows(self, source: int, count: int) -> int:
        """The latest rows of an image."""
        shape = self._shape(source)
        if count == shape[1]:
            return source
        made, writer = self._tensor((1, count, *shape[2:])), self.writer
        ends = ([0, shape[1] - count, 0, 0], list(shape), [1] * 4)
        numbers = [writer.constant(values, "int32") for values in ends]
        writer.operator("STRIDED_SLICE", [source, *numbers], [made])
        return made

    def _weights(self, shape: tuple[int, ...], terms: int) -> int:
        """Weights with which a sum of so many terms spreads as its inputs do."""
        values = self.rng.integers(-127, 128, shape)
        return self.writer.constant(
            values, "int8", scales=[float(np.float32(1.6 / 73 / terms**0.5))]
        )

    def _bias(self, count: int) -> int:
        return self.writer.constant(self.rng.integers(-900, 900, count), "int32")

    def _convolved(self, source: int, filters: int, rows: int, stride: int, fused: int) -> int:
        channels = self._shape(source)[3]
        made = self._tensor((1, 1, 1, filters))
        weights = self._weights((filters, rows, 1, channels), rows * channels)
        inputs = [source, weights, self._bias(filters)]
        options = _WINDOW | {"StrideH": stride, "FusedActivationFunction": fused}
        self.writer.operator("CONV_2D", inputs, [made], **options)
        return made

    def _mixed(self, source: int, kernels: tuple[int, ...]) -> int:
        """Depthwise convolutions of several lengths, each of a share of the channels."""
        writer, channels = self.writer, self._shape(source)[3] // len(kernels)
        parts = [source]
        if len(kernels) > 1:
            rows = self._shape(source)[1]
            parts = [self._tensor((1, rows, 1, channels)) for _ in kernels]
            axis = writer.constant(3, "int32")
            writer.operator("SPLIT", [axis, source], parts, NumSplits=len(parts))
        made = []
        for part, rows in zip(parts, kernels, strict=True):
            made.append(self._tensor((1, 1, 1, channels)))
            inputs = [self._rows(part, rows), self._weights((1, rows, 1, channels), rows)]
            options = _WINDOW | {"StrideH": 1, "DepthMultiplier": 1}
            writer.operator(
                "DEPTHWISE_CONV_2D", [*inputs, self._bias(channels)], made[-1:], **options
            )
        if len(made) == 1:
            return made[0]
        joined = self._tensor((1, 1, 1, channels * len(made)))
        writer.operator("CONCATENATION", made, [joined], Axis=3)
        return joined

    def _decided(self, flat: int) -> int:
        count = self._shape(flat)[1]
        logit = self.writer.tensor((1, 1), scales=[0.05], zero_points=[4])
        inputs = [flat, self._weights((1, count), count), self._bias(1)]
        self.writer.operator("FULLY_CONNECTED", inputs, [logit], FusedActivationFunction=_NONE)
        return logit
