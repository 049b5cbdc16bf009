"""States of a network that is lowered: tensors that a run finds, and layers that make what the next run finds."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.importers.tflite.lowering import Lowering, image_shape
from sim.importers.tflite.variables import Variable
from sim.spec.network import State, TensorSpec

__all__ = ["enter_state", "enter_variable", "finish_variables", "note_state"]


def enter_state(lowering: Lowering, spec: TensorSpec) -> None:
    """Note a tensor that a run finds; no layer makes it, and no concatenation has it as a part."""
    lowering.specs[spec.name] = spec
    lowering.joints.note_input(spec)


def enter_variable(lowering: Lowering, variable: Variable) -> None:
    """Let a state of the network hold what a variable is at first."""
    operator = variable.reading
    tensor = lowering.quantized(operator, variable.earlier)
    name = _name(variable)
    lowering.place(operator, variable.earlier, name, image_shape(tensor.shape))
    enter_state(lowering, lowering.specs[name])


def finish_variables(
    lowering: Lowering, variables: Sequence[Variable], ends: Collection[int]
) -> None:
    """Note what variables are at last: a layer's output where nothing hinders, else a copy made by a last layer.

    ``ends`` are the tensors that the host gets.
    """
    states = {_name(variable): variable for variable in variables}
    for index in ends:
        if (name := lowering.held_by(index)) in states:
            lowering.give_copy(states[name].reading, index)
    left = []
    for variable in variables:
        spec = lowering.placed(variable.reading, variable.left)
        if spec.name in states:  # is read before any state is stored
            spec = lowering.copy(variable.reading, spec, dense=False)
        left.append(spec)
    for variable, spec in zip(variables, left, strict=True):
        _finish(lowering, variable, spec, ends)


def _finish(
    lowering: Lowering, variable: Variable, left: TensorSpec, ends: Collection[int]
) -> None:
    operator, earlier = variable.reading, lowering.specs[_name(variable)]
    if left.shape != earlier.shape:
        rule = f"its variable must be assigned in the shape {earlier.shape} in which it is read"
        lowering.model.refuse(operator, f"{rule}, not computed in {left.shape}")
    if variable.left in ends or not _may_be_next(lowering, earlier, left):
        left = lowering.copy(operator, left, dense=not lowering.joints.is_dense(left.name))
    initial = variable.initial
    if initial is None:
        initial = np.full(earlier.shape, earlier.zero_point, np.int8)
    note_state(lowering, earlier, left.name, initial.reshape(earlier.shape))


def _name(variable: Variable) -> str:
    return f"{variable.reading.name.lower()}_{variable.reading.index}"


def note_state(
    lowering: Lowering, earlier: TensorSpec, following: str, initial: NDArray[np.int8]
) -> None:
    """Note a state, the layer whose output it is next, and what it is at first."""
    lowering.states[earlier.name] = State(
        name=earlier.name, next=following, output=earlier, initial=initial
    )


def _may_be_next(lowering: Lowering, earlier: TensorSpec, left: TensorSpec) -> bool:
    """Whether a tensor can itself be stored over the state."""
    layer = lowering.layers.get(left.name)
    if (
        layer is None or lowering.held(left.name) > 1
    ):  # another of the model's tensors may be an output
        return False
    if lowering.joints.is_taken(left.name) or not lowering.joints.is_dense(left.name):
        return False
    if any(state.next == left.name for state in lowering.states.values()):
        return False
    order = list(lowering.layers)
    behind = order[order.index(left.name) :]
    return not any(earlier.name in lowering.layers[name].inputs for name in behind)
