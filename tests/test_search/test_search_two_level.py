"""Two-level co-exploration: what is pruned, what is trained, and what teaches the controller."""

import math
from typing import Any

import numpy as np
import pytest

from project_root import ROOT
from search.evaluator import Evaluator
from search.experiment import load_experiment
from search.loading import load_family, load_task
from search.strategies.protocol import CoSearchProblem
from search.strategies.settings import TRAINING
from search.strategies.two_level import TwoLevel
from search.strategies.two_level_settings import REFINEMENT, TwoLevelSettings
from sim.cost.area import area_budget
from sim.cost.objective import Objective
from small_co_searches import small_experiment


def search(cycles_budget: float = math.inf, **fields: Any) -> TwoLevel:
    experiment = small_experiment("two-level")
    task = load_task(experiment)
    space = experiment.hardware.hardware_space()
    problem = CoSearchProblem(
        hardware=space,
        objective=Objective(
            metric="latency", area_budget=area_budget(space), cycles_budget=cycles_budget
        ),
        evaluator=Evaluator(),
        seed=2,
        name="small",
        task=task,
        networks=load_family(experiment, task),
        train=experiment.train,
    )
    return TwoLevel(problem, TwoLevelSettings(child_epochs=1, child_share=0.1, **fields))


def test_networks_that_miss_the_specification_are_not_trained() -> None:
    """An accelerator is searched for all that are drawn; nothing else is spent on what is pruned."""
    chosen = search(cycles_budget=100.0, candidates=4, hardware_samples=5)
    chosen.episode()
    assert not chosen.proxy.accuracies
    assert chosen.children_images == 0
    networks = {row.network for row in chosen.evaluator.records}
    assert 2 <= len(networks) <= 4
    assert {row.phase for row in chosen.evaluator.records} == {"fast"}
    assert all(row.cycles > 100 for row in chosen.evaluator.records if row.realizable)


def test_an_episode_ends_with_its_survivors() -> None:
    """Everything meets a loose specification: as many are trained as may survive, and no more are drawn."""
    chosen = search(cycles_budget=1e9, candidates=6, survivors=2, hardware_samples=4)
    chosen.episode()
    assert len({row.network for row in chosen.evaluator.records}) == 2
    assert len(chosen.proxy.accuracies) == 2
    assert chosen.children_images == chosen.proxy.trained_images > 0
    known = {row.accuracy for row in chosen.evaluator.records if row.phase == "slow"}
    assert known == set(chosen.proxy.accuracies.values())
    assert chosen.best_known() is not None


def test_the_fast_reward_is_the_distance_from_the_specification() -> None:
    chosen = search(cycles_budget=5000.0)
    (row,) = chosen.evaluate(chosen.most_probable, [chosen.hardware.default], "a")
    for budget, expected in (
        (row.cycles, 0.0),
        (2 * row.cycles, 0.0),
        (row.cycles / 2, -0.5),
        (row.cycles / 4, -0.75),
    ):
        other = search(cycles_budget=budget)
        assert other.fast_reward(row) == pytest.approx(expected)
    broken = type(row)(**{name: getattr(row, name) for name in row.__slots__} | {
        "violations": ("MAP_TILE",), "excess": 1.0
    })  # fmt: skip
    assert -3 < chosen.fast_reward(broken) < -1


@pytest.mark.long
def test_the_fast_level_teaches_the_controller_to_stay_within_the_specification() -> None:
    """Without any training: networks that are too slow become less probable.

    Long: the controller learns from the slow level in a test that always runs.
    """
    chosen = search(candidates=1, hardware_samples=1)
    random = np.random.default_rng(0)
    sizes = chosen.network_sizes

    def cycles(action: np.ndarray[Any, Any]) -> float:
        member = chosen.member(action.tolist())
        (row,) = chosen.evaluate(member, [chosen.hardware.default], "a")
        return float(row.cycles)

    drawn = [cycles(random.integers(0, sizes)) for _ in range(40)]
    limit = float(np.quantile(drawn, 0.3))
    chosen = search(cycles_budget=limit, candidates=8, survivors=8, hardware_samples=1)
    chosen.proxy.accuracy = lambda architecture: 0.5  # type: ignore[method-assign]  # no training

    def share() -> float:
        actions = chosen.controller.draw(40, chosen.generator)
        return float(np.mean([cycles(action) <= limit for action in actions]))

    before = share()
    for _ in range(20):
        chosen.episode()
    assert before < 0.6
    assert share() > 0.9


def test_the_slow_level_makes_accurate_networks_more_probable() -> None:
    """All cost about the same to the score, and one choice of the first decision is accurate."""
    chosen = search(cycles_budget=1e9, candidates=2, survivors=2, hardware_samples=1)
    first = next(iter(chosen.networks.decisions))
    chosen.proxy.accuracy = lambda architecture: (  # type: ignore[method-assign]  # no training
        0.9 if chosen.networks.choices(architecture)[first] == 1 else 0.3
    )
    for _ in range(40):
        chosen.episode()
    drawn = chosen.controller.draw(50, chosen.generator)[:, 0]
    assert (drawn == 1).mean() > 0.9
    assert chosen.most_probable.widths[0] == 16


def test_the_step_size_is_halved() -> None:
    chosen = search(cycles_budget=100.0, candidates=1, hardware_samples=1, halving=2)
    steps = []
    for _ in range(5):
        chosen.episode()
        steps.append(chosen._optimizer.param_groups[0]["lr"])
    assert steps == [0.002, 0.002, 0.001, 0.001, 0.0005]


def test_the_refinement_keeps_a_part_of_the_budget() -> None:
    settings = TwoLevelSettings(budget=100, refine_samples=10)
    limits = [settings.limit(stage) for stage in ("episodes", REFINEMENT, TRAINING)]
    assert limits == [90, 100, None]
    assert TwoLevelSettings(budget=20).limit("episodes") == 15
    assert TwoLevelSettings().limit("episodes") is None


def test_the_refinement_improves_the_accelerator_of_the_chosen_network() -> None:
    chosen = search(cycles_budget=1e9, candidates=1, hardware_samples=1, refine_samples=60)
    chosen._point = (0,) * len(chosen.hardware.sizes)
    chosen.episode()
    before = chosen.best_accelerator(chosen.architecture)
    chosen.search_step(REFINEMENT)
    after = chosen.best_accelerator(chosen.architecture)
    assert before is not None
    assert after is not None
    assert after.cycles < before.cycles


def test_the_example_names_the_strategy() -> None:
    chosen = load_experiment(ROOT / "examples" / "digits_two_level.toml")
    assert chosen.search.strategy == "two-level"
    assert chosen.objective.latency_budget_ms is not None
