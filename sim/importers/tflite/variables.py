"""Variables of a TensorFlow Lite model: what an inference finds, and what it leaves for the next.

Operators run in their order, so READ_VARIABLE gives what the latest ASSIGN_VARIABLE before it took, or what the inference before
has left. These operators become tensors of the graph that no operator makes, and tensors that must be computed for the next inference.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError
from sim.importers.tflite.model import TfliteModel, TfliteOperator, TfliteTensor

__all__ = ["VARIABLE_OPERATORS", "Variable", "needed", "without_variables"]

VARIABLE_OPERATORS = {
    "ASSIGN_VARIABLE": "of int8, quantized as it is read; of the same shape",
    "CALL_ONCE": "before all others of these; its graph only assigns constants",
    "READ_VARIABLE": "of int8, of a variable that is assigned, too",
    "VAR_HANDLE": "",
}
"""Operators that this module takes out of a graph, with their conditions."""

_INPUTS = {"ASSIGN_VARIABLE": 2, "CALL_ONCE": 0, "READ_VARIABLE": 1, "VAR_HANDLE": 0}
_OUTPUTS = {"ASSIGN_VARIABLE": 0, "CALL_ONCE": 0, "READ_VARIABLE": 1, "VAR_HANDLE": 1}

_Key: TypeAlias = tuple[Any, Any]
"""Container and name of a variable."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variable:
    """Tensors of a graph that are one variable.

    Parameters
    ----------
    earlier : int
        Tensor with what the inference before has left.
    left : int
        Tensor that the next inference finds.
    reading : TfliteOperator
        Which gives the first.
    initial : int8 array or None
        What the first inference finds; the tensor's zero point if None.
    """

    earlier: int
    left: int
    reading: TfliteOperator
    initial: NDArray[np.int8] | None = None


def without_variables(model: TfliteModel) -> tuple[TfliteModel, tuple[Variable, ...]]:
    """Return the model without the operators of variables, and its variables.

    Raises
    ------
    UnsupportedModelError
        If a variable is no activation that stays, or other graphs do more than to assign constants.
    """
    called = sum(operator.name == "CALL_ONCE" for operator in model.operators)
    if len(model.graphs) > called:
        raise UnsupportedModelError(f"model must have one graph, not {1 + len(model.graphs)}")
    if not any(operator.name in VARIABLE_OPERATORS for operator in model.operators):
        return model, ()
    return _Walk(model).result()


def needed(variables: Iterable[Variable], read: Iterable[int]) -> list[Variable]:
    """Variables of which an inference reads what it finds."""
    indices = set(read)
    return [variable for variable in variables if variable.earlier in indices]


