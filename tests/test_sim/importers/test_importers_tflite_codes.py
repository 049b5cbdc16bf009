"""TensorFlow Lite operators by their codes and options: each is what the file says, or refused by name."""

from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.host_steps import HOST_OPERATORS
from sim.importers.tflite.lowering import OPERATORS
from sim.importers.tflite.reader import parse_tflite
from sim.importers.tflite.variables import VARIABLE_OPERATORS
from testbench.cases.tflite_writer import CodeFields, ModelWriter
from testbench.judges.tflite_oracle import run_model

SHAPE = (1, 4, 4, 2)
NUMBERS: dict[str, int] = {
    name: value for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
}
LIKE: dict[str, Any] = {"scales": [0.5], "zero_points": [3]}
OTHER: dict[str, Any] = {"scales": [0.75], "zero_points": [-7]}
WINDOW = {"Padding": 0, "StrideH": 1, "StrideW": 1}
DILATION = {"DilationHFactor": 1, "DilationWFactor": 1}
SOFTMAX_OUTPUT: dict[str, Any] = {"scales": [1 / 256], "zero_points": [-128]}


def model_of(name: str, code_fields: CodeFields) -> bytes:
    """A 1×1 convolution of an image, then an operator of two inputs as it may be in a valid file."""
    writer = ModelWriter()
    image = writer.tensor(SHAPE, name="image", **LIKE)
    kernel = writer.constant(np.eye(2).reshape(2, 1, 1, 2) * 90, "int8", scales=[0.01])
    seen = writer.tensor(SHAPE, name="seen", **LIKE)
    writer.operator("CONV_2D", [image, kernel], [seen], **WINDOW, **DILATION)
    result, inputs, options = operands(writer, name, image, seen)
    writer.operator(name, inputs, [result], **options)
    return writer.finish([image], [result], code_fields)


