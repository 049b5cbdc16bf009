"""The page docs/supported_ops.md, from the tables that the importers work by."""

from collections.abc import Mapping

from sim.importers.lowering import OPERATORS
from sim.importers.onnx_import import ONNX_HINTS
from sim.importers.onnx_lowering import ONNX_OPERATORS
from sim.importers.tflite_host import HOST_OPERATORS
from sim.importers.tflite_import import HINTS

__all__ = ["SUPPORTED_PAGE", "supported_operators"]

SUPPORTED_PAGE = "docs/supported_ops.md"

_HEAD = """# Supported operators

This page is generated from the importer's tables (`make supported`); a test compares the two.

What is not here is refused with the operator's name, its index and the name of its output tensor. Nothing is
replaced by something similar. In all of it: one input and one output, a batch of 1, fixed shapes, 8-bit
activations with one scale and zero point, one graph. Weights: one scale or one for each output channel; biases:
int32 or none.

TensorFlow Lite: int8 activations; fused activations `NONE`, `RELU`, `RELU6`, `RELU_N1_TO_1`; windows `SAME` or
`VALID`, any stride; int8 weights with zero point 0.

ONNX: int8 or uint8 activations (uint8 become int8, less 128); any padding and stride; int8 weights with zero point
0 or uint8 weights with zero point 128.
"""


def supported_operators() -> str:
    """Markdown text of the page."""
    tflite = [*_network(), "", *_host(), "", *_hints("TensorFlow Lite", HINTS)]
    onnx = [*_onnx(), "", *_hints("ONNX", ONNX_HINTS)]
    return "\n".join([_HEAD, *tflite, "", *onnx, ""])


def _network() -> list[str]:
    rows = [
        f"| `{name}` | {one.becomes} | {one.conditions} |"
        for name, one in sorted(OPERATORS.items())
    ]
    return [
        "## TensorFlow Lite: computed by the accelerator",
        "",
        "Bit by bit as TensorFlow Lite Micro computes them.",
        "",
        "| operator | becomes | conditions |",
        "|---|---|---|",
        *rows,
    ]


def _host() -> list[str]:
    mark = {True: "yes", False: ""}
    rows = [
        f"| `{name}` | {mark[one.before]} | {mark[one.after]} | {one.conditions} |"
        for name, one in sorted(HOST_OPERATORS.items())
    ]
    return [
        "## TensorFlow Lite: computed by the host",
        "",
        "Only in a row from the model's input on, or up to its output. `SHAPE`, `STRIDED_SLICE` and `PACK` may",
        "compute what shape a `RESHAPE` gives; they are passed over, as the shape is fixed anyway.",
        "",
        "| operator | at the input | at the output | conditions |",
        "|---|---|---|---|",
        *rows,
    ]


def _onnx() -> list[str]:
    rows = [
        f"| `{name}` | {one.becomes} | {one.conditions} |"
        for name, one in sorted(ONNX_OPERATORS.items())
    ]
    return [
        "## ONNX",
        "",
        "Each layer within 1 of onnxruntime ([what differs](importing.md#onnx)).",
        "",
        "| operator | becomes | conditions |",
        "|---|---|---|",
        *rows,
    ]


def _hints(format_name: str, hints: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {hint} |" for name, hint in sorted(hints.items())]
    return [
        f"## {format_name}: refused with a reason",
        "",
        "| operator | elsewhere than above |",
        "|---|---|",
        *rows,
    ]
