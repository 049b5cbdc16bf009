"""TensorFlow Lite models that are put together wrongly: each is refused in one line, in bounded time and memory."""

import re
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.errors import CosilicoError
from sim.spec.network import LayerKind
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

SHAPE = (1, 4, 4, 2)
LIKE: dict[str, Any] = {"scales": [0.5], "zero_points": [3]}
SOFTMAX_OUTPUT: dict[str, Any] = {"scales": [1 / 256], "zero_points": [-128]}
WINDOW = {"Padding": 0, "StrideH": 1, "StrideW": 1}
DILATION = {"DilationHFactor": 1, "DilationWFactor": 1}


class Convolution(ModelWriter):
    """A model that begins with a 1×1 convolution of ``image`` to ``seen``."""

    def __init__(self, shape: tuple[int, ...] = SHAPE, kernel: str = "int8") -> None:
        super().__init__()
        self.image = self.tensor(shape, name="image", **LIKE)
        weights = np.ones((2, 1, 1, shape[-1]))
        self.kernel = self.constant(weights, kernel, scales=[0.01], name="kernel")
        self.seen = self.tensor((*shape[:-1], 2), name="seen", **LIKE)
        inputs = [self.image, self.kernel]
        self.operator("CONV_2D", inputs, [self.seen], **WINDOW, **DILATION)

    def end(self, result: int) -> bytes:
        """Encode the model with that tensor as its output."""
        return self.finish([self.image], [result])


def quantize_of_another_shape() -> bytes:
    writer = Convolution()
    result = writer.tensor((1, 8, 4, 2), "uint8", name="result", **LIKE)
    writer.operator("QUANTIZE", [writer.seen], [result])
    return writer.end(result)


def dequantize_of_another_shape() -> bytes:
    writer = Convolution()
    result = writer.tensor((1, 32), "float32", name="result")
    writer.operator("DEQUANTIZE", [writer.seen], [result])
    return writer.end(result)


def softmax_of_another_shape() -> bytes:
    writer = Convolution()
    result = writer.tensor((1, 32), name="result", **SOFTMAX_OUTPUT)
    writer.operator("SOFTMAX", [writer.seen], [result], Beta=1.0)
    return writer.end(result)


def softmax_of_its_output() -> bytes:
    writer = Convolution()
    result = writer.tensor(SHAPE, name="result", **SOFTMAX_OUTPUT)
    writer.operator("SOFTMAX", [result], [result], Beta=1.0)
    return writer.end(result)


def two_that_read_each_other() -> bytes:
    writer = Convolution()
    first, result = (writer.tensor(SHAPE, name=name, **LIKE) for name in ("first", "result"))
    writer.operator("ADD", [writer.seen, result], [first])
    writer.operator("RELU", [first], [result])
    return writer.end(result)


def written_twice() -> bytes:
    writer = Convolution()
    writer.operator("RELU", [writer.image], [writer.seen])
    return writer.end(writer.seen)


def written_input() -> bytes:
    writer = Convolution()
    writer.operator("RELU", [writer.seen], [writer.image])
    return writer.end(writer.seen)


def written_constant() -> bytes:
    writer = Convolution()
    writer.operator("RELU", [writer.seen], [writer.kernel])
    return writer.end(writer.seen)


def without_result() -> bytes:
    writer = Convolution()
    writer.operator("RELU", [writer.seen], [])
    return writer.end(writer.seen)


def assigned_variable() -> bytes:
    writer = Convolution()
    writer.operator("ASSIGN_VARIABLE", [writer.seen], [])
    return writer.end(writer.seen)


def squeezed_wrongly() -> bytes:
    writer = Convolution()
    result = writer.tensor((1, 32), name="result", **LIKE)
    writer.operator("SQUEEZE", [writer.seen], [result], SqueezeDims=(1,))
    return writer.end(result)


def expanded_wrongly() -> bytes:
    writer = Convolution()
    result = writer.tensor((1, 32), name="result", **LIKE)
    writer.operator("EXPAND_DIMS", [writer.seen, writer.constant([1], "int32")], [result])
    return writer.end(result)


def behind_a_shape() -> bytes:
    """An operator that is not supported and reads a shape, which is computed from an activation's."""
    writer = Convolution()
    sizes, result = (
        writer.tensor((4,), "int32", name="sizes"),
        writer.tensor((1, 8, 8, 2), name="result", **LIKE),
    )
    writer.operator("SHAPE", [writer.seen], [sizes])
    writer.operator("BROADCAST_TO", [writer.seen, sizes], [result])
    return writer.end(result)


