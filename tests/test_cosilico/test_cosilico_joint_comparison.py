"""Comparisons on a joint enumeration: the truth is the model's, and the judge's optimum that of all pairs."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cosilico.cli import main
from cosilico.comparison_joint import JointComparisonSettings, compare_on_joint
from cosilico.comparison_joint_run import joint_target
from cosilico.joint.judge import JointJudge
from cosilico.joint.truth import JointTruth, is_joint_enumeration, read_truth
from joint_truth import write_joint_truth
from sampled import sampled
from search.evaluator import Evaluator
from search.networks.cells import CellMember
from search.strategies import CO_SEARCHES
from sim.cost.area import area, area_budget
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.spec.errors import CosilicoError, DesignFileError, NotRealizableError

SETTINGS = JointComparisonSettings(strategies=("random", "evolution"), seeds=2, budget=24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_truth(tmp_path_factory.mktemp("truth"))


@pytest.fixture(scope="module")
def truth(folder: Path) -> JointTruth:
    return read_truth(folder)


def test_costs_are_those_of_the_model(truth: JointTruth) -> None:
    configs = list(truth.space)
    for name in (truth.names[0], truth.names[-1]):
        network = truth.networks.network(CellMember(key=name))
        known, exact = truth.costs(configs, network), evaluate_many(configs, network)
        assert known.violations == exact.violations
        assert_array_equal(known.excess, exact.excess)
        for column in ("cycles", "energy", "area"):
            assert_array_equal(known[column], exact[column])


def test_the_judge_knows_the_best_of_all_pairs(truth: JointTruth) -> None:
    objective = Objective(metric="latency", area_budget=area_budget(truth.space))
    target = joint_target(truth, objective)
    judge = JointJudge(truth, objective, target)
    evaluator = Evaluator(truth.costs)
    rows = [
        row
        for name in truth.names
        for row in evaluator.evaluate(
            list(truth.space), truth.networks.network(CellMember(key=name)), phase="all"
        )
    ]
    feasible = [row for row in rows if objective.feasible(row)]
    assert 0 < len(feasible) < len(rows)
    best = max(feasible, key=judge.score)
    assert judge.score(best) == pytest.approx(judge.optimum.score, rel=1e-12)
    assert min(judge.regret(judge.score(row)) for row in feasible) == pytest.approx(0, abs=1e-12)
    assert judge.hypervolume(feasible) == pytest.approx(1.0)
    assert judge.hypervolume(feasible[:3]) < 1.0
    for row in feasible[:: len(feasible) // 20]:
        least = min(
            float(objective.cost(other))
            for other in feasible
            if judge.accuracy(other.network) >= judge.accuracy(row.network)
        )
        assert judge.excess(row) == float(objective.cost(row)) / least - 1
    smallest = min(area(config).total for config in truth.space)
    with pytest.raises(NotRealizableError, match=r"^joint enumeration must have a pair that is"):
        JointJudge(truth, Objective(metric="latency", area_budget=smallest / 2), target)


def test_a_comparison_writes_what_its_searches_are_worth(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = compare_on_joint(str(folder), out, SETTINGS, jobs=1)
    assert made.joint is not None
    document = json.loads((out / "comparison.json").read_text())
    assert document["joint"]["pairs"] == made.joint.pairs
    for name in SETTINGS.strategies:
        for search in document["strategies"][name]["searches"]:
            assert search["evaluations"] == SETTINGS.budget
            assert 0 < search["trainings"] <= SETTINGS.budget
            assert search["violations"] >= 0
            assert 0 <= search["design"]["regret"] < 1
            assert search["design"]["excess_cost"] >= 0
            assert 0 <= search["regret"]["end"] <= search["design"]["regret"] + 1e-12
            assert 0 < search["hypervolume"] <= 1
    for run in made.runs:
        assert run.trained == sorted(run.trained or [])
        assert all(count <= point[0] for count, point in zip(run.trained, run.curve, strict=True))
    assert (out / "curves.svg").exists()
    before = (out / "comparison.json").read_text()
    runs = (out / "runs.jsonl").read_text()
    (out / "runs.jsonl").write_text("".join(runs.splitlines(keepends=True)[:3]))
    compare_on_joint(str(folder), out, SETTINGS, jobs=1, resume=True)
    times = re.compile(r'"cpu_s": [\d.]+')
    assert times.sub("", (out / "comparison.json").read_text()) == times.sub("", before)


@pytest.mark.parametrize(
    "names", sampled([("random",), tuple(CO_SEARCHES)], lambda names: len(names) == 1)
)
def test_the_command_takes_co_searches(
    names: tuple[str, ...], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them where none is named."""
    words = ["--seeds", "1", "--budget", "24", "--jobs", "1", "--metric", "edp"]
    if len(names) < len(CO_SEARCHES):
        words += ["--strategies", ",".join(names)]
    assert main(["compare", str(folder), "--out", str(tmp_path / "out"), *words]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert set(document["strategies"]) == set(names)
    assert document["metric"] == "edp"


def test_wrong_arguments_are_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_joint_enumeration(folder)
    assert not is_joint_enumeration(tmp_path)
    assert main(["compare", str(folder), "--out", str(tmp_path / "out"), "--space", "tiny"]) == 2
    assert "--space must not be given with JOINT, which has its own" in capsys.readouterr().err
    for names, rule in (
        (("cma-es",), r"^strategy must be one of rhnas, .*, not 'cma-es'$"),
        (("random", "random"), r"^strategies must be different ones, not 'random, random'$"),
    ):
        wrong = JointComparisonSettings(strategies=names, seeds=1, budget=24)
        with pytest.raises(CosilicoError, match=rule):
            compare_on_joint(str(folder), tmp_path / "out", wrong)
    few = JointComparisonSettings(strategies=("nahas-oneshot",), seeds=1, budget=12)
    with pytest.raises(CosilicoError, match=r"^strategy nahas-oneshot: budget must be 0 or leave"):
        compare_on_joint(str(folder), tmp_path / "out", few)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (part,) = copy.glob("*.parquet")
    part.unlink()
    with pytest.raises(DesignFileError, match=rf" must be whole, but has no {part.name}$"):
        read_truth(copy)
    front = copy / "front.csv"
    shutil.copy(folder / part.name, part)
    rows = front.read_text().splitlines(keepends=True)
    first = rows[1].split(",")
    for place, value, rule in (
        (1, "9999", r" must be a pair of the enumeration$"),
        (4, str(int(first[4]) + 1), r" must have the costs of the parts$"),
    ):
        changed = ",".join([*first[:place], value, *first[place + 1 :]])
        front.write_text("".join([rows[0], changed, *rows[2:]]))
        with pytest.raises(DesignFileError, match=rule):
            read_truth(copy)
    front.write_text("".join(rows[:-1]))
    few = rf"^front .* must have {len(rows) - 1:,} pairs, not {len(rows) - 2:,}$"
    with pytest.raises(DesignFileError, match=few):
        read_truth(copy)
    networks = copy / "networks.csv"
    text = networks.read_text()
    networks.write_text("".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(DesignFileError, match=r" must have every pair of its networks and accel"):
        read_truth(copy)
    networks.write_text(text.replace("0.", "x."))
    with pytest.raises(DesignFileError, match=r": line 2 must be a network with its quantization"):
        read_truth(copy)
    summary = json.loads((copy / "joint.json").read_text())
    (copy / "joint.json").write_text(json.dumps(summary | {"accuracy": "loud"}))
    with pytest.raises(DesignFileError, match=r"\.accuracy must be one of .*, not 'loud'$"):
        read_truth(copy)


def test_the_searches_never_see_an_accuracy_that_is_not_counted(truth: JointTruth) -> None:
    assert np.all((truth.accuracies > 0) & (truth.accuracies < 1))
    assert len(set(truth.names)) == len(truth.names) == truth.networks.size
