"""A finished joint enumeration, read as the truth that co-searches are judged by."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from cosilico.extras import require_module
from cosilico.joint.accuracy_kind import AccuracyKind
from cosilico.joint.enumeration import (
    FRONT_FILE,
    NETWORKS_FILE,
    NETWORKS_LIMIT_BYTES,
    SUMMARY_FILE,
)
from cosilico.joint.known_pairs import KnownPairs, read_front_rows
from cosilico.joint.parts import joint_parts, part_file
from cosilico.joint.space import COLUMNS, JointSpace, SpaceRecord, known_networks, space_of
from search.networks.family_record import FamilyRecord
from sim.cost.area import areas
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.archives import read_bytes
from sim.spec.documents import Record, checked, read_json
from sim.spec.errors import DesignFileError
from sim.spec.network import Network
from sim.spec.rules import Choice, Integer

__all__ = ["JointTruth", "is_joint_enumeration", "read_truth"]

_SAMPLE, _SAMPLE_SEED = 200, 1
"""Pairs of the sample, and the seed of their draw."""

_ROWS = 256
"""Networks whose pairs are compared at once."""

_PART_COLUMNS = ("network", "accelerator", "predicted_cycles", "energy", "violations")


class _Summary(Record):
    model_config = ConfigDict(extra="ignore")

    benchmark: str
    accuracy: Annotated[str, Choice(tuple(AccuracyKind))]
    space: SpaceRecord
    networks: Annotated[int, Integer(1, 1 << 20)]
    accelerators: Annotated[int, Integer(1, 1 << 30)]
    pairs: Annotated[int, Field()]
    front: Annotated[int, Integer(0, 1 << 40)]
    family: FamilyRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointTruth(JointSpace):
    """Costs of all pairs of n networks and m accelerators, beside what a :class:`cosilico.joint.space.JointSpace` has.

    Parameters
    ----------
    cycles : int64[n, m]
    energy : float64[n, m]
    rules : int16[n, m]
        Place in ``codes`` of the rules that a pair breaks; 0 for none.
    codes : tuple of tuple of str
    areas : float64[m]
    """

    cycles: NDArray[np.int64]
    energy: NDArray[np.float64]
    rules: NDArray[np.int16]
    codes: tuple[tuple[str, ...], ...]
    areas: NDArray[np.float64]

    def costs(self, configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
        """Look accelerators of the space up on a network of the enumeration, which is named as it is there.

        A :data:`search.evaluator.CostModel` of cycles, energy and area. How far pairs that are not realizable are from
        the rules is not in the parts, and comes from the model.
        """
        number = self.numbers[network.name]
        points = np.array([self.space.flat_index(config) for config in configs], np.int64)
        broken = self.rules[number, points]
        excess = np.zeros(len(points))
        refused = np.flatnonzero(broken)
        if len(refused):
            again = evaluate_many(
                [configs[int(row)] for row in refused],
                network,
                columns=COLUMNS,
                limits=self.space.limits,
            )
            excess[refused] = again.excess
        return CostTable(
            configs=tuple(configs),
            violations=[self.codes[rule] for rule in broken.tolist()],
            excess=excess,
            values={
                "cycles": self.cycles[number, points],
                "energy": self.energy[number, points],
                "area": self.areas[points],
            },
        )

    def least_pairs(
        self, objective: Objective, points: NDArray[np.int64] | None = None
    ) -> KnownPairs:
        """Feasible pair of least cost for each network that has any; of equal costs the least area, then energy.

        Parameters
        ----------
        objective : Objective
        points : int64[k], optional
            Flat indices of the accelerators that are allowed; all if not given.
        """
        allowed = np.arange(len(self.space)) if points is None else points
        networks, accelerators = [], []
        for first in range(0, len(self.names), _ROWS):
            block = self.of_networks(slice(first, first + _ROWS), allowed)
            feasible = np.asarray(objective.feasible(block), np.bool_)
            shape = feasible.shape
            left = feasible
            for figures in (objective.cost(block), block["area"], block["energy"]):
                known = np.where(left, np.broadcast_to(figures, shape), np.inf)
                left = left & (known == known.min(axis=1)[:, None])
            kept = np.flatnonzero(feasible.any(axis=1))
            networks.append(first + kept)
            accelerators.append(allowed[left[kept].argmax(axis=1)])
        network, accelerator = np.concatenate(networks), np.concatenate(accelerators)
        return KnownPairs(
            network=network,
            accelerator=accelerator,
            columns={
                "cycles": self.cycles[network, accelerator],
                "energy": self.energy[network, accelerator],
                "area": self.areas[accelerator],
            },
        )

    def of_networks(self, networks: slice, points: NDArray[np.int64]) -> "NetworkCosts":
        """Costs of some networks on some accelerators, [networks, points] each; areas are [points]."""
        return NetworkCosts(
            columns={
                "cycles": self.cycles[networks][:, points],
                "energy": self.energy[networks][:, points],
                "area": self.areas[points],
            },
            realizable=self.rules[networks][:, points] == 0,
        )

    def of_network(self, number: int) -> "NetworkCosts":
        """Costs of a network on all accelerators."""
        return NetworkCosts(
            columns={
                "cycles": self.cycles[number],
                "energy": self.energy[number],
                "area": self.areas,
            },
            realizable=self.rules[number] == 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkCosts:
    """Costs of a network, or of several, on accelerators: a :class:`sim.cost.objective.Costs`.

    Parameters
    ----------
    columns : dict of str to array
        ``cycles``, ``energy`` and ``area``.
    realizable : bool[m]
        Or a row for each network.
    """

    columns: dict[str, NDArray[Any]]
    realizable: NDArray[np.bool_]

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column by its name."""
        return self.columns[column]


