"""The built pages: they build without a warning, and hold every public name and command."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

import cosilico
from cosilico.pages.accelerator import field_texts
from cosilico.pages.generated import GENERATED_PAGES, write_pages
from project_root import ROOT
from sim.spec.accelerator import AcceleratorConfig


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    recipe = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "sphinx" in line)
    words = recipe.split("-m sphinx", 1)[1].split()
    assert {"--fail-on-warning", "--keep-going"} <= set(words)
    words[words.index("build/site")] = str(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    site = tmp_path / "site"
    assert 'url=docs/contents.html"' in (site / "index.html").read_text()
    pages = site / "docs"
    text = "".join(page.read_text() for page in (pages / "reference" / "api").glob("*.html"))
    names = [name for name in cosilico.__all__ if name != "__version__"]
    assert [name for name in names if f'id="cosilico.{name}"' not in text] == []
    commands = (pages / "reference" / "commands.html").read_text()
    for name in ("run", "import", "predict", "check", "simulate", "cache"):
        assert f'id="cosilico-{name}"' in commands
    assert "on 100 accelerators" in (pages / "tutorials" / "tour.html").read_text()
    assert foreign_addresses(site) == {}


LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\ssrc="((?:https?:)?//[^"]*)"""
    r"""|<link\b(?=[^>]*rel="(?:stylesheet|preload|icon)")[^>]*?\shref="((?:https?:)?//[^"]*)"""
)
"""Files that a page loads from another host when it is opened."""


def foreign_addresses(site: Path) -> dict[str, list[str]]:
    """Return what pages would load from elsewhere, by page."""
    loaded = {
        str(page.relative_to(site)): ["".join(match) for match in LOADED.findall(page.read_text())]
        for page in site.rglob("*.html")
    }
    assert len(loaded) > 50
    return {page: addresses for page, addresses in loaded.items() if addresses}


def test_every_field_of_an_accelerator_is_documented() -> None:
    texts = field_texts()
    assert list(texts) == [field.name for field in fields(AcceleratorConfig)]
    assert all(text.endswith(".") for text in texts.values())
    assert texts["pes_y"] == "Rows of the PE grid, 1 … 8."


@pytest.mark.parametrize(
    ("path", "page"),
    [pytest.param(*pair, id=Path(pair[0]).stem) for pair in GENERATED_PAGES.items()],
)
def test_a_generated_page_is_that_of_the_code(path: str, page: Callable[[], str]) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == page(), "run make supported"


def test_pages_are_written_where_they_are_read(tmp_path: Path) -> None:
    for path in GENERATED_PAGES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    write_pages(tmp_path)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.md")}
    assert written == set(GENERATED_PAGES)
