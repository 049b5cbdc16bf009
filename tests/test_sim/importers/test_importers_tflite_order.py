"""TRANSPOSE in the middle of a model, as converters from PyTorch write it."""

import re
from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

A: dict[str, Any] = {"scales": [0.02], "zero_points": [7]}
B: dict[str, Any] = {"scales": [0.05], "zero_points": [-11]}
WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def begun() -> tuple[ModelWriter, int, int]:
    """An image (1, 4, 5, 3) and what a convolution makes of it."""
    writer = ModelWriter()
    image = writer.tensor((1, 4, 5, 3), **A)
    seen = writer.tensor((1, 4, 5, 6), **B)
    data = np.random.default_rng(1).integers(-127, 128, (6, 1, 1, 3))
    kernel = writer.constant(data, "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [seen], **WINDOW)
    return writer, image, seen


def transposed(writer: ModelWriter, source: int, axes: list[int]) -> int:
    given = writer.tensors[source]
    shape = [given.shape[axis] for axis in axes]
    result = writer.tensor(shape, scales=given.scales, zero_points=given.zero_points)
    writer.operator("TRANSPOSE", [source, writer.constant(axes, "int32")], [result])
    return result


def dense(writer: ModelWriter, source: int, kind: dict[str, Any] = B) -> int:
    count = int(np.prod(writer.tensors[source].shape))
    flat = writer.tensor((1, count), **kind)
    writer.operator("RESHAPE", [source], [flat])
    data = np.random.default_rng(2).integers(-127, 128, (7, count))
    result = writer.tensor((1, 7), name="y", scales=[0.3], zero_points=[2])
    writer.operator(
        "FULLY_CONNECTED", [flat, writer.constant(data, "int8", scales=[0.01])], [result]
    )
    return result


def lowered(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def check(content: bytes) -> list[str]:
    """Kinds of the layers of a model that equals the interpreter."""
    network = lowered(content)
    x = np.random.default_rng(3).integers(-128, 128, (3, 4, 5, 3)).astype(np.int8)
    values = golden.run(network.network, network.host.prepare(x))
    y = network.host.finish(network.host.logits(values[network.network.output.name]))
    assert np.array_equal(y, run_model(content, x)[0])
    return [layer.kind.value for layer in network.network.layers]


@pytest.mark.parametrize("axes", [[0, 3, 1, 2], [0, 2, 1, 3], [0, 3, 2, 1]])
def test_a_dense_layer_takes_the_order_into_its_weights(axes: list[int]) -> None:
    writer, image, seen = begun()
    result = dense(writer, transposed(writer, seen, axes))
    assert check(writer.finish([image], [result])) == ["conv", "fully_connected"]


NCHW = [0, 3, 1, 2]


def unary(writer: ModelWriter, name: str, source: int, kind: dict[str, Any], **options: Any) -> int:
    result = writer.tensor(writer.tensors[source].shape, **kind)
    writer.operator(name, [source], [result], **options)
    return result


@pytest.mark.parametrize(
    ("name", "kind", "layers"),
    [
        ("RELU", B, ["conv", "depthwise"]),
        ("QUANTIZE", A, ["conv", "depthwise"]),
        ("RELU6", B, ["conv", "depthwise"]),
        ("LOGISTIC", {"scales": [1 / 256], "zero_points": [-128]}, ["conv", "max_pool"]),
        ("HARD_SWISH", A, ["conv", "max_pool"]),
    ],
)
def test_what_computes_value_by_value_keeps_the_order(
    name: str, kind: dict[str, Any], layers: list[str]
) -> None:
    for back in (False, True):
        writer, image, seen = begun()
        there = unary(writer, name, transposed(writer, seen, NCHW), kind)
        if back:
            result = transposed(writer, there, [0, 2, 3, 1])
            pooled = writer.tensor((1, 3, 4, 6), **kind)
            window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 2}
            writer.operator("MAX_POOL_2D", [result], [pooled], **window)
            assert check(writer.finish([image], [pooled])) == [*layers, "max_pool"]
        else:
            result = dense(writer, there, kind)
            assert check(writer.finish([image], [result])) == [*layers, "fully_connected"]


PRODUCT = ["max_pool", "max_pool", "max_pool", "max_pool", "add", "add", "add", "add", "depthwise"]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("ADD", ["add"]),
        ("SUB", ["depthwise", "add"]),
        ("MUL", PRODUCT),
        ("MAXIMUM", ["depthwise", "depthwise", "max_pool"]),
        ("MINIMUM", ["depthwise", "depthwise", "max_pool", "depthwise"]),
    ],
)
def test_what_meets_in_one_order_keeps_it(name: str, layers: list[str]) -> None:
    writer, image, seen = begun()
    other = unary(writer, "RELU", seen, B)
    ends = [transposed(writer, seen, NCHW), transposed(writer, other, NCHW)]
    total = writer.tensor((1, 6, 4, 5), **B)
    options = {} if name.endswith("IMUM") else {"FusedActivationFunction": 1}
    writer.operator(name, ends, [total], **options)
    kinds = check(writer.finish([image], [dense(writer, total)]))
    assert kinds == ["conv", "depthwise", *layers, "fully_connected"]


