"""Baselines of co-search: which pairs they choose, and that the best of these is the result."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from search.driver import run_search
from search.evaluator import Evaluator
from search.loading import load_family, load_task
from search.objective_settings import ObjectiveSettings
from search.shared_training import SharedTraining
from search.space_settings import HardwareSpaceSettings
from search.strategies import CO_SEARCHES
from search.strategies.joint_baseline import JointBaseline
from search.strategies.protocol import CoSearchProblem
from sim.spec.errors import NotRealizableError
from small_co_searches import small_experiment, small_settings

BASELINES = ("random", "evolution", "local-search", "tpe", "nsga-ii")


def baseline(strategy: str, **sections: Any) -> JointBaseline:
    experiment = small_experiment(strategy, **sections)
    space = experiment.hardware.hardware_space()
    task = load_task(experiment)
    problem = CoSearchProblem(
        hardware=space,
        objective=experiment.objective.objective(space),
        evaluator=Evaluator(),
        seed=5,
        name="small",
        task=task,
        networks=load_family(experiment, task),
        train=experiment.train,
    )
    made: Any = CO_SEARCHES[strategy].make(problem, experiment.search)
    assert isinstance(made, JointBaseline)
    return made


def test_every_choice_is_as_probable_as_any_other() -> None:
    search = baseline("random")
    pairs = [search.drawn_pair() for _ in range(3000)]
    decisions = list(search.networks.decisions)
    for place, size in enumerate(search.hardware.sizes):
        counts = Counter(pair.accelerator[place] for pair in pairs)
        assert len(counts) == size
        assert all(abs(count - 3000 / size) < 5 * (3000 / size) ** 0.5 for count in counts.values())
    for name in ("width0", "width1", "expansion2", "head"):
        size = len(search.networks.decisions[name])
        counts = Counter(pair.network[decisions.index(name)] for pair in pairs)
        assert len(counts) == size
        assert all(abs(count - 3000 / size) < 5 * (3000 / size) ** 0.5 for count in counts.values())


def test_a_mutant_differs_in_one_decision_or_in_one_field() -> None:
    """Were a block that is left out known by a kernel too, its mutants would be the network itself."""
    search = baseline("evolution")
    decisions = list(search.networks.decisions)
    pair = search.drawn_pair()
    changed: Counter[str] = Counter()
    for _ in range(600):
        before, pair = pair, search.mutant(pair)
        names = [
            name
            for name, was, now in zip(decisions, before.network, pair.network, strict=True)
            if was != now
        ]
        fields = [
            name
            for name, was, now in zip(
                search.hardware.values, before.accelerator, pair.accelerator, strict=True
            )
            if was != now
        ]
        skipped = decisions.index("expansion2")
        if names == ["kernel2", "expansion2"]:  # a block that is left out has the first kernel
            assert 0 in (before.network[skipped], pair.network[skipped])
            names = ["expansion2"]
        assert len(names) + len(fields) == 1
        keys = {
            search.networks.architecture(dict(zip(decisions, each.network, strict=True))).key
            for each in (before, pair)
        }
        assert len(keys) == 1 + len(names)
        changed.update([*names, *fields])
    assert set(changed) == {*decisions, *search.hardware.values} - {
        name for name, values in search.networks.decisions.items() if len(values) == 1
    } - {name for name, values in search.hardware.values.items() if len(values) == 1}


@pytest.mark.parametrize("strategy", BASELINES)
def test_the_result_is_the_pair_of_the_best_score(strategy: str, tmp_path: Path) -> None:
    """The score is computed again from the log alone."""
    result = run_search(small_experiment(strategy), tmp_path, seed=2)
    rows = [json.loads(line) for line in (tmp_path / "evaluations.jsonl").read_text().splitlines()]
    (reference,) = (row for row in rows if row["phase"] == "reference")
    scores = {
        (row["network"], row["index"]): (
            row["accuracy"] * (row["cycles"] / reference["cycles"]) ** -0.07,
            -row["area"],
        )
        for row in rows
        if row["phase"] == strategy and not row["violations"] and row["area"] <= result.area_budget
    }
    network, index = max(scores, key=lambda key: scores[key])
    assert result.architecture is not None
    assert result.architecture.key == network
    assert result.best.accelerator.to_json() == rows[index]["accelerator"]
    other = run_search(small_experiment(strategy), tmp_path / "other", seed=4)
    assert other.history != result.history


def test_evolution_is_the_algorithm_of_its_paper() -> None:
    """Algorithm 1, written down again with the draws that the search makes."""
    settings = small_settings("evolution", population=5, sample=3, budget=1000)
    search, twin = (baseline("evolution", search=settings) for _ in range(2))
    for _ in range(3):
        search.pairs_step()
    population = [twin.drawn_pair() for _ in range(5)]
    scores = [twin.merit(pair, "evolution") for pair in population]
    for _ in range(10):
        sample = twin.dice.random.integers(5, size=3)
        parent = population[max(sample, key=lambda i: scores[i])]
        child = twin.mutant(parent)
        population = [*population[1:], child]
        scores = [*scores[1:], twin.merit(child, "evolution")]
    assert search.evaluator.records == twin.evaluator.records
    members = [[list(pair.network), list(pair.accelerator)] for pair in population]
    assert [member[:2] for member in search.search_state()["population"]] == members


def test_a_search_without_a_feasible_pair_says_so(tmp_path: Path) -> None:
    experiment = small_experiment("random", hardware=HardwareSpaceSettings(area_budget=1e-3))
    message = (
        r"^no pair of 24 evaluated ones is realizable and within the budgets of the objective$"
    )
    with pytest.raises(NotRealizableError, match=message):
        run_search(experiment, tmp_path, seed=2)


def test_finalists_are_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the weights as they are in the end: an accuracy of an earlier epoch does not decide."""
    search = baseline("random")
    known = [search.drawn_pair() for _ in range(12)]
    monkeypatch.setattr(SharedTraining, "accuracy", lambda self, architecture: 0.5)
    for pair in known:
        search.merit(pair, "random")
    rows = [row for row in search.evaluator.records if search.objective.feasible(row)]
    assert len({row.network for row in rows}) > 2
    cheapest = min(rows, key=search.objective.rank)
    assert search.best_known().key == cheapest.network
    dearest = max(rows, key=search.objective.rank)
    monkeypatch.setattr(
        SharedTraining,
        "accuracy",
        lambda self, architecture: 0.9 if architecture.key == dearest.network else 0.1,
    )
    assert search.best_known().key == dearest.network
    assert search.refined.key == dearest.network
    monkeypatch.setattr(SharedTraining, "accuracy", lambda self, architecture: 0.5)
    assert search.refined.key == dearest.network  # it stays what it was when refinement began
    resumed = baseline("random")
    resumed.evaluator = search.evaluator
    resumed.load_state_dict(search.state_dict())
    assert resumed.best_known().key == cheapest.network
    assert resumed.refined.key == dearest.network


@pytest.mark.parametrize(("exponent", "wanted"), [(0.0, "accurate"), (-2.0, "fast")])
def test_the_exponent_says_what_accuracy_is_worth(
    exponent: float, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = baseline("random", objective=ObjectiveSettings(cost_exponent=exponent))
    for pair in [search.drawn_pair() for _ in range(12)]:
        search.evaluate(search._architecture(pair), [search.hardware.default], "random", 0.5)
    rows = [row for row in search.evaluator.records if search.objective.feasible(row)]
    fast, accurate = min(rows, key=lambda row: row.cycles), max(rows, key=lambda row: row.cycles)
    assert accurate.cycles > 1.2 * fast.cycles
    monkeypatch.setattr(
        SharedTraining,
        "accuracy",
        lambda self, architecture: 0.6 if architecture.key == accurate.network else 0.5,
    )
    _ = search.weights  # so that they are measured again
    chosen = {"accurate": accurate.network, "fast": fast.network}[wanted]
    assert search.best_known().key == chosen
