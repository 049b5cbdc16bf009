"""Design files: ``design.json`` (accelerator and network) with ``weights.npz`` beside it."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec

__all__ = ["SCHEMA", "Design", "load", "save"]

SCHEMA = 1

_ARRAYS = {"weights": np.int8, "bias": np.int32, "multiplier": np.int32, "shift": np.int32}
_TENSOR = {
    "name": str,
    "height": int,
    "width": int,
    "channels": int,
    "scale": float,
    "zero_point": int,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A network and the accelerator that runs it."""

    network: Network
    accelerator: AcceleratorConfig


def save(design: Design, path: Path) -> None:
    """Write ``path`` and ``weights.npz`` beside it; the JSON bears the npz file's SHA-256."""
    arrays = {
        f"{layer.name}.{name}": getattr(layer, name)
        for layer in design.network.layers
        for name in _ARRAYS
        if getattr(layer, name).size
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    weights = buffer.getvalue()
    document = {
        "schema": SCHEMA,
        "accelerator": design.accelerator.to_json(),
        "network": _network_to_json(design.network),
        "weights": {"file": "weights.npz", "sha256": hashlib.sha256(weights).hexdigest()},
    }
    write_atomic(path.parent / "weights.npz", weights)
    write_atomic(path, json.dumps(document, indent=1) + "\n")


def load(path: Path) -> Design:
    """Read a design file; ``weights.sha256`` may be left out in one written by hand.

    Raises
    ------
    DesignFileError
        One line that names the file or field, the rule and the value.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise DesignFileError(f"design file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DesignFileError(f"design file {path} must be JSON text") from None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DesignFileError(f"design file {path} is not JSON: {error}") from None
    if _get(document, "schema", int, "design") != SCHEMA:
        raise DesignFileError(f"schema must be {SCHEMA}, not {document['schema']!r}")
    accelerator = AcceleratorConfig.from_json(_get(document, "accelerator", dict, "design"))
    weights = _get(document, "weights", dict, "design")
    name = _get(weights, "file", str, "weights")
    arrays = _load_arrays(path.parent / name, weights.get("sha256"))
    network = _network_from_json(_get(document, "network", dict, "design"), arrays)
    return Design(network=network, accelerator=accelerator)


def _load_arrays(path: Path, digest: Any) -> dict[str, NDArray[Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DesignFileError(f"weights file {path} cannot be read: {error.strerror}") from None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, KeyError, AttributeError):
        raise DesignFileError(f"weights file {path} is truncated or not an npz file") from None
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise DesignFileError(f"weights file {path} does not match the design's weights.sha256")
    return arrays


def _network_to_json(network: Network) -> dict[str, Any]:
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


def _network_from_json(data: Mapping[str, Any], arrays: dict[str, NDArray[Any]]) -> Network:
    items = _get(data, "layers", list, "network")
    try:
        network = Network(
            name=_get(data, "name", str, "network"),
            input=_tensor(_get(data, "input", dict, "network"), "network.input"),
            layers=tuple(_layer(item, arrays, f"layers[{i}]") for i, item in enumerate(items)),
        )
    except ValueError as error:
        raise DesignFileError(str(error)) from None
    names = {f"{layer.name}.{array}" for layer in network.layers for array in _ARRAYS}
    for name in arrays:
        if name not in names:
            raise DesignFileError(f"weights file has array {name!r}, which no layer uses")
    return network


def _layer(data: Any, arrays: dict[str, NDArray[Any]], where: str) -> Layer:
    name = _get(data, "name", str, where)
    kind = _get(data, "kind", str, where)
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
        inputs=tuple(_strings(_get(data, "inputs", list, where), f"{where}.inputs")),
        output=_tensor(_get(data, "output", dict, where), f"{where}.output"),
        kernel=_pair(data.get("kernel", [1, 1]), f"{where}.kernel", 1),
        stride=_pair(data.get("stride", [1, 1]), f"{where}.stride", 1),
        padding=Padding(**{k: _get(padding, k, int, f"{where}.padding") for k in padding}),
        clamp=_pair(data.get("clamp", [-128, 127]), f"{where}.clamp", -128),
        **values,
    )


def _tensor(data: Any, where: str) -> TensorSpec:
    return TensorSpec(**{name: _get(data, name, kind, where) for name, kind in _TENSOR.items()})


def _strings(items: list[Any], where: str) -> list[str]:
    for item in items:
        if not isinstance(item, str):
            raise DesignFileError(f"{where} must hold names, not {item!r}")
    return items


def _pair(value: Any, where: str, low: int) -> tuple[int, int]:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(x, int) and not isinstance(x, bool) and x >= low for x in value)
    ):
        raise DesignFileError(f"{where} must be two integers of at least {low}, not {value!r}")
    return (value[0], value[1])


def _get(data: Any, name: str, kind: type, where: str) -> Any:
    if not isinstance(data, dict):
        raise DesignFileError(f"{where} must be an object, not {data!r}")
    if name not in data:
        raise DesignFileError(f"{where}.{name} must be given")
    value = data[name]
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise DesignFileError(f"{where}.{name} must be of type {kind.__name__}, not {value!r}")
    return value
