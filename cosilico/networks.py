"""Networks that a user names: by name, from a design or imported, or from shapes alone."""

import difflib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.folder import load as load_imported
from sim.networks.named import NAMED_NETWORKS, named_network
from sim.spec.activation_table import TABLE_ENTRIES
from sim.spec.archives import ARCHIVE_LIMIT_BYTES
from sim.spec.design import load
from sim.spec.documents import checked, read_json
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.network import WINDOW_POOLS, LayerKind, Network
from sim.spec.network_record import ARRAYS, TABLE_ARRAY, NetworkRecord

__all__ = ["MODEL_SUFFIXES", "is_named", "load_network", "network_argument"]

MODEL_SUFFIXES = (".tflite", ".onnx", ".pt2")
"""Suffixes of model files, which must be imported first."""


def is_named(text: str) -> bool:
    """Whether a user means a named network, not a file.

    Raises
    ------
    CosilicoError
        If it is neither.
    """
    if text in NAMED_NETWORKS:
        return True
    path = Path(text)
    if path.suffix in MODEL_SUFFIXES:
        raise CosilicoError(
            f"network must be a folder that cosilico import {path.name} --out DIR makes, "
            f"not the model file {text!r}"
        )
    if not path.suffix and not path.exists():
        known = ", ".join(NAMED_NETWORKS)
        near = difflib.get_close_matches(text, NAMED_NETWORKS, n=1)
        raise CosilicoError(
            f"network must be one of {known}, a JSON file or an imported folder, not {text!r}"
            + (f"; the nearest is {near[0]!r}" if near else "")
        )
    return False


def network_argument(text: str, seed: int = 0) -> Network:
    """Network that a user names, with weights of ``seed``, or that of a file or folder.

    Files: see :func:`load_network`; folders are of imported networks.

    Raises
    ------
    CosilicoError
        If there is none, or its file is wrong.
    """
    if is_named(text):
        return named_network(text, seed)
    return load_imported(Path(text)).network if Path(text).is_dir() else load_network(Path(text))


def load_network(path: Path) -> Network:
    """Read the network of a design file, or a file that holds only its ``network`` object.

    The latter needs no weights: they are set to zero, which changes no cycle.

    Raises
    ------
    DesignFileError
        As :func:`sim.spec.design.load`.
    """
    document = read_json(path, "network file")
    if not isinstance(document, dict) or "layers" not in document:
        return load(path).network
    record = checked(NetworkRecord, document, "network")
    return record.network(_zeros(record))


def _zeros(record: NetworkRecord) -> dict[str, NDArray[Any]]:
    """Arrays of the right shapes; where the layers do not fit, the network says so."""
    shapes: dict[str, tuple[int, ...]] = {}
    channels = {source.name: source.channels for source in (record.input, *record.further_inputs)}
    channels |= {joint.name: joint.output.channels for joint in record.concatenations}
    channels |= {state.name: state.output.channels for state in record.states}
    for layer in record.layers:
        name, kind = layer.name, LayerKind(layer.kind)
        outputs = channels[name] = layer.output.channels
        if layer.table is not None:
            shapes[f"{name}.{TABLE_ARRAY}"] = (TABLE_ENTRIES,)
        inputs = channels.get(layer.inputs[0], 1) if layer.inputs else 1
        if kind in (LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.FACTORS, *WINDOW_POOLS):
            continue
        unweighted = {LayerKind.ADD: 3, LayerKind.MEAN: 1, LayerKind.MULTIPLY: 1}
        entries = unweighted.get(kind, outputs)
        if kind not in unweighted:
            own = kind is LayerKind.DEPTHWISE
            shapes[f"{name}.weights"] = (*(() if own else (outputs,)), *layer.kernel, inputs)
            shapes[f"{name}.bias"] = (entries,)
        shapes[f"{name}.multiplier"] = shapes[f"{name}.shift"] = (entries,)
    types = {array: np.dtype(ARRAYS[array.rpartition(".")[2]]) for array in shapes}
    size = sum(math.prod(shape) * types[array].itemsize for array, shape in shapes.items())
    if size > ARCHIVE_LIMIT_BYTES:
        rule = f"must have at most {ARCHIVE_LIMIT_BYTES} bytes, not {size}"
        raise DesignFileError(f"arrays of network {record.name!r} {rule}")
    return {array: np.zeros(shape, types[array]) for array, shape in shapes.items()}
