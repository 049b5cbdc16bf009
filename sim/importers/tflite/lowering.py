"""Lowering a model's graph to layers: what is known of its tensors, and how layers are made."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError
from sim.importers.joints import Joints, copying_layer, selecting_layer
from sim.importers.limits import MOST_WEIGHTS, excess
from sim.importers.operator_table import OperatorTable
from sim.importers.tflite.model import TfliteModel, TfliteOperator
from sim.importers.tflite.operands import Operands
from sim.spec.network import ActivationTable, Layer, LayerKind, Padding, State, TensorSpec

__all__ = ["INPUT", "OPERATORS", "Factor", "Lowering", "Pending", "image_shape", "lowers"]

INPUT = "input"
"""Name of a network's first input tensor; a further input has its number behind."""

Shape = tuple[int, int, int]


OPERATORS: OperatorTable[Callable[["Lowering", TfliteOperator], None]] = OperatorTable()
"""Operators that become part of the network, by name."""

lowers = OPERATORS.lowers


@dataclass(frozen=True, slots=True)
class Pending:
    """A PAD that its only consumer takes over: the tensor before it, and the widths."""

    source: int
    padding: Padding


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """Factor of a product that is a function of a tensor: by default the tensor itself."""

    source: int
    values: NDArray[np.int8] = field(default_factory=lambda: np.arange(-128, 128, dtype=np.int8))
    operator: TfliteOperator | None = None


def image_shape(shape: tuple[int, ...]) -> Shape:
    """(height, width, channels) of a tensor's shape with a leading batch of 1."""
    height, width, channels = (1,) * (4 - len(shape)) + tuple(shape[1:])
    return height, width, channels


