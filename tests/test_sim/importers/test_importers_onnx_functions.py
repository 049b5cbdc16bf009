"""Functions that become activation tables, against onnxruntime in every value of every table."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from onnx_graphs import MICROSOFT, Graph, computed, dequantized, lowered, refused
from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.onnx.difference import differences
from sim.importers.onnx.functions import elu
from sim.spec.network import LayerKind
from testbench.cases.onnx_functions import (
    INTEGER_FUNCTIONS,
    REAL_FUNCTIONS,
    integer_function,
    real_function,
)
from testbench.cases.onnx_models import random_onnx
from testbench.judges.interpreters import UnjudgedError, judge_onnx
from testbench.judges.onnx_oracle import run_onnx

SCALES = 40
EVERY = (1, 1, 16, 16)
"""Shape of the 256 values of a type."""

WHERE = r"node \d+ {} 'n\d+' \(tensor 't\d+'\): "


def every(dtype: str) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    return np.arange(limits.min, limits.max + 1).astype(dtype).reshape(1, *EVERY[1:])


def drawn_scale(graph: Graph, near: float, rng: np.random.Generator) -> tuple[str, str]:
    limits = np.iinfo(graph.dtype)
    scale = near * 2.0 ** rng.uniform(-4, 3)
    zero = int(rng.integers(limits.min, limits.max + 1))
    return graph.constant(scale, np.float32), graph.constant(zero, graph.dtype)


def equal(model: onnx.ModelProto, x: NDArray[Any]) -> ImportedNetwork:
    """Import a model; its output must be onnxruntime's in every bit."""
    pytest.importorskip("onnxruntime", reason="the judge is in the extra 'dev'")
    imported = lowered(model)
    ours = computed(imported, x)
    kind = helper.np_dtype_to_tensor_dtype(ours.dtype)
    name = model.graph.output[0].name
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(name, kind, (1, *ours.shape[1:])))
    assert np.array_equal(ours, run_onnx(model.SerializeToString(), x))
    return imported


@pytest.mark.parametrize("name", [*REAL_FUNCTIONS, "square"])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_every_value_equals_the_runtimes_over_random_scales(name: str, dtype: str) -> None:
    rng = np.random.default_rng(1)
    refusals = 0
    for _ in range(SCALES):
        graph = Graph(dtype)
        first, second = drawn_scale(graph, 0.05, rng), drawn_scale(graph, 0.03, rng)
        x = graph.node("DequantizeLinear", "x", *first)
        y = graph.node("Mul", x, x) if name == "square" else real_function(graph, name, x, rng)
        # a sigmoid at the end would be the host's
        y = graph.node("DequantizeLinear", graph.node("QuantizeLinear", y, *second), *second)
        y = graph.node("QuantizeLinear", graph.node("Relu", y), *second)
        try:
            imported = equal(graph.model(y, EVERY, dtype), every(dtype))
        except UnsupportedModelError as error:
            refusals += "exponential functions" in str(error)
            continue
        (layer,) = imported.network.layers
        assert layer.kind is LayerKind.MAX_POOL
        assert layer.table is not None
    assert refusals <= SCALES // 20


