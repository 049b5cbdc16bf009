"""Damaged programs in RTL, each followed by the good program on the same powered-up accelerator."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Program, compile_mapped
from sim import golden
from sim.model import predict_mapped
from sim.prediction import Prediction
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import PAGE_BYTES
from sim.spec.header import HEADER_BYTES
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.stops import StopCause
from sim.spec.views import View
from testbench.cases.layers import add, padded, pool, random_tensor
from testbench.faults.damage import Damaged, draw_damaged
from testbench.rtl.harness import Harness, HarnessError, RunResult, Step, Stop, build
from testbench.rtl.host import Host
from testbench.rtl.memory_model import MemoryModel

__all__ = [
    "CONFIGS",
    "PATIENCE_CYCLES",
    "TIMEOUT_CYCLES",
    "Recovery",
    "Subject",
    "recoveries",
    "small_network",
]

PATIENCE_CYCLES = 3000
"""Cycles after which the host aborts a damaged program."""

TIMEOUT_CYCLES = 1000
"""TIMEOUT of damaged programs.

It is more than a read or write takes behind any memory of ``FREEDOMS``, less than the host's patience.
"""

BATCH = 100
"""Damaged programs of one simulation."""

DONE = 0b10
"""STATUS after a program that has run as it should."""

CONFIGS = (
    AcceleratorConfig(
        pes_x=1,
        pes_y=2,
        simd_units=4,
        compute_lanes=2,
        local_memory_kb=4,
        register_file_kb=1,
        io_bandwidth_gbps=0.4,
        clock_mhz=200,
    ),
    AcceleratorConfig(
        pes_x=2,
        pes_y=1,
        simd_units=8,
        compute_lanes=1,
        local_memory_kb=4,
        register_file_kb=1,
        io_bandwidth_gbps=1.2,
        clock_mhz=200,
    ),
    AcceleratorConfig(
        pes_x=1,
        pes_y=1,
        simd_units=8,
        compute_lanes=2,
        local_memory_kb=4,
        register_file_kb=2,
        io_bandwidth_gbps=1.6,
        clock_mhz=200,
        weight_store_kb=1,
    ),
)
"""Two grids: vectors of two beats, and a paced bus of whole vectors; and a store for a part of the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A damaged program, how it ended, and whether the good program behind it ran as ever.

    Parameters
    ----------
    damaged : Damaged
    ending : str
        "done", or the name of the StopCause; empty where the simulation itself gave up.
    failure : str
        What is wrong, in one line; empty where nothing is.
    """

    damaged: Damaged
    ending: str
    failure: str


def small_network(seed: int = 1) -> Network:
    """Every kind of descriptor and of dependence in a few layers: conv, depthwise, sum, pool."""
    rng = np.random.default_rng(seed)
    source = random_tensor("input", 6, 5, 7, rng)
    same = Padding.same((6, 5), (3, 3), (1, 1))
    first = padded("conv", LayerKind.CONV, source, (3, 3), (1, 1), same, rng, 10)
    deep = padded("depthwise", LayerKind.DEPTHWISE, first.output, (3, 3), (1, 1), same, rng)
    total = add("sum", first.output, deep.output, rng)
    last = padded("last", LayerKind.CONV, total.output, (1, 1), (2, 2), Padding(), rng, 6)
    layers = (first, deep, total, last, pool("pool", last.output))
    return Network(name="small", input=source, layers=layers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A good program, its expected results, and the simulation that runs it.

    Parameters
    ----------
    harness : Harness
    program : Program
    inputs : int8[1, height, width, channels]
    outputs : int8[1, height, width, channels]
        By the integer reference.
    prediction : Prediction
        Of the cold run, where weights stay in the weight store.
    memory : MemoryModel
    warm : Prediction or None
        Of the warm run; None where nothing stays.
    """

    harness: Harness
    program: Program
    inputs: NDArray[np.int8]
    outputs: NDArray[np.int8]
    prediction: Prediction
    memory: MemoryModel
    warm: Prediction | None = None

    @classmethod
    def of(
        cls,
        config: AcceleratorConfig,
        view: View,
        memory: MemoryModel | None = None,
        built: Harness | None = None,
    ) -> "Subject":
        """Take or build the simulation of a configuration, with the small network's program."""
        network = small_network()
        x = np.random.default_rng(2).integers(-128, 128, (1, *network.image_shape)).astype(np.int8)
        mapped = map_realizable(config, network)
        return cls(
            harness=built or build(config, view=view),
            program=compile_mapped(mapped),
            inputs=x,
            outputs=golden.run(network, x)[network.output.name],
            prediction=predict_mapped(mapped, cold=True),
            memory=memory or MemoryModel(),
            warm=predict_mapped(mapped) if mapped.stored else None,
        )

    def host(self, damaged: Damaged) -> Host:
        """The host beside a damaged program: every second has a window, every third no time-out."""
        base = self.memory.base
        end = base + len(self.program.image) + len(damaged.data)
        window = {"window_base": base, "window_limit": end // PAGE_BYTES * PAGE_BYTES}
        return Host(
            timeout=0 if damaged.index % 3 == 0 else TIMEOUT_CYCLES,
            abort_at=PATIENCE_CYCLES,
            **(window if damaged.index % 2 else {}),
        )

    def steps(self, damaged: Damaged) -> list[Step]:
        """The damaged program, then the good program: cold, and where weights stay, warm."""
        bad = replace(
            self.program,
            image=self.program.image[: damaged.address] + damaged.data,
            header_address=damaged.address,
            descriptors=(),
            probes=(),
        )
        good = [self.program, *([] if self.warm is None else [self.program.warm])]
        return [
            Step(program=bad, inputs=self.inputs, host=self.host(damaged)),
            *(Step(program=entry, inputs=self.inputs) for entry in good),
        ]

    def differences(self, *runs: RunResult) -> str:
        """Name the results of the good program that are not as expected; empty if none.

        The first of the runs is cold, the others are warm.
        """
        predictions = [self.prediction, *(self.warm or self.prediction for _ in runs[1:])]
        names = [self._differing(run, own) for run, own in zip(runs, predictions, strict=True)]
        return ", ".join(dict.fromkeys(name for differing in names for name in differing))

    def _differing(self, run: RunResult, predicted: Prediction) -> list[str]:
        executes = run.issue_end[0] >= 0
        wrong = {
            "stop": run.stops[0] is not None,
            "STATUS": run.status[0] != DONE,
            "output": not np.array_equal(run.outputs, self.outputs),
        }
        if self.memory.deterministic:
            wrong |= {
                "cycles": run.cycles[0] != predicted.total_cycles,
                "starts": not np.array_equal(run.start[0], predicted.start),
                "ends": not np.array_equal(run.end[0], predicted.done),
                "ends of issue": not np.array_equal(
                    run.issue_end[0][executes], predicted.issued[executes]
                ),
            }
        return [name for name, is_wrong in wrong.items() if is_wrong]

    def run(self, batch: Sequence[Damaged]) -> list[Recovery]:
        """Run a batch in one simulation; if that gives up, each damaged program in its own."""
        try:
            results = self.harness.run_sequence(
                [step for damaged in batch for step in self.steps(damaged)], memory=self.memory
            )
        except HarnessError as error:
            if len(batch) == 1:
                return [Recovery(damaged=batch[0], ending="", failure=str(error))]
            return [recovery for damaged in batch for recovery in self.run([damaged])]
        each = len(results) // len(batch)
        return [
            self._judge(damaged, *results[each * i : each * (i + 1)])
            for i, damaged in enumerate(batch)
        ]

    def _judge(self, damaged: Damaged, bad: RunResult, *good: RunResult) -> Recovery:
        stop = bad.stops[0]
        ending = "done" if stop is None else stop.cause.name
        differences = self.differences(*good)
        failure = f"the good program behind it differs in {differences}" if differences else ""
        if not damaged.sealed and self._changed(damaged) and stop is None:
            failure = "it was done, though its check words do not fit"
        if stop is not None and not _agrees(stop, self.host(damaged)):
            failure = f"{stop} does not agree with the window"
        return Recovery(damaged=damaged, ending=ending, failure=failure)

    def _changed(self, damaged: Damaged) -> bool:
        first = damaged.address
        good = self.program.image[first : first + HEADER_BYTES + len(self.program.encoded)]
        return damaged.data[: len(good)] != good


def _agrees(stop: Stop, host: Host) -> bool:
    """Whether an answered burst lies inside the host's window, and a forbidden burst outside it."""
    inside = host.window_base <= stop.address < host.window_limit + PAGE_BYTES
    if stop.cause is StopCause.RESPONSE:
        return inside
    return stop.cause is not StopCause.WINDOW or not inside


def recoveries(subject: Subject, count: int, seed: int, *, jobs: int = 1) -> Iterator[Recovery]:
    """Try damaged programs, batch by batch, ``jobs`` simulations at a time; in order."""
    drawn = draw_damaged(subject.program, count, seed)
    batches = [drawn[start : start + BATCH] for start in range(0, count, BATCH)]
    with ThreadPoolExecutor(jobs) as pool_of_threads:
        for judged in pool_of_threads.map(subject.run, batches):
            yield from judged
