"""Validation: random networks on random configurations, RTL against reference and model."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Program, compile_mapped
from hwgen.stream_program import StreamPrograms, compile_stream
from sim import golden
from sim.model import predict_mapped, predict_stream
from sim.prediction import Prediction
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError, MachineError
from sim.spec.memories import DRAM
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace
from sim.spec.views import View
from sim.stream import stream_of
from sim.timing import calibration as calibrations
from sim.timing.calibration import Calibration
from testbench.cases.imported import (
    IMPORTED_PER_CONFIG,
    ImportedCase,
    Judgement,
    draw_imported_group,
)
from testbench.cases.products import PRODUCTS_PER_CONFIG, draw_product_group
from testbench.cases.random_graphs import GRAPHS_PER_CONFIG, draw_graph_group
from testbench.cases.random_memories import draw_memories
from testbench.cases.random_networks import NETWORKS_PER_CONFIG, Case, draw_group
from testbench.cases.realizability import (
    POINTS_PER_CONFIG,
    RealizabilityCase,
    draw_realizability_group,
)
from testbench.cases.stateful import STATEFUL_PER_CONFIG, draw_stateful_group
from testbench.cases.tabled import TABLED_PER_CONFIG, draw_tabled_group
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.harness import Harness, HarnessError, RunResult, build, check_run
from testbench.rtl.memory_model import DRAM_NAME, FREEDOMS, LATENCIES, MemoryModel
from testbench.validation.comparison import Comparison, compare
from testbench.validation.store_runs import has_warm_run, joined, steps_of
from testbench.validation.stream_runs import steps_of_stream
from testbench.validation.workers import worker_pool

__all__ = [
    "DRAWS",
    "Draw",
    "Outcome",
    "every_memory",
    "in_threads",
    "run_case",
    "try_case",
    "validate_random",
]


BRIEF_CYCLES = 50_000
"""Longest program of a case alone on its build that runs in a simulation that is not optimized.

