"""Fronts that are kept: they judge as all pairs do, and are refused where they are of something else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cosilico import comparison_joint
from cosilico.cli import main
from cosilico.comparison_joint_run import joint_target
from cosilico.joint import kept, source
from cosilico.joint.judge import JointJudge
from cosilico.joint.kept import KEPT, front_file, read_kept, write_kept
from cosilico.joint.problem import StatedProblem
from cosilico.joint.problems import PROBLEMS, named_problem
from cosilico.joint.truth import JointTruth, read_truth
from joint_truth import write_trained_truth
from search.evaluator import Evaluator
from search.objective_settings import ObjectiveSettings
from searches_here import here
from sim.spec.errors import CosilicoError, DesignFileError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trained_truth(tmp_path_factory.mktemp("truth"))


@pytest.fixture(scope="module")
def truth(folder: Path) -> JointTruth:
    return read_truth(folder)


@pytest.fixture
def front(truth: JointTruth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Front of the small truth, as if its table were a benchmark of the project."""
    monkeypatch.setattr(kept, "KEPT", (truth.benchmark,))
    monkeypatch.setattr(source, "KEPT", (truth.benchmark,))
    path = tmp_path / "front.json"
    monkeypatch.setattr(kept, "front_file", lambda benchmark: path)
    monkeypatch.setattr(source, "front_file", lambda benchmark: path)
    write_kept(truth, path)
    return path


def test_a_kept_front_judges_as_all_pairs_do(truth: JointTruth, front: Path) -> None:
    space = read_kept(truth.benchmark)
    assert not isinstance(space, JointTruth)
    assert (space.names, space.pairs, space.family) == (truth.names, truth.pairs, truth.family)
    assert_array_equal(space.accuracies, truth.accuracies)
    for kept_pairs, pairs in ((space.front, truth.front), (space.sample, truth.sample)):
        assert_array_equal(kept_pairs.network, pairs.network)
        assert_array_equal(kept_pairs.accelerator, pairs.accelerator)
        for column in ("cycles", "energy", "area"):
            assert_array_equal(kept_pairs[column], pairs[column])
    posed = [name for name in PROBLEMS if name not in ("small", "pinned")]
    problems = [
        *(named_problem(name, truth) for name in posed),
        StatedProblem(objective=ObjectiveSettings(metric="energy")).of(truth),
    ]
    assert [named_problem(each.name, space) for each in problems[:-1]] == problems[:-1]
    for problem in problems:
        objective = problem.objective
        target = joint_target(truth, problem)
        assert joint_target(space, problem) == target
        judge, other = (JointJudge(each, problem, target) for each in (space, truth))
        assert judge.optimum == other.optimum
        assert judge.front == other.front
        feasible = [np.asarray(objective.feasible(truth.of_network(n))) for n in range(4)]
        rows = [
            Evaluator(truth.costs).evaluate(
                [truth.space.at(int(np.flatnonzero(some)[0]))],
                truth.networks.network(_member(truth, number)),
                phase="all",
            )[0]
            for number, some in enumerate(feasible)
            if some.any()
        ]
        assert rows
        assert [judge.excess(row) for row in rows] == [other.excess(row) for row in rows]
        assert judge.volumes(rows) == other.volumes(rows)
    line = r"^pins must be judged by all pairs, a folder of cosilico joint, not by the front of "
    with pytest.raises(CosilicoError, match=line):
        named_problem("pinned", space)


def test_pairs_of_a_kept_front_are_predicted(truth: JointTruth, front: Path) -> None:
    space = read_kept(truth.benchmark)
    configs = list(truth.space)
    network = truth.networks.network(_member(truth, 2))
    known, predicted = truth.costs(configs, network), space.costs(configs, network)
    assert known.violations == predicted.violations
    for column in ("cycles", "energy", "area"):
        assert_array_equal(known[column], predicted[column])


