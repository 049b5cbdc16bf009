"""Strategies side by side: what is written, that it goes on after a kill, what is refused."""

import csv
import json
from concurrent.futures import as_completed
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico import comparison, tasks
from cosilico.cli import main
from cosilico.comparison import ComparisonSettings, compare_to_folder
from cosilico.comparison_summary import Comparison
from killed_workers import kill_first_worker
from sampled import sampled
from searches_here import here
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.networks.named import named_network
from sim.spec.errors import CosilicoError
from small_spaces import SMALL

SETTINGS = ComparisonSettings(
    strategies=("random", "local-search+polish", "certified"), seeds=2, budget=30, metric="edp"
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "named_space", lambda name: SMALL)


def compare(out: Path, **options: Any) -> Comparison:
    return compare_to_folder("autoencoder", "small", out, SETTINGS, jobs=1, **options)


def cut_and_killed(out: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Compare; the command is ended after two searches, and then a worker is killed."""
    ended = 0

    def interrupted(futures: Any) -> Any:
        nonlocal ended
        for future in as_completed(futures):
            yield future
            ended += 1
            if ended == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "as_completed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare(out)
    before = (out / "runs.jsonl").read_text().splitlines()
    assert len(before) == 3  # a header and two searches

    killed = kill_first_worker(monkeypatch)
    result = compare(out, resume=True)
    assert killed
    after = (out / "runs.jsonl").read_text().splitlines()
    assert after[:3] == before
    return result


@pytest.mark.slow
@pytest.mark.parametrize("kill", sampled([False, True], lambda kill: not kill))
def test_regret_is_measured_from_the_optimum_and_a_kill_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    if kill:
        result = cut_and_killed(tmp_path / "cut", monkeypatch)
    else:
        monkeypatch.setattr(comparison, "run_all", here)
        monkeypatch.setattr("cosilico.comparison_run._task", [])  # else it would stay
        result = compare(tmp_path / "cut")
    assert len((tmp_path / "cut" / "runs.jsonl").read_text().splitlines()) == 1 + 6

    network = named_network("autoencoder")
    table = evaluate_many(tuple(SMALL), network)
    objective = Objective(metric="edp", area_budget=result.objective.area_budget)
    optimum = objective.best(table)
    assert optimum is not None
    assert result.least == objective.cost(table)[optimum]
    assert result.regrets("certified", 30).tolist() == [0, 0]
    for strategy in result.strategies:
        regrets = [result.regrets(strategy, n) for n in (1, 5, 10, 30)]
        assert all((later <= earlier).all() for earlier, later in pairwise(regrets))
        assert (regrets[-1] >= 0).all()
    document = json.loads((tmp_path / "cut" / "comparison.json").read_text())
    assert document == result.to_json()
    assert document["optimum"] == table.figures(optimum)
    figures = document["strategies"]["local-search+polish"]
    assert set(figures["regret"]) == {"30"}
    assert all(0 < share <= 1 for share in figures["hypervolume"])
    with (tmp_path / "cut" / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    ends = {(row["strategy"], row["seed"]): float(row["regret"]) for row in rows}
    for run in result.runs:
        assert np.isclose(ends[run.strategy, str(run.seed)], run.cost_after(30) / result.least - 1)
    assert (tmp_path / "cut" / "curves.svg").read_text().lstrip().startswith("<?xml")
    page = tmp_path / "cut" / "report.html"
    written = page.read_bytes()
    assert f"{len(result.runs)} searches side by side" in written.decode()
    page.unlink()
    assert main(["report", str(tmp_path / "cut")]) == 0
    assert page.read_bytes() == written


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        (("random", "greedy"), r"^strategy must be one of hardware, .*, not 'greedy'$"),
        (("random+polished",), r"^strategy must be one of .*, not 'random\+polished'$"),
        (("random", "random"), r"^strategies must be different ones, not 'random, random'$"),
    ],
)
def test_strategies_that_there_are_not_are_refused(
    strategies: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    settings = ComparisonSettings(strategies=strategies)
    with pytest.raises(CosilicoError, match=message):
        compare_to_folder("autoencoder", "small", tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_the_command_refuses_a_metric_that_there_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["compare", "autoencoder", "--out", out, "--metric", "speed"]) == 2
    assert (
        capsys.readouterr().err
        == "cosilico: --metric must be one of latency, edp, energy, area, not 'speed'\n"
    )
