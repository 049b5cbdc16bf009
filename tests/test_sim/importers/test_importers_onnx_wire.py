"""ONNX files of very many parts are refused before a parser makes objects of them."""

import pytest
from onnx import TensorProto, helper

from sim.importers.errors import UnsupportedModelError
from sim.importers.onnx.reader import parse_onnx
from sim.importers.onnx.wire import MAX_FIELDS, MAX_NUMBERS, require_bounded
from sim.spec.errors import DesignFileError
from testbench.cases.onnx_models import random_onnx

NODE = helper.make_node("Identity", ["x"], ["y"], name="node")
MODEL = helper.make_model(
    helper.make_graph(
        [NODE],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.INT8, (1, 2))],
        [helper.make_tensor_value_info("y", TensorProto.INT8, (1, 2))],
    )
)


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def in_graph(content: bytes) -> bytes:
    """A model whose graph has more behind it; protobuf merges the two parts of a message."""
    model: bytes = MODEL.SerializeToString()
    return model + b"\x3a" + varint(len(content)) + content


def tensor(numbers: bytes) -> bytes:
    content = b"\x10\x03\x2a" + varint(len(numbers)) + numbers
    return b"\x2a" + varint(len(content)) + content


@pytest.mark.parametrize("part", [b"\x6a\x00", b"\x0a\x00", b"\xfa\x07\x00"])
def test_refuses_very_many_messages(part: bytes) -> None:
    with pytest.raises(
        UnsupportedModelError, match=f"^model must have at most {MAX_FIELDS} fields$"
    ):
        parse_onnx(in_graph(part * MAX_FIELDS), "model file x")


def test_refuses_very_many_numbers_in_lists() -> None:
    require_bounded(in_graph(tensor(b"\1" * (MAX_NUMBERS // 2)) * 2))
    line = f"^model must have at most {MAX_NUMBERS} numbers outside of raw data$"
    with pytest.raises(UnsupportedModelError, match=line):
        parse_onnx(in_graph(tensor(b"\1" * (MAX_NUMBERS // 2 + 1)) * 2), "model file x")


def test_raw_data_are_not_counted() -> None:
    raw = helper.make_tensor(
        "t", TensorProto.INT8, (MAX_NUMBERS + 1,), b"\1" * (MAX_NUMBERS + 1), True
    )
    content = raw.SerializeToString()
    require_bounded(in_graph(b"\x2a" + varint(len(content)) + content))


def test_models_pass_and_damaged_ones_are_left_to_their_parser() -> None:
    for seed in range(3):
        content = random_onnx(seed).SerializeToString()
        require_bounded(content)
        for size in range(0, len(content), 97):
            require_bounded(content[:size])
    for damage in (b"\xff" * 40, b"\x3b", b"\x3a\x7f\x00"):
        with pytest.raises(
            DesignFileError, match=r"^model file x is truncated or not an ONNX model$"
        ):
            parse_onnx(MODEL.SerializeToString() + damage, "model file x")
