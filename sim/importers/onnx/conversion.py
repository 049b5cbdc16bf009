"""Importing a quantized ONNX model: what the host computes, what the accelerator computes."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork, checked_network, network_name, with_file
from sim.importers.host import HostEnd, HostProgram, HostStart, HostStep, ModelPort, Transpose
from sim.importers.limits import excess
from sim.importers.onnx import (
    activations,
    affine,
    elementwise,
    parts,
    pooling,
    resizing,
    shapes,
    windows,
)
from sim.importers.onnx.duplicates import without_duplicates
from sim.importers.onnx.folding import folded
from sim.importers.onnx.lowering import ONNX_OPERATORS, OnnxLowering
from sim.importers.onnx.model import OnnxEnd, OnnxModel, OnnxNode
from sim.importers.onnx.reader import parse_onnx
from sim.importers.onnx.shapes import host_output
from sim.importers.onnx.values import Function, HostInput, HostOutput, Quantized
from sim.spec.archives import read_bytes

__all__ = ["ONNX_HINTS", "import_onnx", "lower_onnx"]

_TABLES = (activations, affine, elementwise, parts, pooling, resizing, shapes, windows)
"""Importing them enters their operators into the table."""

_MOST_PARTS = 1 << 10
_MICROSOFT = "com.microsoft"
_MICROSOFT_OPERATORS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "DequantizeLinear": (2, 3, ("axis", "block_size")),
    "QGemm": (6, 9, ("alpha", "transA", "transB")),
    "QLinearAdd": (7, 8, ()),
    "QLinearConcat": (5, 2 + 3 * _MOST_PARTS, ("axis",)),
    "QLinearAveragePool": (
        4, 5, ("auto_pad", "ceil_mode", "channels_last", "count_include_pad", "kernel_shape",
               "pads", "strides"),
    ),
    "QLinearGlobalAveragePool": (5, 5, ("channels_last",)),
    "QLinearLeakyRelu": (4, 5, ("alpha",)),
    "QLinearMul": (7, 8, ()),
    "QLinearSigmoid": (4, 5, ()),
    "QLinearSoftmax": (5, 5, ("axis", "opset")),
    "QuantizeLinear": (2, 3, ("axis", "block_size")),
}  # fmt: skip
"""Operators of onnxruntime's own domain: fewest and most inputs, and attributes.

The format's checker does not know them.
"""
_INPUTS = ("float32", "int8", "uint8")

_BY_PLACE = "onnxruntime's results depend on the place of a value in its tensor"

ONNX_HINTS = {
    "Softplus": _BY_PLACE,
    "DynamicQuantizeLinear": "scales must be constants: quantize statically",
    "ConvInteger": "scales must be constants: quantize statically",
    "MatMulInteger": "scales must be constants: quantize statically",
}
"""Why an operator is refused, where more can be said than that it is."""


def import_onnx(path: Path) -> ImportedNetwork:
    """Import a model file.

    Raises
    ------
    DesignFileError
        If the file cannot be read or is damaged.
    UnsupportedModelError
        If the hardware has no arithmetic for the model; names the node and the rule.
    """
    content = read_bytes(path, "model file")
    model = parse_onnx(content, f"model file {path}")
    imported = lower_onnx(model, network_name(path.stem))
    return with_file(imported, path, "onnx", content)


def lower_onnx(model: OnnxModel, name: str) -> ImportedNetwork:
    """Lower a model; ``source`` has the tensors' and the nodes' names.

    Raises
    ------
    UnsupportedModelError
        As :func:`import_onnx`.
    """
    if not model.inputs:
        raise UnsupportedModelError("model must have an input")
    if not model.outputs:
        raise UnsupportedModelError("model must have an output")
    model = without_duplicates(model)
    live = _live(model)
    for node in live:
        _check_known(node)
    lowering = OnnxLowering(replace(model, nodes=tuple(live)))
    given = [_input(place, end) for place, end in enumerate(model.inputs)]
    lowering.values.update(zip((end.name for end in model.inputs), given, strict=True))
    # What is not finite is refused where it ends: as a multiplier.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for node in live:
            value = folded(lowering, node) or ONNX_OPERATORS[node.operator].lower(lowering, node)
            lowering.values[node.outputs[0]] = value
        results = [_result(lowering, live, end) for end in model.outputs]
    for end, result in zip(model.outputs, results, strict=True):
        _check_output(end, result)
    layers = tuple(lowering.layers.values())
    if not layers or not lowering.inputs:
        raise UnsupportedModelError("model must have a layer that the accelerator computes")
    for place, end in enumerate(model.inputs):
        if place not in lowering.inputs:
            raise UnsupportedModelError(f"model must compute something of its input {end.name!r}")
    starts = [
        HostStart(
            input=ModelPort(dtype=value.held, shape=value.shape[1:]),
            before=lowering.inputs[value.place].prepared.steps,
        )
        for value in given
    ]
    first, *further = map(_host_end, results)
    host = HostProgram(
        input=starts[0].input,
        before=starts[0].before,
        logits_shape=first.logits_shape,
        after=first.after,
        output=first.output,
        further=tuple(further),
        further_inputs=tuple(starts[1:]),
    )
    network = checked_network(
        name,
        [lowering.inputs[value.place].tensor.spec for value in given],
        layers,
        tuple(dict.fromkeys(end.tensor for end in (first, *further))),
        tuple(lowering.joints.concatenations.values()),
    )
    source = {
        "tensors": lowering.origins,
        "nodes": lowering.nodes,
        "results": lowering.results,
    }
    return ImportedNetwork(network=network, host=host, source=source)


def _host_end(result: HostOutput) -> HostEnd:
    """Return the host's steps from a tensor of the network to an output of the model."""
    return HostEnd(
        tensor=result.source.spec.name,
        logits_shape=result.source.spec.shape,
        after=(*_ordered(result.source), *result.steps),
        output=ModelPort(dtype=result.dtype, shape=result.shape[1:]),
    )


