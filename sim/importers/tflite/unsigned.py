"""Models of the older uint8 quantization, as int8 models that compute the same values less 128."""

from dataclasses import replace

import numpy as np

from sim.importers.errors import UnsupportedModelError
from sim.importers.host import Requantize
from sim.importers.tflite.host_steps import HOST_OPERATORS
from sim.importers.tflite.model import TfliteModel, TfliteTensor

__all__ = ["is_unsigned", "signed_model", "to_int8", "to_uint8"]

_HALF = 128
_UNIT = {"multiplier": 1 << 30, "shift": 1}
"""A factor of 1."""

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_CAUSE = "model is uint8-quantized, only int8 is supported"


def is_unsigned(model: TfliteModel) -> bool:
    """Whether operators that the accelerator computes read and write uint8."""
    return "uint8" in _inner_types(model)


def _inner_types(model: TfliteModel) -> set[str]:
    ends = [
        (operator.inputs[0], operator.outputs[0])
        for operator in model.operators
        if operator.name not in HOST_OPERATORS
        and operator.inputs
        and operator.inputs[0] >= 0
        and operator.outputs
    ]
    types = [{model.tensors[index].dtype for index in pair} for pair in ends]
    return {kind for pair in types if len(pair) == 1 for kind in pair}


def signed_model(model: TfliteModel) -> TfliteModel:
    """The model with every uint8 value and zero point less 128, in int8.

    Weights less their zero point have 9 bits; they become int8 of zero point 0.

    Raises
    ------
    UnsupportedModelError
        If some leave int8, or other operators compute in int8.
    """
    if "int8" in _inner_types(model):
        raise UnsupportedModelError("model must be quantized to int8 or to uint8, not to both")
    weights = {
        operator.inputs[1]
        for operator in model.operators
        if operator.name in _WEIGHTED and len(operator.inputs) > 1
    }
    tensors = [
        _centred(tensor) if tensor.index in weights else _shifted(tensor)
        for tensor in model.tensors
    ]
    return replace(model, tensors=tuple(tensors), unsigned=True)


def to_int8() -> Requantize:
    """The host's step from uint8 to int8, less 128."""
    return Requantize(**_UNIT, input_zero_point=_HALF, output_zero_point=0, dtype="int8")


def to_uint8() -> Requantize:
    """The host's step from int8 to uint8, plus 128."""
    return Requantize(**_UNIT, input_zero_point=0, output_zero_point=_HALF, dtype="uint8")


def _shifted(tensor: TfliteTensor) -> TfliteTensor:
    if tensor.dtype != "uint8":
        return tensor
    data = tensor.data
    return replace(
        tensor,
        dtype="int8",
        zero_points=tensor.zero_points - _HALF,
        data=None if data is None else (data ^ np.uint8(_HALF)).view(np.int8),
    )


def _centred(tensor: TfliteTensor) -> TfliteTensor:
    """Weights less their zero point; those that lack either, or a scale, are refused later on."""
    if tensor.dtype != "uint8" or tensor.data is None or len(tensor.zero_points) != 1:
        return _shifted(tensor)
    if not 0 <= tensor.zero_point <= 255:
        rule = f"zero point of {tensor.name!r} must be 0 … 255, not {tensor.zero_point}"
        raise UnsupportedModelError(f"{_CAUSE}: {rule}")
    values = tensor.data.astype(np.int16) - tensor.zero_point
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < -128 or high > 127:
        rule = f"weights {tensor.name!r} less their zero point must be -128 … 127"
        raise UnsupportedModelError(f"{_CAUSE}: {rule}, not {low} … {high}")
    return replace(
        tensor, dtype="int8", zero_points=np.zeros(1, np.int64), data=values.astype(np.int8)
    )