def of_bytes(weight: int = 255) -> bytes:
    writer = ModelWriter()
    image, result = (writer.tensor(SHAPE, "uint8", name=name, **LIKE) for name in ("a", "result"))
    data = np.full((2, 1, 1, 2), weight)
    kernel = writer.constant(data, "uint8", **LIKE, name="w")
    writer.operator("CONV_2D", [image, kernel], [result], **WINDOW, **DILATION)
    end = writer.tensor(SHAPE, "uint8", name="end", **LIKE)
    writer.operator("SOFTMAX", [result], [end], Beta=1.0)
    return writer.finish([image], [end])


def of_bytes_that_fit() -> bytes:
    return of_bytes(1)


def other_depth_multiplier() -> bytes:
    writer = Convolution()
    result = writer.tensor(SHAPE, name="result", **LIKE)
    kernel = writer.constant(np.ones((1, 1, 1, 2)), "int8", scales=[0.01])
    options = WINDOW | DILATION | {"DepthMultiplier": 2}
    writer.operator("DEPTHWISE_CONV_2D", [writer.seen, kernel], [result], **options)
    return writer.end(result)


def vast() -> bytes:
    writer = Convolution((1, 1 << 20, 1 << 20, 1))
    return writer.end(writer.seen)


def vast_by_padding() -> bytes:
    writer = Convolution()
    result = writer.tensor((1, 4, 1 << 30, 2), name="result", **LIKE)
    widths = writer.constant([(0, 0), (0, 0), (0, (1 << 30) - 4), (0, 0)], "int32")
    writer.operator("PAD", [writer.seen, widths], [result])
    return writer.end(result)


def of_so_many_values_that_the_product_wraps() -> bytes:
    writer = Convolution()
    result = writer.tensor((1, 1 << 16, 1 << 24, (1 << 24) + 32), name="result", **LIKE)
    writer.operator("RESHAPE", [writer.seen], [result])
    return writer.end(result)


def mean_of_no_axis() -> bytes:
    """Model of a mean over an axis that does not exist, drawn as fuzz_input(4, 2500)."""
    writer = Convolution()
    result = writer.tensor((1, 2), name="result", **LIKE)
    axes = writer.constant([1, 2, 66], "int32")
    writer.operator("MEAN", [writer.seen, axes], [result])
    return writer.end(result)


def long_name() -> bytes:
    """Model with a very long name, drawn as fuzz_input(4, 3095)."""
    writer = Convolution()
    result = writer.tensor((1, 5), name="n" * 3000, **LIKE)
    writer.operator("RESHAPE", [writer.seen], [result])
    return writer.end(result)


def reshape_of_three() -> bytes:
    """Model of a reshape with three inputs, drawn as fuzz_input(2, 1349)."""
    writer = Convolution()
    result = writer.tensor((1, 32), name="result", **LIKE)
    shape = writer.constant([1, 32], "int32")
    writer.operator("RESHAPE", [writer.seen, shape, shape], [result])
    return writer.end(result)


def too_many_computations() -> bytes:
    writer = ModelWriter()
    image = writer.tensor((1, 2000, 2000, 2), name="image", **LIKE)
    kernel = writer.constant(np.ones((4, 65, 65, 2)), "int8", scales=[0.01])
    result = writer.tensor((1, 2000, 2000, 4), name="result", **LIKE)
    writer.operator("CONV_2D", [image, kernel], [result], **WINDOW, **DILATION)
    return writer.finish([image], [result])


TENSOR = r"\(tensor 'result'\)"


def pool_of_three_axes() -> bytes:
    """A pool of means whose axes are not kept, as input 7179 of the fuzz's seed 7 has it."""
    return on_three_axes("MAX_POOL_2D", FilterHeight=2, FilterWidth=4, **WINDOW)


def convolution_of_three_axes() -> bytes:
    return on_three_axes("CONV_2D", **WINDOW, **DILATION)


def depthwise_of_three_axes() -> bytes:
    return on_three_axes("DEPTHWISE_CONV_2D", **WINDOW, **DILATION, DepthMultiplier=1)


def on_three_axes(operator: str, **options: int) -> bytes:
    writer = Convolution()
    means = writer.tensor((1, 1, 2), name="means", **LIKE)
    result = writer.tensor((1, 1, 1, 2), name="result", **LIKE)
    axes = writer.constant(np.array([1, 2]), "int32")
    writer.operator("MEAN", [writer.seen, axes], [means])
    kernel = [] if operator.endswith("POOL_2D") else [writer.kernel]
    writer.operator(operator, [means, *kernel], [result], **options)
    return writer.end(result)


def weights_of_nibbles() -> bytes:
    writer = Convolution()
    kernel = writer.constant(np.ones(8), "int8", name="weights", scales=[0.1])
    writer.tensors[kernel] = replace(writer.tensors[kernel], shape=(2, 1, 1, 8), dtype="int4")
    result = writer.tensor((1, 4, 4, 2), name="result", **LIKE)
    writer.operator("CONV_2D", [writer.seen, kernel], [result], **WINDOW, **DILATION)
    return writer.end(result)


