"""Calibration of a DRAM of tier T3: a fit to microbenchmarks, and its errors on what took no part."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from hwgen.program import compile_mapped
from sim.model import predict_mapped
from sim.prediction import cycles_by_layer
from sim.realizability import map_realizable
from sim.spec.dram import DramPolicy, DramSystem
from sim.spec.spaces import EDGE, TINY
from sim.timing.calibration import DRAM_ERROR_LIMIT, Calibration, DramCalibration
from sim.timing.dram import MEASURED
from testbench.calibration.dram_fit import fit_parameters
from testbench.calibration.microbenchmarks import CalibrationError
from testbench.cases.random_networks import Case, draw_cases
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.harness import build
from testbench.rtl.memory_model import MemoryModel

__all__ = ["DramReport", "Errors", "calibrate_dram", "dram_errors"]

MEAN_LIMITS = {DramPolicy.IN_ORDER: 0.01, DramPolicy.FR_FCFS: 0.03}
RANK_LIMIT = 0.99
"""Mean relative error and Spearman's coefficient that a calibration must reach on held-out layers.

`DRAM_ERROR_LIMIT` bounds the largest error.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of predicted cycles on held-out layers and networks.

    Parameters
    ----------
    layers, networks : int
        Compared.
    mean, worst : float
        Of the layers.
    network_mean, network_worst : float
    spearman : float
        Rank correlation of the layers' predicted and measured cycles.
    """

    layers: int
    networks: int
    mean: float
    worst: float
    network_mean: float
    network_worst: float
    spearman: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DramReport:
    """A DRAM calibration and how it was checked."""

    calibration: DramCalibration
    microbenchmarks: int
    misses: int
    errors: Errors


def calibrate_dram(
    system: DramSystem,
    base: Calibration,
    progress: Callable[[str], None] = lambda _: None,
    *,
    held_out: int = 30,
) -> DramReport:
    """Measure a DRAM's parameters and check predictions on held-out layers.

    Parameters
    ----------
    system : DramSystem
    base : Calibration
        The timing constants, measured on the deterministic memory.
    progress : callable
        Told the name of each microbenchmark as it starts.
    held_out : int
        Random networks, a third of them on the edge space.

    Raises
    ------
    CalibrationError
        If the held-out layers are not predicted well enough.
    """
    p, runs, missed = fit_parameters(system, base, progress)
    errors = dram_errors(system, base, p, _held_out(held_out), progress)
    limit = MEAN_LIMITS[system.controller.policy]
    if errors.mean > limit or errors.worst > DRAM_ERROR_LIMIT or errors.spearman < RANK_LIMIT:
        raise CalibrationError(
            f"held-out layers on {system} are predicted with a mean error of {errors.mean:.2%}, a "
            f"worst of {errors.worst:.2%} and a rank correlation of {errors.spearman:.3f}"
        )
    return DramReport(
        calibration=DramCalibration(digest=system.digest, parameters=_by_name(p), **asdict(errors)),
        microbenchmarks=runs,
        misses=missed,
        errors=errors,
    )


def _held_out(count: int) -> list[Case]:
    """Random networks on accelerators of both spaces."""
    edge = count // 3
    return draw_cases(count - edge, TINY, 0) + draw_cases(edge, EDGE, 0, max_macs=1024)


def dram_errors(
    system: DramSystem,
    base: Calibration,
    p: NDArray[np.int64],
    cases: Sequence[Case],
    progress: Callable[[str], None] = lambda _: None,
) -> Errors:
    """Predicted against measured cycles of networks that took no part in the fit."""
    unchecked = Errors(
        layers=0, networks=0, mean=0.0, worst=0.0, network_mean=0.0, network_worst=0.0, spearman=0.0
    )
    fitted = DramCalibration(digest=system.digest, parameters=_by_name(p), **asdict(unchecked))
    calibration = replace(base, drams={str(system): fitted})
    predicted, measured, totals = [], [], []
    for case in cases:
        progress(f"{system}: held-out network")
        layers = _case_layers(system, case, calibration)
        predicted += layers[0]
        measured += layers[1]
        totals.append(layers[2])
    error = np.abs(np.array(predicted) - measured) / np.maximum(1, measured)
    return Errors(
        layers=len(measured),
        networks=len(cases),
        mean=float(error.mean()),
        worst=float(error.max()),
        network_mean=float(np.mean(totals)),
        network_worst=float(np.max(totals)),
        spearman=_rank_correlation(np.array(predicted), np.array(measured)),
    )


def _case_layers(
    system: DramSystem, case: Case, calibration: Calibration
) -> tuple[list[int], list[int], float]:
    """Predicted and measured cycles of every layer, and the relative error of the total."""
    mapped = map_realizable(case.config, case.network, case.batch)
    program = compile_mapped(mapped)
    memory = MemoryModel(dram=dram_channel(case.config, system))
    run = build(case.config).run(program, case.images[: case.batch], memory=memory)
    prediction = predict_mapped(mapped, calibration, memory=system, cold=True)
    queues, layers = np.array(program.descriptors, np.int64).T
    measured = cycles_by_layer(queues, layers, run.end[0], len(case.network.layers)).tolist()
    total = int(run.cycles[0])
    predicted = [layer.cycles for layer in prediction.layers]
    return predicted, measured, abs(prediction.total_cycles - total) / total


def _by_name(p: NDArray[np.int64]) -> dict[str, int]:
    return {q.name.lower(): int(p[q]) for q in MEASURED}


def _rank_correlation(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Spearman's coefficient; equal values share their mean rank."""
    # Equal ranks give 1 but for the last bit
    return round(float(spearmanr(a, b).statistic), 12)