class Lowering(Operands):
    """Lowering of a TensorFlow Lite graph: layers so far, and their tensors that hold the model's.

    Parameters
    ----------
    model : TfliteModel
    operators : iterable of TfliteOperator
        Those that the network computes.
    input_tensors : sequence of int
        The model's tensors at which the network begins.
    output_tensors : sequence of int
        Those at which it ends, and those that the next run finds.
    """

    def __init__(
        self,
        model: TfliteModel,
        operators: Iterable[TfliteOperator],
        input_tensors: Sequence[int],
        output_tensors: Sequence[int],
    ) -> None:
        super().__init__(model)
        self.operators = tuple(operators)
        self.layers: dict[str, Layer] = {}
        self.specs: dict[str, TensorSpec] = {}
        self.pending: dict[int, Pending] = {}
        self.origins: dict[str, int] = {}
        self.factors: dict[int, Factor] = {}
        self.states: dict[str, State] = {}
        self.lowered: set[int] = set()
        self._places: dict[int, str] = {}
        self._orders: dict[int, NDArray[np.int32]] = {}
        self._readers: dict[int, list[TfliteOperator]] = {}
        self._weights = 0
        uses = [
            (index, reader) for reader in self.operators for index in reader.inputs if index >= 0
        ]
        for index, reader in uses:
            self._readers.setdefault(index, []).append(reader)
        self.outputs = frozenset(output_tensors)
        self.joints = Joints()
        self.inputs: list[TensorSpec] = []
        for place, index in enumerate(input_tensors):
            first = self._readers.get(index, self.operators)[0]
            tensor = self.quantized(first, index)
            name = f"{INPUT}_{place}" if place else INPUT
            self.place(first, index, name, image_shape(tensor.shape))
            self.inputs.append(self.specs[name])
            self.joints.note_input(self.specs[name])

    def source(self, operator: TfliteOperator, position: int = 0) -> TensorSpec:
        """Network tensor that holds an operator's input, whose values lie in the model's order."""
        self.tensor(operator, position)
        return self.placed(operator, operator.inputs[position])

    def ordered(self, operator: TfliteOperator) -> tuple[TensorSpec, NDArray[np.int32]]:
        """Network tensor of a first input, and the place in memory of each of its values.

        The places have the shape of the model's tensor without the batch.
        """
        tensor = self.tensor(operator, 0)
        spec = self._spec(operator, tensor.index)
        if tensor.index in self._orders:
            return spec, self._orders[tensor.index]
        count = math.prod(tensor.shape)
        return spec, np.arange(count, dtype=np.int32).reshape(tensor.shape[1:])

    def reorder(self, operator: TfliteOperator, order: NDArray[np.int32]) -> None:
        """Let an operator's output be its input with its values in another order."""
        out = self.output(operator)
        self._places[out.index] = self._spec(operator, operator.inputs[0]).name
        self.give_order(operator, order)

    def give_order(self, operator: TfliteOperator, order: NDArray[np.int32]) -> None:
        """Say where in memory each value of an operator's output lies."""
        if not np.array_equal(order.reshape(-1), np.arange(order.size)):
            self._orders[operator.outputs[0]] = order

    def order_of(self, index: int) -> NDArray[np.int32] | None:
        """Where in memory each value of a tensor lies; None where they lie in the model's order."""
        return self._orders.get(index)

    def followed(self, operator: TfliteOperator, index: int) -> TensorSpec:
        """Network tensor that holds a tensor of which an operator's output is computed value by value, in its order."""
        spec = self._spec(operator, index)
        if index in self._orders:
            self._orders[operator.outputs[0]] = self._orders[index]
        return spec

    def followed_pair(
        self, operator: TfliteOperator, indices: tuple[int, int]
    ) -> tuple[TensorSpec, TensorSpec]:
        """Network tensors of two operands of one shape, whose values meet each other; the output has their order."""
        first, second = (self._orders.get(index) for index in indices)
        if first is None or second is None or not np.array_equal(first, second):
            return self.placed(operator, indices[0]), self.placed(operator, indices[1])
        return self.followed(operator, indices[0]), self._spec(operator, indices[1])

    def image(self, operator: TfliteOperator, fewest: int = 4) -> tuple[TensorSpec, Padding]:
        """Network tensor of a first input that is an image, and what a PAD before it adds.

        The interpreter reads four axes, whatever the tensor has, but where ``fewest`` says otherwise.
        """
        if len(axes := self.tensor(operator, 0).shape) < fewest:
            self.model.refuse(operator, f"input must be an image of four axes, not of shape {axes}")
        pending = self.pending.get(operator.inputs[0], Pending(operator.inputs[0], Padding()))
        spec = self.placed(operator, pending.source)
        shape = self.model.tensors[pending.source].shape
        if image_shape(shape) != spec.shape:
            rule = f"input must be an image of shape {spec.shape} as computed, not one of {shape}"
            self.model.refuse(operator, rule)
        return spec, pending.padding

    def held(self, name: str) -> int:
        """How many of the model's tensors a tensor of the network holds."""
        return sum(name == place for place in self._places.values())

    def is_read(self, index: int) -> bool:
        """Whether an operator reads a tensor, or it is an output."""
        return index in self._readers or index in self.outputs

    def only_reader(self, index: int) -> TfliteOperator | None:
        """The operator that alone reads a tensor, None if there are others or it is an output."""
        readers = self._readers.get(index, [])
        return readers[0] if len(readers) == 1 and index not in self.outputs else None

    def emit(
        self,
        operator: TfliteOperator,
        kind: LayerKind,
        inputs: tuple[TensorSpec, ...],
        shape: Shape,
        position: int = 0,
        **fields: Any,
    ) -> None:
        """Append the layer that computes an operator's output; ``shape`` is how it lies in memory.

        ``position`` says which output, of several. Operands that are added are copied where they do not
        consist of parts alike.
        """
        if kind is LayerKind.ADD and not self.joints.lie_alike(inputs[0].name, inputs[1].name):
            inputs = tuple(
                spec if self.joints.is_dense(spec.name) else self.copy(operator, spec, dense=True)
                for spec in inputs
            )
        name = f"{operator.name.lower()}_{operator.index}"
        if len(operator.outputs) > 1:
            name = f"{name}_{position}"
        self.place(operator, operator.outputs[position], name, shape)
        self._append(operator, name, kind, inputs, fields)

    def enter_output(self, operator: TfliteOperator, layer: Layer) -> None:
        """Append a layer whose output is that of an operator and has been placed."""
        self._enter(operator, layer)

    def copy(self, operator: TfliteOperator, source: TensorSpec, *, dense: bool) -> TensorSpec:
        """Append a layer that copies a tensor; return the copy."""
        name = f"{operator.name.lower()}_{operator.index}_{len(self.layers)}"
        return self.enter_inner(operator, copying_layer(name, source, dense=dense))

    def enter_inner(self, operator: TfliteOperator, layer: Layer) -> TensorSpec:
        """Append a layer whose output is no tensor of the model; return that output."""
        self._enter(operator, layer)
        self.specs[layer.name] = layer.output
        self.origins[layer.name] = -1
        return layer.output

    def give_copy(self, operator: TfliteOperator, index: int) -> None:
        """Append a layer that copies what holds a tensor; the copy holds it from now on."""
        source = self.specs[self._places[index]]
        self._places[index] = name = self.copy(operator, source, dense=False).name
        if source.name == INPUT:
            self.origins[name] = index

    def held_by(self, index: int) -> str:
        """Name of the tensor of the network that holds one of the model's."""
        return self._places.get(index, INPUT)

    def chosen(
        self, operator: TfliteOperator, source: TensorSpec, channels: NDArray[np.int64]
    ) -> TensorSpec:
        """Append a layer that copies some channels of a tensor, each as often as it is named; return the copy."""
        name = f"{operator.name.lower()}_{operator.index}_{len(self.layers)}"
        shape = (source.height, source.width, len(channels))
        if broken := excess(shape, "activation"):
            self.model.refuse(operator, broken)
        output = TensorSpec.of_shape(name, shape, source.scale, source.zero_point)
        return self.enter_inner(operator, selecting_layer(name, source, output, channels))

    def concatenate(self, operator: TfliteOperator, sources: list[TensorSpec]) -> None:
        """Let an operator's output consist of the channels of tensors, which are copied where need be."""
        parts: list[TensorSpec] = []
        for source in sources:
            taken = self.joints.is_taken(source.name) or source in parts
            parts.append(self.copy(operator, source, dense=False) if taken else source)
        index, (height, width, _) = operator.outputs[0], parts[0].shape
        if len(parts) == 1:
            self._places[index] = parts[0].name
            return
        name = f"{operator.name.lower()}_{operator.index}"
        self.place(operator, index, name, (height, width, sum(part.channels for part in parts)))
        try:
            self.joints.join(parts, self.specs[name])
        except ValueError as error:
            self.model.refuse(operator, str(error))

    def name_of(self, index: int) -> str:
        """Name of the network's tensor that holds an output of the model.

        Raises
        ------
        UnsupportedModelError
            If it is an input of the model.
        """
        tensor = self.model.tensors[index]
        name = self._places.get(index, INPUT)
        if name in [source.name for source in self.inputs]:
            raise UnsupportedModelError(f"output {tensor.name!r} must be computed")
        return name

    def emit_inner(
        self,
        operator: TfliteOperator,
        source: TensorSpec,
        scale: tuple[float, int],
        *,
        kind: LayerKind = LayerKind.DEPTHWISE,
        channels: int = 0,
        shape: Shape | None = None,
        **fields: Any,
    ) -> TensorSpec:
        """Append a layer whose output is no tensor of the model; return that output.

        ``scale`` has the output's scale and zero point. Its ``shape`` is the source's if not given, but for
        ``channels`` where those are.
        """
        name = f"{operator.name.lower()}_{operator.index}_{len(self.layers)}"
        shape = shape or (source.height, source.width, channels or source.channels)
        if broken := excess(shape, "activation"):
            self.model.refuse(operator, broken)
        self.specs[name] = TensorSpec.of_shape(name, shape, *scale)
        self.origins[name] = -1
        self._append(operator, name, kind, (source,), fields)
        return self.specs[name]

    def _append(
        self,
        operator: TfliteOperator,
        name: str,
        kind: LayerKind,
        inputs: tuple[TensorSpec, ...],
        fields: dict[str, Any],
    ) -> None:
        try:
            layer = Layer(
                name=name,
                kind=kind,
                inputs=tuple(spec.name for spec in inputs),
                output=self.specs[name],
                **fields,
            )
        except ValueError as error:
            self.model.refuse(operator, str(error))
        self._enter(operator, layer)

    def _enter(self, operator: TfliteOperator, layer: Layer) -> None:
        self.layers[layer.name] = layer
        self.joints.note_layer(layer)
        self._weights += layer.weights.size
        if self._weights > MOST_WEIGHTS:
            rule = f"layers must have at most {MOST_WEIGHTS} weights in all, not {self._weights}"
            self.model.refuse(operator, rule)

    def emit_scaled(
        self,
        operator: TfliteOperator,
        source: TensorSpec,
        multipliers: tuple[NDArray[np.int32], NDArray[np.int32]],
        clamp: tuple[int, int] = (-128, 127),
        padding: Padding | None = None,
    ) -> None:
        """Append a layer that changes nothing but scale, clamp and border.

        A depthwise layer of one tap of weight 1: the sum is x - z_in, so that its requantization is
        the operator's.
        """
        pad = padding or Padding()
        channels = source.channels
        self.emit(
            operator,
            LayerKind.DEPTHWISE,
            (source,),
            (*pad.around(source.shape[:2]), channels),
            padding=pad,
            weights=np.ones((1, 1, channels), np.int8),
            bias=np.zeros(channels, np.int32),
            multiplier=multipliers[0],
            shift=multipliers[1],
            clamp=clamp,
        )

    def alias(self, operator: TfliteOperator) -> None:
        """Let an operator's output be its input under another shape."""
        out = self.output(operator)
        source = self.tensor(operator, 0)
        if not out.quantized_like(source):
            self.model.refuse(operator, "input and output must be quantized alike")
        self.model.check_reshaped(operator)
        if source.index in self.pending:  # a PAD that a later reader takes over
            self.pending[out.index] = self.pending[source.index]
            return
        _, order = self.ordered(operator)
        self.reorder(operator, order.reshape(out.shape[1:]))

    def fuse_clamp(self, operator: TfliteOperator, clamp: tuple[int, int]) -> bool:
        """Narrow the clamp of the layer before instead of a layer; False where others read it."""
        name = self.made_for(operator.inputs[0], [operator])
        if name is None:
            return False
        layer = self.layers[name]
        if layer.table is None:
            low, high = (min(max(bound, clamp[0]), clamp[1]) for bound in layer.clamp)
            self.layers[name] = replace(layer, clamp=(low, high))
        else:
            table = replace(layer.table, values=layer.table.values.clip(*clamp))
            self.layers[name] = replace(layer, table=table)
        del self._places[operator.inputs[0]]  # nobody has its values any more
        self._places[operator.outputs[0]] = name
        self.origins[name] = operator.outputs[0]
        return True

    def emit_table(
        self,
        operator: TfliteOperator,
        index: int,
        values: NDArray[np.int8],
        members: Sequence[TfliteOperator],
    ) -> None:
        """Let an operator's output be a function of tensor ``index``: int8[256], entry v + 128 for v.

        ``members`` are the operators that read the tensor for it. Where no others do, the table stands behind
        the layer that makes the tensor, else behind a pool of single pixels.
        """
        source, out = self.followed(operator, index), self.output(operator)
        name = self.made_for(index, members)
        if name is None:
            table = ActivationTable(values=values, zero_point=source.zero_point)
            self.emit(operator, LayerKind.MAX_POOL, (source,), source.shape, table=table)
            return
        layer = self.layers[name]
        if layer.table is None:
            table = ActivationTable(values=values, zero_point=layer.output.zero_point)
        else:
            table = replace(layer.table, values=values[layer.table.values.astype(np.int64) + 128])
        del self._places[index]  # nobody has its values any more
        self.place(operator, out.index, name, source.shape)
        self.layers[name] = replace(layer, output=self.specs[name], table=table)

    def made_for(self, index: int, readers: Sequence[TfliteOperator]) -> str | None:
        """Layer whose output is a tensor that nobody but these operators reads; None where there is none."""
        name = self._places.get(index, INPUT)
        if name not in self.layers or self.origins[name] != index or index in self.outputs:
            return None
        others = [reader for reader in self._readers.get(index, []) if reader not in readers]
        return None if others else name

    def placed(self, operator: TfliteOperator, index: int) -> TensorSpec:
        """Network tensor that holds one of the model's, whose values lie in the model's order."""
        spec = self._spec(operator, index)
        if index in self._orders:
            rule = "must not read what TRANSPOSE has reordered"
            self.model.refuse(operator, f"{rule}, unless another one restores it")
        return spec

    def _spec(self, operator: TfliteOperator, index: int) -> TensorSpec:
        tensor = self.quantized(operator, index)
        if index not in self._places:
            self.model.refuse(operator, f"reads tensor {tensor.name!r} before it is computed")
        return self.specs[self._places[index]]

    def place(self, operator: TfliteOperator, index: int, name: str, shape: Shape) -> None:
        """Let a tensor of the network hold one of the model."""
        tensor = self.model.tensors[index]
        if broken := excess(shape, f"activation {tensor.name!r}"):
            self.model.refuse(operator, broken)
        try:
            spec = TensorSpec.of_shape(name, shape, float(tensor.scale), tensor.zero_point)
        except ValueError as error:
            self.model.refuse(operator, str(error))
        self.specs[name] = spec
        self._places[index] = name
        self.origins[name] = index
