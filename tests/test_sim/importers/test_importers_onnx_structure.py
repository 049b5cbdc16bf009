"""ONNX models that break a rule: each is refused in one line, whatever type an attribute has."""

import itertools
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.onnx.conversion import lower_onnx
from sim.importers.onnx.lowering import ONNX_OPERATORS, OnnxLowering
from sim.importers.onnx.model import OnnxModel, OnnxNode
from sim.importers.onnx.reader import parse_onnx
from sim.importers.onnx.values import Constant, Quantization, Quantized, Value, image_places
from sim.spec.errors import CosilicoError, DesignFileError
from testbench.cases.onnx_models import random_onnx

MICROSOFT = "com.microsoft"


def initializer(name: str, data: Any, dtype: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(data, dtype), name)


def convolution(**attributes: Any) -> onnx.ModelProto:
    """QLinearConv of an image (1, 2, 6, 6)."""
    constants = [
        initializer("scale", 0.5, np.float32),
        initializer("zero", 3, np.int8),
        initializer("weights", np.ones((2, 2, 1, 1)), np.int8),
        initializer("scales", 0.25, np.float32),
        initializer("zeros", 0, np.int8),
    ]
    inputs = ["x", "scale", "zero", "weights", "scales", "zeros", "scale", "zero"]
    node = helper.make_node("QLinearConv", inputs, ["y"], name="conv", **attributes)
    ends = [helper.make_tensor_value_info(name, TensorProto.INT8, (1, 2, 6, 6)) for name in "xy"]
    graph = helper.make_graph([node], "graph", ends[:1], ends[1:], constants)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def lowered(model: onnx.ModelProto) -> ImportedNetwork:
    return lower_onnx(parse_onnx(model.SerializeToString(), "model"), "net")


def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[2]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().values.name = "weights"


def function(model: onnx.ModelProto) -> None:
    made = helper.make_function(
        "", "QLinearConv", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], []
    )
    model.functions.append(made)


