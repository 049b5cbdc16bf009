"""Quantized ONNX graphs for tests: written node by node, and judged by onnxruntime."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.onnx.conversion import lower_onnx
from sim.importers.onnx.difference import onnxruntime_layer
from sim.importers.onnx.reader import parse_onnx

MICROSOFT = "com.microsoft"
IMAGES = 4


class Graph:
    """Writer of ONNX graphs; every tensor is named by the node that makes it."""

    def __init__(self, dtype: str = "uint8", seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(seed)

    def constant(self, data: Any, dtype: Any) -> str:
        """Append an initializer."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(data, dtype), name))
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Append a node; return its output."""
        name = f"t{len(self.nodes)}"
        made = helper.make_node(
            operator, list(inputs), [name], name=f"n{len(self.nodes)}", domain=domain, **attributes
        )
        self.nodes.append(made)
        return name

    def scale(self, scale: float, zero_point: int) -> tuple[str, str]:
        """Append an activation's scale, and its int8 zero point in the model's type."""
        shift = 128 if self.dtype == np.uint8 else 0
        return self.constant(scale, np.float32), self.constant(zero_point + shift, self.dtype)

    def pair(self, x: str, scale: float, zero_point: int) -> str:
        """Append QuantizeLinear and DequantizeLinear."""
        both = self.scale(scale, zero_point)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *both), *both)

    def weights(self, *shape: int, unsigned: bool = False) -> tuple[str, NDArray[np.float32], str]:
        """Append random weights: their names, scales of the first axis, and zero points."""
        # onnxruntime's x64quantprecision has no kernel for int8 activations: narrow weights instead
        widest = 127 if self.dtype == np.uint8 else 63
        data = self.rng.integers(-widest, widest + 1, shape)
        scales = self.rng.uniform(0.002, 0.02, shape[0]).astype(np.float32)
        shift, kind = (128, np.uint8) if unsigned else (0, np.int8)
        zeros = self.constant(np.full(shape[0], shift), kind)
        return self.constant(data + shift, kind), scales, zeros

    def model(
        self,
        result: str,
        shape: tuple[Any, ...],
        dtype: str = "float32",
        opset: int = 17,
        further: Mapping[str, tuple[tuple[Any, ...], str]] | None = None,
    ) -> onnx.ModelProto:
        """Finish a model of input x, and of ``further`` inputs of shapes and types."""
        given = {"x": (shape, dtype), **(further or {})}
        kinds = {
            name: helper.np_dtype_to_tensor_dtype(np.dtype(own)) for name, (_, own) in given.items()
        }
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info(name, kinds[name], given[name][0]) for name in given],
            [helper.make_value_info(result, onnx.TypeProto())],
            self.constants,
        )
        graph.output[0].type.tensor_type.elem_type = TensorProto.UNDEFINED
        imports = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=9)


def lowered(model: onnx.ModelProto) -> ImportedNetwork:
    return lower_onnx(parse_onnx(model.SerializeToString(), "model"), "net")


def computed(imported: ImportedNetwork, x: NDArray[Any]) -> NDArray[Any]:
    values = golden.run(imported.network, imported.host.prepare(x))
    return imported.host.finish(imported.host.logits(values[imported.network.output.name]))


def judged(
    model: onnx.ModelProto,
    x: NDArray[Any],
    output: onnx.ValueInfoProto,
    *,
    optimized: bool = True,
) -> NDArray[Any]:
    """Outputs of onnxruntime, one inference at a time; ``optimized`` lets it fuse operators."""
    runtime = pytest.importorskip("onnxruntime", reason="the judge is in the extra 'dev'")
    options = runtime.SessionOptions()
    if not any(
        tensor.data_type == TensorProto.INT8 and not tensor.dims
        for tensor in model.graph.initializer
    ):
        # uint8 activations: products on x86 without VNNI would saturate int16 pairs
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.intra_op_num_threads = 1
    if not optimized:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    complete = onnx.ModelProto()
    complete.CopyFrom(model)
    complete.graph.output[0].CopyFrom(output)
    session = runtime.InferenceSession(
        complete.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = [session.run(None, {"x": image[None]})[0][0] for image in x]
    return np.stack(rows)


def check(
    model: onnx.ModelProto,
    *,
    step: float = 1.0,
    bound: int = 1,
    formula: bool = False,
    optimized: bool = True,
) -> ImportedNetwork:
    """Import a model; compare the output with onnxruntime's, in units of ``step``.

    With ``formula`` the numpy model of onnxruntime must equal it in every value.
    """
    imported = lowered(model)
    host = imported.host
    rng = np.random.default_rng(9)
    shape = (IMAGES, *host.input.shape)
    if host.input.dtype == "float32":
        x = rng.normal(0, 1.5, shape).astype(np.float32)
    else:
        limits = np.iinfo(host.input.dtype)
        x = rng.integers(limits.min, limits.max + 1, shape).astype(host.input.dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(host.output.dtype))
    name = model.graph.output[0].name
    output = helper.make_tensor_value_info(name, kind, (1, *host.output.shape))
    expected = judged(model, x, output, optimized=optimized)
    outputs = computed(imported, x)
    assert outputs.shape == expected.shape
    assert outputs.dtype == expected.dtype
    off = np.abs(outputs.astype(np.float64) - expected.astype(np.float64)) / step
    assert off.max() <= bound + 1e-4 * (step != 1.0)
    assert len(np.unique(expected)) > 4, "the case must not be saturated"
    if formula:
        (layer,) = imported.network.layers
        inputs = [host.prepare(x)]
        theirs = onnxruntime_layer(layer, [imported.network.input], inputs)
        assert np.array_equal(host.finish(host.logits(theirs)), expected)
    return imported


def convolution(
    graph: Graph, x: str, scale: float, shape: tuple[int, ...], bias: bool = True, **attributes: Any
) -> str:
    """Append a convolution of real numbers between pairs; ``scale`` is its input's."""
    weights, scales, zeros = graph.weights(*shape)
    names = [x, dequantized(graph, weights, scales, zeros)]
    if bias:
        values = graph.constant(graph.rng.integers(-3000, 3000, shape[0]), np.int32)
        names.append(dequantized(graph, values, np.float32(scale) * scales))
    return graph.node("Conv", *names, **attributes)


def dequantized(graph: Graph, data: str, scales: Any, zeros: str = "") -> str:
    given = [data, graph.constant(scales, np.float32), *([zeros] if zeros else [])]
    return graph.node("DequantizeLinear", *given, axis=0)


def refused(model: onnx.ModelProto, line: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lowered(model)
