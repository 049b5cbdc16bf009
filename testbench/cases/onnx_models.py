"""Random quantized ONNX models, odd models among them, in both forms that the importer reads."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from testbench.cases.onnx_functions import (
    INTEGER_FUNCTIONS,
    REAL_FUNCTIONS,
    integer_function,
    real_function,
)

__all__ = ["odd_onnx", "random_onnx"]

_MICROSOFT = "com.microsoft"
_MOST_LAYERS = 4


def random_onnx(seed: int) -> onnx.ModelProto:
    """Draw a model of 1 … 4 layers: operators between pairs, or quantized operators."""
    rng = np.random.default_rng(seed)
    return _Pairs(rng).model() if rng.random() < 0.6 else _Quantized(rng).model()


class _Graph:
    """Nodes and constants so far; images are (1, C, H, W)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.dtype = np.dtype(rng.choice(["int8", "uint8"]))
        self.shape = tuple(int(n) for n in rng.integers(1, 9, 3))

    def constant(self, data: Any, dtype: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(data, dtype), name))
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], domain=domain, **attributes)
        )
        return name

    def quantization(self, source: str = "") -> tuple[str, str]:
        """Draw a scale and a zero point.

        Of a function's output the scale is three times that of its ``source`` or more: its input may
        differ by a step in the judge's own arithmetic, and its output then must not differ by more.
        """
        scale = 2.0 ** float(self.rng.uniform(-7, 0))
        if source:
            known = {tensor.name: tensor for tensor in self.constants}
            least = 3 * float(numpy_helper.to_array(known[source]))
            scale = least * 2.0 ** float(self.rng.uniform(0, 1))
        limits = np.iinfo(self.dtype)
        zero = int(self.rng.integers(limits.min, limits.max + 1))
        return self.constant(scale, np.float32), self.constant(zero, self.dtype)

    def weights(self, *shape: int) -> tuple[str, str, str]:
        """Names of int8 weights, their scales and their zero points."""
        data = self.rng.integers(-128, 128, shape)
        count = shape[0] if self.rng.random() < 0.7 else 1
        scales = self.rng.uniform(0.002, 0.02, count if count > 1 else ())
        zeros = np.zeros(count if count > 1 else (), np.int8)
        return (
            self.constant(data, np.int8),
            self.constant(scales, np.float32),
            self.constant(zeros, np.int8),
        )

    def window(self) -> tuple[tuple[int, int], dict[str, Any]]:
        """Kernel and attributes of a convolution that fits."""
        height, width = self.shape[1:]
        kernel = (int(self.rng.integers(1, 4)), int(self.rng.integers(1, 4)))
        pads = [int(n) for n in self.rng.integers(0, 2, 4)]
        if min(height + pads[0] + pads[2] - kernel[0], width + pads[1] + pads[3] - kernel[1]) < 0:
            kernel = (1, 1)
        stride = [int(n) for n in self.rng.integers(1, 3, 2)]
        return kernel, {"pads": pads, "strides": stride}

    def convolved(self, channels: int, kernel: tuple[int, int], attributes: dict[str, Any]) -> None:
        pads, stride = attributes["pads"], attributes["strides"]
        self.shape = (
            channels,
            (self.shape[1] + pads[0] + pads[2] - kernel[0]) // stride[0] + 1,
            (self.shape[2] + pads[1] + pads[3] - kernel[1]) // stride[1] + 1,
        )

    def groups(self) -> tuple[int, int]:
        """Draw the group and the output channels of a convolution."""
        channels = self.shape[0]
        if self.rng.random() < 0.3:
            return channels, channels
        return 1, int(self.rng.integers(1, 9))

    def finish(self, kind: int, result: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        ends = [helper.make_tensor_value_info("x", kind, (1, *shape))]
        output = helper.make_tensor_value_info(result, self.output, None)
        graph = helper.make_graph(self.nodes, "graph", ends, [output], self.constants)
        imports = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=9)

    output = TensorProto.FLOAT