def weights_of_half_floats() -> bytes:
    writer = Convolution()
    kernel = writer.constant(np.ones((2, 1, 1, 2)), "float16", name="weights")
    result = writer.tensor((2, 1, 1, 2), "float32", name="result")
    writer.operator("DEQUANTIZE", [kernel], [result])
    return writer.end(result)


UNREAD = "constant 'weights' must be of a type in int8, int16, int32, int64, uint8, float32, not "

LINES: list[tuple[Callable[[], bytes], str]] = [
    (weights_of_nibbles, rf"operator 1 CONV_2D {TENSOR}: {UNREAD}int4"),
    (weights_of_half_floats, rf"operator 1 DEQUANTIZE {TENSOR}: {UNREAD}float16"),
    (
        quantize_of_another_shape,
        rf"operator 1 QUANTIZE {TENSOR}: output must have shape \(1, 4, 4, 2\), "
        r"not \(1, 8, 4, 2\)",
    ),
    (
        dequantize_of_another_shape,
        rf"operator 1 DEQUANTIZE {TENSOR}: output must have shape \(1, 4, 4, 2\), not \(1, 32\)",
    ),
    (
        softmax_of_another_shape,
        rf"operator 1 SOFTMAX {TENSOR}: output must have shape \(1, 4, 4, 2\), not \(1, 32\)",
    ),
    (
        softmax_of_its_output,
        rf"operator 1 SOFTMAX {TENSOR}: reads tensor 'result' before it is computed",
    ),
    (
        two_that_read_each_other,
        r"operator 1 ADD \(tensor 'first'\): reads tensor 'result' before it is computed",
    ),
    (
        written_twice,
        r"operator 1 RELU \(tensor 'seen'\): must not write tensor 'seen', which is an input, "
        "a constant or written before",
    ),
    (
        written_input,
        r"operator 1 RELU \(tensor 'image'\): must not write tensor 'image', which is an input, "
        "a constant or written before",
    ),
    (
        written_constant,
        r"operator 1 RELU \(tensor 'kernel'\): must not write tensor 'kernel', which is an input, "
        "a constant or written before",
    ),
    (without_result, r"operator 1 RELU \(tensor ''\): must have an output"),
    (
        assigned_variable,
        r"operator 1 ASSIGN_VARIABLE \(tensor ''\): must have 2 inputs and 0 outputs, not 1 and 0",
    ),
    (
        squeezed_wrongly,
        rf"operator 1 SQUEEZE {TENSOR}: axes must be of size 1, not \[1\] of \(1, 4, 4, 2\)",
    ),
    (
        expanded_wrongly,
        rf"operator 1 EXPAND_DIMS {TENSOR}: output must have shape \(1, 1, 4, 4, 2\), "
        r"not \(1, 32\)",
    ),
    (
        behind_a_shape,
        rf"operator 2 BROADCAST_TO {TENSOR}: is not supported; supported are .*",
    ),
    (
        of_bytes,
        "model is uint8-quantized, only int8 is supported: weights 'w' less their zero point must "
        "be -128 … 127, not 0 … 252",
    ),
    (
        of_bytes_that_fit,
        r"operator 1 SOFTMAX \(tensor 'end'\): output must have scale 1/256 and zero point -128, "
        r"not 0.5 and -125 \(of uint8 less 128\)",
    ),
    (
        other_depth_multiplier,
        rf"operator 1 DEPTHWISE_CONV_2D {TENSOR}: option DepthMultiplier must be 1, not 2",
    ),
    (
        vast,
        r"operator 0 CONV_2D \(tensor 'seen'\): activation 'image' must have at most 16777216 "
        r"values, not 1099511627776 of shape \(1, 1048576, 1048576, 1\)",
    ),
    (
        vast_by_padding,
        rf"operator 1 PAD {TENSOR}: activation 'result' must have at most 16777216 values, "
        r"not 8589934592 of shape \(1, 4, 1073741824, 2\)",
    ),
    (
        of_so_many_values_that_the_product_wraps,
        rf"operator 1 RESHAPE {TENSOR}: tensor 'result' must have at most 16777216 values, "
        r"not 18446779258081640448 of shape \(1, 65536, 16777216, 16777248\)",
    ),
    (
        mean_of_no_axis,
        rf"operator 1 MEAN {TENSOR}: axes must be among 4, not 66",
    ),
    (
        long_name,
        r"operator 1 RESHAPE \(tensor 'n{400,}…n{400,}'\): output must have the input's 32 values, "
        r"not \(1, 5\)",
    ),
    *(
        (
            make,
            rf"operator 2 {name} {TENSOR}: input must be an image of four axes, not of shape "
            r"\(1, 1, 2\)",
        )
        for make, name in (
            (pool_of_three_axes, "MAX_POOL_2D"),
            (convolution_of_three_axes, "CONV_2D"),
            (depthwise_of_three_axes, "DEPTHWISE_CONV_2D"),
        )
    ),
    (
        reshape_of_three,
        rf"operator 1 RESHAPE {TENSOR}: inputs must be 1 … 2, not 3",
    ),
    (
        too_many_computations,
        "network 'net' must have at most 68719476736 MACs for one image, taps of pools "
        "included, not 135200000000",
    ),
]


