"""Benchmarks of a joint space: networks whose accuracies are known, by the name that a user gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cosilico.joint.accuracy_kind import AccuracyKind
from cosilico.joint.networks import BENCHMARK, accuracy_file, joint_networks
from cosilico.joint.trained import FASHION, TABLE_SUFFIX, table_file, trained_joint_networks
from sim.spec.errors import CosilicoError
from sim.spec.network import Network

__all__ = ["JointBenchmark", "JointMember", "joint_benchmark"]


class JointMember(Protocol):
    """A network of a joint space. It can be sent to a process."""

    @property
    def name(self) -> str:
        """Name that no other has."""
        ...

    @property
    def accuracies(self) -> Mapping[AccuracyKind, float]:
        """Accuracies of all kinds that the benchmark has."""
        ...

    @property
    def described(self) -> Mapping[str, Any]:
        """Columns of the table of networks beside number, name and accuracies."""
        ...

    def network(self) -> Network:
        """Return the network without its weights, which no cost depends on."""
        ...

    def seeded_network(self, seed: int) -> Network:
        """Return the network with weights of a seed, which can run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JointBenchmark:
    """Networks of a benchmark.

    Parameters
    ----------
    name : str
        As the user gives it.
    networks : sequence of JointMember
    kinds : tuple of AccuracyKind
        That every network has; the first is the front's where none is asked for.
    facts : mapping
        What the summary of an enumeration says of the networks.
    inputs : tuple of Path
        Files of the user's.
    """

    name: str
    networks: Sequence[JointMember]
    kinds: tuple[AccuracyKind, ...]
    facts: Mapping[str, Any]
    inputs: tuple[Path, ...] = field(default=())

    def kind(self, wanted: AccuracyKind | None) -> AccuracyKind:
        """Kind of accuracy that is asked for, the benchmark's own if none is.

        Raises
        ------
        CosilicoError
            If the benchmark has no such accuracies.
        """
        if wanted is None:
            return self.kinds[0]
        if wanted not in self.kinds:
            raise CosilicoError(
                f"accuracy of benchmark {self.name} must be one of {', '.join(self.kinds)}, not {str(wanted)!r}"
            )
        return wanted


def joint_benchmark(text: str) -> JointBenchmark:
    """Benchmark that a user names: nas_bench_201, fashion, or a file of accuracies.

    A file is a table of networks that were trained if its name ends with .json, else of NAS-Bench-201's cells.

    Raises
    ------
    CosilicoError
        If a file is wrong or a package is absent: see :func:`cosilico.joint.networks.accuracy_file`,
        :func:`cosilico.joint.networks.joint_networks` and :func:`cosilico.joint.trained.trained_joint_networks`.
    """
    if text == FASHION or Path(text).suffix == TABLE_SUFFIX:
        trained, facts = trained_joint_networks(table_file(text))
        return JointBenchmark(
            name=text,
            networks=trained,
            kinds=(AccuracyKind.POST_TRAINING, AccuracyKind.FULL_PRECISION),
            facts=facts,
            inputs=() if text == FASHION else (Path(text),),
        )
    path = accuracy_file(text)
    cells = joint_networks(path)
    kinds = (
        AccuracyKind.QUANTIZATION_AWARE,
        AccuracyKind.FULL_PRECISION,
        AccuracyKind.POST_TRAINING,
    )
    return JointBenchmark(
        name=text,
        networks=cells,
        kinds=kinds,
        facts={"cells": sum(network.cells for network in cells)},
        inputs=() if text == BENCHMARK else (path,),
    )