def test_co_searches_are_compared_by_a_kept_front(
    truth: JointTruth, folder: Path, front: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_joint, "run_all", here)
    words = ["--strategies", "random,evolution", "--seeds", "1", "--budget", "20", "--jobs", "1"]
    documents = []
    for place, subject in enumerate((truth.benchmark, str(folder))):
        out = tmp_path / f"out{place}"
        assert main(["compare", subject, "--out", str(out), *words]) == 0
        document = json.loads((out / "comparison.json").read_text())
        for entry in document["problems"]["trade"]["strategies"].values():
            for search in entry["searches"]:
                search["design"].pop("cpu_s")
        documents.append(document)
    assert documents[0] == documents[1]


CHANGED: dict[str, Any] = {
    "gateware_hash": ("0" * 64, r" must be of this gateware, [0-9a-f]{12}, not of 000000000000: run "),
    "accuracies": ("0" * 64, r" must be of the benchmark's accuracies, not of others$"),
    "accuracy": ("loud", r"\.accuracy must be one of .*, not 'loud'$"),
    "benchmark": ("fashion", r" must be of that benchmark, not of 'fashion'$"),
    "pairs": (0, r"\.pairs must be an integer in 1 … \d+, not 0$"),
}  # fmt: skip


@pytest.mark.parametrize("field", CHANGED)
def test_a_front_of_something_else_is_refused(field: str, truth: JointTruth, front: Path) -> None:
    value, rule = CHANGED[field]
    front.write_text(json.dumps(json.loads(front.read_text()) | {field: value}))
    with pytest.raises(CosilicoError, match=rf"^front of joint space .*{rule}"):
        read_kept(truth.benchmark)


def test_the_sample_is_of_realizable_pairs(truth: JointTruth) -> None:
    sample = truth.sample
    assert len(set(zip(sample.network.tolist(), sample.accelerator.tolist(), strict=True))) == 200
    assert (truth.rules[sample.network, sample.accelerator] == 0).all()
    assert_array_equal(sample["cycles"], truth.cycles[sample.network, sample.accelerator])


@pytest.mark.parametrize("part", ["front", "sample"])
def test_pairs_with_other_costs_than_predicted_are_refused(
    part: str, truth: JointTruth, front: Path
) -> None:
    document = json.loads(front.read_text())
    pairs = document[part]
    for column, step, rule in (
        ("cycles", 1, r" must have the cycles that the model predicts, \d+ for "),
        ("energy", 1, r" must have the energy that the model predicts, "),
        ("network", 100_000, rf"\.{part}\.network must be in 0 … "),
        ("accelerator", 100_000, rf"\.{part}\.accelerator must be in 0 … "),
    ):
        changed = [value + step for value in pairs[column]]
        front.write_text(json.dumps(document | {part: pairs | {column: changed}}))
        with pytest.raises(DesignFileError, match=rule):
            read_kept(truth.benchmark)
    front.write_text(json.dumps(document | {part: pairs | {"cycles": [1]}}))
    with pytest.raises(DesignFileError, match=rf"\.{part} must have all costs of every pair$"):
        read_kept(truth.benchmark)


def test_a_front_that_is_not_there_is_told(tmp_path: Path) -> None:
    line = r"^front of joint space fashion must come with the project, but there is none: "
    with pytest.raises(DesignFileError, match=line):
        read_kept("fashion", tmp_path / "absent.json")


def test_a_front_of_a_users_table_is_not_kept(truth: JointTruth, tmp_path: Path) -> None:
    with pytest.raises(
        CosilicoError, match=r"^benchmark of a front must be one of nas_bench_201, "
    ):
        write_kept(truth, tmp_path / "front.json")


@pytest.mark.parametrize("benchmark", KEPT)
def test_what_is_kept_holds_no_accuracy(benchmark: str) -> None:
    """Of the accuracies of others there is a digest."""
    if front_file(benchmark).is_file():
        document = json.loads(front_file(benchmark).read_text())
        for part in ("front", "sample"):
            assert set(document[part]) == {"network", "accelerator", "cycles", "energy"}
        assert isinstance(document["accuracies"], str)


def _member(truth: JointTruth, number: int) -> Any:
    name = truth.names[number]
    networks: Any = truth.networks
    return networks._members[name]
