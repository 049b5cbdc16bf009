"""Design files: ``design.json`` (accelerator and network) with ``weights.npz`` beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of
from sim.spec.network import Network
from sim.spec.network_json import NetworkDocument, read_document, read_network, write_document

__all__ = ["SCHEMA", "Design", "load", "save"]

SCHEMA = 1


class _DesignDocument(NetworkDocument):
    """Schema of a design file."""

    accelerator: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A network and the accelerator that runs it."""

    network: Network
    accelerator: AcceleratorConfig


def save(design: Design, path: Path) -> None:
    """Write ``path`` and ``weights.npz`` beside it; the JSON bears the npz file's SHA-256."""
    document = {"schema": SCHEMA, "accelerator": design.accelerator.to_json()}
    write_document(path, document, design.network)


def load(path: Path) -> Design:
    """Read a design file; ``weights.sha256`` may be left out in one written by hand.

    Raises
    ------
    DesignFileError
        One line that names the file or field, the rule and the value.
    """
    document = read_document(path, "design", SCHEMA, _DesignDocument)
    accelerator = accelerator_of(document.accelerator)
    return Design(network=read_network(document, path, "design"), accelerator=accelerator)
