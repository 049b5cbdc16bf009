"""A joint space of networks that were trained here: enumerated, judged by, and tuned on, as one of cells is."""

import csv
import json
import re
import shutil
from dataclasses import replace
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from claim import settings_of
from claim_pages import tuned_strategies
from cosilico import comparison_joint
from cosilico.cli import main
from cosilico.comparison_experiment import budgeted
from cosilico.joint.accuracy_kind import AccuracyKind
from cosilico.joint.benchmark import joint_benchmark
from cosilico.joint.trained import FASHION, table_file
from cosilico.joint.truth import JointTruth, read_truth
from cosilico.tuned_strategies import DECIDED, TunedStrategies, networks_digest, read_tuned
from joint_truth import write_joint_truth, write_trained_truth
from search.networks.members import members_of
from search.strategies import CO_SEARCHES
from sim.cost.costs import evaluate_many
from sim.spec.errors import CosilicoError, DesignFileError
from trained_tables import CLASSES, few_networks, write_trained_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trained_truth(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def truth(folder: Path) -> JointTruth:
    return read_truth(folder)


@pytest.fixture(scope="module")
def tuned_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strategies that are tuned on the trained networks, at the size of a smoke test."""
    work = tmp_path_factory.mktemp("tuned")
    words = ["--smoke", "--jobs", "1", "--joint", str(folder), "--work", str(work)]
    settings = settings_of("Smoke.", "tune_strategies.py", words)
    import_module("tune_strategies").measure(settings)
    return settings.out


def test_the_truth_is_of_every_network_of_the_table(folder: Path, truth: JointTruth) -> None:
    members = list(members_of(few_networks()))
    table = json.loads((folder.parent / "few.json").read_text())["children"]
    assert truth.accuracy == AccuracyKind.POST_TRAINING
    assert truth.classes == CLASSES
    assert list(truth.names) == [member.key for member in members] == list(table)
    assert truth.accuracies.tolist() == [table[name]["post_training"] for name in truth.names]
    configs = list(truth.space)
    for member in (members[0], members[-1]):
        network = truth.networks.network(member)
        known, exact = truth.costs(configs, network), evaluate_many(configs, network)
        assert known.violations == exact.violations
        for column in ("cycles", "energy", "area"):
            np.testing.assert_array_equal(known[column], exact[column])
    with (folder / "networks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("network", "name", "shared_weights", "full_precision", "post_training"),
    ]  # fmt: skip
    assert [float(row["shared_weights"]) for row in rows] == [
        table[name]["shared_weights"] for name in truth.names
    ]
    summary = json.loads((folder / "joint.json").read_text())
    assert "cells" not in summary
    summary["family"]["network"]["stages"][0]["widths"] = [8, 32]
    shutil.copytree(folder, folder.parent / "other")
    (folder.parent / "other" / "joint.json").write_text(json.dumps(summary))
    with pytest.raises(DesignFileError, match=r": networks must have one for 'w32-16_"):
        read_truth(folder.parent / "other")


def test_an_accuracy_that_the_table_lacks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_trained_table(tmp_path / "few.json")
    words = ["joint", str(table), "--space", "tiny", "--out", str(tmp_path / "out")]
    assert main([*words, "--accuracy", "quantization_aware"]) == 2
    assert capsys.readouterr().err == (
        f"cosilico: accuracy of benchmark {table} must be one of post_training, full_precision, "
        "not 'quantization_aware'\n"
    )
    assert not (tmp_path / "out").exists()


def test_the_shipped_table_is_whole_or_says_that_it_is_not() -> None:
    content = json.loads(table_file(FASHION).read_text())
    if content["children"]:
        known = joint_benchmark(FASHION)
        assert len(known.networks) == len(content["children"]) >= 200
        assert not content["training"]["experiment"]["task"].get("path")
    else:
        with pytest.raises(DesignFileError, match=r" must have networks that were trained, but "):
            joint_benchmark(FASHION)


def test_every_strategy_searches_trained_networks(
    folder: Path, truth: JointTruth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--seeds", "1", "--budget", "24", "--jobs", "1"]
    assert main(["compare", str(folder), "--out", str(tmp_path / "out"), *words]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("random", "evolution"))
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    strategies = document["problems"]["trade"]["strategies"]
    assert set(strategies) == set(CO_SEARCHES)
    assert document["tuned"] is None
    for entry in strategies.values():
        (search,) = entry["searches"]
        assert search["evaluations"] <= 24
        assert 0 < search["trainings"] <= 24
        if search["design"] is not None:
            assert search["design"]["network"] in truth.names
            assert 0 <= search["design"]["regret"] < 1


def test_strategies_are_tuned_with_equal_tries(tuned_file: Path, truth: JointTruth) -> None:
    script = import_module("tune_strategies")
    content = json.loads(tuned_file.read_text())
    assert content["networks"] == networks_digest(truth)
    assert set(content["strategies"]) == set(CO_SEARCHES)
    for name, entry in content["strategies"].items():
        assert entry["tried"] == (3 if script.CHOICES[name] else 1)
        assert 0 <= entry["mean_regret"] <= 1
        for kind in ("mean_regret", "default_mean_regret"):
            means = entry[f"{kind}_by_problem"]
            assert list(means) == list(content["problems"]) == list(script.SMOKE_PROBLEMS)
            assert entry[kind] == pytest.approx(sum(means.values()) / len(means))
        assert set(entry["chosen"]) <= set(script.CHOICES[name])
    lines = tuned_strategies(content).splitlines()
    assert len(lines) == len(CO_SEARCHES) + 4
    assert "mean regret on the seeds that chose it" in lines[0]


def test_the_tried_settings_with_the_least_mean_regret_are_chosen(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = import_module("tune_strategies")
    means = {"evolution": (0.3, 0.1, 0.2), "dna": (0.1, 0.1, 0.2)}
    harder = {"trade": 0.0, "medium": 0.2}

    def made(settings: Any, tasks: Any) -> dict[str, list[dict[str, Any]]]:
        rows = {}
        for task in tasks:
            name, place, problem = task.split(":")
            mean = means.get(name, (0.5,) * 3)[int(place)] + harder[problem]
            rows[task] = [{"regret": mean - 0.05}, {"regret": mean + 0.05}]
        return rows

    monkeypatch.setattr(script, "run_searches", made)
    words = ["--smoke", "--joint", str(folder), "--work", str(tmp_path)]
    strategies = script.measure(settings_of("Smoke.", "tune_strategies.py", words))["strategies"]
    tried = script.candidates("evolution", 40, script.SMOKE_TRIED)
    assert strategies["evolution"]["chosen"] == tried[1][0] != {}
    assert strategies["evolution"]["mean_regret"] == pytest.approx(0.2)
    assert strategies["evolution"]["default_mean_regret"] == pytest.approx(0.4)
    assert strategies["dna"]["chosen"] == {}


def test_searches_of_other_accuracies_or_sources_are_run_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = import_module("joint_searches")
    other = tmp_path / "joint"
    shutil.copytree(folder, other)
    calls: list[str] = []

    def counted(searches: Any, run: Any, journal: Any, *others: Any, **options: Any) -> None:
        for key in set(searches) - set(journal.records):
            calls.append(key)
            journal.append(key, {"regret": 0.0})

    monkeypatch.setattr(script, "run_all", counted)
    words = ["--smoke", "--seeds", "2", "--joint", str(other), "--work", str(tmp_path / "work")]
    settings = settings_of("Smoke.", "tune_strategies.py", words)
    tasks = {"one": (budgeted("random", 40), script.objective_of(read_truth(other), "latency"))}
    for _ in range(2):
        script.run_searches(settings, tasks)
        assert len(calls) == 2
    summary = (other / "joint.json").read_bytes()
    with (other / "networks.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["post_training"] = str(float(row["post_training"]) - 0.01)
    with (other / "networks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    script.run_searches(settings, tasks)
    assert (other / "joint.json").read_bytes() == summary
    assert len(calls) == 4
    monkeypatch.setattr(script, "source_digest", lambda *names: "0" * 64)
    script.run_searches(settings, tasks)
    assert len(calls) == 6


def test_networks_are_told_apart_by_family_and_names_in_whichever_order(truth: JointTruth) -> None:
    digest = networks_digest(truth)
    turned = replace(truth, numbers=dict(reversed(truth.numbers.items())))
    assert networks_digest(turned) == digest
    assert truth.family is not None
    assert networks_digest(replace(truth, family={**truth.family, "classes": 3})) != digest
    assert networks_digest(replace(truth, family=None)) != digest


@pytest.mark.parametrize("name", ["jobs", "seeds", "budget"])
def test_counts_of_an_experiment_begin_at_one(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_of("Smoke.", "tune_strategies.py", [f"--{name}", "0", "--work", str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"tune_strategies: --{name} must be an integer from 1 on, not 0\n"
    )


def test_fields_that_a_budget_sets_are_tuned_for_it_or_not_at_all() -> None:
    script = import_module("tune_strategies")
    assert set(DECIDED) <= script.LEFT
    for name, choices in script.CHOICES.items():
        small, large = budgeted(name, 40).to_json(), budgeted(name, 1000).to_json()
        moved = {field for field in small if small[field] != large[field]}
        assert moved - set(DECIDED) <= set(choices)


def test_every_setting_is_tuned_or_left_for_a_reason() -> None:
    script = import_module("tune_strategies")
    assert set(script.CHOICES) == set(CO_SEARCHES)
    for name, choices in script.CHOICES.items():
        default = budgeted(name, 1000)
        assert set(choices) | script.LEFT >= set(default.to_json())
        assert not set(choices) & script.LEFT
        tried = script.candidates(name, 1000, 16)
        assert tried[0] == ({}, default)
        assert len(tried) == min(16, prod(map(len, choices.values())))
        assert len({repr(settings) for _, settings in tried}) == len(tried)
        assert all(settings.budget == 1000 for _, settings in tried)
        assert tried == script.candidates(name, 1000, 16)


def test_tuned_settings_are_those_of_a_comparison_elsewhere(
    tuned_file: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = write_joint_truth(tmp_path / "cells")
    content = json.loads(tuned_file.read_text())
    assert content["smoke"]
    content["strategies"]["evolution"]["chosen"] = {"population": 4, "sample": 2}
    words = ["--seeds", "1", "--budget", "40", "--jobs", "1", "--strategies", "random,evolution"]
    words += ["--tuned", str(tmp_path / "tuned.json")]
    (tmp_path / "tuned.json").write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["compare", str(other), "--out", str(tmp_path / "smoke"), *words]) == 2
    assert capsys.readouterr().err == (
        "cosilico: tuned strategies must be of a whole run, not of a smoke test\n"
    )
    (tmp_path / "tuned.json").write_text(json.dumps(content | {"smoke": False}))
    less = [word if word != "40" else "24" for word in words]
    assert main(["compare", str(other), "--out", str(tmp_path / "less"), *less]) == 2
    assert capsys.readouterr().err == (
        "cosilico: budget must be that of the tuned strategies, 40, not 24\n"
    )
    assert not (tmp_path / "smoke").exists()
    assert not (tmp_path / "less").exists()
    given: dict[str, Any] = {}
    run_all = vars(comparison_joint)["run_all"]

    def spied(searches: dict[str, tuple[Any, ...]], *others: Any, **options: Any) -> None:
        given.update({key: chosen for key, (_, chosen, _) in searches.items()})
        run_all(searches, *others, **options)

    monkeypatch.setattr(comparison_joint, "run_all", spied)
    assert main(["compare", str(other), "--out", str(tmp_path / "tuned"), *words]) == 0
    document = json.loads((tmp_path / "tuned" / "comparison.json").read_text())
    assert document["tuned"]["strategies"]["evolution"] == {"population": 4, "sample": 2}
    chosen: dict[str, Any] = {"population": 4, "sample": 2}
    assert given["trade:evolution:0"] == replace(budgeted("evolution", 40), **chosen)
    assert given["trade:evolution:0"] != budgeted("evolution", 40)
    capsys.readouterr()
    assert main(["compare", str(folder), "--out", str(tmp_path / "self"), *words]) == 2
    assert re.fullmatch(
        r"cosilico: tuned strategies must be of another benchmark than the judge's, not of '.*few\.json'\n",
        capsys.readouterr().err,
    )
    assert main(["compare", "ds_cnn", "--out", str(tmp_path / "self"), *words]) == 2
    assert capsys.readouterr().err == (
        "cosilico: --tuned must be given with JOINT alone, a folder of cosilico joint or a benchmark\n"
    )
    assert not (tmp_path / "self").exists()


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        ({"budget": 3}, r"^tuned strategy evolution must have fields of its own, not 'budget'$"),
        ({"samples": 3}, r"^tuned strategy evolution must have fields of its own, not 'samples'$"),
        ({"trials": 3}, r"^tuned strategy evolution must have fields of its own, not 'trials'$"),
        ({"population": 1}, r"^population must be an integer in 2 … 100000, not 1$"),
        (None, r"^tuned strategies must have 'evolution', but are random$"),
    ],
)
def test_wrong_tuned_settings_are_one_line(chosen: dict[str, Any] | None, line: str) -> None:
    given: dict[str, dict[str, Any]] = {"random": {}}
    given |= {} if chosen is None else {"evolution": chosen}
    tuned = TunedStrategies(benchmark="x", networks="0" * 64, budget=24, strategies=given)
    with pytest.raises((CosilicoError, ValueError), match=line):
        tuned.applied(budgeted("evolution", 24))


def test_a_file_without_tuned_strategies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tuned.json"
    path.write_text('{"schema": 1, "strategies": {}}')
    with pytest.raises(
        DesignFileError, match=r" must have a strategy that was tuned, but has none"
    ):
        read_tuned(path)
