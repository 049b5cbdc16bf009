"""Comparison of the two engines: all figures of a design's run in the C++ harness and in cocotb."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.realizability import map_realizable
from sim.spec.design import Design
from sim.spec.engines import Engine
from sim.spec.memories import DETERMINISTIC, MemorySystem
from sim.spec.views import View
from testbench.validation.simulate import simulate
from testbench.validation.simulation_result import SimulationResult

__all__ = ["EngineAgreement", "compare_engines", "differing_fields"]

FREE_FIELDS = ("engine", "cycles_per_s")
"""Fields that differ by their nature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAgreement:
    """Results of both engines for a design behind a memory.

    Parameters
    ----------
    harness, cocotb : SimulationResult
        Of the C++ harness and of the cocotb bench.
    """

    harness: SimulationResult
    cocotb: SimulationResult

    @property
    def differences(self) -> tuple[str, ...]:
        """Fields in which the results differ."""
        return differing_fields(self.harness, self.cocotb)

    @property
    def exact(self) -> bool:
        """No field differs, and neither does anything from the reference and the model."""
        return not self.differences and self.harness.exact and self.cocotb.exact


def differing_fields(first: SimulationResult, second: SimulationResult) -> tuple[str, ...]:
    """Return the fields that differ, arrays and JSON included, but for the engine and its rate."""
    names = [field.name for field in fields(SimulationResult) if field.name not in FREE_FIELDS]
    differing = [name for name in names if not _equal(getattr(first, name), getattr(second, name))]
    documents = [
        {name: value for name, value in result.to_json().items() if name not in FREE_FIELDS}
        for result in (first, second)
    ]
    if documents[0] != documents[1]:
        differing.append("to_json")
    return tuple(differing)


def compare_engines(
    design: Design,
    *,
    inputs: NDArray[np.int8] | None = None,
    batch: int = 1,
    memories: Sequence[MemorySystem] = (DETERMINISTIC,),
    stalls: Sequence[int] = (),
    view: View = View.SIMULATION,
) -> list[EngineAgreement]:
    """Run a design in both engines.

    Parameters
    ----------
    design : Design
    inputs : int8[N, height, width, channels], optional
        As of :func:`testbench.validation.simulate.simulate`.
    batch : int
        Images per program.
    memories : sequence of FixedLatency or DramSystem
        Each is behind the ports in a run.
    stalls : sequence of int
        Seeds of random stalls, each a further run on the default memory.
    view : View

    Returns
    -------
    list of EngineAgreement
        Of every memory, then of every seed.
    """
    mapped = map_realizable(design.accelerator, design.network, batch)
    behind: list[tuple[MemorySystem, int | None]] = [(memory, None) for memory in memories]
    behind += [(DETERMINISTIC, seed) for seed in stalls]
    agreements = []
    for memory, seed in behind:
        results = [
            simulate(
                design,
                batch=batch,
                inputs=inputs,
                memory=memory,
                stalls=seed,
                view=view,
                engine=engine,
                mapped=mapped,
            )
            for engine in (Engine.VERILATOR, Engine.COCOTB)
        ]
        agreements.append(EngineAgreement(harness=results[0], cocotb=results[1]))
    return agreements


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    if isinstance(first, Mapping):
        return list(first) == list(second) and all(
            _equal(first[name], second[name]) for name in first
        )
    return type(first) is type(second) and bool(first == second)
