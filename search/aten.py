"""Modules in: what torch.export makes of a PyTorch module, as a network of layers."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from search.aten_nodes import (
    UnsupportedModuleError,
    arguments_of,
    bounds_of,
    break_rule,
    image_shape,
    pair,
    refuse,
    sizes_of,
    stored_tensors,
    title,
    undilated,
    widened,
)
from search.batch_norm import gain_and_offset
from search.float_network import INPUT, FloatLayer, FloatNetwork
from sim.spec.network import LayerKind, Padding

__all__ = ["export_module", "read_program"]


def export_module(module: nn.Module, image: Tensor) -> ExportedProgram:
    """Program of a module, which is set to inference mode, for one image [1, C, H, W].

    Raises
    ------
    UnsupportedModuleError
        If ``torch.export`` cannot trace the module.
    """
    module.eval()
    with warnings.catch_warnings():
        # torch copies a class of its own that it has deprecated
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return torch.export.export(module, (image,))
        except Exception as error:  # whatever the module's code or the tracer raises
            reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise UnsupportedModuleError(f"module cannot be exported: {reason}") from error


def read_program(program: ExportedProgram, *, name: str) -> FloatNetwork:
    """Layers of an exported program: activations fused, batch normalization folded.

    The program is decomposed to PyTorch's core ATen operators first. A layer with weights bears
    the name of its module, any other the name of its node. Flattening leaves no layer: a tensor
    keeps its height, width and channels, and a linear layer's weights are put in their order. So
    does the output.

    ===================================  ==========================================================
    module                               layer
    ===================================  ==========================================================
    ``Conv2d``, groups 1 or C            ``conv``, ``depthwise``; zero padding around it on any side
    ``BatchNorm2d``, ``BatchNorm1d``     folded into the layer before, else a 1×1 ``depthwise``
    ``ReLU``, ``ReLU6``, ``Hardtanh``,   the clamp of the layer before, else of a 1×1 ``max_pool``
    ``clamp``
    ``Linear``                           ``fully_connected``
    ``+``, ``torch.add``                 ``add`` of two tensors of one shape
    ``AdaptiveAvgPool2d(1)``, ``mean``   ``mean``
    ``AvgPool2d``, ``AdaptiveAvgPool2d`` ``average_pool``, without padding
    ``MaxPool2d``                        ``max_pool``
    ===================================  ==========================================================

    Raises
    ------
    UnsupportedModuleError
        One line that names the operation, its node and the rule.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        core = program.run_decompositions()
    return _Reader(core).read(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """What a node of the graph holds.

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
    """

    tensor: str
    shape: tuple[int, int, int]
    alone: bool
    positive: bool = False
    padding: Padding = field(default_factory=Padding)


class _Reader:
    """Reads a graph of core ATen operators node by node."""

    def __init__(self, program: ExportedProgram) -> None:
        self.graph = program.graph_module.graph
        self.layers: dict[str, FloatLayer] = {}
        self.values: dict[fx.Node, _Value] = {}
        self.constants: dict[fx.Node, Tensor] = {}
        self.names: dict[fx.Node, str] = {}
        self.input: fx.Node | None = None
        self._stored = stored_tensors(program)
        self._readers: dict[str, Callable[[fx.Node, _Value], _Value]] = {
            "aten.convolution.default": self._convolution,
            "aten._native_batch_norm_legit_no_training.default": self._batch_norm,
            "aten.relu.default": self._activation,
            "aten.hardtanh.default": self._activation,
            "aten.clamp.default": self._activation,
            "aten.clamp_min.default": self._activation,
            "aten.clamp_max.default": self._activation,
            "aten.addmm.default": self._linear,
            "aten.mm.default": self._linear,
            "aten.add.Tensor": self._add,
            "aten.mean.dim": self._mean,
            "aten.avg_pool2d.default": self._average_pool,
            "aten._adaptive_avg_pool2d.default": self._adaptive_pool,
            "aten.max_pool2d_with_indices.default": self._max_pool,
            "aten.constant_pad_nd.default": self._pad,
            "aten.view.default": self._view,
            "aten._unsafe_view.default": self._view,
            "aten.squeeze.dims": self._view,
            "aten.squeeze.dim": self._view,
            "aten.unsqueeze.default": self._view,
            "aten.clone.default": self._view,
            "aten.alias.default": self._view,
            "aten.as_strided.default": self._strided,
            "<built-in function getitem>": self._first,
        }

    def read(self, name: str) -> FloatNetwork:
        """Layers of the whole graph."""
        output: fx.Node | None = None
        for node in self.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "output":
                output = self._output(node)
            elif node.users:  # assertions about shapes have no users
                self._call(node)
        if self.input is None or output is None or not self.layers:
            raise UnsupportedModuleError("module must compute its output from an image")
        shape = self.values[self.input].shape
        return FloatNetwork(name=name, shape=shape, layers=tuple(self.layers.values()))

    def _placeholder(self, node: fx.Node) -> None:
        stored = self._stored.get(node.name)
        if stored is not None:
            path, tensor = stored
            self.names[node], self.constants[node] = path, tensor.detach()
            return
        if self.input is not None or not isinstance(node.meta.get("val"), Tensor):
            raise UnsupportedModuleError(
                f"module must take one tensor, not {self._user_inputs()} arguments"
            )
        shape = node.meta["val"].shape
        if len(shape) != 4:
            raise UnsupportedModuleError(
                f"input {node.name!r} of the module must have shape [N, C, H, W], "
                f"not {[str(size) for size in shape]}"
            )
        self.input = node
        self.values[node] = _Value(
            tensor=INPUT, shape=image_shape(node), alone=self._read_once(node)
        )

    def _user_inputs(self) -> int:
        return sum(n.op == "placeholder" and n.name not in self._stored for n in self.graph.nodes)

    def _output(self, node: fx.Node) -> fx.Node:
        results = node.args[0]
        if isinstance(results, fx.Node):
            results = (results,)
        if not isinstance(results, Sequence) or len(results) != 1:
            raise UnsupportedModuleError("module must return one tensor")
        (result,) = results
        if not isinstance(result, fx.Node) or result not in self.values:
            raise UnsupportedModuleError("module must compute its output from an image")
        self._unpadded(node, self.values[result])
        return result

    def _call(self, node: fx.Node) -> None:
        sources = [source for source in node.all_input_nodes if source in self.values]
        if not sources:
            if all(source in self.constants for source in node.all_input_nodes):
                self._fold_constant(node)
                return
            refuse(node)
        target = str(node.target)
        if target == "aten.sym_size.int":  # a batch of any size; views are read by their result
            return
        reader = self._readers.get(target)
        if reader is None or node.op != "call_function":
            refuse(node)
        value = self.values[sources[0]]
        if reader not in (self._convolution, self._max_pool, self._pad):
            self._unpadded(node, value)
        self.values[node] = reader(node, value)

    def _fold_constant(self, node: fx.Node) -> None:
        """Compute what does not depend on the image."""
        arguments = fx.map_arg((node.args, node.kwargs), lambda source: self.constants[source])
        args, kwargs = arguments
        assert callable(node.target)
        with torch.no_grad():
            self.constants[node] = node.target(*args, **kwargs)
        for source in node.all_input_nodes:
            if source in self.names:
                self.names[node] = self.names[source]

    # Layers with weights

    def _convolution(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        groups, weight = given["groups"], self._constant(node, given["weight"], "weight")
        if given["transposed"] or weight.ndim != 4:
            refuse(node)
        undilated(node, given)
        inputs = value.shape[2]
        if groups not in (1, inputs):
            break_rule(node, f"groups must be 1 or {inputs}, the number of channels", groups)
        depthwise = groups == inputs and inputs > 1
        if depthwise and weight.shape[0] != inputs:
            rule = f"a depthwise convolution must have {inputs} outputs, as it has inputs"
            break_rule(node, rule, weight.shape[0])
        layer = FloatLayer(
            name=self._layer_name(node, given["weight"]),
            kind=LayerKind.DEPTHWISE if depthwise else LayerKind.CONV,
            inputs=(value.tensor,),
            shape=image_shape(node),
            kernel=(weight.shape[2], weight.shape[3]),
            stride=pair(given["stride"]),
            padding=widened(value.padding, pair(given["padding"])),
            weight=weight.double(),
            bias=self._bias(node, given["bias"], weight.shape[0]),
        )
        return self._append(node, layer)

    def _linear(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        for factor in ("alpha", "beta"):
            if given.get(factor, 1) != 1:
                break_rule(node, f"{factor} must be 1", given[factor])
        # addmm(bias, image, weight) or mm(image, weight)
        bias, right = (given["self"], given["mat2"]) if "mat1" in given else (None, given["mat2"])
        weight = self._constant(node, right, "weight")  # [H·W·C, K]
        height, width, channels = value.shape
        outputs = weight.shape[1]
        layer = FloatLayer(
            name=self._layer_name(node, right),
            kind=LayerKind.FULLY_CONNECTED,
            inputs=(value.tensor,),
            shape=(1, 1, outputs),
            kernel=(height, width),
            # PyTorch flattens channels first
            weight=weight.double().t().reshape(outputs, channels, height, width),
            bias=self._bias(node, bias, outputs),
        )
        return self._append(node, layer)

    def _batch_norm(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        channels = value.shape[2]
        if sizes_of(node)[0] != channels:
            rule = "flattened pixels cannot be normalized one by one: channels must be"
            break_rule(node, f"{rule} {channels}", sizes_of(node)[0])
        named = ("running_mean", "running_var", "weight", "bias")
        mean, variance, weight, bias = (
            None if given[what] is None else self._constant(node, given[what], what)
            for what in named
        )
        assert mean is not None
        assert variance is not None
        gain, offset = gain_and_offset(mean, variance, weight, bias, given["eps"])
        source = self.layers.get(value.tensor)
        open_ended = source is not None and source.clamp == (-math.inf, math.inf)
        if source is not None and source.weight is not None and value.alone and open_ended:
            filters, biases = source.parameters()
            self.layers[source.name] = replace(
                source, weight=filters * gain[:, None, None, None], bias=biases * gain + offset
            )
            return replace(value, alone=self._read_once(node))
        layer = FloatLayer(
            name=self._layer_name(node, given["running_mean"]),
            kind=LayerKind.DEPTHWISE if channels > 1 else LayerKind.CONV,
            inputs=(value.tensor,),
            shape=value.shape,
            weight=gain[:, None, None, None],
            bias=offset,
        )
        return self._append(node, layer)

    # Layers without weights

    def _activation(self, node: fx.Node, value: _Value) -> _Value:
        low, high = bounds_of(node)
        source = self.layers.get(value.tensor)
        if source is None or not value.alone:
            # values pass through a window of one tap, which is only there for its clamp
            layer = self._pool(node, value, LayerKind.MAX_POOL, (1, 1), (1, 1), value.shape)
            self.layers[layer.name] = replace(layer, clamp=(low, high))
            return _Value(
                tensor=layer.name,
                shape=value.shape,
                alone=self._read_once(node),
                positive=value.positive or low >= 0,
            )
        first, last = source.clamp
        clamp = (min(max(first, low), high), min(max(last, low), high))
        self.layers[source.name] = replace(source, clamp=clamp)
        positive = clamp[0] >= 0 or (value.positive and high >= 0)
        return replace(value, alone=self._read_once(node), positive=positive)

    def _add(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        operands = (given["self"], given["other"])
        if given["alpha"] != 1:
            break_rule(node, "alpha must be 1", given["alpha"])
        for operand in operands:
            if not isinstance(operand, fx.Node) or operand not in self.values:
                break_rule(node, "both operands must come from the image", str(operand))
            self._unpadded(node, self.values[operand])
        a, b = (self.values[operand] for operand in operands)
        sizes = [sizes_of(operand) for operand in operands]
        if a.shape != b.shape or sizes[0] != sizes[1]:
            break_rule(node, "operands must have one shape", sizes)
        layer = FloatLayer(
            name=self._layer_name(node),
            kind=LayerKind.ADD,
            inputs=(a.tensor, b.tensor),
            shape=a.shape,
        )
        return self._append(node, layer)

    def _mean(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        rank = len(given["self"].meta["val"].shape)
        dims = sorted({dim % rank for dim in given["dim"] or range(rank)})
        if rank < 3 or dims != list(range(2, rank)):
            break_rule(node, "mean must be taken over height and width", dims)
        if value.shape[:2] == (1, 1):
            return replace(value, alone=value.alone and self._read_once(node))
        layer = FloatLayer(
            name=self._layer_name(node),
            kind=LayerKind.MEAN,
            inputs=(value.tensor,),
            shape=(1, 1, value.shape[2]),
        )
        return self._append(node, layer, positive=value.positive)

    def _average_pool(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        if any(given["padding"]):
            break_rule(node, "padding of an average pool must be 0", pair(given["padding"]))
        taps = pair(given["kernel_size"])
        if given["divisor_override"] not in (None, taps[0] * taps[1]):
            break_rule(node, "divisor_override must not be given", given["divisor_override"])
        return self._average(node, value, taps, pair(given["stride"] or taps))

    def _adaptive_pool(self, node: fx.Node, value: _Value) -> _Value:
        rows, columns = pair(arguments_of(node)["output_size"])
        height, width = value.shape[:2]
        if height % rows or width % columns:
            rule = f"output of an adaptive pool must divide its input {(height, width)}"
            break_rule(node, rule, (rows, columns))
        taps = (height // rows, width // columns)
        return self._average(node, value, taps, taps)

    def _average(
        self, node: fx.Node, value: _Value, taps: tuple[int, int], stride: tuple[int, int]
    ) -> _Value:
        whole = taps == value.shape[:2]
        kind = LayerKind.GLOBAL_AVERAGE_POOL if whole else LayerKind.AVERAGE_POOL
        window = ((1, 1), (1, 1)) if whole else (taps, stride)
        shape = self._pooled_shape(node, value, taps, stride, Padding())
        return self._append(
            node, self._pool(node, value, kind, *window, shape), positive=value.positive
        )

    def _max_pool(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        undilated(node, given)
        if value.padding != Padding() and not value.positive:
            # a zero could be the largest value of a window, but the hardware's padding never wins
            break_rule(node, "zero padding must follow a ReLU", astuple(value.padding))
        wide = widened(value.padding, pair(given["padding"]))
        taps = pair(given["kernel_size"])
        if max(wide.top, wide.bottom) >= taps[0] or max(wide.left, wide.right) >= taps[1]:
            break_rule(node, f"padding must be smaller than the window {taps}", astuple(wide))
        stride = pair(given["stride"] or taps)
        shape = self._pooled_shape(node, value, taps, stride, wide)
        layer = self._pool(node, value, LayerKind.MAX_POOL, taps, stride, shape)
        return self._append(node, replace(layer, padding=wide), positive=value.positive)

    def _pool(
        self,
        node: fx.Node,
        value: _Value,
        kind: LayerKind,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        shape: tuple[int, int, int],
    ) -> FloatLayer:
        return FloatLayer(
            name=self._layer_name(node),
            kind=kind,
            inputs=(value.tensor,),
            shape=shape,
            kernel=kernel,
            stride=stride,
        )

    def _pooled_shape(
        self,
        node: fx.Node,
        value: _Value,
        taps: tuple[int, int],
        stride: tuple[int, int],
        pad: Padding,
    ) -> tuple[int, int, int]:
        """Shape of a pool's output, whose last windows end within the padded image."""
        height, width, channels = value.shape
        rows = (height + pad.top + pad.bottom - taps[0]) // stride[0] + 1
        columns = (width + pad.left + pad.right - taps[1]) // stride[1] + 1
        shape = image_shape(node)
        if shape != (rows, columns, channels):
            break_rule(node, f"ceil_mode must not add windows to {(rows, columns)}", shape[:2])
        return shape

    # What leaves no layer

    def _pad(self, node: fx.Node, value: _Value) -> _Value:
        given = arguments_of(node)
        sides = list(given["pad"])
        if given["value"] != 0:
            break_rule(node, "the value of padding must be 0", given["value"])
        left, right, top, bottom, *others = [*sides, 0, 0, 0, 0][: max(4, len(sides))]
        if any(others) or len(node.meta["val"].shape) != 4:
            break_rule(node, "padding must be around height and width", sides)
        if min(sides, default=0) < 0:
            break_rule(node, "padding must not be negative", sides)
        wide = widened(value.padding, (top, left), (bottom, right))
        return replace(value, padding=wide, alone=value.alone and self._read_once(node))

    def _view(self, node: fx.Node, value: _Value) -> _Value:
        sizes = sizes_of(node)
        height, width, channels = value.shape
        pixels = height * width
        forms = [(channels, height, width), (channels, pixels), (channels * pixels,)]
        flat = pixels == 1 and sizes[:1] == (channels,) and set(sizes[1:]) <= {1}
        first = node.all_input_nodes[0].meta["val"].shape[0]
        if str(node.meta["val"].shape[0]) != str(first) or not (sizes in forms or flat):
            source = tuple(node.all_input_nodes[0].meta["val"].shape[1:])
            rule = f"a view of [N, {', '.join(map(str, source))}] must keep or flatten it"
            break_rule(node, rule, ["N", *sizes])
        return replace(value, alone=value.alone and self._read_once(node))

    def _strided(self, node: fx.Node, value: _Value) -> _Value:
        """What flattening one pixel becomes if channels are innermost in memory."""
        given = arguments_of(node)
        if value.shape[:2] != (1, 1) or given["stride"][1] != 1 or given["storage_offset"]:
            refuse(node)
        return self._view(node, value)

    def _first(self, node: fx.Node, value: _Value) -> _Value:
        if node.args[1] != 0:
            break_rule(node, "only the first result can be used", node.args[1])
        return replace(value, alone=value.alone and self._read_once(node))

    # What all of them need

    def _append(self, node: fx.Node, layer: FloatLayer, *, positive: bool = False) -> _Value:
        self.layers[layer.name] = layer
        return _Value(
            tensor=layer.name, shape=layer.shape, alone=self._read_once(node), positive=positive
        )

    def _read_once(self, node: fx.Node) -> bool:
        return len(node.users) == 1

    def _layer_name(self, node: fx.Node, weight: Any = None) -> str:
        """The module's name if there is a weight, else the node's; never one that is taken."""
        path = self.names.get(weight, "") if isinstance(weight, fx.Node) else ""
        name = path.rpartition(".")[0] or node.name
        taken = {INPUT, *self.layers}
        if name in taken:
            name = f"{name}_{node.name}"
        return name

    def _constant(self, node: fx.Node, source: Any, what: str) -> Tensor:
        if not isinstance(source, fx.Node) or source not in self.constants:
            break_rule(node, f"{what} must not depend on the image", str(source))
        return self.constants[source]

    def _bias(self, node: fx.Node, source: Any, channels: int) -> Tensor:
        if source is None:
            return torch.zeros(channels, dtype=torch.float64)
        return self._constant(node, source, "bias").double()

    def _unpadded(self, node: fx.Node, value: _Value) -> None:
        if value.padding != Padding():
            rule = "zero padding must be followed by a convolution or max pooling"
            raise UnsupportedModuleError(f"{rule}, not by {title(node)}")
