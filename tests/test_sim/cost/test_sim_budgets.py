"""Budgets of an objective, and NAHAS's weighted product of accuracy and costs."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.cost.objective import HARD, METRICS, Metric, Objective


class Row(dict[str, float]):
    """Costs of an accelerator."""

    realizable = True


def row(cycles: float = 100, energy: float = 10, area: float = 1.0) -> Row:
    return Row(cycles=cycles, energy=energy, area=area)


def test_every_budget_is_kept() -> None:
    objective = Objective(metric="latency", area_budget=1.0, cycles_budget=100, energy_budget=10)
    assert objective.feasible(row())
    for worse in (row(cycles=101), row(energy=10.5), row(area=1.01)):
        assert not objective.feasible(worse)
        assert objective.overrun(worse) > 0
    assert objective.overrun(row()) == 0
    assert objective.overrun(row(cycles=150, area=1.25)) == pytest.approx(0.75)
    assert Objective(metric="latency", area_budget=1.0).budgets == {"area": 1.0}
    broken = row()
    broken.realizable = False
    assert not objective.feasible(broken)


@pytest.mark.parametrize(
    ("metric", "cost"), [("latency", 100), ("energy", 10), ("area", 1), ("edp", 1000)]
)
def test_a_metric_is_the_product_of_its_columns(metric: Metric, cost: float) -> None:
    assert set(METRICS) == {"latency", "energy", "area", "edp"}
    assert Objective(metric=metric, area_budget=1.0).cost(row()) == cost


def test_a_hard_product_is_the_accuracy_within_the_budgets() -> None:
    p, q = HARD
    objective = Objective(metric="latency", area_budget=1.0, cycles_budget=100)
    assert objective.weighted_product(0.8, row(cycles=20, area=0.1), p=p, q=q) == 0.8
    assert objective.weighted_product(0.8, row(cycles=200), p=p, q=q) == pytest.approx(0.4)
    assert objective.weighted_product(0.8, row(cycles=200, area=2), p=p, q=q) == pytest.approx(0.2)


def test_a_soft_product_trades_everywhere() -> None:
    objective = Objective(metric="latency", area_budget=math.inf, cycles_budget=100)
    p, q = objective.soft
    assert p == q == -0.07
    for cycles in (50, 100, 400):
        expected = 0.8 * (cycles / 100) ** -0.07
        value = objective.weighted_product(0.8, row(cycles=cycles), p=p, q=q)
        assert value == pytest.approx(expected, rel=1e-12)


def test_a_product_of_a_design_that_is_not_realizable_is_zero() -> None:
    class Table(dict[str, NDArray[np.float64]]):
        realizable = np.array([True, False])

    table = Table(cycles=np.array([50.0, 0.0]), area=np.ones(2), energy=np.ones(2))
    objective = Objective(metric="latency", area_budget=1.0, cycles_budget=100)
    values = objective.weighted_product(np.array([0.5, 0.5]), table, p=-1, q=-1)
    assert list(values) == [1.0, 0.0]
