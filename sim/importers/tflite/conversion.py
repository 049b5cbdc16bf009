"""Importing a TensorFlow Lite model: what the host computes, what the accelerator computes."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork, checked_network, network_name, with_file
from sim.importers.host import (
    PORT_TYPES,
    TO_INT8,
    TO_UINT8,
    HostEnd,
    HostProgram,
    HostStart,
    HostStep,
    ModelPort,
    Reshape,
    Transpose,
)
from sim.importers.limits import excess
from sim.importers.tflite import (
    activations,
    arithmetic,
    batches,
    elementwise,
    extremes,
    parts,
    pooling,
    reductions,
    resizing,
    slopes,
    svdf,
    windows,
)
from sim.importers.tflite.host_steps import HOST_OPERATORS, host_step
from sim.importers.tflite.lowering import INPUT, OPERATORS, Lowering, image_shape
from sim.importers.tflite.model import TfliteModel, TfliteOperator
from sim.importers.tflite.reader import CONTENTS, parse_tflite
from sim.importers.tflite.states import enter_variable, finish_variables
from sim.importers.tflite.unsigned import is_unsigned, signed_model
from sim.importers.tflite.variables import (
    VARIABLE_OPERATORS,
    Variable,
    needed,
    without_variables,
)
from sim.spec.archives import read_bytes

__all__ = ["HINTS", "import_tflite", "lower_tflite"]

_TABLES = (
    activations, arithmetic, batches, elementwise, extremes, parts, pooling, reductions, resizing, slopes, svdf,
    windows,
)  # fmt: skip
"""Importing them enters their operators into the table."""

_FIRST = slice(1)
_DATA_INPUTS = {
    "RESHAPE": _FIRST,
    "SQUEEZE": _FIRST,
    "EXPAND_DIMS": _FIRST,
    "TRANSPOSE_CONV": slice(1, None),
}
"""Inputs of operators of which the others only say a shape, which their output has anyway."""

MOST_PARTS = 1 << 10
"""Most inputs of a concatenation."""

_SEVERAL_OUTPUTS = ("SPLIT", "SPLIT_V")

_CALLERS = ("CALL", "IF", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE", "WHILE")
"""Operators that compute graphs."""

_INPUT_COUNTS = {
    "ADD": (2, 2), "ARG_MAX": (2, 2), "AVERAGE_POOL_2D": (1, 1),
    "BATCH_TO_SPACE_ND": (3, 3),
    "CONCATENATION": (1, MOST_PARTS), "CONV_2D": (2, 3),
    "DEPTHWISE_CONV_2D": (2, 3), "DEQUANTIZE": (1, 1), "ELU": (1, 1), "EXPAND_DIMS": (2, 2),
    "FULLY_CONNECTED": (2, 3), "HARD_SWISH": (1, 1), "LEAKY_RELU": (1, 1), "LOGISTIC": (1, 1), "LOG_SOFTMAX": (1, 1), "MAX_POOL_2D": (1, 1),
    "MAXIMUM": (2, 2), "MEAN": (2, 2), "MINIMUM": (2, 2), "MUL": (2, 2), "PAD": (2, 2), "PADV2": (3, 3), "PRELU": (2, 2), "QUANTIZE": (1, 1),
    "REDUCE_MAX": (2, 2), "RELU": (1, 1), "RELU6": (1, 1), "RELU_N1_TO_1": (1, 1), "RESHAPE": (1, 2),
    "RESIZE_BILINEAR": (2, 2), "RESIZE_NEAREST_NEIGHBOR": (2, 2), "SLICE": (3, 3), "SPACE_TO_BATCH_ND": (3, 3),
    "SOFTMAX": (1, 1), "SPLIT": (2, 2), "SPLIT_V": (3, 3), "SQUEEZE": (1, 1), "STRIDED_SLICE": (4, 4),
    "SUB": (2, 2), "SVDF": (5, 5), "TANH": (1, 1), "TRANSPOSE": (2, 2), "TRANSPOSE_CONV": (3, 4),
}  # fmt: skip
"""Fewest and most inputs of an operator."""

HINTS = {
    "LOG_SOFTMAX": "must be at the end of the model, where the host computes it",
    "SOFTMAX": "must be at the end of the model, where the host computes it",
    "ARG_MAX": "must be at the end of the model, where the host computes it",
    "DEQUANTIZE": "must be at the end of the model: all of it must be quantized",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "is not supported, for its cell state is int16 in TensorFlow Lite Micro",
}
"""Why an operator is refused, where more can be said than that it is."""


def import_tflite(path: Path) -> ImportedNetwork:
    """Import a model file.

    Raises
    ------
    DesignFileError
        If the file cannot be read or is damaged.
    UnsupportedModelError
        If the hardware cannot compute the model bit by bit; names the operator and the rule.
    """
    content = read_bytes(path, "model file")
    model = parse_tflite(content, f"model file {path}")
    imported = lower_tflite(model, network_name(path.stem))
    return with_file(imported, path, "tflite", content)


def lower_tflite(model: TfliteModel, name: str) -> ImportedNetwork:
    """Cut a model into host steps and a network; ``source`` has the tensors' names.

    Raises
    ------
    UnsupportedModelError
        As :func:`import_tflite`.
    """
    given = model
    if is_unsigned(model):
        model = signed_model(model)
    if not model.inputs or len(set(model.inputs)) != len(model.inputs):
        names = [model.tensors[index].name for index in model.inputs]
        raise UnsupportedModelError(f"model must have inputs, each once, not {names}")
    if not model.outputs:
        raise UnsupportedModelError("model must have an output")
    _check_callers(model)
    model, every = without_variables(model)
    carried = {variable.earlier for variable in every}
    _check_written(model, carried)
    live, variables = _live(model, every)
    kept = {variable.left for variable in variables}
    _check_known(model, live)
    _check_order(model, carried)
    starts = [_before(model, live, index, kept) for index in model.inputs]
    prepared = [operator for steps, _ in starts for operator, _ in steps]
    ends = [_after(model, live, index, prepared, kept, carried) for index in model.outputs]
    cut = {operator.index for steps, _ in (*starts, *ends) for operator, _ in steps}
    inner = [operator for operator in live if operator.index not in cut]
    seen = kept.union(*(_data(operator) for operator in inner))
    for index, (_, tensor) in zip(model.inputs, starts, strict=True):
        if not inner or tensor not in seen:
            _check_types(model, inner)
            what = "its input" if len(starts) == 1 else f"its input {model.tensors[index].name!r}"
            raise UnsupportedModelError(f"model must compute something of {what}")
    parts = (inner, [tensor for _, tensor in starts], [tensor for _, tensor in ends], variables)
    lowering = _lowered(model, *parts)
    layers = tuple(lowering.layers.values())
    if not layers:
        raise UnsupportedModelError("model must have a layer that the accelerator computes")
    if lowering.states and len(starts) == 1 and layers[0].inputs[0] != INPUT:
        lowering = _lowered(model, *parts, copies=True)
        layers = tuple(lowering.layers.values())
    begin, *others = (
        _host_start(given, model, index, *start)
        for index, start in zip(given.inputs, starts, strict=True)
    )
    first, *further = (
        _host_end(given, model, lowering, index, *end)
        for index, end in zip(given.outputs, ends, strict=True)
    )
    host = HostProgram(
        input=begin.input,
        before=begin.before,
        logits_shape=first.logits_shape,
        after=first.after,
        output=first.output,
        further=tuple(further),
        further_inputs=tuple(others),
    )
    origins = {
        name: index
        for name, index in lowering.origins.items()
        if index >= 0 and lowering.order_of(index) is None
    }
    tensors = {layer: model.tensors[index].name for layer, index in origins.items()}
    network = checked_network(
        name,
        lowering.inputs,
        layers,
        tuple(dict.fromkeys(end.tensor for end in (first, *further))),
        tuple(lowering.joints.concatenations.values()),
        tuple(lowering.states.values()),
    )
    return ImportedNetwork(network=network, host=host, source={"tensors": tensors})


def _lowered(
    model: TfliteModel,
    operators: list[TfliteOperator],
    input_tensors: list[int],
    ends: list[int],
    variables: Sequence[Variable],
    *,
    copies: bool = False,
) -> Lowering:
    """Lower operators; ``copies`` says that the first layer copies the first input, which the others read in its place."""
    kept = [variable.left for variable in variables]
    lowering = Lowering(model, operators, input_tensors, [*ends, *kept])
    if copies:
        lowering.give_copy(operators[0], input_tensors[0])
    for variable in variables:
        enter_variable(lowering, variable)
    for operator in operators:
        if operator.name not in OPERATORS:
            _refuse_operator(model, operator)
        if operator.index not in lowering.lowered:
            OPERATORS[operator.name].lower(lowering, operator)
    finish_variables(lowering, variables, ends)
    return lowering


def _host_start(
    given: TfliteModel,
    model: TfliteModel,
    index: int,
    before: list[tuple[TfliteOperator, HostStep]],
    tensor: int,
) -> HostStart:
    """Return the host's steps from an input of the model to a tensor of the network."""
    shape = image_shape(model.tensors[tensor].shape)
    steps = [step for _, step in before]
    port = _port(given, index)
    if model.unsigned and port.dtype == "uint8":
        steps.insert(0, TO_INT8)
    if model.tensors[tensor].shape[1:] != shape:
        steps.append(Reshape(shape=shape))
    return HostStart(input=port, before=tuple(steps))


