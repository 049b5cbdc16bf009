"""Tutorials and how-to pages: every block of commands runs, page by page."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cosilico.cli import main
from page_blocks import LANGUAGES, blocks, statements
from project_root import ROOT
from sim.timing import calibration
from testbench.calibration import microbenchmarks

PAGES = sorted([*ROOT.glob("docs/tutorials/*.md"), *ROOT.glob("docs/howto/*.md")])
RTL = ("accelerator", "cocotb", "digits", "integrate", "memory", "simulate", "your_model")
"""Pages that build or run RTL."""

SLOW = ("digits", "your_model")
"""Pages that take more than ten seconds."""

LONG = ("cocotb", "digits", "memory", "simulate")
"""Pages that take longest; their commands are those of other pages and tests, with more images and points."""


def marks(name: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a page."""
    return [
        *[pytest.mark.rtl] * (name in RTL),
        *[pytest.mark.slow] * (name in SLOW),
        *[pytest.mark.long] * (name in LONG),
    ]


def calibrated() -> microbenchmarks.CalibrationReport:
    """Timing constants as if they had been measured again; that has tests of its own."""
    return microbenchmarks.CalibrationReport(
        calibration=calibration.default(), microbenchmarks=1, held_out=2
    )


def run_shell(statement: str, folder: Path) -> None:
    """Run a statement as a user does who has the project installed."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", statement],
        capture_output=True, text=True, check=False, cwd=folder,
        env=os.environ | {"PATH": programs, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, f"{statement}\n{done.stderr}"


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.stem, marks=marks(page.stem)) for page in PAGES],
)
def test_the_commands_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(microbenchmarks, "calibrate", calibrated)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    names: dict[str, Any] = {"__name__": page.stem}
    ran = 0
    for block in blocks(page):
        if block.language not in LANGUAGES:
            continue
        ran += 1
        if block.test is not None:
            assert (ROOT / block.test).is_file(), block.test
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
        else:
            for statement in statements(block.text):
                if isinstance(statement, str):
                    run_shell(statement, tmp_path)
                else:
                    assert main(statement) == 0, statement
    assert ran > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_have_a_language_that_says_whether_they_run(page: Path) -> None:
    known = {*LANGUAGES, "text", "toml", "json", "c"}
    assert {block.language for block in blocks(page)} <= known
    assert not [
        line
        for line in page.read_text().splitlines()
        if line.startswith("    ") and line.strip().startswith("cosilico ")
    ]


def test_statements_are_told_apart() -> None:
    text = (
        "cosilico predict net \\\n    --memory latency=4  # slow\n"
        "cosilico report a > b\n\n"
        "cat > f <<'EOF'\ncosilico x\nEOF\n"
        "# nothing\n"
    )
    assert list(statements(text)) == [
        ["predict", "net", "--memory", "latency=4"],
        "cosilico report a > b",
        "cat > f <<'EOF'\ncosilico x\nEOF",
        "# nothing",
    ]
