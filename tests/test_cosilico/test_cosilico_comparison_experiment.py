"""Co-searches side by side: what is written, that kills change nothing, what is refused."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosilico import comparison_experiment
from cosilico.cli import main
from cosilico.comparison_experiment import (
    CoSearchComparisonSettings,
    co_search_contenders,
    compare_co_searches,
)
from cosilico.comparison_experiment_run import compare_co_search, score_target
from cosilico.comparison_experiment_summary import (
    CoSearchComparison,
    CoSearchRun,
    results_table,
)
from dask_cluster import dask_cluster
from killed_workers import kill_first_worker
from search.checkpoint import CheckpointStore
from search.experiment import load_experiment
from search.strategies.joint_baseline_settings import JointEvolutionSettings, JointRandomSettings
from search.strategies.nahas_settings import NahasJointSettings, NahasPhaseSettings
from searches_here import here
from sim.cost.workload import Workload
from sim.spec.errors import CosilicoError, NotRealizableError
from small_co_searches import small_experiment

SMALL = """
name = "small"
[task]
name = "digits"
test_images = 800
validation_images = 600
[network]
expansions = [1, 2]
heads = [0, 16]
[[network.stages]]
widths = [8, 16]
stride = 2
[[network.stages]]
widths = [16, 24]
blocks = 2
stride = 2
[hardware.values]
pes_x = [1, 2]
pes_y = [1, 2]
weight_store_kb = [0]
[search]
strategy = "evolution"
population = 5
warmup_epochs = 1
[train]
epochs = 1
"""
"""Space of few PEs, so that every search meets a pair within the area of the default accelerator."""

SETTINGS = CoSearchComparisonSettings(strategies=("random", "evolution"), seeds=2, budget=12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def documents(out: Path) -> list[Any]:
    """Content of all results but the seconds."""
    document = json.loads((out / "comparison.json").read_text())
    for strategy in document["strategies"].values():
        for search in strategy["searches"]:
            del search["design"]["cpu_s"]
    return [document, (out / "curves.csv").read_text()]


def test_a_comparison_goes_on_from_the_checkpoint_of_the_search_in_flight(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_experiment, "run_all", here)
    settings = replace(SETTINGS, strategies=("evolution",))
    save = CheckpointStore.save
    saves = last = 0

    def failing(self: CheckpointStore, *arguments: Any) -> None:
        nonlocal saves
        save(self, *arguments)
        saves += 1
        if saves == last:
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", failing)
    compare_co_searches(path, tmp_path / "whole", settings)
    # an epoch, three steps of pairs, an epoch and the end, of each search: no fewer
    whole = saves
    assert whole >= 2 * 6
    out, saves, last = tmp_path / "cut", 0, whole // 2 + 3
    with pytest.raises(KeyboardInterrupt):
        compare_co_searches(path, out, settings)
    done = (out / "runs.jsonl").read_text().splitlines()
    assert len(done) == 2  # a header and a search
    resumed = compare_co_searches(path, out, settings, resume=True)
    assert (out / "runs.jsonl").read_text().splitlines()[:2] == done
    # what was done before is not done again
    assert saves == whole
    assert documents(out) == documents(tmp_path / "whole")
    assert [(run.strategy, run.seed) for run in resumed.runs] == [
        ("evolution", 0),
        ("evolution", 1),
    ]
    with pytest.raises(CosilicoError, match="settings"):
        compare_co_searches(path, out, replace(settings, budget=13), resume=True)


@pytest.mark.slow
@pytest.mark.long
def test_a_cluster_gives_what_a_process_gives(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dask_cluster(tmp_path) as cluster:
        cluster.worker()
        compare_co_searches(path, tmp_path / "cluster", SETTINGS, scheduler=cluster.address)
    monkeypatch.setattr(comparison_experiment, "run_all", here)
    compare_co_searches(path, tmp_path / "here", SETTINGS)
    assert documents(tmp_path / "cluster") == documents(tmp_path / "here")


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_else(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = kill_first_worker(monkeypatch)
    out = tmp_path / "out"
    words = ["--strategies", "evolution", "--seeds", "2", "--budget", "12", "--jobs", "1"]
    assert main(["compare", str(path), "--out", str(out), *words]) == 0
    assert killed
    assert "int8" in capsys.readouterr().out
    assert (out / "curves.svg").read_text().lstrip().startswith("<?xml")
    assert "searches side by side" in (out / "report.html").read_text()
    document = json.loads((out / "comparison.json").read_text())
    with (out / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    for search in document["strategies"]["evolution"]["searches"]:
        name = f"evolution-{search['seed']}"
        result = json.loads((out / "searches" / name / "search.json").read_text())
        design = search["design"]
        assert design["int8_accuracy"] == result["best"]["int8_accuracy"]
        assert design["cost"] == result["best"]["predicted_cycles"]
        assert design["trained_images"] == result["trained_images"]
        assert design["cpu_s"] > 0
        ratio = design["cost"] / document["target_cost"]
        assert design["score"] == pytest.approx(design["int8_accuracy"] * ratio**-0.07)
        assert search["evaluations"] == 12
        ends = [float(row["soft_score"]) for row in rows if row["seed"] == str(search["seed"])]
        assert ends == sorted(ends)
        assert ends[-1] == search["anytime_score"]


def test_a_record_is_that_of_the_log(tmp_path: Path) -> None:
    """Curve and hypervolume are computed again from the evaluations alone."""
    experiment = small_experiment("random")
    workload = Workload()
    target = score_target(experiment, workload)
    record = compare_co_search(experiment, workload, tmp_path, 1, target)
    rows = [json.loads(line) for line in (tmp_path / "evaluations.jsonl").read_text().splitlines()]
    reference = next(row for row in rows if row["phase"] == "reference")
    assert target == reference["cycles"]
    budget = json.loads((tmp_path / "search.json").read_text())["area_budget"]
    best, curve, points = 0.0, [], []
    for row in rows:
        if row["accuracy"] is None or row["violations"] or row["area"] > budget:
            continue
        score = row["accuracy"] * (row["cycles"] / target) ** -0.07
        points.append((1 - row["accuracy"], row["cycles"] / target))
        if score > best:
            best = score
            curve.append([row["index"] + 1, pytest.approx(score)])
    assert record["curve"] == curve
    assert record["evaluations"] == len(rows) - 2 == 24
    grid = 400
    inside = 0.0
    for i in range(grid):
        error = 0.9 * (i + 0.5) / grid
        reached = [cost for other, cost in points if other <= error]
        inside += max(0.0, 1 - min(reached, default=1.0))
    assert record["hypervolume"] == pytest.approx(inside / grid, abs=2 / grid)


def test_a_search_without_a_feasible_design_is_in_the_comparison(tmp_path: Path) -> None:
    experiment = small_experiment("random")
    target = score_target(experiment, Workload())
    experiment = replace(experiment, hardware=replace(experiment.hardware, area_budget=1e-3))
    record = compare_co_search(experiment, Workload(), tmp_path, 1, target)
    assert record == {"evaluations": 24, "curve": [], "hypervolume": 0.0, "design": None}


def run(strategy: str, seed: int, score: float | None, hypervolume: float) -> CoSearchRun:
    design = None
    if score is not None:
        design = {
            "int8_accuracy": 0.5, "cost": 10.0, "score": score, "trained_images": 5, "cpu_s": 1.0
        }  # fmt: skip
    return CoSearchRun(
        strategy=strategy, seed=seed, evaluations=9, curve=[[1, 0.2], [7, 0.4]],
        hypervolume=hypervolume, design=design,
    )  # fmt: skip


def test_wins_are_counted_seed_by_seed_against_random() -> None:
    comparison = CoSearchComparison(
        experiment="e", space="tiny", metric="latency", budget=9, target=20.0,
        runs=(
            run("random", 0, 0.5, 0.2), run("random", 1, None, 0.2), run("random", 2, 0.5, 0.2),
            run("dna", 0, 0.5, 0.3), run("dna", 1, 0.1, 0.1), run("dna", 2, None, 0.2),
        ),
    )  # fmt: skip
    assert comparison.wins("random", "score") is None
    assert comparison.wins("dna", "score") == {"better": 1, "equal": 1, "seeds": 3}
    assert comparison.wins("dna", "hypervolume") == {"better": 1, "equal": 1, "seeds": 3}
    assert comparison.wins("dna", "anytime_score") == {"better": 0, "equal": 3, "seeds": 3}
    assert comparison.scores("dna", 6).tolist() == [0.2] * 3
    assert comparison.scores("dna", 0).tolist() == [float("-inf")] * 3
    cells = results_table(comparison, 200).columns
    texts = {str(column.header): list(column.cells) for column in cells}
    assert texts["designs"] == ["2 of 3", "2 of 3"]
    assert texts["wins by score"] == ["-", "1 of 3, 1 equal"]
    assert texts["latency / target"] == ["0.500", "0.500"]
    alone = replace(comparison, runs=comparison.runs[3:])
    assert alone.wins("dna", "score") is None


def test_the_experiment_speaks_for_its_own_strategy_and_all_have_the_same_budget(
    path: Path,
) -> None:
    chosen = co_search_contenders(load_experiment(path), SETTINGS)
    assert chosen["random"].search == JointRandomSettings(budget=12, restarts=True)
    assert chosen["evolution"].search == JointEvolutionSettings(
        budget=12, restarts=True, population=5, warmup_epochs=1
    )
    assert chosen["random"].network == chosen["evolution"].network


def test_every_strategy_can_spend_the_budget(path: Path) -> None:
    settings = replace(SETTINGS, strategies=("nahas-joint", "nahas-phase"), budget=300)
    chosen = co_search_contenders(load_experiment(path), settings)
    assert chosen["nahas-joint"].search == NahasJointSettings(budget=300, restarts=True, trials=300)
    assert chosen["nahas-phase"].search == NahasPhaseSettings(budget=300, restarts=True, trials=300)


def test_a_strategy_that_cannot_search_by_the_objective_is_refused_before_any_search(
    path: Path, tmp_path: Path
) -> None:
    path.write_text(SMALL + "[objective]\nenergy_budget_uj = 5.0\n")
    settings = replace(SETTINGS, strategies=("random", "nahas-oneshot"), budget=60)
    message = "^strategy nahas-oneshot: search.cost_model must be 'exact' where a cost other "
    with pytest.raises(CosilicoError, match=message):
        compare_co_searches(path, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()
    path.write_text(SMALL)
    message = "^strategy nahas-oneshot: budget must be 0 or leave 10 labels "
    with pytest.raises(CosilicoError, match=message):
        co_search_contenders(load_experiment(path), replace(settings, budget=12))


def test_a_default_that_cannot_be_built_is_refused_before_any_search(
    path: Path, tmp_path: Path
) -> None:
    """Also where the objective's budget is the target, for which nothing is evaluated."""
    hardware = "[hardware.default]\nregister_file_kb = 1\nsimd_units = 128\npes_x = 1\n"
    values = "[hardware.values]\nregister_file_kb = [1, 4]\nsimd_units = [8, 128]\n"
    text = SMALL.replace("[hardware.values]\n", values)
    path.write_text(text + hardware + "[objective]\nlatency_budget_ms = 1.0\n")
    with pytest.raises(NotRealizableError, match=r"^default accelerator of space "):
        compare_co_searches(path, tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--strategies", "random,greedy"], r"strategy must be one of rhnas, .*, not 'greedy'"),
        (
            ["--strategies", "random,random"],
            r"strategies must be different ones, not 'random, random'",
        ),
        (["--metric", "edp"], r"--metric must not be given with EXPERIMENT, which states it"),
        (["--space", "edge"], r"--space must not be given with EXPERIMENT, which states it"),
    ],
)
def test_what_there_is_not_is_refused(
    words: list[str], message: str, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["compare", str(path), "--out", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cosilico: ")
    assert re.fullmatch(message, error.removeprefix("cosilico: ").strip())
    assert not out.exists()