class _Pairs(_Graph):
    """Operators between DequantizeLinear and QuantizeLinear."""

    def pair(self, x: str, both: tuple[str, str] | None = None) -> str:
        given = both or self.quantization()
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *given), *given)

    def model(self) -> onnx.ModelProto:
        rng, shape = self.rng, self.shape
        self.last = self.quantization()
        x = self.pair("x", self.last)
        for _ in range(int(rng.integers(1, _MOST_LAYERS + 1))):
            match int(rng.integers(9)):
                case 0 | 1 | 2:
                    x = self.conv(x)
                case 3:
                    self.last = self.quantization()
                    x = self.pair(self.node("Add", x, x), self.last)
                case 4:
                    x = self.node("MaxPool", x, kernel_shape=[1, 1], strides=[1, 1])
                case 5:
                    self.last = self.quantization()
                    x = self.pair(self.node("Relu", x), self.last)
                case 6:
                    pads = self.constant([0, 0, 1, 0, 0, 0, 0, 1], np.int64)
                    x = self.node("Pad", x, pads)
                    self.shape = (self.shape[0], self.shape[1] + 1, self.shape[2] + 1)
                    x = self.conv(x)
                case 7 | 8:
                    y = real_function(self, str(rng.choice(REAL_FUNCTIONS)), x, rng)
                    self.last = self.quantization(self.last[0])
                    x = self.pair(y, self.last)
        if rng.random() < 0.5:
            x = self.pair(self.node("GlobalAveragePool", x))
            self.shape = (self.shape[0], 1, 1)
        if rng.random() < 0.5:
            x = self.classified(x)
        return self.finish(TensorProto.FLOAT, x, shape)

    def conv(self, x: str) -> str:
        group, channels = self.groups()
        kernel, attributes = self.window()
        weights = self.node(
            "DequantizeLinear", *self.weights(channels, self.shape[0] // group, *kernel), axis=0
        )
        y = self.node("Conv", x, weights, group=group, **attributes)
        self.convolved(channels, kernel, attributes)
        if self.rng.random() < 0.4:
            y = self.node("Relu", y)
        self.last = self.quantization()
        return self.pair(y, self.last)

    def classified(self, x: str) -> str:
        flat = self.node("Flatten", x)
        weights = self.node("DequantizeLinear", *self.weights(5, int(np.prod(self.shape))), axis=0)
        y = self.pair(self.node("Gemm", flat, weights, transB=1))
        if self.rng.random() < 0.3:
            y = self.node("Softmax", y, axis=-1)
        return y


class _Quantized(_Graph):
    """Operators that are quantized themselves."""

    def model(self) -> onnx.ModelProto:
        rng, shape = self.rng, self.shape
        kind = TensorProto.UINT8 if self.dtype == np.uint8 else TensorProto.INT8
        self.output = kind
        x, now = "x", self.quantization()
        for _ in range(int(rng.integers(1, _MOST_LAYERS + 1))):
            following = self.quantization()
            match int(rng.integers(6)):
                case 0 | 1:
                    group, channels = self.groups()
                    kernel, attributes = self.window()
                    weights = self.weights(channels, self.shape[0] // group, *kernel)
                    inputs = (x, *now, *weights, *following)
                    x = self.node("QLinearConv", *inputs, group=group, **attributes)
                    self.convolved(channels, kernel, attributes)
                case 2:
                    x = self.node("QLinearAdd", x, *now, x, *now, *following, domain=_MICROSOFT)
                case 3:
                    x = self.node(
                        "QLinearGlobalAveragePool", x, *now, *following, domain=_MICROSOFT
                    )
                    self.shape = (self.shape[0], 1, 1)
                case 4 | 5:
                    following = self.quantization(now[0])
                    name = str(rng.choice(INTEGER_FUNCTIONS))
                    x = integer_function(self, name, (x, *now), following, rng)
            now = following
        return self.finish(kind, x, shape)


def odd_onnx(rng: np.random.Generator) -> bytes:
    """A random model with up to three changes to its nodes, attributes and tensors."""
    model = random_onnx(int(rng.integers(1 << 31)))
    for _ in range(int(rng.integers(0, 4))):
        _change(rng, model)
    content: bytes = model.SerializeToString()
    return content


def _change(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    graph = model.graph
    node = graph.node[int(rng.integers(len(graph.node)))]
    names = (
        [tensor.name for tensor in graph.initializer]
        + [n.output[0] for n in graph.node]
        + ["x", ""]
    )
    match int(rng.integers(8)):
        case 0 | 1:
            _change_attribute(rng, node)
        case 2:
            if node.input:
                node.input[int(rng.integers(len(node.input)))] = str(rng.choice(names))
        case 3:
            node.op_type = str(graph.node[int(rng.integers(len(graph.node)))].op_type)
        case 4:
            if len(graph.node) > 1:
                graph.node.remove(node)
        case 5 | 6:
            if graph.initializer:
                _change_tensor(rng, graph.initializer[int(rng.integers(len(graph.initializer)))])
        case 7:
            dims = graph.input[0].type.tensor_type.shape.dim
            if len(dims):
                dims[int(rng.integers(len(dims)))].dim_value = int(
                    rng.choice([0, 1, 2, 3, 1 << 20, 1 << 40, -1])
                )


def _change_attribute(rng: np.random.Generator, node: onnx.NodeProto) -> None:
    names = ["axis", "group", "pads", "strides", "dilations", "auto_pad", "perm", "keepdims",
             "kernel_shape", "alpha", "transA", "transB", "ceil_mode", "axes", "channels_last",
             "block_size", "output_dtype", "allowzero", "min", "max", "value", "mode"]  # fmt: skip
    given = [attribute.name for attribute in node.attribute]
    name = str(rng.choice(given)) if given and rng.random() < 0.7 else str(rng.choice(names))
    for attribute in [attribute for attribute in node.attribute if attribute.name == name]:
        node.attribute.remove(attribute)
    numbers: NDArray[np.int64] = rng.choice(
        [-1, 0, 1, 2, 3, 1 << 20, (1 << 63) - 1], int(rng.integers(0, 5))
    )
    values: tuple[Any, ...] = (
        int(rng.choice([-9, -1, 0, 1, 2, 3, 1 << 40])), 0.5, float("nan"), "SAME_UPPER", "x",
        [int(n) for n in numbers], [0.5, 1.5],
        numpy_helper.from_array(np.zeros((2, 0), np.float32), "v"),
    )  # fmt: skip
    value = values[int(rng.integers(len(values)))]
    if isinstance(value, list) and not value:
        made = AttributeProto(name=name, type=AttributeProto.INTS)
    else:
        made = helper.make_attribute(name, value)
    if rng.random() < 0.1:
        made.type = AttributeProto.UNDEFINED
    node.attribute.append(made)


def _change_tensor(rng: np.random.Generator, tensor: onnx.TensorProto) -> None:
    match int(rng.integers(4)):
        case 0:
            if len(tensor.dims):
                tensor.dims[int(rng.integers(len(tensor.dims)))] = int(
                    rng.choice([0, 1, 2, 5, 1 << 31, -1])
                )
        case 1:
            kinds = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 16, 99]
            tensor.data_type = int(rng.choice(kinds))
        case 2:
            data = bytearray(tensor.raw_data)
            if data:
                data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
                tensor.raw_data = bytes(data)
        case 3:
            tensor.raw_data = np.float32(
                rng.choice([np.nan, np.inf, -1.0, 0.0, 1e-45, 3e38])
            ).tobytes()
            tensor.data_type = TensorProto.FLOAT
            del tensor.dims[:]
