"""Lowering an ONNX graph to layers: its tensors so far, and the table of operators."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.joints import Joints, copying_layer
from sim.importers.limits import MOST_WEIGHTS, excess
from sim.importers.onnx.axes import as_image
from sim.importers.onnx.inputs import MadeInput, materialized
from sim.importers.onnx.model import OnnxModel, OnnxNode
from sim.importers.onnx.readers import Readers
from sim.importers.onnx.values import (
    Constant,
    Deferred,
    Function,
    HostInput,
    HostOutput,
    Quantization,
    Quantized,
    Target,
    Value,
    image_places,
    quantized_bound,
)
from sim.importers.operator_table import OperatorTable
from sim.scales import quantize_multipliers
from sim.spec.network import (
    NETWORK_VALUES_LIMIT,
    PRODUCT_KINDS,
    ActivationTable,
    Layer,
    LayerKind,
    Padding,
    TensorSpec,
)

__all__ = ["ONNX_OPERATORS", "SPREAD", "OnnxLowering", "lowers"]

_INTEGERS = ("int8", "uint8")
_WRAP = 1 << 31
SPREAD = 255
"""Largest magnitude of an int8 value less a zero point."""


ONNX_OPERATORS: OperatorTable[Callable[["OnnxLowering", OnnxNode], Value]] = OperatorTable()
"""ONNX operators that are lowered, by name."""

lowers = ONNX_OPERATORS.lowers


class OnnxLowering:
    """Lowering of an ONNX graph: layers so far, and what is known of the model's tensors.

    ``origins`` has the model's tensor that each layer computes, ``nodes`` the node; ``inputs`` has
    those of the model that a layer has read, by their place. ``results`` has the scale of what a
    layer computes before its activation table.
    """

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.values: dict[str, Value] = {
            name: Constant(data=data) for name, data in model.constants.items()
        }
        self.layers: dict[str, Layer] = {}
        self.origins: dict[str, str] = {}
        self.nodes: dict[str, str] = {}
        self.inputs: dict[int, MadeInput] = {}
        self.joints = Joints()
        self.readers = Readers(model)
        self.results: dict[str, float] = {}
        self._tabled: dict[str, Quantized] = {}
        self._weights = 0
        self._values = 0

    def value(self, node: OnnxNode, position: int) -> Value:
        """Value of an input of a node; refused where it is left out or unknown."""
        if not node.has_input(position):
            node.refuse(f"input {position} must be given")
        name = node.inputs[position]
        if name not in self.values:
            node.refuse(f"reads tensor {name!r} before it is computed")
        return self.values[name]

    def on_accelerator(self, node: OnnxNode, position: int) -> Value:
        """Value of an input that the accelerator must hold; what the host has computed is refused."""
        value = self.value(node, position)
        if isinstance(value, HostOutput):
            rule = "must be at the end of the model, where the host computes it"
            node.refuse(f"{value.cause}, which it reads, {rule}")
        if isinstance(value, Function) and value.values is not None:
            return self.settled(value)
        return value

    def constant(self, node: OnnxNode, position: int) -> NDArray[Any]:
        """Content of an input that must be an initializer."""
        value = self.value(node, position)
        if not isinstance(value, Constant) or value.scales is not None:
            node.refuse(f"input {node.inputs[position]!r} must be a constant")
        return value.data

    def integers(self, node: OnnxNode, position: int) -> list[int]:
        """Content of an input that must be constant integers."""
        data = self.constant(node, position)
        if data.dtype not in (np.int32, np.int64):
            node.refuse(f"input {node.inputs[position]!r} must be integers, not {data.dtype}")
        values: list[int] = data.reshape(-1).tolist()
        return values

    def number(self, node: OnnxNode, position: int) -> float:
        """Content of an input that must be one constant number."""
        data = self.constant(node, position)
        if data.size != 1 or data.dtype.kind not in "iuf":
            rule = f"input {node.inputs[position]!r} must be one number"
            node.refuse(f"{rule}, not {data.dtype} of shape {data.shape}")
        return float(data.reshape(-1)[0])

    def reals(self, node: OnnxNode, position: int) -> NDArray[np.float32]:
        """Content of an input that must be constant real numbers, quantized or not."""
        value, name = self.value(node, position), node.inputs[position]
        if not isinstance(value, Constant):
            node.refuse(f"input {name!r} must be a constant")
        data = value.reals
        if data.dtype != np.float32 or not np.isfinite(data).all():
            node.refuse(f"constant {name!r} must be finite float32, not {data.dtype}")
        return data

    def real(self, node: OnnxNode, position: int) -> float:
        """Content of an input that must be one constant float32, quantized or not."""
        value = self.value(node, position)
        data = value.reals if isinstance(value, Constant) else self.constant(node, position)
        if data.dtype != np.float32 or data.size != 1:
            node.refuse(f"bound {node.inputs[position]!r} must be one float32, not {data.dtype}")
        return float(data.reshape(-1)[0])

    def quantization(
        self, node: OnnxNode, scale: int, zero_point: int, default: str
    ) -> Quantization:
        """Scale and zero point that two inputs give an activation; both must be one number."""
        data = self.constant(node, scale)
        if data.size != 1 or data.dtype != np.float32:
            rule = f"scale {node.inputs[scale]!r} of an activation must be one float32"
            node.refuse(f"{rule}, not {data.dtype} of shape {data.shape}")
        value = np.float32(data.reshape(-1)[0])
        if not (np.isfinite(value) and value > 0):
            node.refuse(f"scale {node.inputs[scale]!r} must be positive, not {value}")
        dtype, zero = default, 0
        if node.has_input(zero_point):
            zeros = self.constant(node, zero_point)
            if zeros.size != 1:
                rule = f"zero point {node.inputs[zero_point]!r} of an activation must be one number"
                node.refuse(f"{rule}, not of shape {zeros.shape}")
            dtype = str(zeros.dtype)
            zero = int(zeros.reshape(-1)[0]) if dtype in _INTEGERS else 0
        if dtype not in _INTEGERS:
            node.refuse(f"activation must be int8 or uint8, not {dtype}")
        return Quantization(scale=value, zero_point=zero - 128 * (dtype == "uint8"), dtype=dtype)

    def integer(self, node: OnnxNode, position: int, quantization: Quantization) -> Quantized:
        """An integer activation, read with the quantization that the node gives."""
        value, name = self.on_accelerator(node, position), node.inputs[position]
        if isinstance(value, HostInput) and not value.real and value.held in _INTEGERS:
            known = value.quantization
            if known is None and value.held == quantization.dtype:
                value = self.values[name] = replace(value, quantization=quantization)
            value = materialized(self, node, value)
        if not isinstance(value, Quantized) or value.real:
            node.refuse(f"input {name!r} must be a quantized activation")
        self.check_alike(node, name, value.quantization, quantization)
        return value

    def check_alike(
        self, node: OnnxNode, name: str, written: Quantization, read: Quantization
    ) -> None:
        """Refuse a reader that takes integers for other numbers than they were made of."""
        if written != read:
            rule = f"input {name!r} must be read with the scale and zero point it is written with"
            node.refuse(f"{rule}, not {read.scale} and {read.zero_point}")

    def activation(self, node: OnnxNode, position: int = 0, *, padded: bool = False) -> Quantized:
        """Activation that a node reads: real, made by DequantizeLinear, or of integers.

        A Pad before it is done first, unless the caller takes it over (``padded``).
        """
        value, name = self.on_accelerator(node, position), node.inputs[position]
        if isinstance(value, HostInput):
            value = materialized(self, node, value)
        if not isinstance(value, Quantized):
            rule = "must come from QuantizeLinear and DequantizeLinear: all must be quantized"
            node.refuse(f"input {name!r} {rule}")
        return value if padded else self.padded(node, value)

    def real_activation(
        self, node: OnnxNode, position: int = 0, *, padded: bool = False
    ) -> Quantized:
        """Activation that a node reads as real numbers; integers are refused."""
        source = self.activation(node, position, padded=padded)
        if not source.real:
            node.refuse(f"input {node.inputs[position]!r} must be real, not integers")
        return source

    def image(self, node: OnnxNode, value: Quantized) -> Quantized:
        """An activation that lies in memory as an image [1, C, H, W] does; else refused.

        A signal [1, C, L] is an image of height 1.
        """
        if len(value.shape) not in (3, 4):
            rule = "input must have the axes (1, C, H, W) or (1, C, L)"
            node.refuse(f"{rule}, not shape {value.shape}")
        value = as_image(value)
        channels, height, width = value.shape[1:]
        if not np.array_equal(value.places, image_places(height, width, channels)):
            node.refuse(f"input of shape {value.shape} must be an image (1, C, H, W) as computed")
        return value

    def padded(self, node: OnnxNode, value: Quantized) -> Quantized:
        """The activation with its Pad done, by a layer of its own."""
        if value.padding == Padding():
            return value
        target = Target(tensor=node.inputs[0], quantization=value.quantization)
        spec = self.scaled(node, value, target, name=f"pad_{node.index}")
        return replace(value, spec=spec, padding=Padding())

    def count(self, node: OnnxNode, values: int) -> None:
        """Refuse more values in all than a network's, those that only change their shape included."""
        self._values += values
        if self._values > NETWORK_VALUES_LIMIT:
            rule = f"tensors must have at most {NETWORK_VALUES_LIMIT} values in all"
            node.refuse(f"{rule}, not {self._values}")

    def multipliers(
        self, node: OnnxNode, reals: NDArray[np.float32], sums: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Fields ``multiplier`` and ``shift`` for real multipliers in single precision.

        These are onnxruntime's own, and a Q31 significand holds them exactly. ``sums`` bounds the
        accumulators, which must stay inside int32 where they are shifted left.
        """
        try:
            multiplier, shift = quantize_multipliers(reals.astype(np.float64))
        except ValueError as error:
            node.refuse(str(error))
        left = np.maximum(shift.astype(np.int64), 0)
        if ((np.minimum(sums, _WRAP - 1) << left) >= _WRAP).any():
            rule = "sums times the multiplier's power of two must stay inside int32"
            most = max(int(total) << int(bits) for total, bits in np.broadcast(sums, left))
            node.refuse(f"{rule}, not reach {most}")
        return {"multiplier": multiplier, "shift": shift}

    def emit(
        self,
        node: OnnxNode,
        kind: LayerKind,
        inputs: tuple[TensorSpec, ...],
        shape: tuple[int, int, int],
        target: Target,
        name: str = "",
        **fields: Any,
    ) -> TensorSpec:
        """Append the layer that computes a node's result; ``shape`` is how it lies in memory.

        Operands that are added are copied where they do not consist of parts alike, those of products where they have parts.
        """
        if kind is LayerKind.ADD:
            inputs = self.alike(node, *inputs)
        if kind in PRODUCT_KINDS and not self.joints.is_dense(inputs[0].name):
            inputs = (self._copied(node, inputs[0], dense=True), *inputs[1:])
        name = self.free_name(node, name)
        if broken := excess(shape, "activation"):
            node.refuse(broken)
        self.count(node, math.prod(shape))
        try:
            spec = target.quantization.tensor(name, shape)
            layer = Layer(
                name=name,
                kind=kind,
                inputs=tuple(source.name for source in inputs),
                output=spec,
                clamp=target.clamp,
                **fields,
            )
        except ValueError as error:
            node.refuse(str(error))
        self.enter(node, layer, target.tensor)
        return spec

    def alike(self, node: OnnxNode, a: TensorSpec, b: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
        """Two tensors, copied where they do not consist of parts alike."""
        if self.joints.lie_alike(a.name, b.name):
            return a, b
        first, second = (
            spec if self.joints.is_dense(spec.name) else self._copied(node, spec, dense=True)
            for spec in (a, b)
        )
        return first, second

    def free_name(self, node: OnnxNode, name: str = "") -> str:
        """A name that no tensor has yet, the node's if none is asked for."""
        base = name or f"{node.operator.lower()}_{node.index}"
        name, copies = base, 1
        while name in self.layers or name in self.joints.concatenations:
            name, copies = f"{base}_{copies + 1}", copies + 1
        return name

    def enter(self, node: OnnxNode, layer: Layer, tensor: str) -> None:
        """Append a layer; ``tensor`` is the model's tensor that it computes, empty where there is none."""
        self.layers[layer.name] = layer
        self.joints.note_layer(layer)
        self._weights += layer.weights.size
        if self._weights > MOST_WEIGHTS:
            rule = f"layers must have at most {MOST_WEIGHTS} weights in all, not {self._weights}"
            node.refuse(rule)
        if tensor:
            self.origins[layer.name] = tensor
        self.nodes[layer.name] = f"{node.operator} {node.name}".strip()

    def _copied(self, node: OnnxNode, source: TensorSpec, *, dense: bool) -> TensorSpec:
        """Append a layer that copies a tensor; return the copy."""
        self.count(node, math.prod(source.shape))
        layer = copying_layer(self.free_name(node), source, dense=dense)
        self.enter(node, layer, self.origins.get(source.name, source.name))
        return layer.output

    def concatenate(self, node: OnnxNode, sources: list[TensorSpec], target: Target) -> TensorSpec:
        """Let a tensor consist of the channels of others, which are copied where need be."""
        parts: list[TensorSpec] = []
        for source in sources:
            taken = self.joints.is_taken(source.name) or source in parts
            parts.append(self._copied(node, source, dense=False) if taken else source)
        if len(parts) == 1:
            return parts[0]
        shape = (*parts[0].shape[:2], sum(part.channels for part in parts))
        self.count(node, math.prod(shape))
        try:
            spec = target.quantization.tensor(self.free_name(node), shape)
            self.joints.join(parts, spec)
        except ValueError as error:
            node.refuse(str(error))
        self.origins[spec.name] = target.tensor
        return spec

    def scaled(
        self, node: OnnxNode, value: Quantized, target: Target, name: str = ""
    ) -> TensorSpec:
        """Append a layer that changes nothing but scale, clamp and border.

        A depthwise layer of one tap of weight 1: the sum is x - z_in.
        """
        pad, source = value.padding, value.spec
        channels = source.channels
        real = value.quantization.scale / target.quantization.scale
        reals = np.full(channels, real, np.float32)
        return self.emit(
            node,
            LayerKind.DEPTHWISE,
            (source,),
            (*pad.around(source.shape[:2]), channels),
            target,
            name,
            padding=pad,
            weights=np.ones((1, 1, channels), np.int8),
            bias=np.zeros(channels, np.int32),
            **self.multipliers(node, reals, np.full(channels, SPREAD)),
        )

    def rescaled(self, node: OnnxNode, value: Quantized) -> Deferred:
        """Defer bringing a real activation to the scale that its QuantizeLinear gives."""
        return Deferred(
            shape=value.shape,
            places=value.places,
            emit=lambda target: self.scaled(node, value, target),
        )

    def quantize(self, value: Deferred, tensor: str, quantization: Quantization) -> Quantized:
        """Make the layer of a real tensor whose quantization is now known."""
        low, high = (quantized_bound(end, quantization) for end in (value.low, value.high))
        spec = value.emit(Target(tensor=tensor, quantization=quantization, clamp=(low, high)))
        return Quantized(
            spec=spec,
            shape=value.shape,
            places=value.places,
            quantization=quantization,
            real=False,
        )

    def narrowed(self, node: OnnxNode, value: Quantized, low: int, high: int) -> Quantized:
        """Clamp an integer activation: by the layer before where only this node reads it."""
        layer = self.layers.get(value.spec.name)
        name = node.inputs[0]
        if layer is None or self.origins.get(layer.name) != name or self.readers.count(name) != 1:
            target = Target(
                tensor=node.outputs[0], quantization=value.quantization, clamp=(low, high)
            )
            return replace(value, spec=self.scaled(node, value, target))
        if layer.table is None:
            ends = [min(max(bound, low), high) for bound in layer.clamp]
            self.layers[layer.name] = replace(layer, clamp=(ends[0], ends[1]))
        else:
            table = replace(layer.table, values=layer.table.values.clip(low, high))
            self.layers[layer.name] = replace(layer, table=table)
        self.origins[layer.name] = node.outputs[0]
        return value

    def takes_over(self, value: Function) -> bool:
        """Whether a function's input serves nothing else, so that its layer may give the function."""
        name = value.source.spec.name
        if name not in self.layers or name not in self.origins:
            return False
        return self.readers.only_for(self.origins[name], value.tensor, value.members)

    def settled(self, value: Function) -> Quantized:
        """Make the layer of a function that is quantized: its table."""
        made = self._tabled.get(value.tensor)
        if made is None:
            made = self._tabled[value.tensor] = self._with_table(value)
        return replace(made, real=value.real)

    def _with_table(self, value: Function) -> Quantized:
        """The table behind the layer that makes the function's input, if that serves nothing else.

        Else a pool of single pixels has it, which copies.
        """
        source, quantization = value.source, value.quantization
        assert quantization is not None, "it has values"
        assert value.values is not None
        spec, name = source.spec, source.spec.name
        table = ActivationTable(values=value.values, zero_point=spec.zero_point)
        if not self.takes_over(value):
            target = Target(tensor=value.tensor, quantization=quantization)
            made = self.emit(
                value.node, LayerKind.MAX_POOL, (spec,), spec.shape, target, table=table
            )
            self.results[made.name] = spec.scale
        else:
            layer = self.layers[name]
            if layer.table is None:
                self.results[name] = spec.scale
            else:
                chained = value.values[layer.table.values.astype(np.int64) + 128]
                table = replace(layer.table, values=chained)
            try:
                made = quantization.tensor(name, spec.shape)
                self.layers[name] = replace(layer, output=made, table=table)
            except ValueError as error:
                value.node.refuse(str(error))
            self.origins[name] = value.tensor
        return replace(source, spec=made, quantization=quantization)

    def unread(self, name: str) -> bool:
        """Whether no node reads a tensor, nor is it an output."""
        return not self.readers.count(name)
