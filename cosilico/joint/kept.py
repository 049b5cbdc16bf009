"""Fronts of joint spaces that come with the project: co-searches are judged by them without an enumeration."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from cosilico.cache import document_digest
from cosilico.joint.accuracy_kind import AccuracyKind
from cosilico.joint.benchmark import JointBenchmark, joint_benchmark
from cosilico.joint.known_pairs import KnownPairs
from cosilico.joint.networks import BENCHMARK
from cosilico.joint.space import JointSpace, SpaceRecord, known_networks, space_of
from cosilico.joint.trained import FASHION
from cosilico.joint.truth import JointTruth
from hwgen.gateware_hash import gateware_hash
from search.networks.family_record import FamilyRecord
from sim.cost.area import areas
from sim.cost.costs import evaluate_many
from sim.spec.documents import Record, checked, read_json
from sim.spec.errors import CosilicoError, DesignFileError, StaleCalibrationError
from sim.spec.files import write_atomic
from sim.spec.rules import Choice, Integer
from sim.spec.spaces import HardwareSpace

__all__ = ["KEPT", "SCHEMA", "front_file", "read_kept", "write_kept"]

KEPT = (BENCHMARK, FASHION)
"""Benchmarks that may have a front."""

SCHEMA = 1

_CHECKED = 16
"""Pairs of the front, and of the sample, that are predicted again where they are read."""


class _Pairs(Record):
    network: list[int]
    accelerator: list[int]
    cycles: list[int]
    energy: list[float]


class _Kept(Record):
    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    gateware_hash: str
    benchmark: str
    accuracy: Annotated[str, Choice(tuple(AccuracyKind))]
    accuracies: str
    space: SpaceRecord
    pairs: Annotated[int, Integer(1, 1 << 50)]
    front: _Pairs
    sample: _Pairs


@dataclass(frozen=True, slots=True)
class _Known:
    """Networks of a benchmark with one kind of accuracy."""

    benchmark: JointBenchmark
    kind: AccuracyKind

    @property
    def accuracies(self) -> dict[str, float]:
        return {member.name: member.accuracies[self.kind] for member in self.benchmark.networks}

    @property
    def digest(self) -> str:
        return document_digest(self.accuracies)


def front_file(benchmark: str) -> Path:
    """File of a benchmark's front."""
    return Path(__file__).parent / f"{benchmark}_front.json"


def write_kept(truth: JointTruth, path: Path) -> None:
    """Write the front of an enumeration: numbers of its pairs and their costs, and of the accuracies a digest alone.

    Raises
    ------
    CosilicoError
        If the enumeration is of a file of a user's.
    """
    if truth.benchmark not in KEPT:
        raise CosilicoError(
            f"benchmark of a front must be one of {', '.join(KEPT)}, not {truth.benchmark!r}"
        )
    document = {
        "schema": SCHEMA,
        "gateware_hash": gateware_hash(),
        "benchmark": truth.benchmark,
        "accuracy": str(truth.accuracy),
        "accuracies": _Known(joint_benchmark(truth.benchmark), truth.accuracy).digest,
        "space": truth.space.to_json(),
        "pairs": truth.pairs,
        "front": _written(truth.front),
        "sample": _written(truth.sample),
    }
    write_atomic(path, json.dumps(document) + "\n")