@pytest.mark.parametrize("name", [*INTEGER_FUNCTIONS, "square"])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_every_value_of_quantized_operators_equals_the_runtimes(name: str, dtype: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(SCALES):
        graph = Graph(dtype)
        first, second = drawn_scale(graph, 0.05, rng), drawn_scale(graph, 0.03, rng)
        if name == "square":
            y = graph.node("QLinearMul", "x", *first, "x", *first, *second, domain=MICROSOFT)
        else:
            y = integer_function(graph, name, ("x", *first), second, rng)
        y = integer_function(graph, "QLinearLeakyRelu", (y, *second), second, rng)
        imported = equal(graph.model(y, EVERY, dtype), every(dtype))
        (layer,) = imported.network.layers
        assert layer.table is not None


def exact_convolution(graph: Graph, x: str, scale: float, **attributes: Any) -> str:
    """A convolution 4 to 4 of which nothing is rounded: the output's scale is the input's times ``scale``."""
    data = graph.constant(graph.rng.integers(-1, 2, (4, 4, 1, 1)), np.int8)
    zeros = graph.constant([0] * 4, np.int8)
    weights = dequantized(graph, data, np.full(4, scale, np.float32), zeros)
    return graph.node("Conv", x, weights, **attributes)


def images(dtype: str = "int8") -> NDArray[Any]:
    limits = np.iinfo(dtype)
    return np.random.default_rng(5).integers(limits.min, limits.max + 1, (8, 4, 5, 5)).astype(dtype)


def begun(dtype: str = "int8") -> tuple[Graph, str]:
    """A graph up to a convolution whose output is quantized."""
    graph = Graph(dtype)
    x = graph.node("DequantizeLinear", "x", *graph.scale(2**-5, 3))
    return graph, graph.pair(exact_convolution(graph, x, 2.0), 2**-4, -5)


@pytest.mark.parametrize("name", REAL_FUNCTIONS)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_function_is_the_table_of_the_layer_before(name: str, dtype: str) -> None:
    graph, x = begun(dtype)
    y = graph.pair(real_function(graph, name, x, graph.rng), 2**-5, -20)
    y = graph.pair(exact_convolution(graph, y, 2.0), 2**-4, 7)
    imported = equal(graph.model(y, (1, 4, 5, 5), dtype), images(dtype))
    first, last = imported.network.layers
    assert first.table is not None
    assert last.table is None
    assert all(row.differing == 0 for row in differences(imported))


def test_a_function_behind_a_function_is_one_table() -> None:
    graph, x = begun()
    y = graph.pair(graph.node("LeakyRelu", x, alpha=0.25), 2**-4, -9)
    y = graph.pair(graph.node("Clip", y, "", graph.constant(3.0, np.float32)), 2**-5, -9)
    y = graph.pair(graph.node("Tanh", y), 2**-7, 0)
    imported = equal(graph.model(y, (1, 4, 5, 5), "int8"), images())
    assert len(imported.network.layers) == 1


@pytest.mark.parametrize("other", ["input", "between", "both"])
def test_where_others_read_too_a_pool_has_the_table(other: str) -> None:
    graph, x = begun()
    bent = graph.pair(graph.node("LeakyRelu", x, alpha=0.25), 2**-4, -9)
    y = graph.pair(graph.node("HardSwish", bent), 2**-4, 0)
    if other in ("input", "both"):
        y = graph.pair(graph.node("Add", y, x), 2**-4, 1)
    if other in ("between", "both"):
        y = graph.pair(graph.node("Add", y, bent), 2**-4, 1)
    imported = equal(graph.model(y, (1, 4, 5, 5), "int8"), images())
    kinds = [(layer.kind, layer.table is not None) for layer in imported.network.layers]
    pool, add = (LayerKind.MAX_POOL, True), (LayerKind.ADD, False)
    assert (
        kinds
        == {
            "input": [(LayerKind.CONV, False), pool, add],
            "between": [(LayerKind.CONV, True), pool, add],
            "both": [(LayerKind.CONV, False), pool, add, pool, add],
        }[other]
    )


def test_two_functions_of_one_activation_are_two_tables() -> None:
    graph, x = begun()
    gate = graph.pair(graph.node("Sigmoid", x), 2**-4, -128)
    product = graph.pair(graph.node("Mul", gate, x), 2**-4, -100)
    y = graph.pair(graph.node("Add", product, gate), 2**-4, 0)
    imported = equal(graph.model(y, (1, 4, 5, 5), "int8"), images())
    tables = [layer.kind for layer in imported.network.layers if layer.table is not None]
    assert tables == [LayerKind.MAX_POOL, LayerKind.MAX_POOL]


def test_a_clip_of_integers_narrows_the_table() -> None:
    graph, x = begun()
    both = graph.scale(2**-4, -9)
    y = graph.node("QuantizeLinear", graph.node("LeakyRelu", x, alpha=0.25), *both)
    ends = [graph.constant(end, np.int8) for end in (-20, 60)]
    y = graph.node("DequantizeLinear", graph.node("Clip", y, *ends), *both)
    imported = equal(graph.model(y, (1, 4, 5, 5), "int8"), images())
    (layer,) = imported.network.layers
    assert layer.table is not None
    assert (layer.table.values.min(), layer.table.values.max()) == (-20, 60)


def test_a_table_behind_a_sum_has_the_sums_own_scale() -> None:
    graph, x = begun()
    total = graph.pair(graph.node("Add", x, x), 2**-4, 2)
    y = graph.pair(graph.node("LeakyRelu", total, alpha=0.5), 2**-5, -9)
    imported = equal(graph.model(y, (1, 4, 5, 5), "int8"), images())
    add = imported.network.layers[-1]
    assert add.kind is LayerKind.ADD
    assert add.table is not None
    (row,) = [row for row in differences(imported) if row.layer == add.name]
    assert (row.differing, row.bound) == (0, 0)  # both operands are whole multiples of its step
    graph, x = begun()
    total = graph.pair(graph.node("Add", x, x), 0.06, 2)
    y = graph.pair(graph.node("LeakyRelu", total, alpha=0.5), 2**-5, -9)
    rounded = differences(lowered(graph.model(y, (1, 4, 5, 5), "int8")))[-1]
    assert rounded.bound > 1
    assert rounded.reason.endswith(", before the activation table")


def test_a_sigmoid_at_the_end_is_the_hosts_and_elsewhere_a_table() -> None:
    graph, x = begun()
    y = graph.pair(graph.node("Sigmoid", x), 1 / 256, -128)
    end = lowered(graph.model(y, (1, 4, 5, 5), "int8"))
    assert [layer.table for layer in end.network.layers] == [None]
    assert "Logistic" in [type(step).__name__ for step in end.host.after]
    y = graph.pair(graph.node("Relu", y), 2**-6, 0)
    middle = lowered(graph.model(y, (1, 4, 5, 5), "int8"))
    (layer,) = middle.network.layers
    assert layer.table is not None


def test_random_models_with_functions_equal_the_runtime() -> None:
    pytest.importorskip("onnxruntime", reason="the judge is in the extra 'dev'")
    judged = tables = 0
    for seed in range(150):
        model = random_onnx(seed)
        try:
            imported = lowered(model)
            made = sum(layer.table is not None for layer in imported.network.layers)
            if not made:
                continue
            assert judge_onnx(model.SerializeToString(), imported) == "", seed
        except (UnsupportedModelError, UnjudgedError):
            continue
        judged += 1
        tables += made
    assert judged >= 30
    assert tables > judged


def test_what_is_no_function_of_int8_is_refused() -> None:
    graph = Graph("int8")
    x = graph.node("DequantizeLinear", "x", *graph.scale(2**-5, 3))
    y = graph.node("Tanh", exact_convolution(graph, x, 2.0))
    rule = r"input 't2' must be quantized, for a table has an entry for each int8"
    refused(graph.model(graph.pair(y, 2**-7, 0), (1, 4, 5, 5), "int8"), WHERE.format("Tanh") + rule)
    graph, x = begun()
    slopes = graph.constant([[[0.1]], [[0.2]], [[0.1]], [[0.2]]], np.float32)
    y = graph.pair(graph.node("PRelu", x, slopes), 2**-5, 0)
    rule = "slopes must be one for all channels, not 2"
    refused(graph.model(y, (1, 4, 5, 5), "int8"), WHERE.format("PRelu") + rule)
    graph, x = begun()
    y = graph.node("Tanh", x)
    refused(
        graph.model(y, (1, 4, 5, 5), "int8"),
        f"output '{y}' must come from QuantizeLinear or a quantized operator",
    )
    graph, x = begun()
    y = graph.pair(graph.node("LeakyRelu", x, alpha=float("nan")), 2**-5, 0)
    refused(
        graph.model(y, (1, 4, 5, 5), "int8"),
        WHERE.format("LeakyRelu") + "alpha must be finite, not nan",
    )
    graph, x = begun()
    y = graph.pair(graph.node("LeakyRelu", x, alpha=3e38), 2**-5, 0)
    refused(
        graph.model(y, (1, 4, 5, 5), "int8"), WHERE.format("LeakyRelu") + "results must be finite"
    )
    graph, x = begun()
    y = graph.pair(graph.node("Softplus", x), 2**-5, 0)
    rule = (
        "onnxruntime's results depend on the place of a value in its tensor; supported are Add, .*"
    )
    refused(graph.model(y, (1, 4, 5, 5), "int8"), WHERE.format("Softplus") + rule)


def test_where_the_runtimes_exponentials_differ_the_function_is_refused() -> None:
    """An ELU whose scale puts a value between the two exponentials onto the border of two outputs."""
    x = np.float32(0.05) * np.arange(-128, 128).astype(np.float32)
    vector, single = elu(x[None], 1.0)
    pairs = np.stack([vector, single])[:, vector != single]
    scales = np.abs(pairs.astype(np.float64)).mean(axis=0).astype(np.float32) / np.float32(0.5)
    rounded = np.rint(pairs / scales)
    scale = scales[rounded[0] != rounded[1]][0]
    graph = Graph("int8")
    y = graph.node("Elu", graph.node("DequantizeLinear", "x", *graph.scale(0.05, 0)))
    y = graph.node("QuantizeLinear", y, *graph.scale(float(scale), 0))
    rule = (
        "output must be the same with both of onnxruntime's exponential functions in every value, "
        "not differ by 1"
    )
    refused(graph.model(y, EVERY, "int8"), WHERE.format("Elu") + rule)


def test_imported_tables_are_the_golden_models_own() -> None:
    graph, x = begun()
    y = graph.pair(graph.node("Tanh", x), 2**-7, 0)
    imported = lowered(graph.model(y, (1, 4, 5, 5), "int8"))
    x8 = imported.host.prepare(images())
    assert len(np.unique(golden.run(imported.network, x8)[imported.network.output.name])) > 4