@pytest.mark.parametrize("shape", [(), (1, 6, 1, 1)])
@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("ADD", ["depthwise", "add"]),
        ("SUB", ["depthwise", "add"]),
        ("MUL", ["depthwise"]),
        ("PRELU", ["depthwise", "max_pool", "depthwise", "add"]),
    ],
)
def test_constants_of_each_channel_meet_any_order(
    name: str, layers: list[str], shape: tuple[int, ...]
) -> None:
    writer, image, seen = begun()
    there = transposed(writer, seen, NCHW)
    total = writer.tensor((1, 6, 4, 5), **B)
    data = np.random.default_rng(4).integers(-100, 100, shape)
    options = {} if name == "PRELU" else {"FusedActivationFunction": 0}
    writer.operator(name, [there, writer.constant(data, "int8", **A)], [total], **options)
    if name == "PRELU" and not shape:
        layers = ["max_pool"]  # one slope is a table
    kinds = check(writer.finish([image], [dense(writer, total)]))
    assert kinds == ["conv", *layers, "fully_connected"]


def test_constants_of_each_row_of_another_order_are_refused() -> None:
    writer, image, seen = begun()
    total = writer.tensor((1, 6, 4, 5), name="s", **B)
    rows = writer.constant(np.arange(5), "int8", name="c", **A)
    writer.operator(
        "ADD", [transposed(writer, seen, NCHW), rows], [total], FusedActivationFunction=0
    )
    line = r"operator 2 ADD \(tensor 's'\): constant 'c' must be one number for each channel"
    refused(writer, image, dense(writer, total), line)


def test_sums_of_one_order_reached_in_two_ways() -> None:
    writer, image, seen = begun()
    kept = transposed(writer, transposed(writer, seen, NCHW), [0, 1, 3, 2])
    other = transposed(writer, seen, [0, 3, 2, 1])
    total = writer.tensor((1, 6, 5, 4), **B)
    writer.operator("ADD", [kept, other], [total], FusedActivationFunction=0)
    content = writer.finish([image], [dense(writer, total)])
    assert check(content) == ["conv", "add", "fully_connected"]


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
def test_what_meets_in_two_orders_is_refused(name: str) -> None:
    writer, image, seen = begun()
    square = writer.tensor((1, 2, 60, 1), **B)
    writer.operator("RESHAPE", [seen], [square])
    turned = transposed(writer, square, [0, 2, 1, 3])
    again = writer.tensor((1, 2, 60, 1), **B)
    writer.operator("RESHAPE", [turned], [again])
    total = writer.tensor((1, 2, 60, 1), name="s", **B)
    options = {} if name.endswith("IMUM") else {"FusedActivationFunction": 0}
    writer.operator(name, [again, square], [total], **options)
    rule = "must not read what TRANSPOSE has reordered, unless another one restores it"
    line = rf"operator 4 {name} \(tensor 's'\): {rule}"
    refused(writer, image, dense(writer, total), line)


_PARTS = "whole rows, columns or both of the image of shape (4, 5, 6) as computed"


