"""The graph of an exported program, read node by node: values, constants and layers so far."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from sim.importers.limits import MOST_VALUES, excess, excessive_layer
from sim.importers.pytorch.float_network import (
    INPUT,
    FloatInput,
    FloatJoint,
    FloatLayer,
    FloatNetwork,
    FloatOutput,
)
from sim.importers.pytorch.nodes import (
    IMAGE,
    UnsupportedModuleError,
    arguments_of,
    break_rule,
    image_shape,
    kept_tensors,
    output_name,
    refuse,
    refuse_kept,
    refuse_result,
    sizes_of,
    stored_tensors,
    title,
)
from sim.importers.pytorch.real_readers import Quantizing, check_real_readers
from sim.scales import Scale
from sim.spec.network import Padding, PixelPlace

__all__ = ["Graph", "Reader", "Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Value of a node of the graph.

    Parameters
    ----------
    tensor : str
        The tensor, whatever its form: [N, C, H, W] or flattened.
    shape : (int, int, int)
        Height, width and channels of the tensor.
    alone : bool
        Whether nothing else reads the tensor, so that what follows may be fused into its layer.
    positive : bool
        Whether no value is negative.
    padding : Padding
        Zeros around the tensor that no layer has taken in yet.
    functions : tuple of str
        What the host computes of the tensor, which then is the output: names of functions.py.
    quantized : bool
        Whether the program has quantized the values, or those that they are pooled of.
    """

    tensor: str
    shape: tuple[int, int, int]
    alone: bool
    positive: bool = False
    padding: Padding = field(default_factory=Padding)
    functions: tuple[str, ...] = ()
    quantized: bool = False

    @property
    def widened(self) -> tuple[int, int, int]:
        """Height, width and channels with the zeros around the tensor."""
        height, width, channels = self.shape
        around = self.padding
        return (
            height + around.top + around.bottom,
            width + around.left + around.right,
            channels,
        )


_DEQUANTIZE = "quantized_decomposed.dequantize_per_"
_PERMUTE = "aten.permute.default"

_MOST_FOLDED = 2 * MOST_VALUES
"""Values of all constants that are computed."""