@pytest.mark.parametrize(("content", "line"), LINES, ids=[make.__name__ for make, _ in LINES])
def test_is_refused(content: Callable[[], bytes], line: str) -> None:
    model = content()
    tracemalloc.start()
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lower_tflite(parse_tflite(model, "model"), "net")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_constant_has_as_many_bytes_as_its_shape() -> None:
    content = Convolution().end(2)
    shape = struct.pack("<5i", 4, 2, 1, 1, 2)
    assert content.count(shape) == 1
    wrong = content.replace(shape, struct.pack("<5i", 4, 2, 1, 1, 1 << 30))
    line = r"model: tensor 'kernel' must have 2147483648 bytes for its shape \(2, 1, 1, 1073741824\), not 4"
    with pytest.raises(CosilicoError, match=f"^{line}$"):
        parse_tflite(wrong, "model")


def test_a_builtin_operator_has_no_custom_options() -> None:
    writer = Convolution()
    writer.operators[0] = replace(writer.operators[0], custom=b"x")
    content = writer.end(writer.seen)
    line = (
        r"operator 0 CONV_2D \(tensor 'seen'\): options must be those of CONV_2D, not custom ones"
    )
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lower_tflite(parse_tflite(content, "model"), "net")


def test_lists_that_a_file_shares_are_not_copied() -> None:
    writer = ModelWriter()
    data = np.zeros(1 << 20, np.int8)
    tensors = [writer.tensor(data.shape, scales=[1.0])]
    writer.tensor(data.shape, data=data, scales=[1.0])
    shared = writer.tensors[1]
    writer.tensors.extend([shared] * 2000)
    content = writer.finish(tensors, tensors)
    tracemalloc.start()
    assert len(parse_tflite(content, "model").tensors) == 2002
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_group_for_each_channel_is_a_depthwise_convolution() -> None:
    writer = ModelWriter()
    image, result = (writer.tensor(SHAPE, name=name, **LIKE) for name in ("image", "result"))
    weights = np.random.default_rng(1).integers(-127, 128, (2, 3, 3, 1))
    kernel = writer.constant(weights, "int8", scales=[0.01, 0.003])
    writer.operator("CONV_2D", [image, kernel], [result], **WINDOW, **DILATION)
    content = writer.finish([image], [result])
    (layer,) = (network := lower_tflite(parse_tflite(content, "model"), "net").network).layers
    assert layer.kind is LayerKind.DEPTHWISE
    x = np.random.default_rng(2).integers(-128, 128, (3, *SHAPE[1:])).astype(np.int8)
    assert np.array_equal(golden.run(network, x)[layer.name], run_model(content, x)[0])


@pytest.mark.parametrize("scale", [np.nan, np.inf, -1.0, 0.0])
@pytest.mark.parametrize("place", ["weights", "activation"])
def test_scales_are_numbers(scale: float, place: str) -> None:
    writer = ModelWriter()
    given = {"scales": [scale], "zero_points": [0]}
    image = writer.tensor(SHAPE, name="image", **(given if place == "activation" else LIKE))
    kernel = writer.constant(
        np.ones((2, 1, 1, 2)), "int8", **(given if place == "weights" else {"scales": [0.1]})
    )
    result = writer.tensor(SHAPE, name="result", **LIKE)
    writer.operator("CONV_2D", [image, kernel], [result], **WINDOW, **DILATION)
    content = writer.finish([image], [result])
    if place == "weights" and scale == 0:
        assert (
            not lower_tflite(parse_tflite(content, "model"), "net").network.layers[0].multiplier[0]
        )
        return
    line = {
        "weights": "scales of the weights must be finite and not negative",
        "activation": f"scale of activation 'image' must be positive, not {re.escape(str(np.float32(scale)))}",
    }[place]
    with pytest.raises(UnsupportedModelError, match=rf"^operator 0 CONV_2D {TENSOR}: {line}$"):
        lower_tflite(parse_tflite(content, "model"), "net")