To optimize takes 2 CPU seconds, in which what is not optimized runs some 100,000 cycles.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A way to draw random cases: the function, and how many share a configuration."""

    group: Callable[..., list[Case]]
    per_config: int


DRAWS: Mapping[str, Draw] = MappingProxyType(
    {
        "pairs": Draw(group=draw_group, per_config=NETWORKS_PER_CONFIG),
        "graphs": Draw(group=draw_graph_group, per_config=GRAPHS_PER_CONFIG),
        "imported": Draw(group=draw_imported_group, per_config=IMPORTED_PER_CONFIG),
        "tables": Draw(group=draw_tabled_group, per_config=TABLED_PER_CONFIG),
        "products": Draw(group=draw_product_group, per_config=PRODUCTS_PER_CONFIG),
        "states": Draw(group=draw_stateful_group, per_config=STATEFUL_PER_CONFIG),
        "realizability": Draw(group=draw_realizability_group, per_config=POINTS_PER_CONFIG),
    }
)
"""By name: random networks around a layer, graphs, imported from random models, with tables, with products of activations, with states, realizable or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Result of a case: where RTL, reference and prediction differ, or why it failed.

    Parameters
    ----------
    case : Case
    comparison : Comparison or None
        None if the run failed.
    judgement : Judgement or None
        None if the run failed, or the network is not imported.
    others : dict of str to Comparison
        The same behind other memories, by their names.
    measured_cycles, predicted_cycles : int
        Of the first run of the program; 0 if it failed.
    stream_images : int
        Images that a stream computed behind each memory; 0 where there can be none.
    failure : str
        Why there is no comparison: not realizable, not built, stopped, a fault in STATUS.
    """

    case: Case
    comparison: Comparison | None = None
    judgement: Judgement | None = None
    others: Mapping[str, Comparison] = field(default_factory=dict)
    measured_cycles: int = 0
    predicted_cycles: int = 0
    stream_images: int = 0
    failure: str = ""

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Comparisons behind all memories, the first memory's first."""
        return (*((self.comparison,) if self.comparison else ()), *self.others.values())

    @property
    def bit_differences(self) -> int:
        """Values that differ from the integer reference, behind any memory."""
        return sum(comparison.bit_differences for comparison in self.comparisons)

    @property
    def judged_values(self) -> int:
        """Values compared with TensorFlow Lite Micro."""
        return self.judgement.values if self.judgement else 0

    @property
    def judged_differences(self) -> int:
        """Values that differ from TensorFlow Lite Micro."""
        return self.judgement.differences if self.judgement else 0

    @property
    def timing_differences(self) -> int:
        """Descriptors, totals and counters that differ from the prediction."""
        return sum(comparison.timing_differences for comparison in self.comparisons)

    @property
    def descriptors(self) -> int:
        """Descriptors whose start and end were compared, all runs behind all memories."""
        return sum(comparison.descriptors for comparison in self.comparisons)

    @property
    def cycle_differences(self) -> int:
        """Descriptors and totals that differ from the prediction on the deterministic memory."""
        first = self.comparison
        return first.descriptor_cycles + first.totals if first else 0

    @property
    def execute_differences(self) -> int:
        """EXECUTE descriptors whose durations differ; 0 on any memory."""
        return self.comparison.execute if self.comparison else 0

    @property
    def passed(self) -> bool:
        """The case ran, without a difference in bits, cycles or counters."""
        differences = self.bit_differences + self.judged_differences + self.timing_differences
        return not (self.failure or differences)

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays: what a journal keeps."""
        return {
            "stratum": str(self.case.stratum),
            "corner": str(self.case.corner),
            "traits": list(self.case.traits),
            "verdict": self.case.verdict,
            "network": self.case.network.name,
            "accelerator": self.case.config.to_json(),
            "memories": len(self.comparisons),
            "behind": list(self.others),
            "activations": sum(comparison.activations for comparison in self.comparisons),
            "bit_differences": self.bit_differences,
            "judged_values": self.judged_values,
            "judged_differences": self.judged_differences,
            "descriptors": self.descriptors,
            "timing_differences": self.timing_differences,
            "predicted_cycles": self.predicted_cycles,
            "measured_cycles": self.measured_cycles,
            "stream_images": self.stream_images * len(self.comparisons),
            "failure": self.failure,
        }


def run_case(
    case: Case,
    *,
    memory: MemoryModel | None = None,
    calibration: Calibration | None = None,
    view: View = View.SIMULATION,
    others: Mapping[str, MemoryModel] | None = None,
) -> Outcome:
    """Run one case in RTL; cycles are compared where the memory's can be predicted.

    Where weights stay in the weight store, behind every memory a cold run comes first. Where the images can be a stream, they are
    computed as such at last.

    Parameters
    ----------
    case : Case
    memory : MemoryModel, optional
        T1 with the latency that constants are measured with if not given.
    calibration : Calibration, optional
        Those shipped with the gateware if not given.
    view : str
        Of the datapath; see :func:`testbench.rtl.harness.build`.
    others : dict of str to MemoryModel, optional
        Memories behind which the case runs as well, in the same build.
    """
    memory = memory or MemoryModel()
    mapped = map_realizable(case.config, case.network, case.batch)
    stream = stream_of(mapped)
    program, streamed = compile_mapped(mapped), None
    if stream is not None:
        streamed = compile_stream(mapped, stream)
        program = streamed.alone
    images = case.images
    behind = {"": memory, **(others or {})}
    constants = calibration or calibrations.default()
    brief = predict_mapped(mapped, constants).total_cycles <= BRIEF_CYCLES
    built = build(case.config, view=view, optimize=case.shares_build or not brief)
    runs = _run_behind(built, program, streamed, images, case.network, behind)
    expected = golden.run(case.network, images)

    def compared(model: MemoryModel, runs: Sequence[RunResult]) -> tuple[Comparison, Prediction]:
        behind = model.fixed if model.dram is None else DRAM
        foretold = [predict_mapped(mapped, constants, memory=behind)]
        if has_warm_run(program):
            foretold.insert(0, predict_mapped(mapped, constants, memory=behind, cold=True))
        warm = foretold[-1]
        if stream is not None:
            foretold += predict_stream(stream, constants, memory=behind)
        comparisons = []
        for prediction, run in zip(foretold, runs, strict=True):
            computes = prediction.execute_busy > 0
            comparison = compare(
                case.config,
                case.network,
                prediction,
                run,
                {name: values[: len(run.outputs)] for name, values in expected.items() if computes},
                deterministic=model.deterministic or model.dram is not None,
            )
            comparisons.append(comparison)
        return joined(comparisons), warm

    run = runs[0][has_warm_run(program)]
    comparison, prediction = compared(memory, runs[0])
    also = {
        name: compared(model, results)[0]
        for (name, model), results in zip((others or {}).items(), runs[1:], strict=True)
    }
    judgement = None
    if isinstance(case, ImportedCase):
        judgement = case.judge(run.activations, run.named_outputs)
    return Outcome(
        case=case,
        comparison=comparison,
        judgement=judgement,
        others=also,
        measured_cycles=int(run.cycles[0]),
        predicted_cycles=prediction.total_cycles,
        stream_images=len(images) if stream is not None else 0,
    )


def _run_behind(
    built: Harness,
    program: Program,
    streamed: StreamPrograms | None,
    images: NDArray[np.int8],
    network: Network,
    memories: Mapping[str, MemoryModel],
) -> list[list[RunResult]]:
    """Run a program behind one memory after the other, on one powered-up accelerator.

    Behind each the cold run comes first, where the program has a cold and a warm run, and last a stream, where there can be any.
    """
    steps = [
        steps_of(program, images, network=network, memory=model) for model in memories.values()
    ]
    if streamed is not None:
        for own, model in zip(steps, memories.values(), strict=True):
            own += steps_of_stream(streamed, images, network=network, memory=model)
    try:
        results = built.run_sequence([step for own in steps for step in own])
    except HarnessError as error:
        for name, own in zip(memories, steps, strict=True):
            with _naming_memory(name):
                built.run_sequence(own)
        raise HarnessError(f"only behind one memory after another: {error}") from error
    size = len(steps[0])
    behind = [results[first : first + size] for first in range(0, len(results), size)]
    for name, own_results in zip(memories, behind, strict=True):
        with _naming_memory(name):
            for result in own_results:
                check_run(result)
    return behind


@contextmanager
def _naming_memory(name: str) -> Iterator[None]:
    try:
        yield
    except HarnessError as error:
        raise HarnessError(f"memory {name!r}: {error}" if name else str(error)) from error


def every_memory(config: AcceleratorConfig, seed: int) -> dict[str, MemoryModel]:
    """Return all memories but that of the calibration.

    These are other latencies, the freedoms of AXI, and the DRAM where its channels are as fast as the
    bus of ``config``.
    """
    drawn = {name: memory.with_seed(seed) for name, memory in (LATENCIES | FREEDOMS).items()}
    try:
        return drawn | {DRAM_NAME: MemoryModel(dram=dram_channel(config, DRAM))}
    except CosilicoError:
        return drawn


def try_case(
    case: Case,
    *,
    stalls: bool = False,
    view: View = View.SIMULATION,
    memories: bool = False,
    drawn: int = 0,
) -> Outcome:
    """Run one case; whatever goes wrong with it is its outcome and stops no other.

    With ``stalls`` the memory is T2, seeded by the case; with ``memories`` the case runs behind
    every other memory as well (:func:`every_memory`). It runs, too, behind as many random deterministic
    memories as ``drawn`` says (:func:`testbench.cases.random_memories.draw_memories`). Of a case that asks for realizability the
    verdict is tried first, and many end there.
    """
    memory = MemoryModel(stall_seed=case.image_seed) if stalls else MemoryModel()
    others = every_memory(case.config, case.image_seed) if memories else {}
    for fixed in draw_memories(case.config, drawn, case.image_seed):
        others[str(fixed)] = MemoryModel.of(fixed)
    try:
        if isinstance(case, RealizabilityCase):
            failure = case.contradiction()
            if failure or not case.simulated:
                return Outcome(case=case, failure=failure)
        return run_case(case, memory=memory, view=view, others=others)
    except (MachineError, OSError, MemoryError):
        raise  # says nothing about the case
    except Exception as error:
        return Outcome(case=case, failure=f"{type(error).__name__}: {error}")


def validate_random(
    count: int,
    space: HardwareSpace,
    seed: int,
    *,
    jobs: int = 2,
    draw: Draw = DRAWS["pairs"],
    max_macs: int | None = None,
    stalls: bool = False,
    view: View = View.SIMULATION,
    memories: bool = False,
    drawn: int = 0,
) -> Iterator[Outcome]:
    """Outcomes of ``count`` random cases, in the order in which they finish.

    Parameters
    ----------
    count, space, seed, max_macs
        See :func:`testbench.cases.random_networks.draw_cases`.
    draw : Draw
        One of ``DRAWS``.
    jobs : int
        Processes.
    stalls : bool
        Random stalls (T2) instead of the deterministic memory (T1).
    view : str
        Of the datapath; see :func:`testbench.rtl.harness.build`.
    memories : bool
        Every other memory as well, in the same builds; see :func:`every_memory`.
    drawn : int
        Deterministic memories that are drawn for each case, in the same builds.
    """

    def run(group: int) -> Iterator[Outcome]:
        first = group * draw.per_config
        size = min(draw.per_config, count - first)
        for case in draw.group(group, first, size, space, seed, max_macs=max_macs):
            yield workers.submit(
                try_case, case, stalls=stalls, view=view, memories=memories, drawn=drawn
            ).result()

    groups = range(-(-count // draw.per_config))
    with worker_pool(jobs) as workers:
        yield from in_threads([partial(run, group) for group in groups], jobs)


def in_threads(work: Sequence[Callable[[], Iterator[Outcome]]], jobs: int) -> Iterator[Outcome]:
    """Outcomes of several sources as they come, each source drained by one of ``jobs`` threads."""
    finished: queue.Queue[Outcome | Exception | None] = queue.Queue()
    left = threading.Event()

    def drain(source: Callable[[], Iterator[Outcome]]) -> None:
        try:
            for outcome in source():
                finished.put(outcome)
                if left.is_set():
                    break
        except Exception as error:
            finished.put(error)
        finished.put(None)

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        pending = [pool.submit(drain, source) for source in work]
        unfinished = len(pending)
        try:
            while unfinished:
                item = finished.get()
                if item is None:
                    unfinished -= 1
                elif isinstance(item, Outcome):
                    yield item
                else:
                    raise item
        finally:
            left.set()
            for future in pending:
                future.cancel()
