"""Validation: random networks on random configurations, RTL against reference and model."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np

from hwgen.program import compile_design
from sim import golden
from sim.calibration import Calibration
from sim.model import predict
from sim.spec.design import Design
from sim.spec.spaces import HardwareSpace
from testbench.cases import Case, draw_cases
from testbench.harness import build
from testbench.memory_model import MemoryModel

__all__ = ["Outcome", "run_case", "validate_random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What RTL and prediction made of one case.

    Parameters
    ----------
    case : Case
    activations : int
        Values compared, all layers and images.
    bit_differences : int
        Values that differ from the integer reference.
    descriptors : int
        Descriptors whose start and end were compared, all images.
    cycle_differences : int
        Descriptors whose start, end of issue or end differ from the prediction, plus images
        whose total does.
    counter_differences : int
        Performance counters that differ from the prediction, all images.
    execute_differences : int
        EXECUTE descriptors whose issue or whole duration differs; 0 on any memory.
    measured_cycles, predicted_cycles : int
        Of the first image.
    """

    case: Case
    activations: int
    bit_differences: int
    descriptors: int
    cycle_differences: int
    counter_differences: int
    execute_differences: int
    measured_cycles: int
    predicted_cycles: int

    @property
    def passed(self) -> bool:
        """No difference in bits, cycles or counters."""
        return not (self.bit_differences or self.timing_differences)

    @property
    def timing_differences(self) -> int:
        """Descriptors, totals and counters that differ from the prediction."""
        return self.cycle_differences + self.counter_differences + self.execute_differences


def run_case(
    case: Case, *, memory: MemoryModel | None = None, calibration: Calibration | None = None
) -> Outcome:
    """Run one case in RTL; cycles are compared on the deterministic memory only."""
    memory = memory or MemoryModel()
    design = Design(network=case.network, accelerator=case.config)
    program = compile_design(design)
    expected = golden.run(case.network, case.images)
    result = build(case.config).run(program, case.images, network=case.network, memory=memory)
    activations = bits = 0
    for index, layer in enumerate(case.network.layers):
        activations += expected[layer.name].size
        bits += int(np.count_nonzero(result.activations[index] != expected[layer.name]))
    bits += int(np.count_nonzero(result.outputs != expected[case.network.output.name]))
    prediction = predict(case.config, case.network, calibration)
    wrong = (result.start != prediction.start) | (result.end != prediction.done)
    wrong |= (result.issue_end >= 0) & (result.issue_end != prediction.issued)
    execute = result.issue_end >= 0
    issue = result.issue_end - result.start != prediction.issued - prediction.start
    duration = result.end - result.start != prediction.done - prediction.start
    cycles = int(wrong.sum()) + int((result.cycles != prediction.total_cycles).sum())
    predicted = prediction.counters(case.config)
    counters = sum(int((result.counters[name] != value).sum()) for name, value in predicted.items())
    return Outcome(
        case=case,
        activations=activations,
        bit_differences=bits,
        descriptors=int(wrong.size),
        execute_differences=int((execute & (issue | duration)).sum()),
        counter_differences=counters if memory.deterministic else 0,
        cycle_differences=cycles if memory.deterministic else 0,
        measured_cycles=int(result.cycles[0]),
        predicted_cycles=prediction.total_cycles,
    )


def validate_random(
    count: int,
    space: HardwareSpace,
    seed: int,
    *,
    jobs: int = 2,
    networks_per_config: int = 3,
    max_macs: int | None = None,
    memory: MemoryModel | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Outcome]:
    """Outcomes of ``count`` random cases, in the order in which they finish.

    Parameters
    ----------
    count, space, seed, networks_per_config, max_macs
        See :func:`testbench.cases.draw_cases`.
    jobs : int
        Builds and simulations side by side.
    memory : MemoryModel, optional
        T1 if not given.
    progress : callable
        Told the number of finished cases.
    """
    cases = draw_cases(
        count, space, seed, networks_per_config=networks_per_config, max_macs=max_macs
    )
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        pending = [pool.submit(run_case, case, memory=memory) for case in cases]
        try:
            for done, future in enumerate(as_completed(pending), start=1):
                progress(done)
                yield future.result()
        finally:
            for future in pending:
                future.cancel()