def is_joint_enumeration(path: Path) -> bool:
    """Whether a path is a folder with the summary of a joint enumeration."""
    return (path / SUMMARY_FILE).is_file()


def read_truth(folder: Path) -> JointTruth:
    """Read a folder of ``cosilico joint``: the accuracies of its front, and the costs of all pairs.

    Raises
    ------
    DesignFileError
        If the folder is not a whole joint enumeration, or has not every network of its operations or family.
    MissingExtraError
        If pyarrow is not installed.
    """
    require_module("joint enumeration", "pyarrow")
    what = f"joint enumeration {folder}"
    summary = checked(_Summary, read_json(folder / SUMMARY_FILE, "joint enumeration"), what)
    space = space_of(summary.space, what)
    kind = AccuracyKind(summary.accuracy)
    known = _accuracies(folder / NETWORKS_FILE, kind)
    shape = (summary.networks, summary.accelerators)
    if (len(known), len(space)) != shape or math.prod(shape) != summary.pairs:
        has = f"{len(known):,} networks and {len(space):,} accelerators"
        raise DesignFileError(
            f"{what} must have every pair of its networks and accelerators, not {has}"
        )
    networks, classes = known_networks(summary.family, known, what)
    cycles, energy, rules, codes = _pairs(folder, shape, what)
    mm2 = areas(list(space))
    front = read_front_rows(folder / FRONT_FILE, mm2, len(known))
    if len(front.network) != summary.front:
        raise DesignFileError(
            f"front {folder / FRONT_FILE} must have {summary.front:,} pairs, not {len(front.network):,}"
        )
    if not _agree(front, cycles, energy):
        raise DesignFileError(f"front {folder / FRONT_FILE} must have the costs of the parts")
    return JointTruth(
        benchmark=summary.benchmark,
        accuracy=kind,
        space=space,
        networks=networks,
        family=None if summary.family is None else summary.family.model_dump(mode="json"),
        classes=classes,
        numbers={name: number for number, name in enumerate(known)},
        accuracies=np.array(list(known.values())),
        cycles=cycles,
        energy=energy,
        rules=rules,
        codes=codes,
        areas=mm2,
        pairs=summary.pairs,
        front=front,
        sample=_sample(cycles, energy, rules, mm2),
    )


def _sample(
    cycles: NDArray[np.int64],
    energy: NDArray[np.float64],
    rules: NDArray[np.int16],
    mm2: NDArray[np.float64],
) -> KnownPairs:
    realizable = np.flatnonzero(rules.ravel() == 0)
    random = np.random.default_rng(_SAMPLE_SEED)
    chosen = np.sort(random.choice(realizable, min(_SAMPLE, len(realizable)), replace=False))
    network, accelerator = np.unravel_index(chosen, rules.shape)
    return KnownPairs(
        network=network,
        accelerator=accelerator,
        columns={
            "cycles": cycles[network, accelerator],
            "energy": energy[network, accelerator],
            "area": mm2[accelerator],
        },
    )


def _agree(front: KnownPairs, cycles: NDArray[np.int64], energy: NDArray[np.float64]) -> bool:
    pairs = front.network, front.accelerator
    return bool(
        (front["cycles"] == cycles[pairs]).all() and (front["energy"] == energy[pairs]).all()
    )


def _accuracies(path: Path, kind: AccuracyKind) -> dict[str, float]:
    """Accuracies by the networks' names, in the order of their numbers."""
    what = f"file of networks {path}"
    text = read_bytes(path, "file of networks", NETWORKS_LIMIT_BYTES).decode(errors="replace")
    known: dict[str, float] = {}
    for line, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
        try:
            share = float(row[kind])
            if not 0 <= share <= 1 or int(row["network"]) != len(known):
                raise ValueError
            known[row["name"]] = share
        except (KeyError, TypeError, ValueError):
            raise DesignFileError(
                f"{what}: line {line} must be a network with its {kind}"
            ) from None
    return known


def _pairs(
    folder: Path, shape: tuple[int, int], what: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int16], tuple[tuple[str, ...], ...]]:
    """Costs of all pairs, and the rules that they break."""
    from pyarrow import ArrowException, parquet

    cycles, energy = np.zeros(shape, np.int64), np.zeros(shape)
    rules = np.full(shape, -1, np.int16)
    places = {"": 0}
    for name in joint_parts(*shape):
        path = part_file(folder, name)
        if not path.is_file():
            raise DesignFileError(f"{what} must be whole, but has no {path.name}")
        try:
            table = parquet.read_table(path, columns=list(_PART_COLUMNS))
            network, point = (table[column].to_numpy() for column in _PART_COLUMNS[:2])
            cycles[network, point] = table["predicted_cycles"].to_numpy()
            energy[network, point] = table["energy"].to_numpy()
            broken = table["violations"].combine_chunks().dictionary_encode()
        except (ArrowException, IndexError, KeyError, OSError):
            raise DesignFileError(f"{what} must have parts of its own, not {path.name}") from None
        of_part = [places.setdefault(text.as_py(), len(places)) for text in broken.dictionary]
        rules[network, point] = np.array(of_part, np.int16)[broken.indices.to_numpy()]
    if (rules < 0).any():
        raise DesignFileError(
            f"{what} must have every pair, but {int((rules < 0).sum()):,} are missing"
        )
    return cycles, energy, rules, tuple(tuple(text.split()) for text in places)
