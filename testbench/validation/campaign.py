"""Everything that a full validation runs: random cases of several kinds, and layers."""

import dataclasses
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sim.networks.named import NAMED_NETWORKS
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace
from sim.spec.views import View
from testbench.cases.named_layers import LAYER_CONFIGS, LAYER_NETWORKS, layer_cases
from testbench.cases.random_networks import Case
from testbench.validation.journal import Journal
from testbench.validation.random_pairs import DRAWS, Draw, Outcome, in_threads, try_case
from testbench.validation.workers import worker_pool

__all__ = [
    "CASES_PER_CONFIG",
    "DRAWN",
    "SYNTHESIS_MACS",
    "SYNTHESIS_SHARE",
    "Campaign",
    "Part",
    "Unit",
]

CASES_PER_CONFIG = 20
"""Random cases that share a configuration and so a build."""

SYNTHESIS_SHARE = 5
"""Groups of random pairs of which the first runs in the synthesis view."""

SYNTHESIS_MACS = 4096
"""MACs of the largest accelerator that random pairs run on in the synthesis view.

The netlist of 16,384 MACs takes four minutes to build and simulates 1,200 cycles per second.
"""

DRAWN = 8
"""Deterministic memories that are drawn for a pair."""

STALL_SEED_OFFSET = 1
"""Offset of the seed of pairs that run under stalls, which so differ from those that do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A section of a full validation's results: a kind of random cases.

    Parameters
    ----------
    name : str
    count : int
        Cases.
    stalls : bool
        Whether the memory stalls.
    memories : bool
        Whether each case runs behind every memory.
    synthesis : bool
        Whether a share of the cases runs in the synthesis view.
    drawn : int
        Deterministic memories that are drawn for each case, which runs behind them as well.
    """

    name: str
    count: int
    stalls: bool = False
    memories: bool = False
    synthesis: bool = False
    drawn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Cases that are drawn and run one after the other, as they share builds.

    Parameters
    ----------
    part : Part
    name : str
        Of the unit; with a case's index it is the case's key.
    draw : callable
        Returns the cases.
    synthesis : bool
        Whether the cases run in the synthesis view, if their accelerator is not too large for it.
    """

    part: Part
    name: str
    draw: Callable[[], list[Case]]
    synthesis: bool = False

    def key(self, case: Case) -> str:
        """Name of a case in the journal."""
        return f"{self.name}/{case.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Everything that a full validation runs; the same seed draws the same cases.

    Parameters
    ----------
    pairs : int
        Random pairs of each space on the deterministic memory (T1), and each of them behind every
        other memory, see :func:`testbench.validation.random_pairs.every_memory`.
    stalled : int
        Random pairs of each space under random stalls (T2).
    layers : bool
        Whether every layer of ``testbench.cases.named_layers.LAYER_NETWORKS`` runs on every one of its
        ``LAYER_CONFIGS``.
    imported : int
        Random TensorFlow Lite models for each space on T1, compared with the interpreter as well.
    graphs : int
        Random networks with several inputs and outputs and concatenations for each space, on T1.
    tables : int
        Networks with activation tables for each space, on T1; models among them are compared with the
        interpreter as well (:mod:`testbench.cases.tabled`).
    states : int
        Networks that run step by step for each space, on T1; models among them are compared with the interpreter as well
        (:mod:`testbench.cases.stateful`).
    points : int
        Random pairs for each space, realizable or not, of which the verdict is compared with what
        generator and compiler do; some run, on T1.
    behind_drawn : int
        Random pairs of each space, each of them behind ``DRAWN`` deterministic memories of its own
        (:mod:`testbench.cases.random_memories`).
    seed : int
    view : View
        Of the datapath (:func:`testbench.rtl.harness.build`). In the simulation view a share of the
        random pairs on T1 runs in the synthesis view all the same: the first of every
        ``SYNTHESIS_SHARE`` groups, where its accelerator has at most ``SYNTHESIS_MACS``.
    max_macs : int, optional
        Pass over larger configurations in the random pairs.
    """

    pairs: int = 1000
    stalled: int = 200
    layers: bool = True
    imported: int = 200
    graphs: int = 160
    tables: int = 240
    states: int = 40
    points: int = 1000
    behind_drawn: int = 0
    seed: int = 1
    view: View = View.SIMULATION
    max_macs: int | None = None

    def scaled(self, share: float) -> "Campaign":
        """A campaign with a share of the random pairs of every kind, the first of each; layers are not drawn."""
        counts = (
            "pairs", "stalled", "imported", "graphs", "tables", "states", "points", "behind_drawn",
        )  # fmt: skip
        return dataclasses.replace(
            self, **{name: math.ceil(share * getattr(self, name)) for name in counts}
        )

    def parts(self) -> list[Part]:
        """Sections in the order of the results."""
        parts = [
            *map(self._pairs, HARDWARE_SPACES),
            *map(self._layers, LAYER_NETWORKS),
            *map(self._stalled, HARDWARE_SPACES),
            *map(self._imported, HARDWARE_SPACES),
            *map(self._graphs, HARDWARE_SPACES),
            *map(self._tables, HARDWARE_SPACES),
            *map(self._states, HARDWARE_SPACES),
            *map(self._points, HARDWARE_SPACES),
            *map(self._behind_drawn, HARDWARE_SPACES),
        ]
        return [part for part in parts if part.count]

    def units(self) -> Iterator[Unit]:
        """All work, part by part."""
        pairs = Draw(group=DRAWS["pairs"].group, per_config=CASES_PER_CONFIG)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._pairs(name), pairs, space)
        for name in LAYER_NETWORKS:
            yield from self._named(self._layers(name), name)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._stalled(name), pairs, space)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._imported(name), DRAWS["imported"], space)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._graphs(name), DRAWS["graphs"], space)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._tables(name), DRAWS["tables"], space)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._states(name), DRAWS["states"], space)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._points(name), DRAWS["realizability"], space)
        for name, space in HARDWARE_SPACES.items():
            yield from self._random(self._behind_drawn(name), DRAWS["pairs"], space)

    def run(
        self,
        journal: Journal,
        jobs: int,
        progress: Callable[[str, int, int], None],
        *,
        pool: AbstractContextManager[Any] | None = None,
    ) -> Iterator[Outcome]:
        """Run what the journal does not have; outcomes of this run, as they come.

        Parameters
        ----------
        journal : Journal
            Takes every outcome as it comes, with its part.
        jobs : int
            Processes.
        progress : callable
            Told a part's name, how many of its cases are done and how many there are.
        pool : context manager, optional
            Gives the executor that the cases are submitted to; that of the processes if not given.
        """
        done = {part.name: 0 for part in self.parts()}
        for record in journal.records.values():
            done[record["part"]] += 1

        lock = threading.Lock()

        def work(unit: Unit) -> Iterator[Outcome]:
            for case in unit.draw():
                if unit.key(case) in journal.records:
                    continue
                view = self.view_of(unit, case)
                outcome = workers.submit(
                    try_case,
                    case,
                    stalls=unit.part.stalls,
                    view=view,
                    memories=unit.part.memories,
                    drawn=unit.part.drawn,
                ).result()
                kept = {"part": unit.part.name, "view": str(view)} | outcome.to_json()
                journal.append(unit.key(case), kept)
                with lock:
                    done[unit.part.name] += 1
                    progress(unit.part.name, done[unit.part.name], unit.part.count)
                yield outcome

        for part in self.parts():
            if done[part.name]:
                progress(part.name, done[part.name], part.count)
        with pool or worker_pool(jobs) as workers:
            yield from in_threads([partial(work, unit) for unit in self.units()], jobs)

    def view_of(self, unit: Unit, case: Case) -> View:
        """View of the datapath that a unit's case runs in."""
        chosen = unit.synthesis and case.config.macs <= SYNTHESIS_MACS
        return View.SYNTHESIS if chosen else self.view

    def header(self, **sources: str) -> dict[str, Any]:
        """Name what the journal's records depend on: the campaign, and digests of sources."""
        return {
            "pairs": self.pairs,
            "stalled": self.stalled,
            "layers": self.layers,
            "imported": self.imported,
            "graphs": self.graphs,
            "tables": self.tables,
            "states": self.states,
            "points": self.points,
            "behind_drawn": self.behind_drawn,
            "seed": self.seed,
            "view": self.view,
            "max_macs": self.max_macs,
        } | sources

    def _pairs(self, space: str) -> Part:
        return Part(name=f"random pairs, {space}", count=self.pairs, memories=True, synthesis=True)

    def _layers(self, network: str) -> Part:
        count = len(NAMED_NETWORKS[network].layers) * len(LAYER_CONFIGS)
        return Part(name=f"layers of {network}", count=count if self.layers else 0)

    def _stalled(self, space: str) -> Part:
        return Part(name=f"random stalls, {space}", count=self.stalled, stalls=True)

    def _imported(self, space: str) -> Part:
        return Part(name=f"imported networks, {space}", count=self.imported)

    def _graphs(self, space: str) -> Part:
        return Part(name=f"graphs, {space}", count=self.graphs)

    def _tables(self, space: str) -> Part:
        return Part(name=f"activation tables, {space}", count=self.tables, synthesis=True)

    def _states(self, space: str) -> Part:
        return Part(name=f"states, {space}", count=self.states)

    def _points(self, space: str) -> Part:
        return Part(name=f"realizability, {space}", count=self.points)

    def _behind_drawn(self, space: str) -> Part:
        return Part(name=f"random memories, {space}", count=self.behind_drawn, drawn=DRAWN)

    def _random(self, part: Part, draw: Draw, space: HardwareSpace) -> Iterator[Unit]:
        seed = self.seed + (STALL_SEED_OFFSET if part.stalls else 0)
        for group, first in enumerate(range(0, part.count, draw.per_config)):
            size = min(draw.per_config, part.count - first)
            cases = partial(draw.group, group, first, size, space, seed, max_macs=self.max_macs)
            synthesis = part.synthesis and group % SYNTHESIS_SHARE == 0
            yield Unit(part=part, name=part.name, draw=cases, synthesis=synthesis)

    def _named(self, part: Part, network: str) -> Iterator[Unit]:
        for place, config in enumerate(LAYER_CONFIGS if part.count else ()):
            draw = partial(layer_cases, network, config)
            yield Unit(part=part, name=f"{part.name}/{place}", draw=draw)