@pytest.mark.parametrize(
    ("axes", "own", "rule"),
    [
        (None, [3], "height, width or both"),
        (NCHW, [1], "height, width or both"),
        (NCHW, [1, 2], "height, width or both"),
        (None, [0], "height, width or both"),
        ("halves", [1], _PARTS),
        ("halves", [2], _PARTS),
    ],
)
def test_means_over_channels_or_parts_of_rows_are_refused(
    axes: list[int] | str | None, own: list[int], rule: str
) -> None:
    writer, image, current = begun()
    if isinstance(axes, str):
        halved = writer.tensor((1, 2, 10, 6), **B)
        writer.operator("RESHAPE", [current], [halved])
        current = halved
    elif axes is not None:
        current = transposed(writer, current, axes)
    shape = [1 if i in own else n for i, n in enumerate(writer.tensors[current].shape)]
    result = writer.tensor(shape, name="m", **B)
    writer.operator("MEAN", [current, writer.constant(own, "int32")], [result], KeepDims=True)
    line = re.escape(f" MEAN (tensor 'm'): must be over {rule}, not over axes {own}")
    with pytest.raises(UnsupportedModelError, match=rf"^operator \d{line}$"):
        lowered(writer.finish([image], [dense(writer, result)]))


def test_largest_values_of_rows_are_refused() -> None:
    writer, image, seen = begun()
    largest = writer.tensor((1, 5, 6), name="m", **B)
    constant = writer.constant([1], "int32")
    writer.operator("REDUCE_MAX", [seen, constant], [largest], KeepDims=False)
    line = r"operator 1 REDUCE_MAX \(tensor 'm'\): must be over height and width together, not over axes \[1\]"
    refused(writer, image, dense(writer, largest), line)


def test_orders_that_cancel_are_nothing() -> None:
    writer, image, seen = begun()
    there = transposed(writer, seen, [0, 3, 1, 2])
    back = transposed(writer, there, [0, 2, 3, 1])
    result = writer.tensor((1, 2, 2, 6), **B)
    window = {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 3}
    writer.operator("MAX_POOL_2D", [back], [result], **window)
    assert check(writer.finish([image], [result])) == ["conv", "max_pool"]


def refused(writer: ModelWriter, image: int, result: int, line: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lowered(writer.finish([image], [result]))


def test_other_readers_of_another_order_are_refused() -> None:
    rule = "must not read what TRANSPOSE has reordered, unless another one restores it"
    writer, image, seen = begun()
    there = transposed(writer, seen, [0, 2, 1, 3])
    result = writer.tensor((1, 5, 4, 6), name="y", **B)
    window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": 1, "FilterWidth": 1}
    writer.operator("MAX_POOL_2D", [there], [result], **window)
    refused(writer, image, result, rf"operator 2 MAX_POOL_2D \(tensor 'y'\): {rule}")


@pytest.mark.parametrize("axes", [NCHW, [0, 2, 1, 3], [0, 3, 2, 1]])
def test_outputs_in_another_order_are_the_hosts(axes: list[int]) -> None:
    writer, image, seen = begun()
    there = unary(writer, "HARD_SWISH", transposed(writer, seen, axes), A)
    content = writer.finish([image], [there])
    assert check(content) == ["conv", "max_pool"]
    network = lowered(content)
    assert [type(step).__name__ for step in network.host.after] == ["Transpose", "Reshape"]
    # the layer's output lies otherwise than the model's tensor
    assert [*network.source["tensors"]] == ["input", "conv_2d_0"]
    flat = writer.tensor((1, 12, 10), **A)
    writer.operator("RESHAPE", [there], [flat])
    result = unary(writer, "RELU", flat, A)
    assert check(writer.finish([image], [result])) == ["conv", "max_pool", "depthwise"]


def test_outputs_in_no_order_of_axes_are_refused() -> None:
    writer, image, seen = begun()
    flat = writer.tensor((1, 12, 10), **B)
    writer.operator("RESHAPE", [transposed(writer, seen, NCHW)], [flat])
    there = unary(writer, "HARD_SWISH", transposed(writer, flat, [0, 2, 1]), A)
    content = writer.finish([image], [there])
    name = parse_tflite(content, "model").tensors[there].name
    line = f"output '{name}' must have an order of values that is one of its image's axes"
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lowered(content)


def test_the_batch_stays_first() -> None:
    writer, image, seen = begun()
    there = writer.tensor((4, 1, 5, 6), name="there", **B)
    writer.operator("TRANSPOSE", [seen, writer.constant([1, 0, 2, 3], "int32")], [there])
    result = dense(writer, there)
    line = r"operator 1 TRANSPOSE \(tensor 'there'\): batch of activation 'there' must be 1, not 4"
    refused(writer, image, result, line)
