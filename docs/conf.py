"""Configuration of the pages that ``make docs`` builds (Sphinx): the folder of the sources is the root."""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cosilico import __version__  # noqa: E402  # the path comes first

project = "Cosilico"
author = "The Cosilico developers"
copyright = author  # Sphinx's name
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/contents"
include_patterns = ["*.md", "docs/**", "examples/*.md", "benchmarks/*.md"]
exclude_patterns = [".*", "build", "cosilico", "hwgen", "search", "sim", "testbench", "tests"]

html_theme = "furo"
html_title = f"Cosilico {__version__}"
html_show_sphinx = False

myst_heading_anchors = 4
nb_execution_mode = "off"  # the tests run the notebook; its outputs are committed
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name them
napoleon_google_docstring = False
napoleon_use_rtype = False

DOOR = """\
<!DOCTYPE html>
<meta charset="utf-8">
<title>Cosilico</title>
<meta http-equiv="refresh" content="0; url={page}">
<a href="{page}">Cosilico's documentation</a>
"""
"""Page at the top of the site, which leads to the first page: sources lie in several folders."""


def write_door(sphinx: Sphinx, error: Exception | None) -> None:
    """Write the page that the site is opened by."""
    if error is None and sphinx.builder.format == "html":
        page = f"{root_doc}.html"
        (Path(sphinx.outdir) / "index.html").write_text(DOOR.format(page=page), encoding="utf-8")


def setup(sphinx: Sphinx) -> None:
    """Connect what makes pages."""
    sphinx.connect("build-finished", write_door)
    sphinx.add_lexer("mermaid", TextLexer)  # drawn by those who host the sources, text here
