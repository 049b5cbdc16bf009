"""The judge of co-searches and its problems: every figure against all pairs of a small space."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cosilico import comparison_joint_run
from cosilico.comparison_joint_run import compare_on_truth, joint_target
from cosilico.comparison_joint_summary import JointRun, ProblemComparison
from cosilico.joint.judge import REFERENCE, JointJudge
from cosilico.joint.problem import JointProblem, StatedProblem
from cosilico.joint.problems import JUDGED, PROBLEMS, named_problem
from cosilico.joint.truth import JointTruth, read_truth
from cosilico.pinning import pinned_space
from joint_truth import write_joint_truth
from project_root import ROOT
from search.evaluator import Evaluation, Evaluator
from search.networks.cells import CellMember
from search.objective_settings import ObjectiveSettings
from search.strategies.joint_baseline_settings import JointRandomSettings
from sim.cost.area import area, area_budget
from sim.cost.objective import Objective
from sim.spec.errors import CosilicoError, NotRealizableError

STATED = StatedProblem(
    objective=ObjectiveSettings(latency_budget_ms=0.9, energy_budget_uj=400.0, cost_exponent=-0.02),
    area_budget=4.0,
    pins={"io_bandwidth_gbps": 1.6, "compute_lanes": 2},
)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> JointTruth:
    """Small truth whose default is so large that half of its area is enough for some accelerators."""
    small = read_truth(write_joint_truth(tmp_path_factory.mktemp("truth")))
    default = replace(small.space.default, local_memory_kb=64, compute_lanes=4)
    return replace(small, space=replace(small.space, default=default))


@pytest.fixture(scope="module")
def rows(truth: JointTruth) -> list[Evaluation]:
    """All pairs."""
    evaluator = Evaluator(truth.costs)
    return [
        row
        for name in truth.names
        for row in evaluator.evaluate(
            list(truth.space), truth.networks.network(CellMember(key=name)), phase="all"
        )
    ]


def posed(name: str, truth: JointTruth) -> JointProblem:
    return STATED.of(truth) if name == "stated" else named_problem(name, truth)


def allowed(rows: Sequence[Evaluation], problem: JointProblem) -> list[Evaluation]:
    """Feasible pairs with the pinned values."""
    return [
        row
        for row in rows
        if problem.objective.feasible(row)
        and all(getattr(row.accelerator, name) == value for name, value in problem.pins.items())
    ]


def by_hand(truth: JointTruth, problem: JointProblem, target: float, row: Evaluation) -> float:
    """Score of a feasible pair."""
    accuracy = truth.accuracies[truth.numbers[row.network]]
    cost = float(row["cycles"]) * (
        float(row["energy"]) if problem.objective.metric == "edp" else 1.0
    )
    return float(accuracy * (cost / target) ** problem.objective.cost_exponent)


def volume_by_hand(points: Sequence[tuple[float, float]]) -> float:
    """Area that some points beat, summed over the cells of the grid that they span."""
    inside = [point for point in points if max(point) < REFERENCE]
    first = sorted({x for x, _ in inside} | {REFERENCE})
    second = sorted({y for _, y in inside} | {REFERENCE})
    return sum(
        (b - a) * (d - c)
        for a, b in pairwise(first)
        for c, d in pairwise(second)
        if any(x <= a and y <= c for x, y in inside)
    )


@pytest.mark.parametrize("name", [*PROBLEMS, "stated"])
def test_every_figure_is_that_of_all_pairs(
    name: str, truth: JointTruth, rows: list[Evaluation]
) -> None:
    problem = posed(name, truth)
    objective = problem.objective
    target = joint_target(truth, problem)
    judge = JointJudge(truth, problem, target)
    pairs = allowed(rows, problem)
    assert 0 < len(pairs) < len(rows)
    scores = [by_hand(truth, problem, target, row) for row in pairs]
    best = max(scores)
    assert judge.optimum.score == pytest.approx(best, rel=1e-12)
    chosen = truth.space.at(judge.optimum.accelerator)
    (optimum,) = (
        row for row in pairs if (row.network, row.accelerator) == (judge.optimum.network, chosen)
    )
    assert by_hand(truth, problem, target, optimum) == pytest.approx(best, rel=1e-12)
    assert float(objective.cost(optimum)) == judge.optimum.cost
    ties = [row for row, score in zip(pairs, scores, strict=True) if score >= best * (1 - 1e-12)]
    assert judge.optimum.cost == min(float(objective.cost(row)) for row in ties)
    front = [
        row
        for row in pairs
        if not any(
            judge.accuracy(other.network) >= judge.accuracy(row.network)
            and objective.cost(other) <= objective.cost(row)
            and (judge.accuracy(other.network), objective.cost(other))
            != (judge.accuracy(row.network), objective.cost(row))
            for other in pairs
        )
    ]
    places = {(judge.accuracy(row.network), float(objective.cost(row))) for row in front}
    assert judge.front == len(places)
    for row, score in list(zip(pairs, scores, strict=True))[:: max(1, len(pairs) // 40)]:
        assert judge.score(row) == pytest.approx(score, rel=1e-12)
        assert judge.regret(score) == pytest.approx(1 - score / best, abs=1e-12)
        least = min(
            float(objective.cost(other))
            for other in pairs
            if judge.accuracy(other.network) >= judge.accuracy(row.network)
        )
        assert judge.excess(row) == float(objective.cost(row)) / least - 1
    right, wrong = max(places)[0], min(places)[0]
    cheap, dear = min(cost for _, cost in places), max(cost for _, cost in places)

    def scaled(row: Evaluation) -> tuple[float, float]:
        cost = math.log(float(objective.cost(row)) / cheap) / (math.log(dear / cheap) or 1.0)
        return (right - judge.accuracy(row.network)) / ((right - wrong) or 1.0), cost

    whole = volume_by_hand([scaled(row) for row in front])
    some = pairs[:: max(1, len(pairs) // 25)]
    shares = judge.volumes(some)
    for count, share in enumerate(shares, 1):
        expected = volume_by_hand([scaled(row) for row in some[:count]]) / whole
        assert share == pytest.approx(expected, abs=1e-12)
    assert judge.volumes([*some, *front])[-1] == pytest.approx(1.0)
    assert judge.front > 1
    assert judge.volumes(front[:1])[-1] < 1.0


def test_hypervolume_tells_what_the_pairs_of_a_front_are_worth(
    truth: JointTruth, rows: list[Evaluation]
) -> None:
    """Neither end of the front alone has most of it, as with a reference far behind."""
    problem = named_problem("trade", truth)
    judge = JointJudge(truth, problem, joint_target(truth, problem))
    pairs = allowed(rows, problem)
    cheapest = min(pairs, key=lambda row: float(problem.objective.cost(row)))
    best = max(pairs, key=lambda row: judge.accuracy(row.network))
    assert judge.volumes([cheapest])[-1] < 0.5
    assert judge.volumes([best])[-1] < 0.5


def test_problems_follow_from_the_front(truth: JointTruth, rows: list[Evaluation]) -> None:
    default = area_budget(truth.space)
    for name in PROBLEMS:
        problem = named_problem(name, truth)
        asked = PROBLEMS[name]
        objective = problem.objective
        assert objective.area_budget == pytest.approx(asked.area * default)
        assert set(problem.pins) == set(asked.pinned)
        assert all(getattr(truth.space.default, field) == value for field, value in problem.pins.items())  # fmt: skip
        free = replace(
            problem, objective=Objective(metric=asked.metric, area_budget=objective.area_budget)
        )
        pairs = allowed(rows, free)
        accuracies = np.array([truth.accuracies[truth.numbers[row.network]] for row in pairs])
        costs = np.array([float(objective.cost(row)) for row in pairs])
        front = [
            place
            for place in range(len(pairs))
            if not any((accuracies >= accuracies[place]) & (costs < costs[place]))
            and not any((accuracies > accuracies[place]) & (costs <= costs[place]))
        ]
        known = {(costs[place], accuracies[place]) for place in front}
        x, y = np.log(np.array(sorted(known))).T
        if asked.place is not None:
            cycles = math.exp(x[0] + asked.place * (x[-1] - x[0]))
            assert objective.cycles_budget == pytest.approx(cycles, rel=0.005)
            assert problem.is_accuracy
        elif asked.cost_exponent is None:
            slope = float(np.cov(x, y)[0, 1] / np.var(x, ddof=1))
            assert objective.cost_exponent == pytest.approx(-slope, abs=5e-5)
            assert objective.cost_exponent < 0
    assert named_problem("published", truth).objective.cost_exponent == -0.07
    assert "published" not in JUDGED


def test_a_stated_problem_is_that_of_an_experiment(truth: JointTruth) -> None:
    problem = STATED.of(truth)
    clock_mhz = truth.space.clock_mhz
    assert problem.objective == Objective(
        metric="latency",
        area_budget=4.0,
        cycles_budget=0.9e3 * clock_mhz,
        energy_budget=400e6,
        cost_exponent=-0.02,
    )
    space = problem.space(truth)
    assert {config.io_bandwidth_gbps for config in space} == {1.6}
    assert {config.compute_lanes for config in space} == {2}
    points = problem.points(truth)
    assert points is not None
    assert [truth.space.at(point) for point in points.tolist()] == list(space)
    assert StatedProblem().of(truth).objective.area_budget == area_budget(truth.space)


def test_problems_that_cannot_be_posed_are_told(truth: JointTruth) -> None:
    for pins, rule in (
        ({"bandwidth": 1.6}, r"^pin must be of pes_x, .*, not of 'bandwidth'$"),
        ({"io_bandwidth_gbps": 3.2}, r"^pin io_bandwidth_gbps must be one of 0\.8, 1\.6, not 3\.2$"),
    ):  # fmt: skip
        with pytest.raises(CosilicoError, match=rule):
            pinned_space(truth.space, pins)
    assert pinned_space(truth.space, {}) is truth.space
    with pytest.raises(CosilicoError, match=r"^problem must be one of tight, .*, not 'hard'$"):
        named_problem("hard", truth)
    smallest = min(area(config).total for config in truth.space)
    nothing = StatedProblem(area_budget=smallest / 2).of(truth)
    with pytest.raises(NotRealizableError, match=r"^joint enumeration must have a pair that is"):
        JointJudge(truth, nothing, 1.0)


def test_a_curve_counts_evaluations_and_trainings(
    truth: JointTruth, rows: list[Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair is known once it is evaluated and its network is looked up, whichever is later."""
    problem = named_problem("trade", truth)
    feasible = allowed(rows, problem)
    names = list(dict.fromkeys(row.network for row in feasible))[:3]
    spent = [next(row for row in feasible if row.network == name) for name in (*names, names[0])]
    others = [
        row for row in rows if row.network == names[0] and not problem.objective.feasible(row)
    ]
    history = [
        replace(row, index=index) for index, row in enumerate([*spent[:3], others[0], spent[1]])
    ]
    trainings = {names[1]: 0, names[0]: 2, names[2]: 5}
    made = SimpleNamespace(history=history, trainings=trainings, best=history[1])
    monkeypatch.setattr(comparison_joint_run, "_truth", [truth])
    monkeypatch.setattr(comparison_joint_run, "_judges", {})
    monkeypatch.setattr(comparison_joint_run, "co_search_in_memory", lambda *a, **k: made)
    record = compare_on_truth(problem, JointRandomSettings(budget=5), 0)
    judge = JointJudge(truth, problem, joint_target(truth, problem))
    # Evaluations and trainings after which each pair was known: of names[0] after two evaluations and two look-ups
    known = [(2, 1, history[1]), (2, 2, history[0]), (5, 2, history[4]), (5, 3, history[2])]
    scores = [(spent, trained, judge.score(row)) for spent, trained, row in known]
    for count in range(6):
        run = JointRun(strategy="random", seed=0, **record)
        for place, unit in ((0, "evaluations"), (1, "trainings")):
            reached = [entry[2] for entry in scores if entry[place] <= count]
            unit_name: Any = unit
            assert run.score_after(count, unit_name) == max(reached, default=0.0)
        pairs = [row for spent, _, row in known if spent <= count]
        assert run.volume_after(count) == (judge.volumes(pairs)[-1] if pairs else 0.0)
    assert (record["evaluations"], record["trainings"]) == (5, 3)
    assert record["over_budget"] + record["violations"] == 1
    design = record["design"]
    assert design["regret"] == judge.regret(judge.score(history[1]))
    assert design["excess_cost"] == judge.excess(history[1])
    assert design["accuracy_lost"] == judge.optimum.accuracy - judge.accuracy(names[1])


