"""Gains with bandwidth pinned: against a plain search of the table, and in the summary's words."""

import dataclasses
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cosilico.pinning import bandwidth_shares
from cosilico.summary import agreement_lines, gain_lines
from sim.cost.area import area
from sim.cost.objective import Metric, Objective
from sim.cost.table import CostTable
from sim.spec.spaces import TINY, HardwareSpace


@pytest.fixture
def space() -> HardwareSpace:
    values = dict(TINY.values) | {"pes_x": (1, 2), "pes_y": (2,), "compute_lanes": (1, 2)}
    return dataclasses.replace(TINY, values=MappingProxyType(values))


@pytest.fixture
def table(space: HardwareSpace) -> CostTable:
    """Cost table of random figures; a fifth of the accelerators is not realizable."""
    random = np.random.default_rng(5)
    configs = tuple(space)
    count = len(configs)
    broken = random.random(count) < 0.2
    broken[space.flat_index(space.default)] = False
    cycles = np.where(broken, 0, random.integers(100, 130, count))
    return CostTable(
        configs=configs,
        violations=[("MAP_TILE",) if out else () for out in broken],
        excess=np.where(broken, 1.0, 0.0),
        values={
            "cycles": cycles,
            "area": np.array([area(config).total for config in configs]),
            "energy": np.where(broken, 0, random.random(count)),
        },
    )


@pytest.mark.parametrize("metric", ["latency", "edp"])
def test_pinned_optimum_is_the_best_with_the_defaults_bandwidth(
    table: CostTable, space: HardwareSpace, metric: Metric
) -> None:
    budget = area(space.default).total
    shares = bandwidth_shares(
        table, space, space.default, Objective(metric=metric, area_budget=budget)
    )
    best = min(
        (table.cycles[row] * (table.energy[row] if metric == "edp" else 1), table.area[row], row)
        for row, config in enumerate(table.configs)
        if config.io_bandwidth_gbps == space.default.io_bandwidth_gbps
        and not table.violations[row]
        and table.area[row] <= budget
    )
    assert shares["pinned_optimum"] == table.figures(best[2])


def test_widened_default_differs_from_the_default_in_bandwidth_alone(
    table: CostTable, space: HardwareSpace
) -> None:
    chosen = next(
        config
        for row, config in enumerate(table.configs)
        if config.io_bandwidth_gbps == 3.2 and config.simd_units == 32
    )
    widened = dataclasses.replace(space.default, io_bandwidth_gbps=3.2)
    row = space.flat_index(widened)
    table.violations[row] = ()
    shares = bandwidth_shares(table, space, chosen, Objective(metric="latency", area_budget=1.0))
    assert shares["widened_default"] == table.figures(row)
    assert shares["widened_default"]["accelerator"] == widened.to_json()
    table.violations[row] = ("MAP_WEIGHTS",)
    shares = bandwidth_shares(table, space, chosen, Objective(metric="latency", area_budget=1.0))
    assert shares["widened_default"] is None


def test_no_accelerator_within_the_budget_is_no_pinned_optimum(
    table: CostTable, space: HardwareSpace
) -> None:
    nothing = Objective(metric="edp", area_budget=0.0)
    assert bandwidth_shares(table, space, space.default, nothing)["pinned_optimum"] is None


def results(**search: Any) -> dict[str, Any]:
    """Results of a run: 1,000 cycles on the default, 400 on a searched accelerator of half its area."""
    side = {"mismatched_activations": 0, "predicted_cycles": 400, "layers": []}
    return {
        "rtl": side | {"measured_cycles": 400, "area": 0.5},
        "rtl_default": side | {"measured_cycles": 1000, "area": 1.0},
        "search": search,
    }


def test_every_gain_is_told_with_bandwidth_free_and_pinned() -> None:
    bandwidth = {name: {"io_bandwidth_gbps": value} for name, value in (("a", 0.8), ("b", 3.2))}
    told = results(
        pinned_optimum={"accelerator": bandwidth["a"], "predicted_cycles": 900},
        widened_default={"accelerator": bandwidth["b"], "predicted_cycles": 500},
    )
    assert gain_lines(told) == [
        "gain over the default: 2.50 times as fast in 50.0 % of the area",
        "of it, by bandwidth alone: 2.00x; the default with 3.2 GB/s takes 500 cycles",
        "with bandwidth pinned to 0.8 GB/s: 1.111x at best; the best accelerator takes 900 cycles",
    ]
    assert agreement_lines(told)[2:] == gain_lines(told)
    assert gain_lines(results()) == gain_lines(told)[:1]
