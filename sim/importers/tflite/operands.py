"""Operands and results of a TensorFlow Lite model's operators: read and checked, whatever they become."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.limits import excess
from sim.importers.quantization import ACTIVATIONS, activation_clamp
from sim.importers.tflite.model import TfliteModel, TfliteOperator, TfliteTensor

__all__ = ["Operands"]


class Operands:
    """Operands of a model's operators, which are refused where they are not what an operator needs.

    Parameters
    ----------
    model : TfliteModel
    """

    def __init__(self, model: TfliteModel) -> None:
        self.model = model

    def tensor(self, operator: TfliteOperator, position: int) -> TfliteTensor:
        """An operator's input; refused where it is left out."""
        if position >= len(operator.inputs) or operator.inputs[position] < 0:
            self.model.refuse(operator, f"input {position} must be given")
        return self.model.tensors[operator.inputs[position]]

    def has_input(self, operator: TfliteOperator, position: int) -> bool:
        """Whether an optional input is there."""
        return position < len(operator.inputs) and operator.inputs[position] >= 0

    def constant(self, operator: TfliteOperator, position: int, dtype: str) -> NDArray[Any]:
        """Content of an input that must be a constant of a type."""
        tensor = self.tensor(operator, position)
        if tensor.data is None:
            self.model.refuse(operator, f"input {tensor.name!r} must be a constant")
        if tensor.dtype != dtype:
            self.model.refuse(
                operator, f"input {tensor.name!r} must be {dtype}, not {tensor.dtype}"
            )
        return tensor.data.copy()  # which can be written, unlike the file that it is part of

    def quantized(self, operator: TfliteOperator, index: int) -> TfliteTensor:
        """An activation: int8, of one scale, of one inference and fixed shape; else refused."""
        tensor = self.model.tensors[index]
        name = tensor.name
        if tensor.data is not None:
            self.model.refuse(operator, f"input {name!r} must not be a constant")
        self.check_quantized(operator, tensor)
        self.check_shape(operator, tensor)
        return tensor

    def check_quantized(self, operator: TfliteOperator, tensor: TfliteTensor) -> None:
        """Refuse a tensor of another type than int8, or without a scale of its own."""
        what = f"activation {tensor.name!r}" if tensor.data is None else f"constant {tensor.name!r}"
        if tensor.dtype != "int8":
            self.model.refuse(operator, f"{what} must be int8, not {tensor.dtype}")
        if len(tensor.scales) != 1:
            rule = f"{what} must have one scale, not {len(tensor.scales)}"
            self.model.refuse(operator, rule)
        if not (np.isfinite(tensor.scale) and tensor.scale > 0):
            rule = f"scale of {what} must be positive, not {tensor.scale}"
            self.model.refuse(operator, rule)
        if not -128 <= tensor.zero_point <= 127:
            rule = f"zero point of {what} must be int8, not {tensor.zero_point}"
            self.model.refuse(operator, rule)

    def check_shape(self, operator: TfliteOperator, tensor: TfliteTensor) -> None:
        """Refuse a batch other than 1, open axes and more than four axes."""
        shape = tensor.shape
        if any(axis > 0 for axis in tensor.variable_axes) or min(shape, default=1) < 1:
            rule = f"shape of activation {tensor.name!r} must be fixed and positive"
            rule += f", not {tensor.signature}"
            self.model.refuse(operator, rule)
        if not 2 <= len(shape) <= 4:
            rule = f"activation {tensor.name!r} must have 2 … 4 axes, not shape {shape}"
            self.model.refuse(operator, rule)
        if shape[0] != 1:
            rule = f"batch of activation {tensor.name!r} must be 1, not {shape[0]}"
            self.model.refuse(operator, rule)
        if broken := excess(shape, f"activation {tensor.name!r}"):
            self.model.refuse(operator, broken)

    def output(self, operator: TfliteOperator) -> TfliteTensor:
        """The only output of an operator, which must be an activation."""
        if len(operator.outputs) != 1:
            self.model.refuse(operator, f"must have one output, not {len(operator.outputs)}")
        return self.quantized(operator, operator.outputs[0])

    def output_at(self, operator: TfliteOperator, position: int) -> TfliteTensor:
        """One of several outputs of an operator, which must be an activation."""
        return self.quantized(operator, operator.outputs[position])

    def clamp(self, operator: TfliteOperator) -> tuple[int, int]:
        """Clamp of the operator's fused activation."""
        number = operator.options["FusedActivationFunction"]
        if number not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS.values())
            self.model.refuse(operator, f"fused activation must be one of {known}, not {number}")
        out = self.output(operator)
        return activation_clamp(ACTIVATIONS[number], out.scale, out.zero_point)