def test_regret_and_what_it_took_are_of_the_curves(truth: JointTruth) -> None:
    def run(seed: int, *curve: list[float], regret: float | None) -> JointRun:
        return JointRun(
            strategy="random",
            seed=seed,
            evaluations=10,
            trainings=4,
            violations=0,
            over_budget=0,
            curve=curve,
            volumes=[[3, 0.25], [7, 0.5]],
            design=None if regret is None else {"regret": regret, "excess_cost": 0.1},
        )

    judged = ProblemComparison(
        problem=named_problem("medium", truth),
        target=1.0,
        optimum={"score": 0.8},
        front=4,
        budget=100,
        runs=(run(0, [2, 1, 0.4], [6, 3, 0.79], regret=0.0125), run(1, regret=None)),
    )
    assert judged.regrets("random", 5).tolist() == [0.5, 1.0]
    assert judged.regrets("random", 6) == pytest.approx([0.0125, 1.0])
    assert judged.regrets("random", 2, "trainings").tolist() == [0.5, 1.0]
    assert judged.final_regrets("random") == [0.0125, 1.0]
    assert [judged.spent_within(each) for each in judged.runs] == [6, None]
    assert [judged.spent_within(each, "trainings") for each in judged.runs] == [3, None]
    first, second = judged.to_json()["strategies"]["random"]["searches"]
    assert first["regret"] == {"50": pytest.approx(0.0125), "100": pytest.approx(0.0125), "end": pytest.approx(0.0125)}  # fmt: skip
    assert first["hypervolume"]["end"] == 0.5
    assert second["regret"]["end"] == second["regret_by_trainings"]["50"] == 1.0
    assert (second["evaluations_within"], second["design"]) == (None, None)