def _live(model: OnnxModel) -> list[OnnxNode]:
    """Nodes that the output depends on."""
    wanted = {output.name for output in model.outputs}
    live = []
    for node in reversed(model.nodes):
        if wanted.intersection(node.outputs):
            live.append(node)
            wanted.update(node.inputs)
    return live[::-1]


def _check_known(node: OnnxNode) -> None:
    known = node.operator in (_MICROSOFT_OPERATORS if node.domain == _MICROSOFT else ONNX_OPERATORS)
    if not known or node.domain not in ("", _MICROSOFT):
        hint = ONNX_HINTS.get(node.operator, "is not supported")
        if node.domain and node.operator in ONNX_OPERATORS:
            hint = f"of domain {node.domain!r} is not supported"
        node.refuse(f"{hint}; supported are {', '.join(sorted(ONNX_OPERATORS))}")
    if node.domain == _MICROSOFT:
        fewest, most, attributes = _MICROSOFT_OPERATORS[node.operator]
        if not fewest <= len(node.inputs) <= most or len(node.outputs) != 1:
            rule = f"must have {fewest} … {most} inputs and one output"
            node.refuse(f"{rule}, not {len(node.inputs)} and {len(node.outputs)}")
        for name in node.attributes:
            if name not in attributes:
                node.refuse(f"has no attribute {name!r}")


def _input(place: int, end: OnnxEnd) -> HostInput:
    given = end.shape or ()
    if given and not isinstance(given[0], int):
        given = (1, *given[1:])  # a batch of any size
    sizes = tuple(size for size in given if isinstance(size, int) and size > 0)
    if len(sizes) != len(given) or len(sizes) < 2 or sizes[0] != 1:
        shape = "(" + ", ".join(map(str, given)) + ")"
        raise UnsupportedModelError(
            f"input {end.name!r} must have a fixed shape with a batch of 1, not {shape}"
        )
    if broken := excess(sizes, f"input {end.name!r}"):
        raise UnsupportedModelError(broken)
    if end.dtype not in _INPUTS:
        known = ", ".join(_INPUTS)
        raise UnsupportedModelError(f"input {end.name!r} must be one of {known}, not {end.dtype}")
    return HostInput(steps=(), shape=sizes, held=end.dtype, place=place)


def _result(lowering: OnnxLowering, live: list[OnnxNode], end: OnnxEnd) -> HostOutput:
    value = lowering.values.get(end.name)
    if isinstance(value, HostOutput):
        return value
    if isinstance(value, Function) and value.values is not None:
        value = lowering.settled(value)
    if not isinstance(value, Quantized):
        raise UnsupportedModelError(
            f"output {end.name!r} must come from QuantizeLinear or a quantized operator"
        )
    return host_output(lowering.padded(live[-1], value))


def _check_output(end: OnnxEnd, result: HostOutput) -> None:
    """Refuse an output that is not what the graph says of it."""
    if end.dtype not in (result.dtype, "undefined"):
        rule = f"output {end.name!r} must be {result.dtype} as computed"
        raise UnsupportedModelError(f"{rule}, not {end.dtype}")
    if end.shape is None:
        return
    sizes = [n if isinstance(n, int) else None for n in end.shape]
    if len(sizes) != len(result.shape) or any(
        size not in (None, axis) for size, axis in zip(sizes, result.shape, strict=True)
    ):
        rule = f"output {end.name!r} must have shape {result.shape} as computed"
        raise UnsupportedModelError(f"{rule}, not {tuple(end.shape)}")


def _ordered(source: Quantized) -> tuple[HostStep, ...]:
    """Steps from the order in memory to the model's."""
    memory = np.arange(source.places.size, dtype=np.int32).reshape(source.spec.shape)
    for axes in itertools.permutations(range(3)):
        if np.array_equal(memory.transpose(axes).reshape(-1), source.places.reshape(-1)):
            return () if axes == (0, 1, 2) else (Transpose(axes=axes),)
    raise UnsupportedModelError("order of the output's values must be one of its image's axes")
