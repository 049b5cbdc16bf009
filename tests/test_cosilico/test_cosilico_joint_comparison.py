"""Comparisons on a joint enumeration: the truth is the model's, and the judge's optimum that of all pairs."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cosilico.cli import main
from cosilico.comparison_joint import JointComparisonSettings, compare_on_joint
from cosilico.joint.problems import PROBLEMS
from cosilico.joint.truth import JointTruth, is_joint_enumeration, read_truth
from cosilico.measured_state import measured_state
from joint_truth import write_joint_truth
from sampled import sampled
from search.networks.cells import CellMember
from search.strategies import CO_SEARCHES
from sim.cost.costs import evaluate_many
from sim.spec.errors import CosilicoError, DesignFileError

SETTINGS = JointComparisonSettings(
    strategies=("random", "evolution"), seeds=2, budget=24, problems=("trade", "medium")
)


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


def test_a_comparison_writes_what_its_searches_are_worth(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = compare_on_joint(str(folder), out, SETTINGS, jobs=1)
    document = json.loads((out / "comparison.json").read_text())
    assert document["pairs"] == made.pairs
    assert document["digests"] == measured_state()
    assert list(document["problems"]) == list(SETTINGS.problems)
    for problem in document["problems"].values():
        assert list(problem["strategies"]) == list(SETTINGS.strategies)
        for entry in problem["strategies"].values():
            assert [search["seed"] for search in entry["searches"]] == [0, 1]
            for search in entry["searches"]:
                assert search["evaluations"] == SETTINGS.budget
                assert 0 < search["trainings"] <= SETTINGS.budget
                assert search["violations"] >= 0
                design = search["design"]
                if design is None:
                    assert search["regret"]["end"] == 1
                    continue
                assert 0 <= design["regret"] < 1
                assert design["excess_cost"] >= 0
                assert 0 <= search["regret"]["end"] <= design["regret"] + 1e-12
                assert 0 < search["hypervolume"]["end"] <= 1
    assert document["problems"]["medium"]["cost_exponent"] == 0
    for judged in made.problems:
        for run in judged.runs:
            spent = [entry[0] for entry in run.curve]
            trained = [entry[1] for entry in run.curve]
            assert spent == sorted(spent)
            assert trained == sorted(trained)
            assert all(few <= many for few, many in zip(trained, spent, strict=True))
    curves = list(csv.DictReader((out / "curves.csv").read_text().splitlines()))
    assert list(curves[0]) == [
        "problem", "strategy", "seed", "evaluations", "trainings", "score", "regret",
    ]  # fmt: skip
    for row in curves:
        best = document["problems"][row["problem"]]["optimum"]["score"]
        assert float(row["regret"]) == pytest.approx(1 - float(row["score"]) / best)
    volumes = list(csv.DictReader((out / "hypervolume.csv").read_text().splitlines()))
    assert list(volumes[0]) == ["problem", "strategy", "seed", "evaluations", "hypervolume"]
    assert all(0 <= float(row["hypervolume"]) <= 1 for row in volumes)
    page = (out / "report.html").read_text()
    assert "<h3>trade, latency</h3>" in page
    assert "cost above least, %" in page
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
    words = [
        "--seeds",
        "1",
        "--budget",
        "24",
        "--jobs",
        "1",
        "--metric",
        "edp",
        "--area-budget",
        "9",
    ]
    words += ["--latency-budget-ms", "3", "--energy-budget-uj", "900", "--cost-exponent", "-0.02"]
    words += ["--pin", "io_bandwidth_gbps=0.8"]
    if len(names) < len(CO_SEARCHES):
        words += ["--strategies", ",".join(names)]
    assert main(["compare", str(folder), "--out", str(tmp_path / "out"), *words]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    (problem,) = document["problems"].values()
    assert set(problem["strategies"]) == set(names)
    stated = ("metric", "area_budget", "cycles_budget", "energy_budget", "cost_exponent", "pins")
    clock_mhz = problem["optimum"]["accelerator"]["clock_mhz"]
    pins = {"io_bandwidth_gbps": 0.8}
    assert [problem[name] for name in stated] == ["edp", 9, 3e3 * clock_mhz, 9e8, -0.02, pins]
    for entry in problem["strategies"].values():
        (search,) = entry["searches"]
        if search["design"] is not None:
            assert search["design"]["accelerator"]["io_bandwidth_gbps"] == 0.8


def test_wrong_arguments_are_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_joint_enumeration(folder)
    assert not is_joint_enumeration(tmp_path)
    assert main(["compare", str(folder), "--out", str(tmp_path / "out"), "--space", "tiny"]) == 2
    assert "--space must not be given with JOINT, which has its own" in capsys.readouterr().err
    for words, line in (
        (["--pin", "pes_x"], "--pin must be FIELD=VALUE with a number, not 'pes_x'"),
        (["--pin", "pes_x=two"], "--pin must be FIELD=VALUE with a number, not 'pes_x=two'"),
        (["--pin", "pes_x=3"], "pin pes_x must be one of 1, 2, not 3"),
        (["--cost-exponent", "1"], "--cost-exponent must be a number in -10.0 … 0.0, not 1.0"),
        (["--latency-budget-ms", "-1"], "--latency-budget-ms must be a number in 1e-06 … 1000000000.0, not -1.0"),
        (["--problems", "hard"], f"problem must be one of {', '.join(PROBLEMS)}, not 'hard'"),
        (["--problems", "trade,trade"], "problems must be different ones, not 'trade, trade'"),
        (
            ["--problems", "trade", "--metric", "edp"],
            "--problems must not be given with an objective, budgets or pins, which state a problem of their own",
        ),
    ):  # fmt: skip
        assert main(["compare", str(folder), "--out", str(tmp_path / "out"), *words]) == 2
        assert capsys.readouterr().err == f"cosilico: {line}\n"
    for option, value in (("--cost-exponent", "0"), ("--pin", "pes_x=1"), ("--problems", "trade")):
        assert main(["compare", "ds_cnn", "--out", str(tmp_path / "out"), option, value]) == 2
        line = f"{option} must be given with JOINT alone, a folder of cosilico joint or a benchmark"
        assert capsys.readouterr().err == f"cosilico: {line}\n"
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
