"""Networks as JSON with their arrays in an npz file beside it, in every file that has a network."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

from numpy.typing import NDArray

from sim.spec.archives import file_sha256
from sim.spec.documents import Record, checked, read_json
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic
from sim.spec.network import Concatenation, Layer, Network
from sim.spec.network_record import (
    ARRAYS,
    GRAPH_VERSION,
    INITIAL_ARRAY,
    INPUTS_VERSION,
    TABLE_ARRAY,
    NetworkRecord,
)
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.rules import Digest, FileName, shown

__all__ = [
    "WEIGHTS_FILE",
    "NetworkDocument",
    "network_digest",
    "network_fields",
    "read_document",
    "read_network",
    "write_document",
]

WEIGHTS_FILE = "weights.npz"


class WeightsRecord(Record):
    """The file with a network's arrays: its name, and its SHA-256 where that is known."""

    file: Annotated[str, FileName()]
    sha256: Annotated[str | None, Digest()] = None


class NetworkDocument(Record):
    """A file with a network: its object, of which :class:`NetworkRecord` is the schema."""

    network: dict[str, Any]
    weights: WeightsRecord


_Document = TypeVar("_Document", bound=NetworkDocument)


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


def read_document(path: Path, what: str, schema: int, model: type[_Document]) -> _Document:
    """Read a JSON object of that schema; ``what`` ("design", "network") names it in errors.

    Raises
    ------
    DesignFileError
        One line that names the file or field, the rule and the value.
    """
    document = read_json(path, f"{what} file")
    if not isinstance(document, dict):
        raise DesignFileError(f"{what} must be an object, not {shown(document)}")
    if "schema" not in document:
        raise DesignFileError(f"{what}.schema must be given")
    version = document.pop("schema")
    if type(version) is not int or version != schema:
        raise DesignFileError(f"schema must be {schema}, not {shown(version)}")
    return checked(model, document, what)


def read_network(document: NetworkDocument, path: Path, what: str) -> Network:
    """Network of a document read from ``path``; ``weights.sha256`` may be left out.

    Raises
    ------
    DesignFileError
        As :func:`read_document`.
    """
    record = checked(NetworkRecord, document.network, "network")
    file = path.parent / document.weights.file
    arrays = read_arrays(file, "weights file")
    digest = document.weights.sha256
    if digest is not None and file_sha256(file, "weights file") != digest:
        raise DesignFileError(f"weights file {file} does not match the {what}'s weights.sha256")
    return record.network(arrays)


def network_digest(network: Network) -> str:
    """SHA-256 over all fields and arrays of a network, in hexadecimal."""
    fields = json.dumps(network_fields(network), sort_keys=True).encode()
    return hashlib.sha256(fields + _weights_bytes(network)).hexdigest()


def network_fields(network: Network) -> dict[str, Any]:
    """Fields of a network without its arrays, as a JSON object.

    A chain's are those of version 1, which has no field ``version``.
    """
    fields = {
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
                **_table_fields(layer),
            }
            for layer in network.layers
        ],
    }
    if network.further_inputs:
        further = [asdict(source) for source in network.further_inputs]
        own = {"further_inputs": further, **_graph_fields(network)}
        return {"version": INPUTS_VERSION, **fields, **own}
    graph = _graph_fields(network)
    return {"version": GRAPH_VERSION, **fields, **graph} if graph else fields


def _table_fields(layer: Layer) -> dict[str, Any]:
    """Field of an activation table, whose values are an array; none where there is no table."""
    if layer.table is None:
        return {}
    return {TABLE_ARRAY: {"zero_point": layer.table.zero_point}}


def _graph_fields(network: Network) -> dict[str, Any]:
    """Fields that version 1 does not have, where they say anything."""
    fields: dict[str, Any] = {}
    if network.outputs != (network.layers[-1].name,):
        fields["outputs"] = list(network.outputs)
    if network.concatenations:
        fields["concatenations"] = [_joint_fields(joint) for joint in network.concatenations]
    if network.states:
        fields["states"] = [
            {"name": state.name, "next": state.next, "output": asdict(state.output)}
            for state in network.states
        ]
    return fields


def _joint_fields(joint: Concatenation) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": joint.name,
        "parts": list(joint.parts),
        "output": asdict(joint.output),
    }
    if joint.pixels:
        fields["pixels"] = [asdict(place) for place in joint.pixels]
    return fields


def _weights_bytes(network: Network) -> bytes:
    return npz_bytes(
        {
            f"{layer.name}.{name}": array
            for layer in network.layers
            for name, array in _arrays(layer).items()
            if array.size
        }
        | {f"{state.name}.{INITIAL_ARRAY}": state.initial for state in network.states}
    )


def _arrays(layer: Layer) -> dict[str, NDArray[Any]]:
    """Arrays of a layer by name, in the order of ``ARRAYS``."""
    arrays = {name: getattr(layer, name) for name in ARRAYS if name != TABLE_ARRAY}
    return arrays if layer.table is None else {**arrays, TABLE_ARRAY: layer.table.values}