class _Walk:
    """The operators of a model in their order, and what each variable is after them."""

    def __init__(self, model: TfliteModel) -> None:
        self.model = model
        self.resources: dict[int, _Key] = {}
        self.initial: dict[_Key, TfliteTensor] = {}
        self.current: dict[_Key, int] = {}
        self.earlier: dict[_Key, tuple[int, TfliteOperator]] = {}
        self.assigned: set[_Key] = set()
        self.same: dict[int, int] = {}

    def result(self) -> tuple[TfliteModel, tuple[Variable, ...]]:
        """Walk over all operators."""
        kept = []
        for operator in self.model.operators:
            if operator.name not in VARIABLE_OPERATORS:
                kept.append(replace(operator, inputs=self._seen(operator.inputs)))
                continue
            _require_form(self.model, operator)
            if operator.name == "VAR_HANDLE":
                self.resources[operator.outputs[0]] = _key(operator)
            elif operator.name == "CALL_ONCE":
                self._initialize(operator)
            elif operator.name == "READ_VARIABLE":
                self._read(operator)
            else:
                self._assign(operator)
        outputs = self._seen(self.model.outputs)
        model = replace(self.model, operators=tuple(kept), outputs=outputs, graphs=())
        return model, tuple(self._variable(key) for key in self.earlier)

    def _seen(self, indices: tuple[int, ...]) -> tuple[int, ...]:
        """Tensors in place of those that are the same."""
        return tuple(self.same.get(index, index) for index in indices)

    def _resource(self, operator: TfliteOperator) -> _Key:
        if operator.inputs[0] not in self.resources:
            self.model.refuse(operator, "input 0 must be what a VAR_HANDLE gives")
        return self.resources[operator.inputs[0]]

    def _initialize(self, operator: TfliteOperator) -> None:
        number = operator.options["InitSubgraphIndex"]
        if not 1 <= number <= len(self.model.graphs):
            rule = f"graph must be one of 1 … {len(self.model.graphs)}, not {number}"
            self.model.refuse(operator, rule)
        if self.current:
            self.model.refuse(operator, "must come before what reads and assigns variables")
        graph, resources = self.model.graphs[number - 1], dict[int, _Key]()
        for own in graph.operators:
            if own.name == "VAR_HANDLE":
                _require_form(graph, own)
                resources[own.outputs[0]] = _key(own)
                continue
            if own.name != "ASSIGN_VARIABLE":
                self.model.refuse(operator, f"its graph must only assign constants, not {own.name}")
            _require_form(graph, own)
            tensor = graph.tensors[own.inputs[1]]
            if own.inputs[0] not in resources or tensor.data is None:
                self.model.refuse(operator, "its graph must only assign constants to variables")
            self.initial[resources[own.inputs[0]]] = tensor

    def _read(self, operator: TfliteOperator) -> None:
        key, out = self._resource(operator), operator.outputs[0]
        self._require_state(operator, self.model.tensors[out])
        if key not in self.current:
            self.current[key], self.earlier[key] = out, (out, operator)
            return
        self._require_same(operator, self.model.tensors[out], self.model.tensors[self.current[key]])
        self.same[out] = self.current[key]

    def _assign(self, operator: TfliteOperator) -> None:
        key, (index,) = self._resource(operator), self._seen(operator.inputs[1:])
        if index < 0:
            self.model.refuse(operator, "input 1 must be given")
        self._require_state(operator, self.model.tensors[index])
        if key in self.current:
            self._require_same(
                operator, self.model.tensors[index], self.model.tensors[self.current[key]]
            )
        self.current[key] = index
        self.assigned.add(key)

    def _require_state(self, operator: TfliteOperator, tensor: TfliteTensor) -> None:
        dtype = "uint8" if self.model.unsigned else tensor.dtype
        if dtype != "int8":
            self.model.refuse(operator, f"variable {tensor.name!r} must be int8, not {dtype}")

    def _require_same(
        self, operator: TfliteOperator, tensor: TfliteTensor, other: TfliteTensor
    ) -> None:
        if tensor.shape != other.shape or not tensor.quantized_like(other):
            rule = f"tensor {tensor.name!r} must have shape and quantization of {other.name!r}"
            self.model.refuse(operator, f"{rule}, which is the same variable")

    def _variable(self, key: _Key) -> Variable:
        index, reading = self.earlier[key]
        if key not in self.assigned:
            self.model.refuse(reading, "its variable must be assigned, too")
        tensor, first = self.model.tensors[index], self.initial.get(key)
        if first is not None and (first.dtype != "int8" or first.shape != tensor.shape):
            rule = f"its variable must begin as int8 of shape {tensor.shape}"
            self.model.refuse(reading, f"{rule}, not as {first.dtype} of shape {first.shape}")
        initial = None if first is None else first.data
        return Variable(earlier=index, left=self.current[key], reading=reading, initial=initial)


def _key(operator: TfliteOperator) -> _Key:
    return operator.options["Container"], operator.options["SharedName"]


def _require_form(model: TfliteModel, operator: TfliteOperator) -> None:
    """Refuse options of another operator, and other numbers of inputs and outputs."""
    if operator.wrong_options:
        rule = f"options must be those of {operator.name}, not {operator.wrong_options}"
        model.refuse(operator, rule)
    counts = len(operator.inputs), len(operator.outputs)
    expected = _INPUTS[operator.name], _OUTPUTS[operator.name]
    if counts != expected:
        rule = f"must have {expected[0]} inputs and {expected[1]} outputs"
        model.refuse(operator, f"{rule}, not {counts[0]} and {counts[1]}")
