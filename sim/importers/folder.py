"""The folder of an imported network: ``network.json`` with the host's steps, ``weights.npz``."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from sim.importers.errors import UnsupportedModelError
from sim.importers.host import HostProgram
from sim.importers.host_shapes import require_fit
from sim.spec.network import Concatenation, Layer, Network, State, TensorSpec
from sim.spec.network_json import NetworkDocument, read_document, read_network, write_document

__all__ = [
    "NETWORK_FILE",
    "SCHEMA",
    "ImportedNetwork",
    "checked_network",
    "load",
    "network_name",
    "save",
    "with_file",
]

SCHEMA = 1
NETWORK_FILE = "network.json"


class _FolderDocument(NetworkDocument):
    """``network.json``."""

    host: dict[str, Any]
    source: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedNetwork:
    """A network made elsewhere, and what the host does around it.

    Parameters
    ----------
    network : Network
    host : HostProgram
    source : mapping
        Where it comes from: ``file``, ``format``, ``sha256`` of the file, and ``tensors``, from each
        layer's name to that of the model's tensor it computes.
    """

    network: Network
    host: HostProgram
    source: Mapping[str, Any] = field(default_factory=dict)


def network_name(stem: str) -> str:
    """A file's name as an identifier."""
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in stem).strip("_")
    return name if name[:1].isalpha() else f"network_{name}".rstrip("_")


def checked_network(
    name: str,
    inputs: Sequence[TensorSpec],
    layers: tuple[Layer, ...],
    outputs: tuple[str, ...] = (),
    concatenations: tuple[Concatenation, ...] = (),
    states: tuple[State, ...] = (),
) -> Network:
    """The network that an importer made.

    Raises
    ------
    UnsupportedModelError
        If its layers do not fit together, or compute more than any network should.
    """
    try:
        return Network(
            name=name,
            input=inputs[0],
            layers=layers,
            outputs=outputs,
            concatenations=concatenations,
            further_inputs=tuple(inputs[1:]),
            states=states,
        )
    except ValueError as error:
        raise UnsupportedModelError(str(error)) from None


def with_file(
    imported: ImportedNetwork, path: Path, format_name: str, content: bytes
) -> ImportedNetwork:
    """The network with the model file in its source."""
    source = {
        "file": path.name,
        "format": format_name,
        "sha256": hashlib.sha256(content).hexdigest(),
        **imported.source,
    }
    return replace(imported, source=source)


def save(imported: ImportedNetwork, folder: Path) -> None:
    """Write ``network.json`` and ``weights.npz``."""
    document = {
        "schema": SCHEMA,
        "source": dict(imported.source),
        "host": imported.host.to_json(),
    }
    write_document(folder / NETWORK_FILE, document, imported.network)


def load(folder: Path) -> ImportedNetwork:
    """Read a folder that :func:`save` wrote.

    Raises
    ------
    DesignFileError
        One line that names the file or field, the rule and the value.
    """
    path = folder / NETWORK_FILE
    document = read_document(path, "network", SCHEMA, _FolderDocument)
    network = read_network(document, path, "network")
    host = HostProgram.from_json(document.host)
    require_fit(host, network)
    return ImportedNetwork(network=network, host=host, source=document.source)