def operands(
    writer: ModelWriter, name: str, image: int, seen: int
) -> tuple[int, list[int], dict[str, Any]]:
    """Result, inputs and options of an operator; all alike for operators that are not supported."""

    def result(shape: tuple[int, ...] = SHAPE, dtype: str = "int8", **kind: Any) -> int:
        return writer.tensor(shape, dtype, name="result", **kind)

    def weights(*shape: int) -> int:
        return writer.constant(np.arange(np.prod(shape)).reshape(shape) - 3, "int8", scales=[0.02])

    def numbers(*values: Any) -> int:
        return writer.constant(values, "int32")

    match name:
        case "CONV_2D":
            return result(**OTHER), [seen, weights(2, 1, 1, 2)], WINDOW | DILATION
        case "DEPTHWISE_CONV_2D":
            options = WINDOW | DILATION | {"DepthMultiplier": 1}
            return result(**OTHER), [seen, weights(1, 3, 3, 2)], options
        case "AVERAGE_POOL_2D" | "MAX_POOL_2D":
            window = {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
            return result((1, 2, 2, 2), **LIKE), [seen], window
        case "FULLY_CONNECTED":
            return result((1, 3), **OTHER), [seen, weights(3, 32)], {}
        case "MUL":
            factors = writer.constant([-100, 90], "int8", scales=[0.01], zero_points=[5])
            return result(**OTHER), [seen, factors], {}
        case "SPACE_TO_BATCH_ND":
            return result((4, 2, 2, 2), **LIKE), [seen, numbers(2, 2), numbers((0, 0), (0, 0))], {}
        case "BATCH_TO_SPACE_ND":
            cut, made = (writer.tensor((4, 2, 2, 2), name=f"part{i}", **LIKE) for i in range(2))
            block, widths = numbers(2, 2), numbers((0, 0), (0, 0))
            writer.operator("SPACE_TO_BATCH_ND", [seen, block, widths], [cut])
            window = {"Padding": 1, "StrideH": 1, "StrideW": 1} | DILATION
            writer.operator("CONV_2D", [cut, weights(2, 1, 1, 2)], [made], **window)
            return result(**LIKE), [made, block, widths], {}
        case "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR":
            options = {"AlignCorners": False, "HalfPixelCenters": True}
            return (
                result((1, 8, 12, 2) if name[7] == "N" else (1, 8, 16, 2), **LIKE),
                [
                    seen,
                    numbers(8, 12) if name[7] == "N" else numbers(8, 16),
                ],
                options,
            )
        case "TRANSPOSE_CONV":
            ends = [numbers(1, 8, 8, 2), weights(2, 3, 3, 2), seen]
            return result((1, 8, 8, 2), **OTHER), ends, {"Padding": 0, "StrideH": 2, "StrideW": 2}
        case "REDUCE_MAX":
            return result((1, 2), **LIKE), [seen, numbers(1, 2)], {}
        case "MAXIMUM" | "MINIMUM":
            return result(**LIKE), [seen, writer.constant([7], "int8", **LIKE)], {}
        case "MEAN":
            return result((1, 2), **OTHER), [seen, numbers(1, 2)], {}
        case "PAD":
            return result((1, 5, 6, 2), **LIKE), [seen, numbers((0, 0), (1, 0), (1, 1), (0, 0))], {}
        case "PADV2":
            widths = numbers((0, 0), (1, 0), (1, 1), (0, 0))
            value = writer.constant([3], "int8", **LIKE)
            return result((1, 5, 6, 2), **LIKE), [seen, widths, value], {}
        case "RESHAPE":
            return result((1, 32), **LIKE), [seen, numbers(1, 32)], {}
        case "SQUEEZE":
            thin = writer.tensor((1, 4, 1, 2), name="thin", **LIKE)
            window = {"Padding": 1, "StrideH": 1, "StrideW": 1}
            writer.operator("MAX_POOL_2D", [image], [thin], FilterHeight=1, FilterWidth=4, **window)
            return result((1, 4, 2), **LIKE), [thin], {"SqueezeDims": (2,)}
        case "EXPAND_DIMS":
            return result((1, 1, 4, 4, 2), **LIKE), [seen, numbers(0)], {}
        case "TRANSPOSE":
            return result((1, 2, 4, 4), **LIKE), [seen, numbers(0, 3, 1, 2)], {}
        case "CONCATENATION":
            return result((1, 4, 4, 4), **LIKE), [seen, image], {"Axis": 3}
        case "SPLIT":
            return result(**LIKE), [writer.constant(3, "int32"), seen], {"NumSplits": 1}
        case "SPLIT_V":
            return result(**LIKE), [seen, numbers(4), writer.constant(1, "int32")], {"NumSplits": 1}
        case "SLICE":
            ends = [numbers(0, 1, 0, 1), numbers(1, 2, 4, 1)]
            return result((1, 2, 4, 1), **LIKE), [seen, *ends], {}
        case "STRIDED_SLICE":
            ends = [numbers(0, 1, 0, 0), numbers(1, 3, 4, 2), numbers(1, 1, 2, 1)]
            return result((1, 2, 2, 2), **LIKE), [seen, *ends], {}
        case "RELU6":
            return result(**LIKE), [seen], {}
        case "ELU" | "HARD_SWISH":
            return result(**OTHER), [seen], {}
        case "LEAKY_RELU":
            return result(**OTHER), [seen], {"Alpha": 0.3}
        case "PRELU":
            return result(**OTHER), [seen, writer.constant([[[7]]], "int8", scales=[0.02])], {}
        case "TANH":
            return result(scales=[1 / 128], zero_points=[0]), [seen], {}
        case "RELU" | "RELU_N1_TO_1" | "QUANTIZE":
            return result(**OTHER), [seen], {}
        case "LOGISTIC":
            return result(**SOFTMAX_OUTPUT), [seen], {}
        case "LOG_SOFTMAX":
            return result(scales=[1 / 16], zero_points=[127]), [seen], {}
        case "SOFTMAX":
            return result(**SOFTMAX_OUTPUT), [seen], {"Beta": 1.0}
        case "DEQUANTIZE":
            return result(dtype="float32"), [seen], {}
        case "SVDF":
            state = writer.tensor((1, 12), name="state", variable=True, **OTHER)
            flat = writer.tensor((1, 32), name="flat", **LIKE)
            writer.operator("RESHAPE", [seen, numbers(1, 32)], [flat])
            own = writer.constant([5, 6], "int32", scales=[0.015])
            ends = [flat, weights(4, 32), weights(4, 3), own, state]
            return result((1, 2), **OTHER), ends, {"Rank": 2}
        case "ARG_MAX":
            output = result((1, 4, 4), "int32")
            return output, [seen, numbers(3)], {"OutputType": tflite.TensorType.INT32}
    return result(**OTHER), [seen, image], {}


def computed(content: bytes, x: NDArray[np.int8]) -> NDArray[Any]:
    """Outputs as the importer has them computed."""
    imported = lower_tflite(parse_tflite(content, "model"), "net")
    y = golden.run(imported.network, imported.host.prepare(x))[imported.network.output.name]
    return imported.host.finish(imported.host.logits(y))


@pytest.mark.parametrize("code_fields", CodeFields)
def test_every_operator_is_what_its_code_says(code_fields: CodeFields) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (2, *SHAPE[1:])).astype(np.int8)
    for name, number in NUMBERS.items():
        if number > 127 and code_fields is CodeFields.OLDER:
            continue  # does not fit
        if name == "SPACE_TO_BATCH_ND" or name in VARIABLE_OPERATORS:
            continue  # is met with BATCH_TO_SPACE_ND; these are met together in test_importers_tflite_streams
        content = model_of(name, code_fields)
        if name not in OPERATORS and name not in HOST_OPERATORS:
            rule = "[a-zA-Z0-9, :-]+; supported are ADD, .*"
            line = rf"operator 1 {name} \(tensor 'result'\): {rule}"
            with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
                computed(content, x)
            continue
        outputs = computed(content, x)
        if name != "RELU_N1_TO_1":  # which the interpreter does not have
            assert np.array_equal(outputs, run_model(content, x)[0]), name


def test_the_larger_of_two_codes_counts() -> None:
    content = bytearray(model_of("MAXIMUM", CodeFields.BOTH))
    number = NUMBERS["MAXIMUM"]
    (place,) = (i for i in range(len(content)) if content[i : i + 4] == bytes([number, 0, 0, 0]))
    content[place] = NUMBERS["ADD"]
    assert parse_tflite(bytes(content), "model").operators[1].name == "MAXIMUM"


@pytest.mark.parametrize("name", sorted(OPERATORS.keys() | HOST_OPERATORS.keys()))
def test_options_must_be_those_of_the_operator(name: str) -> None:
    writer = ModelWriter()
    image = writer.tensor(SHAPE, name="image", **LIKE)
    seen = writer.tensor(SHAPE, name="seen", **LIKE)
    kernel = writer.constant(np.ones((2, 1, 1, 2)), "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [seen], **WINDOW, **DILATION)
    result, inputs, _ = operands(writer, name, image, seen)
    writer.operator_of_table(name, inputs, [result], "LSTMOptions", {})
    content = writer.finish([image], [result])
    rule = f"options must be those of {name}, not LSTMOptions"
    with pytest.raises(
        UnsupportedModelError, match=rf"^operator [1-3] {name} \(tensor 'result'\): {rule}$"
    ):
        lower_tflite(parse_tflite(content, "model"), "net")