def test_hardness_is_counted_over_all_pairs(truth: JointTruth, rows: list[Evaluation]) -> None:
    script = import_module("joint_problems")
    for name in ("trade", "medium", "pinned"):
        problem = named_problem(name, truth)
        target = joint_target(truth, problem)
        row = script.hardness(truth, problem)
        pairs = allowed(rows, problem)
        scores = [by_hand(truth, problem, target, pair) for pair in pairs]
        near = [
            pair for pair, score in zip(pairs, scores, strict=True) if score >= 0.98 * max(scores)
        ]
        assert row["networks_within"] == len({pair.network for pair in near})
        assert row["accelerators_within"] == len({pair.accelerator for pair in near})
        assert (row["pairs_within"], row["pairs_feasible"]) == (len(near), len(pairs))
        total = len(truth.names) * len(problem.space(truth))
        assert row["pairs_allowed"] == total
        missed = 1 - len(near) / total
        assert missed ** row["random_pairs"] <= 0.5 < missed ** (row["random_pairs"] - 1)
    assert not script.is_telling({"networks_within": 19}, 5000)
    assert script.is_telling({"networks_within": 20}, 5000)
    assert not script.is_telling({"networks_within": 2501}, 5000)


def test_judged_problems_tell_strategies_apart() -> None:
    """By the counts that are kept of all pairs of NAS-Bench-201; the problem of NAHAS's exponent does not."""
    script = import_module("joint_problems")
    content = json.loads((ROOT / "benchmarks" / "joint_problems.json").read_text())
    assert list(content["problems"]) == list(PROBLEMS)
    for name, row in content["problems"].items():
        assert row["judged"] == (name in JUDGED)
        assert script.is_telling(row, content["networks"]) == row["judged"], name
        assert row["metric"] == PROBLEMS[name].metric
