"""Searches of the public API: what they refuse, and that nothing is lost by it."""

import re
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cosilico
from cosilico import search_stage
from cosilico.api import search as api_search
from cosilico.cli import main
from cosilico.folder import Contents, open_folder
from cosilico.progress import Report
from project_root import ROOT
from search.strategies import HARDWARE_SEARCHES
from sim.spec.errors import StaleCalibrationError
from sim.spec.spaces import TINY
from small_experiment import SMALL_EXPERIMENT
from small_spaces import SMALL

NARROW = replace(TINY.default, io_bandwidth_gbps=12.8)
NARROW_SPACE = replace(TINY, default=NARROW, values={**TINY.values, "io_bandwidth_gbps": (12.8,)})
FILES = ("search.json", "weights.npz", "design.json")


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Folder with what an earlier search made."""
    out = tmp_path / "out"
    script = ROOT / "examples" / "handwritten" / "make_weights.py"
    with open_folder(out, Contents(command="search", identity={}, files=FILES)):
        runpy.run_path(str(script))["main"](out)
        (out / "search.json").write_text("{}")
    return out


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "error", "line"),
    [
        (
            {"objective": "foo"},
            ValueError,
            "objective must be one of latency, edp, energy, area, not 'foo'",
        ),
        ({"objective": 1}, TypeError, "objective must be one of latency, edp, energy, area, not 1"),
        (
            {"strategy": "greedy"},
            cosilico.CosilicoError,
            f"strategy must be one of {', '.join(HARDWARE_SEARCHES)}, with +polish if polished, "
            "not 'greedy'",
        ),
        (
            {"strategy": 3},
            TypeError,
            "strategy must be the name of a hardware search, not 3",
        ),
        ({"budget": 0}, ValueError, "budget must be a positive integer, not 0"),
        ({"seed": "a"}, TypeError, "seed must be an integer from 0 to 2147483647, not 'a'"),
        ({"seed": -1}, ValueError, "seed must be an integer from 0 to 2147483647, not -1"),
        (
            {"space": "x"},
            cosilico.CosilicoError,
            "space must be one of tiny, edge, nahas, or a TOML file, not 'x'",
        ),
        (
            {"space": NARROW_SPACE},
            cosilico.NotRealizableError,
            "io_bandwidth_gbps needs a bus of 64 bytes, but at simd_units 8 it can have 32",
        ),
    ],
)
def test_a_wrong_argument_leaves_an_earlier_result(
    earlier: Path, arguments: dict[str, Any], error: type[Exception], line: str
) -> None:
    before = contents(earlier)
    with pytest.raises(error, match=f"^{re.escape(line)}$"):
        cosilico.search_accelerator("ds_cnn", out=earlier, force=True, **arguments)
    assert contents(earlier) == before


@pytest.mark.parametrize("seed", [2**31, "1"])
def test_a_wrong_seed_of_a_co_search_leaves_an_earlier_result(earlier: Path, seed: Any) -> None:
    before = contents(earlier)
    with pytest.raises((TypeError, ValueError), match=r"^seed must be an integer from 0 to "):
        cosilico.search(ROOT / "examples" / "digits.toml", earlier, seed=seed, force=True)
    assert contents(earlier) == before


def test_an_input_in_the_results_folder_is_refused(earlier: Path) -> None:
    before, design = contents(earlier), earlier / "design.json"
    experiment = earlier / "small.toml"
    calls: dict[Path, Callable[[], object]] = {
        design: lambda: cosilico.search_accelerator(design, "tiny", earlier, force=True),
        experiment: lambda: cosilico.search(experiment, earlier, force=True),
    }
    for path, call in calls.items():
        if path == experiment:
            experiment.write_text('[task]\nname = "digits"\n')
            before[experiment] = experiment.read_bytes()
        line = f"out must be a folder without the input {str(path)!r}, not {str(earlier)!r}"
        with pytest.raises(cosilico.CosilicoError, match=f"^{re.escape(line)}$"):
            call()
        assert contents(earlier) == before


@pytest.mark.parametrize("option", ["resume", "force"])
def test_an_option_of_a_folder_needs_a_folder(option: str) -> None:
    line = f"^{option} must be False without out, not True$"
    chosen: dict[str, Any] = {option: True}
    with pytest.raises(ValueError, match=line):
        cosilico.search_accelerator("ds_cnn", **chosen)
    with pytest.raises(ValueError, match=line):
        cosilico.search("absent.toml", **chosen)


def test_stale_timing_constants_stop_a_search(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale() -> None:
        raise StaleCalibrationError("stale")

    monkeypatch.setattr(api_search, "calibration_in_force", stale)
    before = contents(earlier)
    with pytest.raises(StaleCalibrationError, match=r"^stale$"):
        cosilico.search_accelerator("ds_cnn", out=earlier, force=True)
    with pytest.raises(StaleCalibrationError, match=r"^stale$"):
        cosilico.search(ROOT / "examples" / "digits.toml", earlier, force=True)
    assert contents(earlier) == before


def test_an_accelerator_is_searched_by_a_named_strategy(tmp_path: Path) -> None:
    out = tmp_path / "out"
    certified = cosilico.search_accelerator(
        "ds_cnn", SMALL, out, strategy="certified", objective="edp"
    )
    assert certified.figures["strategy"] == "certified"
    assert certified.figures["proof"]["complete"] is True
    line = f"out must be a folder of the same strategy to resume, not {str(out)!r}"
    with pytest.raises(cosilico.CosilicoError, match=f"^{re.escape(line)}$"):
        cosilico.search_accelerator(
            "ds_cnn", SMALL, out, strategy="random", objective="edp", resume=True
        )
    polished = cosilico.search_accelerator(
        "ds_cnn", SMALL, strategy="random+polish", budget=40, objective="edp"
    )
    assert set(polished.evaluations["phase"]) == {"default", "random", "polish"}
    assert 20 < len(polished.evaluations) <= 40
    cost = certified.figures["proof"]["cost"]
    best = polished.figures["best"]
    assert cost <= best["predicted_cycles"] * best["energy"]


@pytest.mark.long
def test_an_interrupted_search_is_resumed_or_replaced(tmp_path: Path) -> None:
    """Long: killed searches go on in the tests of the strategies."""

    def interrupt(step: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        cosilico.search_accelerator("ds_cnn", SMALL, out, progress=interrupt)
    line = (
        "out must be a folder that is absent or empty, or --resume or --force must be given, not "
    )
    with pytest.raises(cosilico.CosilicoError, match=f"^{re.escape(line)}"):
        cosilico.search_accelerator("ds_cnn", SMALL, out)
    steps: list[int] = []
    resumed = cosilico.search_accelerator(
        "ds_cnn", SMALL, out, resume=True, progress=lambda step, done, total: steps.append(done)
    )
    assert steps[0] > 0
    whole = cosilico.search_accelerator("ds_cnn", SMALL)
    assert resumed.design.accelerator == whole.design.accelerator
    assert resumed.evaluations.columns() == whole.evaluations.columns()
    line = f"out must be a folder of the same network and seed to resume, not {str(out)!r}"
    with pytest.raises(cosilico.CosilicoError, match=f"^{re.escape(line)}$"):
        cosilico.search_accelerator("ds_cnn", SMALL, out, seed=1, resume=True)
    (out / "notes").write_text("a user's")
    replaced = cosilico.search_accelerator("ds_cnn", SMALL, out, seed=1, force=True)
    assert replaced.figures["seed"] == 1
    assert (out / "notes").read_text() == "a user's"


COMPARED = ("design.json", "weights.npz", "test.npz", "evaluations.jsonl")


class StoppedError(Exception):
    """A search was stopped."""


@contextmanager
def stopping() -> Iterator[Report]:
    """Report of progress that stops a search in the middle."""

    def report(step: str, done: int, total: int) -> None:
        if "refinement" in step and done == 1:
            raise StoppedError

    yield report


@pytest.mark.slow
@pytest.mark.long
def test_command_and_api_resume_each_others_searches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tmp_path / "small.toml"
    experiment.write_text(SMALL_EXPERIMENT)
    of_api, of_command, whole = (tmp_path / name for name in ("api", "command", "whole"))
    with stopping() as report, pytest.raises(StoppedError):
        cosilico.search(experiment, of_api, seed=1, progress=report)
    with monkeypatch.context() as patched:
        patched.setattr(search_stage, "progress_bar", stopping)
        with pytest.raises(StoppedError):
            search_stage.search_to_folder(experiment, of_command, seed=1)
    command = ["search", str(experiment), "--seed", "1", "--resume", "--out"]
    assert main([*command, str(of_api)]) == 0
    steps: list[tuple[str, int]] = []
    result = cosilico.search(
        experiment,
        of_command,
        seed=1,
        resume=True,
        progress=lambda step, done, total: steps.append((step, done)),
    )
    assert steps[0][1] == 1  # where it was stopped
    cosilico.search(experiment, whole, seed=1)
    for name in COMPARED:
        made = (whole / name).read_bytes()
        assert (of_api / name).read_bytes() == made
        assert (of_command / name).read_bytes() == made

    def repeated(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a search that is done must not be repeated")

    monkeypatch.setattr("search.driver.run_search", repeated)
    again = cosilico.search(experiment, of_api, seed=1, resume=True)
    assert again.evaluations.columns() == result.evaluations.columns()
    assert main([*command, str(of_command)]) == 0
