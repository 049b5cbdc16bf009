"""Timing tables: what is printed, and what a wrong liberty file gets."""

from pathlib import Path

import pytest

from cosilico.cli import main
from cosilico.timing import print_timing
from hwgen.synthesis.report import TimingReport, TimingRow
from hwgen.synthesis.timing import Path as TimedPath
from hwgen.synthesis.timing import PathKind

WITHIN, TO_OUTPUT = PathKind("register", "register"), PathKind("register", "output")


def report() -> TimingReport:
    """Two modules, of which the second is too slow, and a part of a path."""
    rows = [
        TimingRow("inner", WITHIN, TimedPath(0.5, "a", "b"), 0.75, True, -0.5),
        TimingRow("inner", TO_OUTPUT, TimedPath(2.0, "a", "out"), -0.75, False, -2.0),
        TimingRow("outer", WITHIN, TimedPath(1.5, "c", "x/d"), -0.25, True, -0.25),
    ]
    return TimingReport(800, "five", rows, {"inner": 10.0, "outer": 5.0}, {"inner": 3, "outer": 1})


def test_only_whole_paths_can_be_too_slow(capsys: pytest.CaptureFixture[str]) -> None:
    made = report()
    assert [row.module for row in made.misses] == ["outer"]
    assert made.logic_um2 == 35.0
    print_timing(made)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "too slow: outer",
        "too slow with the wires between macros: inner, outer",
    ]
    assert not any("→ output" in line for line in lines)
    print_timing(made, every=True)
    assert any("register → output" in line for line in capsys.readouterr().out.splitlines())


def test_the_table_as_json_has_every_path() -> None:
    made = report().to_json()
    assert [path["judged"] for path in made["paths"]] == [True, False, True]
    assert [path["wired_slack_ns"] for path in made["paths"]] == [-0.5, -2.0, -0.25]
    assert made["modules"] == {
        "inner": {"area_um2": 10.0, "instances": 3},
        "outer": {"area_um2": 5.0, "instances": 1},
    }


def test_a_liberty_file_that_is_none_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.lib"
    path.write_text("no liberty")
    assert main(["timing", "--liberty", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"cosilico: liberty {path} must be a liberty file")
    assert main(["timing", "--accelerator", "none", "--liberty", str(path)]) == 2
    assert capsys.readouterr().err.startswith("cosilico: accelerator must be one of ")