def _host_end(
    given: TfliteModel,
    model: TfliteModel,
    lowering: Lowering,
    output: int,
    steps: list[tuple[TfliteOperator, HostStep]],
    tensor: int,
) -> HostEnd:
    """Return the host's steps from a tensor of the network to an output of the model."""
    port, name = _port(given, output), lowering.name_of(tensor)
    final = [step for _, step in steps]
    if model.unsigned and port.dtype == "uint8":
        final.append(TO_UINT8)
    shape = model.tensors[tensor].shape[1:]
    order, memory = lowering.order_of(tensor), lowering.specs[name].shape
    if order is not None:
        final = [*_ordering(model.tensors[tensor].name, order, memory), *final]
    return HostEnd(
        tensor=name,
        logits_shape=shape if order is None else memory,
        after=tuple(final),
        output=port,
    )


def _ordering(
    name: str, order: NDArray[np.int32], memory: tuple[int, int, int]
) -> tuple[HostStep, ...]:
    """Steps from the order in memory to the model's."""
    places = np.arange(order.size).reshape(memory)
    for axes in itertools.permutations(range(len(memory))):
        moved = places.transpose(axes)
        if np.array_equal(moved.reshape(-1), order.reshape(-1)):
            return Transpose(axes=axes), Reshape(shape=order.shape)
    rule = "must have an order of values that is one of its image's axes"
    raise UnsupportedModelError(f"output {name!r} {rule}")