def read_kept(benchmark: str, path: Path | None = None) -> JointSpace:
    """Joint space of a front that comes with the project. Costs of other pairs are predicted.

    Parameters
    ----------
    benchmark : str
        One of ``KEPT``.
    path : Path, optional
        That of :func:`front_file` if not given.

    Raises
    ------
    DesignFileError
        If there is no such front yet, it is of other accuracies, or the model predicts other costs for its pairs.
    StaleCalibrationError
        If it was enumerated for another gateware.
    MissingExtraError
        If the benchmark's package is not installed.
    """
    file = path or front_file(benchmark)
    what = f"front of joint space {benchmark}"
    if not file.is_file():
        raise DesignFileError(
            f"{what} must come with the project, but there is none: give a folder of cosilico joint {benchmark}"
        )
    record = checked(_Kept, read_json(file, what), what)
    if record.benchmark != benchmark:
        raise DesignFileError(f"{what} must be of that benchmark, not of {record.benchmark!r}")
    if record.gateware_hash != gateware_hash():
        raise StaleCalibrationError(
            f"{what} must be of this gateware, {gateware_hash()[:12]}, not of {record.gateware_hash[:12]}: "
            f"run cosilico joint {benchmark} again"
        )
    kind = AccuracyKind(record.accuracy)
    known = _Known(joint_benchmark(record.benchmark), kind)
    if known.digest != record.accuracies:
        raise DesignFileError(f"{what} must be of the benchmark's accuracies, not of others")
    space = space_of(record.space, what)
    front, sample = (
        _pairs(part, len(known.benchmark.networks), space, f"{what}.{name}")
        for name, part in (("front", record.front), ("sample", record.sample))
    )
    for pairs in (front, sample):
        _require_predicted(known.benchmark, space, pairs, what)
    family: Any = known.benchmark.facts.get("family")
    accuracies = known.accuracies
    networks, classes = known_networks(
        None if family is None else checked(FamilyRecord, family, what), accuracies, what
    )
    return JointSpace(
        benchmark=record.benchmark,
        accuracy=kind,
        space=space,
        networks=networks,
        family=family,
        classes=classes,
        numbers={name: number for number, name in enumerate(accuracies)},
        accuracies=np.array(list(accuracies.values())),
        pairs=record.pairs,
        front=front,
        sample=sample,
    )


def _written(pairs: KnownPairs) -> dict[str, list[Any]]:
    return {
        "network": pairs.network.tolist(),
        "accelerator": pairs.accelerator.tolist(),
        "cycles": pairs["cycles"].tolist(),
        "energy": pairs["energy"].tolist(),
    }


def _pairs(record: _Pairs, networks: int, space: HardwareSpace, what: str) -> KnownPairs:
    sizes = {len(record.network), len(record.accelerator), len(record.cycles), len(record.energy)}
    if len(sizes) != 1 or not record.network:
        raise DesignFileError(f"{what} must have all costs of every pair")
    network, accelerator = (
        np.array(record.network, np.int64),
        np.array(record.accelerator, np.int64),
    )
    for name, numbers, count in (
        ("network", network, networks),
        ("accelerator", accelerator, len(space)),
    ):
        if numbers.min() < 0 or numbers.max() >= count:
            raise DesignFileError(
                f"{what}.{name} must be in 0 … {count - 1}, not {int(numbers.max())}"
            )
    points, places = np.unique(accelerator, return_inverse=True)
    mm2 = areas([space.at(point) for point in points.tolist()])
    return KnownPairs(
        network=network,
        accelerator=accelerator,
        columns={
            "cycles": np.array(record.cycles, np.int64),
            "energy": np.array(record.energy, np.float64),
            "area": mm2[places],
        },
    )


def _require_predicted(
    benchmark: JointBenchmark, space: HardwareSpace, pairs: KnownPairs, what: str
) -> None:
    """Raise unless the model predicts the costs of some of the pairs, which are spread over all."""
    places = np.unique(np.linspace(0, len(pairs.network) - 1, _CHECKED).astype(int))
    for place in places.tolist():
        member = benchmark.networks[int(pairs.network[place])]
        config = space.at(int(pairs.accelerator[place]))
        table = evaluate_many([config], member.network(), columns=("cycles", "energy"))
        for column in ("cycles", "energy"):
            if not table.realizable[0] or table[column][0] != pairs[column][place]:
                raise DesignFileError(
                    f"{what} must have the {column} that the model predicts, {table[column][0]} for {member.name} on "
                    f"accelerator {int(pairs.accelerator[place])}, not {pairs[column][place]}: run cosilico joint again"
                )