class Graph:
    """Graph of core ATen operators, with what is known of it.

    Parameters
    ----------
    program : ExportedProgram
        Decomposed to core ATen operators.
    readers : mapping of str to Reader
        By the operator.

    Attributes
    ----------
    layers : dict
        Made so far, by name.
    values : dict
        What the nodes hold that depend on the image.
    scales : dict
        Of tensors that the program itself quantizes, by the tensor.
    quantizing : dict
        Scale and range of each node that quantizes.
    read_alone : set of str
        Tensors that must have one reader, for they take the scale of what it computes.
    """

    def __init__(self, program: ExportedProgram, readers: "Mapping[str, Reader]") -> None:
        self.layers: dict[str, FloatLayer] = {}
        self.values: dict[fx.Node, Value] = {}
        self.scales: dict[str, Scale] = {}
        self.quantizing: dict[fx.Node, Quantizing] = {}
        self.read_alone: set[str] = set()
        self.joints: dict[str, FloatJoint] = {}
        self.readers = readers
        self._nodes = program.graph_module.graph.nodes
        self._constants: dict[fx.Node, Tensor] = {}
        self._names: dict[fx.Node, str] = {}
        self._weight_scales: dict[fx.Node, tuple[Tensor, int]] = {}
        self._inputs: dict[fx.Node, FloatInput] = {}
        self._stored = stored_tensors(program)
        self._kept = kept_tensors(program)
        self._folded = 0

    def read(self, name: str) -> FloatNetwork:
        """Layers of the whole graph."""
        outputs: tuple[FloatOutput, ...] = ()
        for node in self._nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "output":
                outputs = self._outputs(node)
            elif node.users:  # assertions about shapes have no users
                self._call(node)
        if not self._inputs or not outputs or not self.layers:
            raise UnsupportedModuleError("module must compute its output from an image")
        given = {end.tensor for end in outputs}
        self._drop_parts(given)
        self._check_sizes()
        self._check_inputs()
        readers = Counter(tensor for layer in self.layers.values() for tensor in layer.inputs)
        for tensor in self.read_alone:
            if readers[tensor] > 1 or tensor in given:
                rule = "must be quantized, for a pool that is quantized is not all that reads it"
                raise UnsupportedModuleError(f"tensor {tensor!r} {rule}")
        check_real_readers(self.values, self.layers, self.quantizing)
        first, *further = self._inputs.values()
        return FloatNetwork(
            name=name,
            shape=first.shape,
            layers=tuple(self.layers.values()),
            rank=first.rank,
            scales=self.scales,
            joints=tuple(self.joints.values()),
            outputs=outputs,
            further_inputs=tuple(further),
        )

    def append(self, node: fx.Node, layer: FloatLayer, *, positive: bool = False) -> Value:
        """Append a layer; return the value that the node then holds."""
        if broken := excess(layer.shape, f"output of layer {layer.name!r}"):
            raise UnsupportedModuleError(broken)
        self.layers[layer.name] = layer
        return Value(
            tensor=layer.name,
            shape=layer.shape,
            alone=self.read_once(node),
            positive=positive,
            quantized=layer.alike and self.values[node.all_input_nodes[0]].quantized,
        )

    def join(
        self,
        node: fx.Node,
        parts: list[FloatLayer],
        shape: tuple[int, int, int],
        pixels: tuple[PixelPlace, ...] = (),
        *,
        positive: bool = False,
    ) -> Value:
        """Append layers and the tensor that consists of them; return the value that the node then holds."""
        name = self.layer_name(node)
        if broken := excess(shape, f"output of layer {name!r}"):
            raise UnsupportedModuleError(broken)
        self.layers |= {part.name: part for part in parts}
        names = tuple(part.name for part in parts)
        self.joints[name] = FloatJoint(name=name, parts=names, shape=shape, pixels=pixels)
        return Value(tensor=name, shape=shape, alone=self.read_once(node), positive=positive)

    def read_once(self, node: fx.Node) -> bool:
        """Whether only one node reads what this one holds."""
        return len(node.users) == 1

    def layer_name(self, node: fx.Node, weight: Any = None) -> str:
        """Free name for a node's layer: the module's if there is a weight, else the node's."""
        path = self._names.get(weight, "") if isinstance(weight, fx.Node) else ""
        name = path.rpartition(".")[0] or node.name
        taken = {source.name for source in self._inputs.values()} | {*self.layers, *self.joints}
        if name in taken:
            name = f"{name}_{node.name}"
        return name

    def constant(self, node: fx.Node, source: Any, what: str) -> Tensor:
        """Value of an argument, ``what`` of the node, that does not depend on the image."""
        if not isinstance(source, fx.Node) or source not in self._constants:
            break_rule(node, f"{what} must not depend on the image", str(source))
        return self._constants[source]

    def scale(self, tensor: str) -> Scale | None:
        """Scale of a tensor that the program quantizes; that of its input for a pool."""
        part = self.joints[tensor].parts[0] if tensor in self.joints else tensor
        layer = self.layers.get(part)
        if layer is not None and layer.alike:
            return self.scale(layer.inputs[0])
        return self.scales.get(tensor)

    def weight_scales(self, node: fx.Node, source: Any, channels: int, axis: int) -> Tensor | None:
        """Scales float64[channels] of weights that the program dequantizes, None of others.

        ``axis`` of the weights counts output channels.
        """
        if source not in self._weight_scales:
            return None
        scales, given = self._weight_scales[source]
        if len(scales) > 1 and given != axis:
            break_rule(node, f"scales of weights must be along axis {axis}", given)
        return scales.expand(channels)

    def bias(self, node: fx.Node, source: Any, channels: int) -> Tensor:
        """Constant bias of a node, zeros where it is left out: float64[channels]."""
        if source is None:
            return torch.zeros(channels, dtype=torch.float64)
        return self.constant(node, source, "bias").double()

    def unpadded(self, node: fx.Node, value: Value) -> None:
        """Refuse zeros around the operand of a node that cannot take them in."""
        if value.padding != Padding():
            rule = "zero padding must be followed by a convolution or max pooling"
            raise UnsupportedModuleError(f"{rule}, not by {title(node)}")

    def _drop_parts(self, given: set[str]) -> None:
        """Leave out functions that are but parts of others, and none of what the module returns."""
        read = set(given)
        for layer in reversed(list(self.layers.values())):
            if layer.function is not None and layer.name not in read:
                del self.layers[layer.name]
            else:
                read.update(layer.inputs)

    def _check_inputs(self) -> None:
        """Refuse inputs that no layer reads."""
        read = {tensor for layer in self.layers.values() for tensor in layer.inputs}
        for place, source in enumerate(self._inputs.values()):
            if source.name not in read:
                rule = f"module must compute something of its input {place}"
                raise UnsupportedModuleError(rule)

    def _check_sizes(self) -> None:
        """Refuse weights that are no numbers, and layers beyond all measure."""
        shapes = {source.name: source.shape for source in self._inputs.values()}
        shapes |= {layer.name: layer.shape for layer in self.layers.values()}
        shapes |= {joint.name: joint.shape for joint in self.joints.values()}
        for layer in self.layers.values():
            taps = math.prod(layer.kernel)
            if layer.weight is not None:
                taps = layer.weight.numel() // layer.weight.shape[0]
                for what, values in zip(("weights", "bias"), layer.parameters(), strict=True):
                    if not bool(torch.isfinite(values).all()):
                        raise UnsupportedModuleError(
                            f"{what} of layer {layer.name!r} must be finite"
                        )
            source = shapes[layer.inputs[0]]
            if broken := excessive_layer(layer.name, source, layer.shape, layer.padding, taps):
                raise UnsupportedModuleError(broken)

    def _placeholder(self, node: fx.Node) -> None:
        stored = self._stored.get(node.name)
        if stored is not None:
            path, tensor = stored
            self._names[node], self._constants[node] = path, tensor.detach()
            return
        if not isinstance(node.meta.get("val"), Tensor):
            rule = f"input {node.name!r} of the module must be a tensor"
            raise UnsupportedModuleError(f"{rule}, not {type(node.meta.get('val')).__name__}")
        shape = node.meta["val"].shape
        if not 2 <= len(shape) <= IMAGE:
            raise UnsupportedModuleError(
                f"input {node.name!r} of the module must have shape [N, C, H, W], [N, C, L] or "
                f"[N, C], not {[str(size) for size in shape]}"
            )
        if broken := excess(image_shape(node), f"input {node.name!r} of the module"):
            raise UnsupportedModuleError(broken)
        name = f"{INPUT}_{len(self._inputs)}" if self._inputs else INPUT
        source = FloatInput(name=name, shape=image_shape(node), rank=len(shape))
        self._inputs[node] = source
        self.values[node] = Value(tensor=name, shape=source.shape, alone=self.read_once(node))

    def _outputs(self, node: fx.Node) -> tuple[FloatOutput, ...]:
        """All that the module returns, in the order of PyTorch's flat results."""
        results = node.args[0]
        if not isinstance(results, Sequence):
            results = (results,)
        if self._kept:
            refuse_kept(self._kept[0])
        made = []
        for place, result in enumerate(results):
            if not isinstance(result, fx.Node):
                refuse_result(result, place, len(results))
            value = self.values.get(result)
            if value is not None:
                self.unpadded(node, value)
            if value is None or value.tensor in {item.name for item in self._inputs.values()}:
                name = output_name(place, len(results))
                raise UnsupportedModuleError(f"module must compute {name} from an image")
            made.append(
                FloatOutput(tensor=value.tensor, functions=value.functions, sizes=sizes_of(result))
            )
        return tuple(made)

    def _call(self, node: fx.Node) -> None:
        sources = [source for source in node.all_input_nodes if source in self.values]
        if not sources:
            if all(source in self._constants for source in node.all_input_nodes):
                self._fold_constant(node)
                return
            refuse(node)
        target = str(node.target)
        if target == "aten.sym_size.int":  # a batch of any size; views are read by their result
            return
        reader = self.readers.get(target)
        if reader is None or node.op != "call_function":
            refuse(node)
        for source in sources:
            if self.values[source].functions and not reader.takes_functions:
                name = self.values[source].functions[-1]
                rule = f"{name} must be at the end of the module, where the host computes it"
                raise UnsupportedModuleError(f"{rule}, not before {title(node)}")
            if not reader.takes_views and image_shape(source) != self.values[source].widened:
                break_rule(
                    node, "an image must not be flattened before it", ["N", *sizes_of(source)]
                )
        value = self.values[sources[0]]
        if not reader.takes_padding:
            self.unpadded(node, value)
        self.values[node] = reader.read(self, node, value)

    def _fold_constant(self, node: fx.Node) -> None:
        """Compute what does not depend on the image: a tensor, of a size that is bounded in all."""
        result = node.meta.get("val")
        self._folded += result.numel() if isinstance(result, Tensor) else _MOST_FOLDED + 1
        if self._folded > _MOST_FOLDED:
            break_rule(node, f"constants must have at most {_MOST_FOLDED} values", self._folded)
        arguments = fx.map_arg((node.args, node.kwargs), lambda source: self._constants[source])
        args, kwargs = arguments
        assert callable(node.target)
        with torch.no_grad():
            self._constants[node] = node.target(*args, **kwargs)
        for source in node.all_input_nodes:
            if source in self._names:
                self._names[node] = self._names[source]
        if str(node.target).startswith(_DEQUANTIZE):
            self._weight_scales[node] = self._scales_of_constant(node)
        elif str(node.target) == _PERMUTE and node.all_input_nodes[0] in self._weight_scales:
            scales, axis = self._weight_scales[node.all_input_nodes[0]]
            self._weight_scales[node] = scales, list(arguments_of(node)["dims"]).index(axis)

    def _scales_of_constant(self, node: fx.Node) -> tuple[Tensor, int]:
        """Scales [K] and their axis, or one scale [1], of symmetric weights that a node dequantizes."""
        given = arguments_of(node)
        scales, points = (
            self._constants[item] if isinstance(item, fx.Node) else torch.tensor(item)
            for item in (
                given["scales" if "scales" in given else "scale"],
                given["zero_points" if "zero_points" in given else "zero_point"],
            )
        )
        if given["dtype"] is not torch.int8:
            break_rule(node, "weights must be int8", str(given["dtype"]))
        if bool(points.any()):
            break_rule(node, "zero points of weights must be 0", points.flatten().tolist()[:8])
        return scales.flatten().double(), given.get("axis", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How an operator is read.

    Parameters
    ----------
    read : callable
        Given the graph, the node and the value of its first operand; returns the node's value.
    takes_padding : bool
        Whether zeros may lie around the operand.
    takes_functions : bool
        Whether the operand may be what the host computes.
    takes_views : bool
        Whether an image that is an operand may be flattened.
    """

    read: Callable[[Graph, fx.Node, Value], Value]
    takes_padding: bool = False
    takes_functions: bool = False
    takes_views: bool = True