def _check_callers(model: TfliteModel) -> None:
    """Refuse operators that call other graphs, if there are any: what these do is not looked at."""
    for operator in model.operators:
        if model.graphs and operator.name in _CALLERS:
            _refuse_operator(model, operator)


def _check_written(model: TfliteModel, carried: set[int]) -> None:
    """Refuse operators without a result and tensors that are written where they must not be."""
    written = {tensor.index for tensor in model.tensors if tensor.data is not None}
    written |= {*model.inputs, *carried}
    for operator in model.operators:
        if not operator.outputs:
            if operator.name in OPERATORS or operator.name in HOST_OPERATORS:
                model.refuse(operator, "must have an output")
            _refuse_operator(model, operator)
        for index in operator.outputs:
            if index in written:
                rule = f"must not write tensor {model.tensors[index].name!r}, which is an input, "
                model.refuse(operator, f"{rule}a constant or written before")
            written.add(index)


def _check_known(model: TfliteModel, live: list[TfliteOperator]) -> None:
    """Refuse operators that are not in the tables, shape arithmetic last: others are the cause of it."""
    unknown = [
        node for node in live if node.name not in OPERATORS and node.name not in HOST_OPERATORS
    ]
    unknown.sort(key=lambda operator: _only_shapes(model, operator))
    for operator in unknown:
        _refuse_operator(model, operator)
    for operator in live:
        if operator.wrong_options:
            rule = f"options must be those of {operator.name}, not {operator.wrong_options}"
            model.refuse(operator, rule)
        fewest, most = _INPUT_COUNTS[operator.name]
        if not fewest <= len(operator.inputs) <= most:
            count = f"{most}" if fewest == most else f"{fewest} … {most}"
            model.refuse(operator, f"inputs must be {count}, not {len(operator.inputs)}")
        if len(operator.outputs) != 1 and operator.name not in _SEVERAL_OUTPUTS:
            model.refuse(operator, f"must have one output, not {len(operator.outputs)}")


def _only_shapes(model: TfliteModel, operator: TfliteOperator) -> bool:
    return all(model.tensors[index].dtype in ("int32", "int64") for index in operator.outputs)


def _check_types(model: TfliteModel, operators: list[TfliteOperator]) -> None:
    """Refuse what reads numbers of a type that no activation has: a model of them is not of int8 at all."""
    for operator in operators:
        for tensor in (model.tensors[index] for index in _data(operator)):
            if tensor.data is None and tensor.dtype.startswith(("float", "int16")):
                name = tensor.name
                model.refuse(operator, f"activation {name!r} must be int8, not {tensor.dtype}")


