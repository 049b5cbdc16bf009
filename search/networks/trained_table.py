"""Table of networks that this project trained: each alone, and all with the weights of one supernet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from search.networks.family import NetworkFamily
from search.networks.family_record import FamilyRecord, family_of
from search.networks.trained import TrainedNetworks
from sim.spec.documents import Record, checked, read_json
from sim.spec.errors import DesignFileError
from sim.spec.rules import Integer, Number

__all__ = ["SCHEMA", "TrainedAccuracy", "TrainedTable", "read_trained_table"]

SCHEMA = 1

_WHAT = "table of accuracies"

_Share = Annotated[float, Number(0, 1)]


class _Child(Record):
    full_precision: _Share
    post_training: _Share
    shared_weights: _Share
    other_seeds: list[_Share] = Field(default_factory=list)


class _Table(Record):
    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    family: FamilyRecord | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    children: dict[str, _Child]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedAccuracy:
    """Shares of test images that a network classifies correctly.

    Parameters
    ----------
    full_precision, post_training : float
        Of the network that was trained alone: in real numbers, and quantized to int8 after training.
    shared_weights : float
        Of the network with the weights of the supernet, quantized to int8.
    other_seeds : tuple of float
        As ``post_training``, of the same network trained alone with further seeds.
    """

    full_precision: float
    post_training: float
    shared_weights: float
    other_seeds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTable:
    """Accuracies of every network of a family.

    Parameters
    ----------
    family : NetworkFamily
    document : dict
        The family as JSON.
    training : mapping
        What the accuracies depend on, as JSON.
    children : mapping of str to TrainedAccuracy
        By the networks' keys, in the order of :func:`search.networks.members.members_of`.
    """

    family: NetworkFamily
    document: Mapping[str, Any]
    training: Mapping[str, Any]
    children: Mapping[str, TrainedAccuracy]


def read_trained_table(path: Path) -> TrainedTable:
    """Read a table; nothing that it names is run.

    Raises
    ------
    DesignFileError
        If the file is absent, is no such table, or has not every network of its family.
    """
    what = f"{_WHAT} {path}"
    table = checked(_Table, read_json(path, _WHAT), what)
    if not table.children or table.family is None:
        raise DesignFileError(f"{what} must have networks that were trained, but has none yet")
    family = family_of(table.family, f"{what}: family")
    children = {
        key: TrainedAccuracy(
            full_precision=child.full_precision,
            post_training=child.post_training,
            shared_weights=child.shared_weights,
            other_seeds=tuple(child.other_seeds),
        )
        for key, child in table.children.items()
    }
    try:
        TrainedNetworks(family, {key: child.post_training for key, child in children.items()})
    except ValueError as error:
        raise DesignFileError(f"{what}: {error}") from None
    return TrainedTable(
        family=family,
        document=table.family.model_dump(mode="json"),
        training=table.training,
        children=children,
    )
