"""The page docs/reference/supported_ops.md, from the tables that the importers work by."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sim.importers.module_table import MODULES
from sim.importers.onnx.conversion import ONNX_HINTS
from sim.importers.onnx.lowering import ONNX_OPERATORS
from sim.importers.operator_table import OperatorTable
from sim.importers.tflite.conversion import HINTS
from sim.importers.tflite.host_steps import HOST_OPERATORS
from sim.importers.tflite.lowering import OPERATORS
from sim.importers.tflite.variables import VARIABLE_OPERATORS

__all__ = ["SUPPORTED_PAGE", "supported_operators"]

SUPPORTED_PAGE = "docs/reference/supported_ops.md"

_HEAD = """# Supported operators

This page is generated from the importer's tables (`make supported`); a test compares the two.

What is not here is refused with the operator's name, its index and the name of its output tensor. Nothing is
replaced by something similar. In all of it: any inputs and outputs, a batch of 1, fixed
shapes, 8-bit activations with one scale and zero point, one graph (of TensorFlow Lite others may give variables their first values). Weights: one scale or one for each output
channel; biases: int32 or none, in ONNX also float32.

TensorFlow Lite: int8 activations; fused activations `NONE`, `RELU`, `RELU6`, `RELU_N1_TO_1`; windows `SAME` or
`VALID`, any stride; int8 weights with zero point 0. Older models of uint8 become int8, less 128, where their weights
less their zero point are -128 … 127 ([uint8](importing.md#models-of-uint8)).

ONNX: int8 or uint8 activations (uint8 become int8, less 128); any padding and stride; int8 weights with zero point
0 or uint8 weights with zero point 128.
"""

_NETWORK = "Bit by bit as TensorFlow Lite Micro computes them."
_HOST = """Only in a row from the model's input on, or up to one of its outputs. `SHAPE`, `STRIDED_SLICE` and `PACK` may
compute what shape a `RESHAPE` gives; they are passed over, as the shape is fixed anyway."""
_KEPT = "Variables become [states](importing.md#models-that-run-step-by-step), which a run finds as the run before has left them."
_ONNX = "Each layer within 1 of onnxruntime ([what differs](importing.md#onnx)), activation tables bit by bit."

_PYTORCH = """Programs that `torch.export.save` wrote: float, quantized here after training, or quantized by PT2E before.
Inputs [N, C, H, W], [N, C, L] or [N, C]."""

_BECOMES = ("operator", "becomes", "conditions")
_ENDS = ("operator", "at the input", "at the output", "conditions")
_HINT = ("operator", "elsewhere than above")


def supported_operators() -> str:
    """Markdown text of the page."""
    parts = [
        _HEAD,
        *_table(
            "TensorFlow Lite: computed by the accelerator", _NETWORK, _BECOMES, _rows(OPERATORS)
        ),
        *_table("TensorFlow Lite: computed by the host", _HOST, _ENDS, _host_rows()),
        *_table(
            "TensorFlow Lite: kept for the next inference",
            _KEPT,
            ("operator", "conditions"),
            [(f"`{name}`", text) for name, text in sorted(VARIABLE_OPERATORS.items())],
        ),
        *_hints("TensorFlow Lite", HINTS),
        *_table("ONNX", _ONNX, _BECOMES, _rows(ONNX_OPERATORS)),
        *_hints("ONNX", ONNX_HINTS),
        *_table(
            "PyTorch",
            _PYTORCH,
            ("module", "becomes", "conditions"),
            [(row.modules, row.becomes, row.conditions) for row in MODULES],
        ),
    ]
    return "\n".join(parts)


def _table(
    title: str, text: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> list[str]:
    """A section with a table, and the empty line behind it."""
    lines = [f"| {' | '.join(row)} |" for row in (columns, *rows)]
    lines.insert(1, "|---" * len(columns) + "|")
    return [f"## {title}", "", *([text, ""] if text else []), *lines, ""]


def _rows(table: OperatorTable[Any]) -> list[tuple[str, ...]]:
    return [(f"`{name}`", row.becomes, row.conditions) for name, row in sorted(table.items())]


def _host_rows() -> list[tuple[str, ...]]:
    mark = {True: "yes", False: ""}
    return [
        (f"`{name}`", mark[row.before], mark[row.after], row.conditions)
        for name, row in sorted(HOST_OPERATORS.items())
    ]


def _hints(format_name: str, hints: Mapping[str, str]) -> list[str]:
    rows = [(f"`{name}`", hint) for name, hint in sorted(hints.items())]
    return _table(f"{format_name}: refused with a reason", "", _HINT, rows)
