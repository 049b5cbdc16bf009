"""A float ONNX network that onnxruntime quantizes: imported, and run in RTL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cosilico.cli import main
from sim import golden
from sim.importers.folder import ImportedNetwork, load
from sim.spec.network import LayerKind

IMAGES = 4
SHAPE = (3, 13, 12)

runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'dev'")


@dataclass(frozen=True, slots=True)
class Quantized:
    """A model that onnxruntime made, what it was imported as, inputs, and onnxruntime's tensors."""

    folder: Path
    imported: ImportedNetwork
    x: NDArray[np.float32]
    theirs: dict[str, NDArray[np.int8]]
    outputs: NDArray[np.float32]


def float_model() -> onnx.ModelProto:
    """Float model: a 3x3 layer of stride 2, an inverted residual block, two pools, a classifier."""
    rng = np.random.default_rng(7)
    constants: list[onnx.TensorProto] = []

    def constant(*shape: int, scale: float) -> str:
        data = (rng.normal(0, 1, shape) * scale).astype(np.float32)
        constants.append(numpy_helper.from_array(data, f"c{len(constants)}"))
        return f"c{len(constants) - 1}"

    def node(name: str, operator: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(operator, list(inputs), [name], name=name, **attributes)

    def conv(name: str, x: str, *shape: int, **attributes: Any) -> onnx.NodeProto:
        weights = constant(*shape, scale=1 / np.sqrt(np.prod(shape[1:])))
        return node(name, "Conv", x, weights, constant(shape[0], scale=0.1), **attributes)

    edges = {"pads": [1, 1, 1, 1]}
    nodes = [
        conv("stem", "x", 8, 3, 3, 3, strides=[2, 2], **edges),
        node("stem6", "Clip", "stem", constant(scale=0), _six(constants)),
        conv("expand", "stem6", 24, 8, 1, 1),
        node("expand0", "Relu", "expand"),
        conv("depthwise", "expand0", 24, 1, 3, 3, group=24, **edges),
        node("depthwise0", "Relu", "depthwise"),
        conv("project", "depthwise0", 8, 24, 1, 1),
        node("sum", "Add", "stem6", "project"),
        node("largest", "MaxPool", "sum", kernel_shape=[2, 2], strides=[2, 2]),
        node("mean", "GlobalAveragePool", "largest"),
        node("flat", "Flatten", "mean"),
        node("y", "Gemm", "flat", constant(5, 8, scale=0.5), constant(5, scale=0.1), transB=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", (1, *SHAPE)), ("y", (1, 5)))
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _six(constants: list[onnx.TensorProto]) -> str:
    constants.append(numpy_helper.from_array(np.array(6, np.float32), "six"))
    return "six"


def quantize(path: Path, out: Path, form: str) -> None:
    """Quantize a model as onnxruntime's users do: per channel, calibrated with a few inputs."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Inputs(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.rows: Iterator[NDArray[np.float32]] = iter(images(16, seed=1))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            row = next(self.rows, None)
            return None if row is None else {"x": row[None]}

    quantize_static(
        path,
        out,
        Inputs(),
        quant_format=QuantFormat[form],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def images(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 1, (count, *SHAPE)).astype(np.float32)


def observed(
    model: onnx.ModelProto, names: list[str], x: NDArray[np.float32]
) -> list[NDArray[Any]]:
    """Tensors that onnxruntime computes, one inference at a time."""
    outputs = {output.name for output in model.graph.output}
    # onnxruntime infers their types
    model.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in outputs
    )
    options = runtime.SessionOptions()
    # uint8 activations: products on x86 without VNNI would saturate int16 pairs
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = [session.run(names, {"x": image[None]}) for image in x]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


@pytest.fixture(scope="module", params=["QDQ", "QOperator"])
def quantized(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Quantized:
    base = tmp_path_factory.mktemp("quantized")
    onnx.save(float_model(), base / "float.onnx")
    quantize(base / "float.onnx", base / "small.onnx", request.param)
    assert main(["import", str(base / "small.onnx"), "--out", str(base / "net")]) == 0
    imported = load(base / "net")
    x = images(IMAGES, seed=2)
    np.savez(base / "x.npz", x=x)
    places = imported.source["tensors"]
    model = onnx.load(base / "small.onnx")
    output = model.graph.output[0].name
    *values, outputs = observed(model, [*places.values(), output], x)
    theirs = {}
    for layer, tensor in zip(imported.network.layers, values, strict=True):
        value = tensor
        out = layer.output
        if value.dtype == np.float32:  # a maximum between pairs: multiples of the scale
            value = np.rint(value / out.scale) + out.zero_point
        else:
            assert value.dtype == np.uint8
            value = value.astype(np.int16) - 128
        channels_first = value.reshape(IMAGES, out.channels, out.height, out.width)
        theirs[layer.name] = np.moveaxis(channels_first, 1, 3).astype(np.int8)
    return Quantized(base, imported, x, theirs, outputs)


def test_the_network_is_the_models(quantized: Quantized) -> None:
    assert [layer.kind for layer in quantized.imported.network.layers] == [
        LayerKind.CONV, LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.CONV, LayerKind.ADD,
        LayerKind.MAX_POOL, LayerKind.MEAN, LayerKind.FULLY_CONNECTED,
    ]  # fmt: skip


def test_every_layer_is_as_near_to_onnxruntime_as_the_report_says(quantized: Quantized) -> None:
    """Each layer is given what onnxruntime gave it."""
    network, host = quantized.imported.network, quantized.imported.host
    report = json.loads((quantized.folder / "net" / "report.json").read_text())
    bounds = {entry["layer"]: entry["bound"] for entry in report["layers"]}
    given = {"input": host.prepare(quantized.x)} | quantized.theirs
    for layer in network.layers:
        sources = [network.tensors[name] for name in layer.inputs]
        ours = golden.run_layer(layer, sources, [given[name] for name in layer.inputs])
        off = np.abs(ours.astype(int) - quantized.theirs[layer.name])
        assert off.max() <= bounds[layer.name], layer.name
        assert len(np.unique(ours)) > 4, f"{layer.name} is saturated"
    last = host.finish(host.logits(given[network.output.name]))
    assert np.allclose(last, quantized.outputs, rtol=1e-6, atol=0)


@pytest.mark.rtl
def test_rtl_computes_it(quantized: Quantized) -> None:
    base, imported = quantized.folder, quantized.imported
    words = ["simulate", str(base / "net"), "--accelerator", "tiny", "--input", str(base / "x.npz")]
    assert main([*words, "--output", str(base / "y.npz"), "--json", str(base / "r.json")]) == 0
    (run,) = json.loads((base / "r.json").read_text())["runs"]
    assert run["mismatched_activations"] == 0
    values = golden.run(imported.network, imported.host.prepare(quantized.x))
    logits = imported.host.logits(values[imported.network.output.name])
    with np.load(base / "y.npz") as file:
        assert np.array_equal(file["logits"], logits)
        assert np.array_equal(file["output"], imported.host.finish(logits))
        assert np.array_equal(file["measured_cycles"], file["predicted_cycles"])