def given_twice(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(model.graph.initializer[0])


def untyped_attribute(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(AttributeProto(name="strides", ints=[1, 1]))


def single_integer(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("dilations", 1))


def short_data(model: onnx.ModelProto) -> None:
    model.graph.initializer[2].dims[0] = 1 << 40


def self_loop(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


def float_zero_points(model: onnx.ModelProto) -> None:
    model.graph.initializer[4].CopyFrom(initializer("zeros", 0, np.float32))


def vast_input(model: onnx.ModelProto) -> None:
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 1 << 20


def vast_padding(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("pads", [0, 0, 1 << 30, 1 << 30]))


def vast_border(model: onnx.ModelProto) -> None:
    """Give the first node a vast border, over which its few windows lie far apart."""
    attributes = [
        helper.make_attribute("pads", [0, 0, 1 << 30, 1 << 30]),
        helper.make_attribute("strides", [1 << 29, 1 << 29]),
    ]
    model.graph.node[0].attribute.extend(attributes)


def vast_stride(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("strides", [1 << 62, 1]))


def other_output_type(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8


def other_output_shape(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[3].dim_value = 5


def strange_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = MICROSOFT


def control_characters(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Clear\x1b[2J\nscreen"
    model.graph.node[0].domain = MICROSOFT


def nan_scale(model: onnx.ModelProto) -> None:
    model.graph.initializer[3].CopyFrom(initializer("scales", np.nan, np.float32))


def long_list(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("pads", [0] * 5000))


CONV = r"node 0 QLinearConv 'conv' \(tensor 'y'\): "
SUPPORTED = "; supported are Add, .*"
LINES: list[tuple[Callable[[onnx.ModelProto], None], str]] = [
    (external, "tensor 'weights' must be kept in the model's own file"),
    (sparse, "tensor 'weights' must not be sparse"),
    (function, "model must not define functions, such as 'QLinearConv'"),
    (given_twice, "model (is not valid ONNX: .*|has two tensors 'scale')"),
    (
        untyped_attribute,
        r"model is not valid ONNX: Field 'type' of 'attr' is required but missing "
        r"\(node QLinearConv 'conv'\)",
    ),
    (
        single_integer,
        r"model is not valid ONNX: Mismatched attribute type in 'conv : dilations'\. Expected: "
        r"'INTS', actual: 'INT' \(node QLinearConv 'conv'\)",
    ),
    (short_data, "model(: tensor 'weights' must have as many values as its shape| is not .*)"),
    (self_loop, "model is not valid ONNX: .*"),
    (float_zero_points, CONV + "zero points of weights 'weights' must be int8, not float32"),
    (
        vast_input,
        "input 'x' must have at most 16777216 values, not 2199023255552 of shape "
        r"\(1, 2, 1048576, 1048576\)",
    ),
    (
        vast_padding,
        CONV + "activation must have at most 16777216 values, not 2305843034983497800 of shape "
        r"\(1073741830, 1073741830, 2\)",
    ),
    (
        vast_border,
        CONV + "kernel and stride of layer 'qlinearconv_0' must be an integer in 1 … 65536, "
        "not 536870912",
    ),
    (vast_stride, CONV + "strides must be within 2.31, not 4611686018427387904"),
    (other_output_type, "output 'y' must be int8 as computed, not uint8"),
    (
        other_output_shape,
        r"output 'y' must have shape \(1, 2, 6, 6\) as computed, not \(1, 2, 6, 5\)",
    ),
    (
        strange_domain,
        CONV + f"of domain 'com.microsoft' is not supported{SUPPORTED}",
    ),
    (
        control_characters,
        rf"node 0 Clear�\[2J screen 'conv' \(tensor 'y'\): is not supported{SUPPORTED}",
    ),
    (nan_scale, CONV + "scales of weights 'weights' must be finite float32 and not negative"),
    (long_list, "attribute 'pads' must have at most 4096 numbers, not 5000"),
]


@pytest.mark.parametrize(("change", "line"), LINES, ids=[change.__name__ for change, _ in LINES])
def test_is_refused(change: Callable[[onnx.ModelProto], None], line: str) -> None:
    model = convolution()
    assert lowered(model).network.layers
    change(model)
    tracemalloc.start()
    with pytest.raises(CosilicoError, match=f"^{line}$"):
        lowered(model)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


ATTRIBUTES = {
    "AveragePool": (
        "auto_pad",
        "ceil_mode",
        "count_include_pad",
        "kernel_shape",
        "pads",
        "strides",
        "dilations",
    ),
    "ArgMax": ("axis", "keepdims", "select_last_index"),
    "BatchNormalization": ("epsilon", "training_mode"),
    "Celu": ("alpha",),
    "Clip": ("min", "max"),
    "Concat": ("axis",),
    "Conv": ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"),
    "ConvTranspose": (
        "auto_pad",
        "dilations",
        "group",
        "output_padding",
        "output_shape",
        "pads",
        "strides",
    ),
    "DequantizeLinear": ("block_size", "axis"),
    "Elu": ("alpha",),
    "Flatten": ("axis",),
    "Gemm": ("alpha", "beta", "transA", "transB"),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "LogSoftmax": ("axis",),
    "MaxPool": ("auto_pad", "ceil_mode", "kernel_shape", "pads", "strides", "dilations"),
    "Pad": ("mode", "pads", "value"),
    "QGemm": ("alpha", "transA", "transB"),
    "QLinearAveragePool": ("channels_last", "kernel_shape", "pads"),
    "QLinearConcat": ("axis",),
    "QLinearConv": ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"),
    "QLinearGlobalAveragePool": ("channels_last",),
    "QLinearLeakyRelu": ("alpha",),
    "QLinearSoftmax": ("axis", "opset"),
    "QuantizeLinear": ("block_size", "output_dtype"),
    "ReduceMax": ("axes", "keepdims"),
    "ReduceMean": ("axes", "keepdims"),
    "Reshape": ("allowzero",),
    "Resize": (
        "antialias",
        "axes",
        "coordinate_transformation_mode",
        "exclude_outside",
        "keep_aspect_ratio_policy",
        "mode",
        "nearest_mode",
    ),
    "Shape": ("start", "end"),
    "Slice": ("axes", "ends", "starts"),
    "Softmax": ("axis",),
    "Split": ("axis", "split"),
    "Squeeze": ("axes",),
    "Transpose": ("perm",),
    "Unsqueeze": ("axes",),
    "Upsample": ("mode", "scales"),
}
VALUES: tuple[Any, ...] = (
    None, 10**28, -(10**28), 1 << 40, -7, 3, 0.5, float("nan"), "x", [], [1], [1] * 3, [1 << 40] * 4,
    [-1] * 4, [0.5], [None], np.zeros((2, 0), np.float32),
)  # fmt: skip


def scalar(value: Any, dtype: Any) -> Constant:
    return Constant(data=np.asarray(value, dtype))


def image(*, real: bool) -> Quantized:
    quantization = Quantization(scale=np.float32(0.5), zero_point=3, dtype="int8")
    return Quantized(
        spec=quantization.tensor("input", (4, 4, 2)),
        shape=(1, 2, 4, 4),
        places=image_places(4, 4, 2),
        quantization=quantization,
        real=real,
    )


@pytest.mark.parametrize("operator", sorted(ATTRIBUTES))
def test_attributes_of_any_type_are_read_or_refused(operator: str) -> None:
    """Every operator with attributes that it has, of values that it may and may not have."""
    weights = Constant(
        data=np.ones((2, 2, 1, 1), np.int8),
        scales=np.ones(1, np.float32),
        zero_points=np.zeros(1, np.int64),
    )
    known: dict[str, Value] = {
        "image": image(real=not operator.startswith("Q")),
        "scale": scalar(0.5, np.float32),
        "zero": scalar(3, np.int8),
        "weights": Constant(data=weights.data) if operator.startswith("Q") else weights,
        "zeros": scalar(0, np.int8),
        "shape": scalar([1, 32], np.int64),
        "ones": scalar([1, 1], np.float32),
    }
    pair = ("scale", "zero")
    inputs = {
        "Concat": ("image", "image"),
        "QLinearConcat": (*pair, "image", *pair),
        "QLinearConv": ("image", *pair, "weights", "scale", "zeros", *pair),
        "QGemm": ("image", *pair, "weights", "scale", "zeros", "", *pair),
        "QLinearGlobalAveragePool": ("image", *pair, *pair),
        "QLinearAveragePool": ("image", *pair, *pair),
        "QLinearLeakyRelu": ("image", *pair, *pair),
        "QLinearSoftmax": ("image", *pair, *pair),
        "QuantizeLinear": ("image", *pair),
        "DequantizeLinear": ("image", *pair),
        "Conv": ("image", "weights"),
        "ConvTranspose": ("image", "weights"),
        "Gemm": ("image", "weights"),
        "Reshape": ("image", "shape"),
        "BatchNormalization": ("image", *["ones"] * 4),
    }.get(operator, ("image",))
    model = OnnxModel(nodes=(), constants={}, inputs=(), outputs=(), opset=17)
    lines = []
    for name, value in itertools.product(ATTRIBUTES[operator], VALUES):
        lowering = OnnxLowering(model)
        lowering.values.update(known)
        node = OnnxNode(
            index=0, name="", operator=operator, domain="", inputs=inputs, outputs=("y",),
            attributes={"kernel_shape": [1, 1]} | {name: value},
        )  # fmt: skip
        try:
            ONNX_OPERATORS[operator].lower(lowering, node)
        except UnsupportedModelError as error:
            lines.append(str(error))
    assert len(lines) >= 8 * len(ATTRIBUTES[operator])
    pattern = rf"node 0 {operator} \(tensor 'y'\): [^\n]+"
    assert all(re.fullmatch(pattern, line) for line in lines)


def test_every_operator_with_attributes_is_tried() -> None:
    assert ATTRIBUTES.keys() == {
        "AveragePool", "ArgMax", "BatchNormalization", "Celu", "Clip", "Concat", "Conv", "ConvTranspose", "DequantizeLinear", "Elu", "Flatten",
        "Gemm", "HardSigmoid", "LeakyRelu", "LogSoftmax", "MaxPool", "Pad", "QGemm", "QLinearAveragePool", "QLinearConcat",
        "QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearSoftmax", "QuantizeLinear", "ReduceMax", "ReduceMean", "Reshape", "Resize", "Shape", "Slice", "Softmax",
        "Split", "Squeeze", "Transpose", "Unsqueeze", "Upsample",
    }  # fmt: skip
    assert ONNX_OPERATORS.keys() - ATTRIBUTES.keys() == {
        "Add", "Cast", "Div", "Dropout", "Gather", "GlobalAveragePool", "GlobalMaxPool", "HardSwish", "Identity", "MatMul",
        "Max", "Min", "Mod", "Mul", "Neg", "PRelu", "QLinearAdd", "QLinearMatMul", "QLinearMul", "QLinearSigmoid", "ReduceProd", "Relu",
        "Sigmoid", "Sub", "Tanh",
    }  # fmt: skip


def test_operators_of_the_runtimes_own_domain_have_their_attributes_alone() -> None:
    model = next(
        made
        for made in map(random_onnx, range(100))
        if any(node.op_type == "QLinearAdd" for node in made.graph.node)
    )
    node = next(node for node in model.graph.node if node.op_type == "QLinearAdd")
    assert lowered(model)
    node.attribute.append(helper.make_attribute("axis", 1))
    with pytest.raises(
        UnsupportedModelError, match=r"^node \d+ QLinearAdd .*: has no attribute 'axis'$"
    ):
        lowered(model)
    del node.attribute[:]
    node.input.append("x")
    rule = r"must have 7 … 8 inputs and one output, not 9 and 1"
    with pytest.raises(UnsupportedModelError, match=rf"^node \d+ QLinearAdd .*: {rule}$"):
        lowered(model)


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("Conv", ["x", "w"], {}),
        ("Add", ["x", "x"], {}),
        ("Gemm", ["x", "w"], {}),
        ("MatMul", ["x", "w"], {}),
        ("Relu", ["x"], {}),
        ("GlobalAveragePool", ["x"], {}),
        ("AveragePool", ["x"], {"kernel_shape": [1, 1]}),
        ("ReduceMean", ["x"], {"axes": [2, 3]}),
    ],
)
def test_operators_of_real_values_do_not_read_integers(
    operator: str, inputs: list[str], attributes: dict[str, Any]
) -> None:
    """Drawn as fuzz_input(4, 6855)."""
    lowering = OnnxLowering(OnnxModel(nodes=(), constants={}, inputs=(), outputs=(), opset=17))
    lowering.values["x"] = image(real=False)
    node = OnnxNode(
        index=0, name="", operator=operator, domain="", inputs=tuple(inputs), outputs=("y",),
        attributes=attributes,
    )  # fmt: skip
    line = rf"node 0 {operator} \(tensor 'y'\): input 'x' must be real, not integers"
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        ONNX_OPERATORS[operator].lower(lowering, node)


@pytest.mark.parametrize("content", [b"", b"\x08", b"\x08\x09" * 50, b"\xff" * 100])
def test_bytes_that_are_no_model(content: bytes) -> None:
    line = "model is truncated or not an ONNX model"
    with pytest.raises(DesignFileError, match=f"^{line}$"):
        parse_onnx(content, "model")
