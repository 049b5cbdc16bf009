"""The runtime for ONNX models judges the same on every processor."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from testbench.judges.onnx_oracle import run_onnx, with_exact_products

LARGEST = {"uint8": 255, "int8": 127}


def largest_products(operator: str, activations: str) -> tuple[onnx.ModelProto, Any, int]:
    """A model whose every product is the largest there is, its input and its exact result."""
    convolution = operator == "QLinearConv"
    dtype = np.dtype(activations)
    x = np.full((8, 5, 5) if convolution else (32,), LARGEST[activations], dtype)
    weights = np.full((4, 8, 3, 3) if convolution else (32, 4), 127, np.int8)
    lowest = np.iinfo(dtype).min
    constants: dict[str, Any] = {
        "x_scale": np.float32(1),
        "x_zero": dtype.type(lowest),
        "weights": weights,
        "scale": np.float32(1e-3),
        "zero": np.int8(0),
        "y_scale": np.float32(30),
        "y_zero": dtype.type(lowest),
    }
    inputs = ["x", *constants]
    domain = ""
    if operator == "QGemm":
        domain, inputs = "com.microsoft", [*inputs[:6], "", *inputs[6:]]
    node = helper.make_node(operator, inputs, ["y"], domain=domain)
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    graph = helper.make_graph(
        [node],
        "largest",
        [helper.make_tensor_value_info("x", kind, (1, *x.shape))],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in constants.items()],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=9)
    terms = 72 if convolution else 32
    return model, x, lowest + round(255 * 127 * terms * 1e-3 / 30)


@pytest.mark.parametrize("activations", ["uint8", "int8"])
@pytest.mark.parametrize("operator", ["QLinearConv", "QLinearMatMul", "QGemm"])
def test_the_largest_products_do_not_saturate(operator: str, activations: str) -> None:
    model, x, expected = largest_products(operator, activations)
    assert (run_onnx(model.SerializeToString(), x[None]) == expected).all()


def test_models_whose_products_are_exact_stay_as_they_are() -> None:
    model, _, _ = largest_products("QLinearConv", "int8")
    assert with_exact_products(model) == model


def test_weights_and_zero_points_move_together() -> None:
    model, _, _ = largest_products("QLinearMatMul", "uint8")
    made = with_exact_products(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    weights, zero = (constants[made.graph.node[0].input[position]] for position in (3, 5))
    assert weights.dtype == zero.dtype == np.uint8
    assert (weights.astype(int) - int(zero) == 127).all()
