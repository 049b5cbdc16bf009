"""A TensorFlow Lite model as plain objects, whatever reads or makes them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError

__all__ = ["TfliteModel", "TfliteOperator", "TfliteTensor"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TfliteTensor:
    """A tensor of the model's graph.

    Parameters
    ----------
    index : int
    name : str
    shape : tuple of int
    variable_axes : tuple of int
        Axes whose size the model leaves open (its shape signature says -1).
    dtype : str
        As numpy calls it, or TensorFlow Lite's own name where numpy has none ("int4").
    scales : float32[n]
        Empty where not quantized; one scale for the whole tensor or for each index of ``axis``.
    zero_points : int64[n]
    axis : int
    data : array or None
        Content of a constant, in the tensor's type and shape.
    variable : bool
        Whether its content stays from one inference to the next.
    unread : bool
        Whether it is a constant of a type that no operator reads: int4, float16.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    variable_axes: tuple[int, ...] = ()
    dtype: str
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int = 0
    data: NDArray[Any] | None = None
    variable: bool = False
    unread: bool = False

    @property
    def signature(self) -> tuple[int, ...]:
        """The shape with -1 where the model leaves it open."""
        return tuple(-1 if i in self.variable_axes else n for i, n in enumerate(self.shape))

    @property
    def scale(self) -> np.float32:
        """The scale of a tensor that is quantized as a whole."""
        return np.float32(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that is quantized as a whole."""
        return int(self.zero_points[0])

    def quantized_like(self, other: "TfliteTensor") -> bool:
        """Whether two tensors have the same type, scales and zero points."""
        return (
            self.dtype == other.dtype
            and np.array_equal(self.scales, other.scales)
            and np.array_equal(self.zero_points, other.zero_points)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TfliteOperator:
    """An operator; an input that is left out is -1.

    ``options`` holds the fields of its option table, by TensorFlow Lite's names. ``wrong_options``
    is the name of the table where it is another operator's, else empty.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    wrong_options: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TfliteModel:
    """Operators in order of execution.

    ``unsigned`` says that the file's activations are uint8, which have become int8 less 128: some
    operators round otherwise than those of int8. ``graphs`` are those that operators call.
    """

    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    unsigned: bool = False
    graphs: tuple["TfliteModel", ...] = ()

    def check_reshaped(self, operator: TfliteOperator) -> None:
        """Refuse an operator whose output is not its input in the shape that the operator gives it."""
        source, out = (self.tensors[ends[0]].shape for ends in (operator.inputs, operator.outputs))
        expected = [out]
        if operator.name == "SQUEEZE":
            rank = len(source)
            unit_axes = tuple(i for i, size in enumerate(source) if size == 1)
            axes = {
                axis % rank if -rank <= axis < rank else axis
                for axis in operator.options["SqueezeDims"] or unit_axes
            }
            if not axes <= set(unit_axes):
                self.refuse(operator, f"axes must be of size 1, not {sorted(axes)} of {source}")
            expected = [tuple(n for i, n in enumerate(source) if i not in axes)]
        elif operator.name == "EXPAND_DIMS":
            expected = [(*source[:i], 1, *source[i:]) for i in range(len(source) + 1)]
        if out not in expected:
            self.refuse(operator, f"output must have shape {expected[0]}, not {out}")
        if math.prod(out) != math.prod(source):
            rule = f"output must have the input's {math.prod(source)} values, not {out}"
            self.refuse(operator, rule)

    def refuse(self, operator: TfliteOperator, rule: str) -> NoReturn:
        """Raise the one line that names the operator, its output tensor and the rule."""
        tensor = self.tensors[operator.outputs[0]].name if operator.outputs else ""
        told = " (of uint8 less 128)" if self.unsigned else ""
        raise UnsupportedModelError(
            f"operator {operator.index} {operator.name} (tensor {tensor!r}): {rule}{told}"
        )