def _check_order(model: TfliteModel, carried: set[int]) -> None:
    """Refuse operators that read what is not there yet, and so every cycle."""
    known = {tensor.index for tensor in model.tensors if tensor.data is not None or tensor.variable}
    known |= {*model.inputs, *carried}
    for operator in model.operators:
        for index in _data(operator):
            if index >= 0 and index not in known:
                tensor = model.tensors[index]
                if tensor.unread:
                    types = ", ".join(CONTENTS)
                    rule = f"constant {tensor.name!r} must be of a type in {types}"
                    model.refuse(operator, f"{rule}, not {tensor.dtype}")
                model.refuse(operator, f"reads tensor {tensor.name!r} before it is computed")
        known.update(operator.outputs)


def _live(
    model: TfliteModel, variables: Sequence[Variable]
) -> tuple[list[TfliteOperator], list[Variable]]:
    """Operators for the outputs of this inference and of all later inferences, and the variables that they read.

    Operators that only compute shapes are not among them.
    """
    read: list[Variable] = []
    while True:
        wanted = {*model.outputs, *(variable.left for variable in read)}
        live = []
        for operator in reversed(model.operators):
            if wanted.intersection(operator.outputs):
                live.append(operator)
                wanted.update(_data(operator))
        also = needed(variables, wanted)
        if len(also) == len(read):
            return live[::-1], read
        read = also


def _data(operator: TfliteOperator) -> tuple[int, ...]:
    """Inputs of an operator that are more than a shape."""
    return operator.inputs[_DATA_INPUTS.get(operator.name, slice(None))]


def _readers(live: list[TfliteOperator], index: int) -> list[TfliteOperator]:
    return [node for node in live for i in _data(node) if i == index]


def _before(
    model: TfliteModel, live: list[TfliteOperator], index: int, kept: set[int]
) -> tuple[list[tuple[TfliteOperator, HostStep]], int]:
    """Steps from an input of the model to the first tensor that the accelerator reads."""
    steps: list[tuple[TfliteOperator, HostStep]] = []
    while True:
        readers = _readers(live, index)
        if len(readers) != 1 or index in model.outputs or index in kept:
            return steps, index
        (operator,) = readers
        known = HOST_OPERATORS.get(operator.name)
        if known is None or not known.before:
            return steps, index
        steps.append((operator, host_step(model, operator)))
        index = operator.outputs[0]


def _after(
    model: TfliteModel,
    live: list[TfliteOperator],
    index: int,
    before: list[TfliteOperator],
    kept: set[int],
    carried: set[int],
) -> tuple[list[tuple[TfliteOperator, HostStep]], int]:
    """Steps from the last tensor that the accelerator writes to an output of the model.

    What another operator reads, or is an output too or is kept for the next inference, the accelerator computes.
    """
    steps: list[tuple[TfliteOperator, HostStep]] = []
    producers = {index: operator for operator in live for index in operator.outputs}
    output = index
    while True:
        operator = producers.get(index)
        if index in carried:
            return steps[::-1], index
        if operator is None or operator in before:
            if len(model.outputs) > 1:
                rule = f"output {model.tensors[output].name!r} must be computed by the accelerator"
                raise UnsupportedModelError(rule)
            raise UnsupportedModelError("model must have a layer that the accelerator computes")
        known = HOST_OPERATORS.get(operator.name)
        shared = len(_readers(live, index)) > len(steps[-1:]) or (steps and index in model.outputs)
        shared = shared or index in kept
        if known is None or not known.after or shared:
            return steps[::-1], index
        steps.append((operator, host_step(model, operator)))
        index = operator.inputs[0]


def _port(model: TfliteModel, index: int) -> ModelPort:
    """One inference at an end of the model."""
    tensor = model.tensors[index]
    if tensor.dtype not in PORT_TYPES:
        known = ", ".join(PORT_TYPES)
        raise UnsupportedModelError(
            f"tensor {tensor.name!r} must be one of {known}, not {tensor.dtype}"
        )
    if broken := excess(tensor.shape, f"tensor {tensor.name!r}"):
        raise UnsupportedModelError(broken)
    if tensor.shape[:1] != (1,) or min(tensor.shape) < 1 or max(tensor.variable_axes, default=0):
        raise UnsupportedModelError(
            f"tensor {tensor.name!r} must have a fixed shape with a batch of 1, not {tensor.signature}"
        )
    return ModelPort(dtype=tensor.dtype, shape=tensor.shape[1:])


def _refuse_operator(model: TfliteModel, operator: TfliteOperator) -> None:
    hint = HINTS.get(operator.name, "is not supported")
    known = ", ".join(sorted({*OPERATORS, *HOST_OPERATORS, *VARIABLE_OPERATORS}))
    model.refuse(operator, f"{hint}; supported are {known}")
