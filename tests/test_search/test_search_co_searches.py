"""Every registered co-search: budgets, kills after any step, a fixed network, a fixed accelerator."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from project_root import ROOT
from sampled import sampled
from search.checkpoint import CheckpointStore
from search.driver import run_search
from search.experiment import load_experiment
from search.finalist import Finalist
from search.objective_settings import ObjectiveSettings
from search.strategies import CO_SEARCHES
from sim.cost.area import area
from sim.spec.errors import NotRealizableError
from small_co_searches import NETWORK, SMALL_FIELDS, small_experiment, small_settings

SOME_STRATEGIES = pytest.mark.parametrize(
    "strategy", sampled(CO_SEARCHES, lambda name: name not in ("nahas-joint", "nahas-phase"))
)
FEW_STRATEGIES = pytest.mark.parametrize(
    "strategy",
    # of those that learn, and of those that draw
    sampled(CO_SEARCHES, lambda name: name in ("rhnas", "dna", "two-level", "evolution")),
)


@pytest.mark.parametrize("strategy", CO_SEARCHES)
def test_there_is_an_example_on_digits(strategy: str) -> None:
    examples = map(load_experiment, sorted((ROOT / "examples").glob("digits*.toml")))
    mine = [example for example in examples if example.search.strategy == strategy]
    assert mine
    assert {example.task.name for example in mine} == {"digits"}


@pytest.mark.parametrize(
    "strategy",
    # of the others the tests of NAHAS kill searches after every step
    sampled(CO_SEARCHES, lambda name: name not in ("nahas-joint", "nahas-oneshot")),
)
def test_a_killed_co_search_goes_on_to_the_same_design(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the first step, after every second step then, and never in the same place twice."""
    experiment = small_experiment(strategy)
    whole = run_search(experiment, tmp_path / "whole", seed=3)
    before_final = [row for row in whole.history if row.phase != "final"]
    assert 2 < len(before_final) <= SMALL_FIELDS["budget"]
    save = CheckpointStore.save
    left = 1

    def failing(self: CheckpointStore, *arguments: Any) -> None:
        nonlocal left
        save(self, *arguments)
        left -= 1
        if not left:
            left = 2
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", failing)
    interrupts = 0
    while True:
        try:
            resumed = run_search(experiment, tmp_path / "cut", resume=True, seed=3)
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts >= 2
    assert resumed.history == whole.history
    assert resumed.trained_images == whole.trained_images
    for file in ("design.json", "weights.npz", "evaluations.jsonl"):
        cut, uncut = (tmp_path / folder / file for folder in ("cut", "whole"))
        assert cut.read_bytes() == uncut.read_bytes()


@pytest.mark.parametrize("strategy", CO_SEARCHES)
def test_a_budget_of_two_is_kept(strategy: str, tmp_path: Path) -> None:
    """No stage, and no way out at the end, spends a pair that the budget does not count."""
    exact = {"cost_model": "exact"} if strategy == "nahas-oneshot" else {}
    settings = small_settings(strategy, budget=2, **exact)
    result = run_search(small_experiment(strategy, search=settings), tmp_path, seed=3)
    assert len([row for row in result.history if row.phase != "final"]) <= 2


@SOME_STRATEGIES
def test_a_search_without_a_feasible_pair_ends_before_the_final_training(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Finalist, "epoch", lambda self: pytest.fail("trained"))
    experiment = small_experiment(strategy, objective=ObjectiveSettings(latency_budget_ms=1e-5))
    with pytest.raises(NotRealizableError, match=r"realizable and within .* budgets"):
        run_search(experiment, tmp_path, seed=3)


@FEW_STRATEGIES
def test_network_and_accelerator_may_be_fixed_both(strategy: str, tmp_path: Path) -> None:
    """A space of a single pair, which is trained and quantized."""
    experiment = small_experiment(strategy, network=replace(NETWORK, fixed="smallest"))
    fixed = replace(experiment, hardware=replace(experiment.hardware, fixed=True))
    result = run_search(fixed, tmp_path, seed=3)
    assert [row.accelerator for row in result.history] == [result.design.accelerator] * 2
    assert result.trained_images > 0


@FEW_STRATEGIES
def test_the_accelerator_may_be_fixed(strategy: str, tmp_path: Path) -> None:
    """A search of the network for the default, within the area that it would have."""
    experiment = small_experiment(strategy)
    fixed = replace(experiment, hardware=replace(experiment.hardware, fixed=True))
    space = experiment.hardware.hardware_space()
    result = run_search(fixed, tmp_path, seed=3)
    assert {row.accelerator for row in result.history} == {space.default}
    assert result.design.accelerator == space.default
    assert result.area_budget == area(space.default).total
    assert len({row.network for row in result.history}) > 3


@FEW_STRATEGIES
def test_the_network_may_be_fixed(strategy: str, tmp_path: Path) -> None:
    """A search of the accelerator, whose network is trained as another would be."""
    table = {"width0": 16, "expansion0": 2, "kernel1": 5, "head": 16}
    fixed = small_experiment(strategy, network=replace(NETWORK, fixed=table))
    result = run_search(fixed, tmp_path, seed=3)
    key = "w16-16_k3e2_k5e1_skip_h16"
    assert {row.network for row in result.history} == {key, "small"}
    assert result.architecture is not None
    assert result.architecture.key == key
    assert len({row.accelerator for row in result.history}) > 3
    feasible = [
        row for row in result.history if row.realizable and row["area"] <= result.area_budget
    ]
    assert result.best["cycles"] == min(row["cycles"] for row in feasible)
    assert result.trained_images > 0
