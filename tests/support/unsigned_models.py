"""Random models of the older uint8 quantization: the random int8 models with everything 128 more."""

from dataclasses import replace
from typing import Any

import numpy as np

from testbench.cases.tflite_models import drawn_model
from testbench.cases.tflite_writer import ModelWriter, WrittenTensor

__all__ = ["near_ties", "random_unsigned_model"]

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_HALF = 128
_NEAREST, _FARTHEST = 100, 157
"""Zero points of weights lie from the first to below the second."""


def random_unsigned_model(seed: int) -> bytes:
    """``random_model(seed)`` in uint8, with one scale for all weights of an operator.

    The weights have a zero point of their own, less which they fit int8. Convolutions without a
    bias get one of zeros, for the kernels of uint8 want it.
    """
    writer, begin, ends = drawn_model(seed)
    rng = np.random.default_rng(seed)
    weighted = [operator for operator in writer.operators if operator.name in _WEIGHTED]
    weights = {operator.inputs[1] for operator in weighted}
    for index, tensor in enumerate(writer.tensors):
        if tensor.dtype == "int8":
            zero_point = int(rng.integers(_NEAREST, _FARTHEST)) if index in weights else None
            writer.tensors[index] = _unsigned(writer, tensor, zero_point)
    for place, operator in enumerate(writer.operators):
        if operator.name not in _WEIGHTED:
            continue
        pair = [writer.tensors[index].scales[0] for index in operator.inputs[:2]]
        scales = (float(np.float32(pair[0]) * np.float32(pair[1])),)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            bias = operator.inputs[2]
            writer.tensors[bias] = replace(writer.tensors[bias], scales=scales, zero_points=(0,))
        elif operator.name != "FULLY_CONNECTED":
            channels = writer.tensors[operator.outputs[0]].shape[-1]
            bias = writer.constant(np.zeros(channels), "int32", scales=scales)
            inputs = (*operator.inputs[:2], bias)
            writer.operators[place] = replace(operator, inputs=inputs)
    return writer.finish([begin], ends)


def near_ties(seed: int, *, depthwise: bool) -> bytes:
    """A 1×1 convolution to 64 channels of weights 0, whose biases lie at ties of the output."""
    rng, writer, channels = np.random.default_rng(seed), ModelWriter(), 64
    scales = [np.float32(2.0 ** rng.uniform(low, low + 4)) for low in (-6, -10, -2)]
    ties = rng.integers(-110, 110, channels) + 0.5
    factor = float(scales[0]) * float(scales[1]) / float(scales[2])
    bias = np.rint(ties / factor).astype(np.int64) + rng.integers(-1, 2, channels)
    kinds: list[dict[str, Any]] = [
        {"scales": [float(scale)], "zero_points": [_HALF]} for scale in scales
    ]
    shape = (1, 1, 1, channels if depthwise else 1)
    image = writer.tensor(shape, "uint8", name="image", **kinds[0])
    result = writer.tensor((1, 1, 1, channels), "uint8", name="y", **kinds[2])
    weights = np.full(shape if depthwise else (channels, 1, 1, 1), _HALF)
    inputs = [image, writer.constant(weights, "uint8", **kinds[1])]
    inputs.append(writer.constant(bias, "int32", scales=[float(scales[0] * scales[1])]))
    options = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    if depthwise:
        writer.operator("DEPTHWISE_CONV_2D", inputs, [result], **options, DepthMultiplier=1)
    else:
        writer.operator("CONV_2D", inputs, [result], **options)
    return writer.finish([image], [result])


def _unsigned(writer: ModelWriter, tensor: WrittenTensor, zero_point: int | None) -> WrittenTensor:
    """A tensor 128 higher; those of weights lie about their zero point."""
    offset = _HALF if zero_point is None else zero_point
    if tensor.buffer:
        values = np.frombuffer(writer.buffers[tensor.buffer], np.int8).astype(np.int64)
        shifted = (values + offset).clip(0, 255).astype(np.uint8)
        writer.buffers[tensor.buffer] = shifted.tobytes()
    if zero_point is None:
        points = tuple(point + _HALF for point in tensor.zero_points)
        return replace(tensor, dtype="uint8", zero_points=points)
    return replace(
        tensor, dtype="uint8", scales=tensor.scales[:1], zero_points=(zero_point,), axis=0
    )
