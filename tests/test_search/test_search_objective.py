"""The objective, its reward and the descent: ties by area, and blame for every broken rule."""

from collections.abc import Sequence

import pytest

from search.evaluator import Evaluation
from search.neighbourhood import descend
from search.reward import reward
from sim.cost.objective import Metric, Objective
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import TINY

OBJECTIVE = Objective(metric="latency", area_budget=2.0)


def evaluation(
    cycles: int = 1000,
    area: float = 1.0,
    *,
    accelerator: AcceleratorConfig = TINY.default,
    violations: tuple[str, ...] = (),
    excess: float = 0.0,
) -> Evaluation:
    return Evaluation(
        index=0,
        phase="agent",
        network="n",
        accelerator=accelerator,
        costs={"cycles": cycles, "energy": 3.0, "area": area},
        violations=violations,
        excess=excess,
        accuracy=None,
    )


@pytest.mark.parametrize("metric", ["latency", "edp"])
def test_of_equal_costs_the_smaller_area_is_better(metric: Metric) -> None:
    objective = Objective(metric=metric, area_budget=2.0)
    small, large, fast = evaluation(area=0.5), evaluation(area=0.75), evaluation(cycles=999)
    assert min([large, small], key=objective.rank) is small
    assert min([small, large], key=objective.rank) is small
    assert min([small, large, fast], key=objective.rank) is fast


def test_an_area_beyond_the_budget_is_a_broken_rule_with_its_distance() -> None:
    """-1, a tenth for each rule, and the summed distances d as d / (1 + d)."""
    reference = evaluation()
    over = reward(OBJECTIVE, evaluation(area=3.0), reference)
    assert over == pytest.approx(-1 - 0.1 - 0.5 / 1.5)
    rule = evaluation(violations=("MAP_TILE",), excess=0.5)
    assert reward(OBJECTIVE, rule, reference) == pytest.approx(over)
    both = evaluation(area=3.0, violations=("MAP_TILE",), excess=0.5)
    assert reward(OBJECTIVE, both, reference) == pytest.approx(-1 - 0.2 - 1.0 / 2.0)


def test_an_area_of_the_budget_is_feasible() -> None:
    assert OBJECTIVE.feasible(evaluation(area=2.0))
    assert not OBJECTIVE.feasible(evaluation(area=2.0000001))


def test_there_is_no_gain_over_a_reference_that_does_not_run() -> None:
    broken = evaluation(cycles=0, violations=("MAP_TILE",), excess=0.5)
    assert reward(OBJECTIVE, evaluation(cycles=5), broken) == 0


def test_the_descent_goes_on_while_a_neighbour_is_better() -> None:
    """From every corner to the one least point, of equal cycles that of the least area."""
    asked: list[AcceleratorConfig] = []

    def score(config: AcceleratorConfig) -> Evaluation:
        indices = TINY.indices(config)
        return evaluation(
            cycles=100 + sum(indices[1:]), area=0.1 * (1 + indices[0]), accelerator=config
        )

    def evaluate(configs: Sequence[AcceleratorConfig]) -> list[Evaluation]:
        asked.extend(configs)
        return [score(config) for config in configs]

    start = score(TINY.config([size - 1 for size in TINY.sizes]))
    best = descend(TINY, OBJECTIVE, start, evaluate)
    assert TINY.indices(best.accelerator) == (0,) * len(TINY.sizes)
    assert len(asked) > sum(TINY.sizes)
