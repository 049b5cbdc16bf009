"""Every strategy for a given network: its budget, its polish, and that a kill changes nothing."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from search.checkpoint import CheckpointStore
from search.driver import run_hardware_search
from search.evaluator import BudgetSpent, Evaluator
from search.in_memory import search_in_memory
from search.result import SearchResult
from search.strategies import HARDWARE_SEARCHES
from search.strategies.baseline_settings import ExhaustiveSettings
from search.strategies.budget_settings import BudgetSettings
from search.tabulated import TabulatedCosts, arrays_of, table_of
from sim.cost.area import area
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.networks.named import named_network
from sim.spec.errors import DesignFileError
from sim.spec.network import Network
from sim.spec.spaces import TINY
from small_spaces import SMALL

SEARCHES = tuple(name for name in HARDWARE_SEARCHES if name != "amortized")  # it draws nothing
SAMPLED = tuple(name for name in SEARCHES if name not in ("certified", "exhaustive"))


@pytest.fixture(scope="module")
def network() -> Network:
    return named_network("autoencoder")


@pytest.fixture(scope="module")
def costs(network: Network) -> TabulatedCosts:
    return TabulatedCosts(SMALL, network, evaluate_many(tuple(SMALL), network))


def settings_of(name: str, **fields: Any) -> BudgetSettings:
    """Settings of a small search."""
    if name == "hardware":
        fields = {"updates": 40, "designs_per_update": 8} | fields
    if name in ("evolution", "nsga-ii"):
        fields = {"population": 8} | fields
    if name == "evolution":
        fields = {"sample": 3} | fields
    kind: Any = HARDWARE_SEARCHES[name].settings
    made: BudgetSettings = kind(**{"polish": False, "budget": 40, "metric": "edp"} | fields)
    return made


def search(
    network: Network, out: Path, costs: TabulatedCosts, settings: BudgetSettings, **options: Any
) -> SearchResult:
    options = {"seed": 3} | options
    return run_hardware_search(network, SMALL, out, settings=settings, costs=costs, **options)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_killed_search_goes_on_to_the_same_result(
    name: str,
    network: Network,
    costs: TabulatedCosts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after each of the first steps, and once again in the polish."""
    settings = settings_of(name, polish=True, budget=60)
    whole = search(network, tmp_path / "whole", costs, settings)
    save = CheckpointStore.save
    left = [1, 2, 3]

    def failing(self: CheckpointStore, *arguments: Any) -> None:
        save(self, *arguments)
        if left:
            left[0] -= 1
            if not left[0]:
                left.pop(0)
                raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", failing)
    interrupts = 0
    while True:
        try:
            resumed = search(network, tmp_path / "cut", costs, settings, resume=True)
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts >= 2
    assert resumed.history == whole.history
    for file in ("design.json", "evaluations.jsonl"):
        cut, uncut = (tmp_path / folder / file for folder in ("cut", "whole"))
        assert cut.read_bytes() == uncut.read_bytes()


