"""The built pages: they build without a warning, and hold every public name and command."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import cosilico
from cosilico.accelerator_page import ACCELERATOR_PAGE, accelerator_page, field_texts
from cosilico.ports_page import PORTS_PAGE, ports_page
from project_root import ROOT
from sim.spec.accelerator import AcceleratorConfig


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    recipe = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "sphinx" in line)
    words = recipe.split("-m sphinx", 1)[1].split()
    assert {"--fail-on-warning", "--keep-going"} <= set(words)
    words[words.index("build/docs")] = str(tmp_path / "docs")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    pages = tmp_path / "docs" / "docs"
    text = "".join(page.read_text() for page in (pages / "api").glob("*.html"))
    names = [name for name in cosilico.__all__ if name != "__version__"]
    assert [name for name in names if f'id="cosilico.{name}"' not in text] == []
    commands = (pages / "api" / "commands.html").read_text()
    for name in ("run", "import", "predict", "check", "simulate", "cache"):
        assert f'id="cosilico-{name}"' in commands
    assert "on 100 accelerators" in (pages / "tour.html").read_text()


def test_every_field_of_an_accelerator_is_documented() -> None:
    texts = field_texts()
    assert list(texts) == [field.name for field in fields(AcceleratorConfig)]
    assert all(text.endswith(".") for text in texts.values())
    assert texts["pes_y"] == "Rows of the PE grid, 1 … 8."


def test_the_accelerators_page_is_current() -> None:
    assert (ROOT / ACCELERATOR_PAGE).read_text() == accelerator_page(), "run make supported"


def test_the_page_of_ports_is_that_of_the_code() -> None:
    assert (ROOT / PORTS_PAGE).read_text() == ports_page(), "run make supported"
