"""Restarts of co-searches: the budget is spent, the best of all is the result, and a kill changes nothing."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from known_cells import cell_costs, known_cells
from sampled import sampled
from search.checkpoint import CheckpointStore
from search.driver import run_search
from search.finalist import FINAL
from search.in_memory import CoSearched, co_search_in_memory
from search.strategies import CO_SEARCHES
from search.strategies.dna_settings import DnaSettings
from search.strategies.nahas_settings import (
    NahasJointSettings,
    NahasOneshotSettings,
    NahasPhaseSettings,
)
from search.strategies.rhnas_settings import RhnasSettings
from search.strategies.settings import RESTARTS, TRAINING, PairBudgetSettings
from search.strategies.two_level_settings import TwoLevelSettings
from sim.cost.area import area_budget
from sim.cost.objective import Objective
from sim.spec.spaces import TINY
from small_co_searches import small_experiment, small_settings

OBJECTIVE = Objective(metric="latency", area_budget=area_budget(TINY))
PAIR = replace(
    TINY, values={name: (getattr(TINY.default, name),) for name in TINY.values} | {"pes_x": (1, 2)}
)
"""Two accelerators."""

BRIEF = {
    "trials": 12,
    "episodes": 2,
    "refine_samples": 4,
    "rounds": 2,
    "pretraining_updates": 1,
    "refine_updates": 1,
    "designs_per_update": 4,
    "networks_per_update": 2,
    "polish": False,
    "labels": 12,
    "cost_epochs": 2,
    "epochs": 1,
    "candidates": 6,
    "hardware_samples": 3,
}
"""Settings with which searches end early."""

ENDED_EARLY = ("rhnas", "nahas-joint", "nahas-oneshot", "nahas-phase", "two-level")


def searched(strategy: str, budget: int, *, restarts: bool, space: Any = TINY) -> CoSearched:
    kind: Any = CO_SEARCHES[strategy].settings
    short = {entry.name: BRIEF[entry.name] for entry in fields(kind) if entry.name in BRIEF}
    settings: PairBudgetSettings = kind(**short | {"budget": budget, "restarts": restarts})
    return co_search_in_memory(
        known_cells(), space, OBJECTIVE, settings, cell_costs, seed=1, steps=2
    )


def spent(made: CoSearched) -> int:
    return len([row for row in made.history if row.phase != FINAL])


@pytest.mark.parametrize("strategy", CO_SEARCHES)
def test_restarts_spend_the_budget(strategy: str) -> None:
    budget = 200
    once = searched(strategy, budget, restarts=False)
    made = searched(strategy, budget, restarts=True)
    assert 0.95 * budget <= spent(made) <= budget
    assert len(made.trainings) <= budget
    if strategy in ENDED_EARLY:
        assert spent(once) < 0.75 * budget
        own = [(row.network, row.accelerator) for row in once.history if row.phase != FINAL]
        assert [(row.network, row.accelerator) for row in made.history][: len(own)] == own


@pytest.mark.parametrize("strategy", sampled(ENDED_EARLY, lambda name: name == "two-level"))
def test_restarts_end_where_all_pairs_are_known(strategy: str) -> None:
    pairs = known_cells().size * len(PAIR)
    made = searched(strategy, 20 * pairs, restarts=True, space=PAIR)
    assert 0.5 * pairs < spent(made) <= pairs


def test_restarts_have_other_seeds_and_the_best_pair_of_all() -> None:
    """After searches of a single update, a later search is better than the first with some seeds."""
    networks, later = known_cells(), 0
    for seed in range(4):
        results = []
        for restarts in (False, True):
            settings = NahasJointSettings(trials=12, budget=150, restarts=restarts)
            results.append(
                co_search_in_memory(
                    networks, TINY, OBJECTIVE, settings, cell_costs, seed=seed, steps=2
                )
            )
        made = results[1]
        assert made.best is not None
        assert len({row.accelerator for row in made.history}) > 100
        target = 1e6  # any: the exponent alone decides
        scores = [
            0.0
            if each.best is None
            else networks.known_accuracy(each.architecture) * (each.best.cycles / target) ** -0.07
            for each in results
        ]
        assert scores[1] >= scores[0]
        later += scores[1] > scores[0]
    assert later >= 2


def test_a_restart_has_its_share_of_what_is_left() -> None:
    assert [DnaSettings(budget=1000).limit("co-search", spent) for spent in (0, 600)] == [750, 900]
    assert [RhnasSettings(budget=1000).limit("pretraining", spent) for spent in (0, 500)] == [
        200,
        600,
    ]
    assert [NahasPhaseSettings(budget=99).limit("hardware", spent) for spent in (0, 50)] == [50, 75]
    assert [TwoLevelSettings(budget=1000).limit("episodes", spent) for spent in (0, 800)] == [
        900,
        950,
    ]
    assert [NahasOneshotSettings(budget=1000).limit("labels", spent) for spent in (0, 980)] == [
        966,
        990,
    ]
    for entry in CO_SEARCHES.values():
        kind: Any = entry.settings
        assert kind(budget=1000).limit(RESTARTS) == 1000
        assert kind(budget=1000).limit(TRAINING, 100) is None
    assert RhnasSettings(budget=1000).restarted(640).designs_per_update == 10
    assert NahasOneshotSettings().spending(9000).labels == 9000


def test_restarts_without_a_budget_are_refused() -> None:
    message = r"^restarts must be false where budget is 0, not True$"
    for kind in (RhnasSettings, NahasOneshotSettings):
        with pytest.raises(ValueError, match=message):
            kind(restarts=True)


@pytest.mark.parametrize(
    "strategy", sampled(ENDED_EARLY, lambda name: name in ("two-level", "nahas-joint"))
)
def test_a_killed_search_goes_on_in_the_same_restart(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With networks that are trained: killed after every third step, and never in the same place twice."""
    brief = {"trials": 6, "episodes": 1, "rounds": 1, "refine_samples": 2, "pretraining_updates": 1}
    kind: Any = CO_SEARCHES[strategy].settings
    short = {name: value for name, value in brief.items() if name in {x.name for x in fields(kind)}}
    settings: Any = small_settings(strategy, **short | {"budget": 30, "restarts": True})
    experiment = small_experiment(strategy, search=settings)
    whole = run_search(experiment, tmp_path / "whole", seed=3)
    once = replace(experiment, search=replace(settings, restarts=False))
    assert spent_of(run_search(once, tmp_path / "once", seed=3)) < spent_of(whole) <= 30
    save = CheckpointStore.save
    left = 1

    def failing(self: CheckpointStore, *arguments: Any) -> None:
        nonlocal left
        save(self, *arguments)
        left -= 1
        if not left:
            left = 3
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", failing)
    interrupts = 0
    while True:
        try:
            resumed = run_search(experiment, tmp_path / "cut", resume=True, seed=3)
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts >= 3
    assert resumed.history == whole.history
    assert resumed.trained_images == whole.trained_images
    for file in ("design.json", "weights.npz", "evaluations.jsonl"):
        cut, uncut = (tmp_path / folder / file for folder in ("cut", "whole"))
        assert cut.read_bytes() == uncut.read_bytes()


def spent_of(result: Any) -> int:
    return len([row for row in result.history if row.phase != FINAL])
