"""TensorFlow Lite Micro itself, as the judge of imported networks (package tflite-micro)."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.folder import ImportedNetwork
from sim.importers.host import ModelInputs
from sim.importers.tflite.reader import parse_tflite
from sim.spec.errors import CosilicoError

__all__ = ["judge", "require_oracle", "run_model", "run_outputs"]

_ARENA_BYTES = 16 << 20


def require_oracle() -> None:
    """Make sure that the package is there.

    Raises
    ------
    CosilicoError
    """
    if find_spec("tflite_micro") is None:
        raise CosilicoError(
            "comparing imported networks must have the extra dev: pip install 'cosilico[dev]', "
            "for package tflite-micro is not installed"
        )


def judge(
    content: bytes, imported: ImportedNetwork, x: ModelInputs
) -> tuple[dict[str, NDArray[Any]], list[NDArray[Any]]]:
    """Run the model that a network was imported from.

    Returns
    -------
    activations : dict of str to [N, ...]
        Of every layer and concatenation, in the shape of the model's tensor.
    outputs : list of [N, ...]
        Of the model.
    """
    indices = {tensor.name: tensor.index for tensor in parse_tflite(content, "model").tensors}
    places = {layer: indices[name] for layer, name in imported.source["tensors"].items()}
    count = 1 + len(imported.host.further)
    outputs, observed = run_outputs(content, x, sorted(set(places.values())), count)
    return {layer: observed[index] for layer, index in places.items()}, outputs


def run_model(
    content: bytes, x: ModelInputs, tensors: Sequence[int] = ()
) -> tuple[NDArray[Any], dict[int, NDArray[Any]]]:
    """First output of a model, and what :func:`run_outputs` observes."""
    outputs, observed = run_outputs(content, x, tensors)
    return outputs[0], observed


def run_outputs(
    content: bytes, x: ModelInputs, tensors: Sequence[int] = (), count: int = 1
) -> tuple[list[NDArray[Any]], dict[int, NDArray[Any]]]:
    """Run a model on a batch of inputs, one inference each.

    Parameters
    ----------
    content : bytes
        Of the model file.
    x : [N, ...], or a sequence of such arrays
        In the model's input type, shaped as one inference is without its batch axis; an array for each of several inputs.
    tensors : sequence of int
        Intermediate tensors to observe; all of the interpreter's memory is kept for that.
    count : int
        Outputs of the model.

    Returns
    -------
    outputs : list of [N, ...]
    observed : dict of int to [N, ...]
        By the model's tensor index; the batch axis of each inference is gone.

    Raises
    ------
    RuntimeError
        If the interpreter refuses the model.
    """
    from tflite_micro.python.tflite_micro import runtime

    config = runtime.InterpreterConfig
    interpreter = runtime.Interpreter.from_bytes(
        content,
        arena_size=_ARENA_BYTES + 20 * len(content),
        intrepreter_config=config.kPreserveAllTensors if tensors else config.kAllocationRecording,
    )
    outputs: list[list[NDArray[Any]]] = [[] for _ in range(count)]
    observed: dict[int, list[NDArray[Any]]] = {index: [] for index in tensors}
    for rows_in in zip(*([x] if isinstance(x, np.ndarray) else x), strict=True):
        for place, row in enumerate(rows_in):
            interpreter.set_input(np.ascontiguousarray(row[None]), place)
        interpreter.invoke()
        for place, rows in enumerate(outputs):
            rows.append(np.array(interpreter.get_output(place))[0])
        for index in tensors:
            observed[index].append(np.array(interpreter.GetTensor(index, 0)["tensor_data"])[0])
    return [np.stack(rows) for rows in outputs], {
        index: np.stack(rows) for index, rows in observed.items()
    }