@pytest.mark.parametrize("name", SAMPLED)
def test_the_budget_counts_every_evaluation_alike(
    name: str, network: Network, costs: TabulatedCosts
) -> None:
    objective = Objective(metric="edp", area_budget=area(SMALL.default).total)
    settings = settings_of(name)
    history = search_in_memory(network, SMALL, objective, settings, costs, seed=3)
    if name == "cma-es":  # its steps become too small to reach another point
        assert 10 < len(history) <= 40
    else:
        assert len(history) == 40
    assert len({row.accelerator for row in history}) == len(history)
    assert history[0].accelerator == SMALL.default
    assert not any(row.phase == "polish" for row in history)
    other = search_in_memory(network, SMALL, objective, settings, costs, seed=4)
    assert [row.accelerator for row in other] != [row.accelerator for row in history]
    longer = dataclasses.replace(settings, budget=50)
    again = search_in_memory(network, SMALL, objective, longer, costs, seed=3)
    assert list(again[: len(history)]) == list(history)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_polish_has_the_second_half_of_the_budget(
    name: str, network: Network, costs: TabulatedCosts
) -> None:
    objective = Objective(metric="edp", area_budget=area(SMALL.default).total)
    plain = search_in_memory(network, SMALL, objective, settings_of(name), costs, seed=4)
    polished = search_in_memory(
        network, SMALL, objective, settings_of(name, polish=True), costs, seed=4
    )
    searched = [row for row in polished if row.phase != "polish"]
    assert searched == list(plain[:20])
    assert 20 < len(polished) <= 40
    feasible = [row for row in polished if objective.feasible(row)]
    best = min(feasible, key=objective.rank)
    if len(polished) < 40:  # it has ended at a local optimum
        chosen = SMALL.indices(best.accelerator)
        known = {row.accelerator: row for row in polished}
        for field, size in enumerate(SMALL.sizes):
            for index in set(range(size)) - {chosen[field]}:
                point = SMALL.config([*chosen[:field], index, *chosen[field + 1 :]])
                neighbour = known[point]
                assert not objective.feasible(neighbour) or (
                    objective.rank(neighbour) >= objective.rank(best)
                )


def test_an_exhaustive_search_evaluates_all_points(
    network: Network, costs: TabulatedCosts, tmp_path: Path
) -> None:
    result = search(network, tmp_path, costs, ExhaustiveSettings(metric="edp"))
    assert {row.accelerator for row in result.history} == set(SMALL)
    objective = Objective(metric="edp", area_budget=result.area_budget)
    optimum = objective.best(costs.table)
    assert optimum is not None
    assert objective.cost(result.best) == objective.cost(costs.table)[optimum]


def test_files_and_memory_give_the_same_search(
    network: Network, costs: TabulatedCosts, tmp_path: Path
) -> None:
    settings = settings_of("evolution", polish=True)
    result = search(network, tmp_path, costs, settings)
    objective = Objective(metric="edp", area_budget=result.area_budget)
    history = search_in_memory(network, SMALL, objective, settings, costs, seed=3)
    assert list(history) == list(result.history)


def test_an_evaluator_spends_what_its_limit_leaves(network: Network) -> None:
    evaluator = Evaluator()
    evaluator.limit = 3
    points = [SMALL.at(i) for i in range(5)]
    evaluator.evaluate([points[0], points[0]], network, phase="a")
    with pytest.raises(BudgetSpent):
        evaluator.evaluate(points, network, phase="b")
    assert [row.accelerator for row in evaluator.records] == points[:3]
    assert len(evaluator.evaluate(points[:3], network, phase="c")) == 3
    with pytest.raises(BudgetSpent):
        evaluator.evaluate(points[3:], network, phase="d")
    evaluator.limit = None
    assert len(evaluator.evaluate(points, network, phase="e")) == 5


def test_a_table_answers_as_the_model(network: Network, costs: TabulatedCosts) -> None:
    configs = [SMALL.at(i) for i in (5, 77, 300)]
    exact, looked_up = evaluate_many(configs, network), costs(configs, network)
    for column, values in exact.values.items():
        assert values.tolist() == looked_up[column].tolist()
    kept = table_of(SMALL, arrays_of(costs.table))
    assert kept.realizable.tolist() == costs.table.realizable.tolist()
    assert kept["cycles"].tolist() == costs.table["cycles"].tolist()
    assert [len(codes) for codes in kept.violations] == list(map(len, costs.table.violations))


def test_a_table_of_something_else_is_refused(network: Network, costs: TabulatedCosts) -> None:
    with pytest.raises(ValueError, match=r"^table must have 115200 rows, not 648$"):
        TabulatedCosts(TINY, network, costs.table)
    with pytest.raises(ValueError, match=r"^network must be 'autoencoder', not 'resnet8'$"):
        costs([SMALL.default], named_network("resnet8"))
    with pytest.raises(DesignFileError, match=r"^area of a cost table must have 115200 numbers$"):
        table_of(TINY, arrays_of(costs.table))
