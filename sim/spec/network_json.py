"""A network as JSON with its arrays in an npz file beside it: the form of every file with one."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.archives import file_sha256, read_bytes
from sim.spec.arrays import npz_bytes, read_arrays
from sim.spec.documents import field_value, integer_pair, names
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec

__all__ = [
    "WEIGHTS_FILE",
    "network_digest",
    "network_fields",
    "read_document",
    "read_network",
    "write_document",
]

WEIGHTS_FILE = "weights.npz"

_ARRAYS = {"weights": np.int8, "bias": np.int32, "multiplier": np.int32, "shift": np.int32}
_TENSOR = {
    "name": str,
    "height": int,
    "width": int,
    "channels": int,
    "scale": float,
    "zero_point": int,
}


def write_document(path: Path, document: Mapping[str, Any], network: Network) -> None:
    """Write ``document`` with the network's fields to ``path`` and the arrays beside it.

    The JSON bears the npz file's SHA-256.
    """
    weights = _weights_bytes(network)
    complete = {
        **document,
        "network": network_fields(network),
        "weights": {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(weights).hexdigest()},
    }
    write_atomic(path.parent / WEIGHTS_FILE, weights)
    write_atomic(path, json.dumps(complete, indent=1) + "\n")


def read_document(path: Path, what: str, schema: int) -> dict[str, Any]:
    """Read a JSON object of that schema; ``what`` ("design", "network") names it in errors.

    Raises
    ------
    DesignFileError
        One line that names the file or field, the rule and the value.
    """
    try:
        document = json.loads(read_bytes(path, f"{what} file").decode())
    except UnicodeDecodeError:
        raise DesignFileError(f"{what} file {path} must be JSON text") from None
    except json.JSONDecodeError as error:
        raise DesignFileError(f"{what} file {path} is not JSON: {error}") from None
    if field_value(document, "schema", int, what) != schema:
        raise DesignFileError(f"schema must be {schema}, not {document['schema']!r}")
    known: dict[str, Any] = document
    return known


def read_network(document: Mapping[str, Any], path: Path, what: str) -> Network:
    """Network of a document read from ``path``; ``weights.sha256`` may be left out.

    Raises
    ------
    DesignFileError
        As :func:`read_document`.
    """
    weights = field_value(document, "weights", dict, what)
    file = path.parent / field_value(weights, "file", str, "weights")
    arrays = read_arrays(file, "weights file")
    digest = weights.get("sha256")
    if digest is not None and file_sha256(file, "weights file") != digest:
        raise DesignFileError(f"weights file {file} does not match the {what}'s weights.sha256")
    return _network(field_value(document, "network", dict, what), arrays)


def network_digest(network: Network) -> str:
    """SHA-256 of everything that a network is."""
    fields = json.dumps(network_fields(network), sort_keys=True).encode()
    return hashlib.sha256(fields + _weights_bytes(network)).hexdigest()


def network_fields(network: Network) -> dict[str, Any]:
    """All of a network but its arrays, as a JSON object."""
    return {
        "name": network.name,
        "input": asdict(network.input),
        "layers": [
            {
                "name": layer.name,
                "kind": str(layer.kind),
                "inputs": list(layer.inputs),
                "output": asdict(layer.output),
                "kernel": list(layer.kernel),
                "stride": list(layer.stride),
                "padding": asdict(layer.padding),
                "clamp": list(layer.clamp),
            }
            for layer in network.layers
        ],
    }


def _weights_bytes(network: Network) -> bytes:
    return npz_bytes(
        {
            f"{layer.name}.{name}": getattr(layer, name)
            for layer in network.layers
            for name in _ARRAYS
            if getattr(layer, name).size
        }
    )


def _network(data: Mapping[str, Any], arrays: dict[str, NDArray[Any]]) -> Network:
    items = field_value(data, "layers", list, "network")
    try:
        network = Network(
            name=field_value(data, "name", str, "network"),
            input=_tensor(field_value(data, "input", dict, "network"), "network.input"),
            layers=tuple(_layer(item, arrays, f"layers[{i}]") for i, item in enumerate(items)),
        )
    except ValueError as error:
        raise DesignFileError(str(error)) from None
    known = {f"{layer.name}.{array}" for layer in network.layers for array in _ARRAYS}
    for name in arrays:
        if name not in known:
            raise DesignFileError(f"weights file has array {name!r}, which no layer uses")
    return network


def _layer(data: Any, arrays: dict[str, NDArray[Any]], where: str) -> Layer:
    name = field_value(data, "name", str, where)
    kind = field_value(data, "kind", str, where)
    if kind not in list(LayerKind):
        known = ", ".join(LayerKind)
        raise DesignFileError(f"{where}.kind must be one of {known}, not {kind!r}")
    values = {}
    for array, dtype in _ARRAYS.items():
        found = arrays.get(f"{name}.{array}", np.zeros(0, dtype))
        if found.dtype != dtype:
            raise DesignFileError(
                f"array {name}.{array} must be {np.dtype(dtype).name}, not {found.dtype.name}"
            )
        values[array] = found
    padding = data.get("padding", {})
    if not isinstance(padding, dict) or not set(padding) <= {"top", "bottom", "left", "right"}:
        raise DesignFileError(
            f"{where}.padding must have top, bottom, left, right, not {padding!r}"
        )
    return Layer(
        name=name,
        kind=LayerKind(kind),
        inputs=tuple(names(field_value(data, "inputs", list, where), f"{where}.inputs")),
        output=_tensor(field_value(data, "output", dict, where), f"{where}.output"),
        kernel=integer_pair(data.get("kernel", [1, 1]), f"{where}.kernel", 1),
        stride=integer_pair(data.get("stride", [1, 1]), f"{where}.stride", 1),
        padding=Padding(**{k: field_value(padding, k, int, f"{where}.padding") for k in padding}),
        clamp=integer_pair(data.get("clamp", [-128, 127]), f"{where}.clamp", -128),
        **values,
    )


def _tensor(data: Any, where: str) -> TensorSpec:
    return TensorSpec(
        **{name: field_value(data, name, kind, where) for name, kind in _TENSOR.items()}
    )
