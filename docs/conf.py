"""Configuration of the pages that ``make docs`` builds (Sphinx): the folder of the sources is the root."""

import sys
from pathlib import Path

import typer
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cosilico import __version__  # noqa: E402  # the path comes first
from cosilico.cli import app as command_line  # noqa: E402  # the path comes first

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

COMMANDS_PAGE = "docs/reference/api/commands"


def add_commands(sphinx: Sphinx, page: str, source: list[str]) -> None:
    """Append the help of every command to the page of the command line."""
    if page != COMMANDS_PAGE:
        return
    from typer.cli import get_docs_for_click

    group = typer.main.get_command(command_line)
    context = typer.Context(group, info_name="cosilico")
    text = get_docs_for_click(obj=group, ctx=context, name="cosilico", title="cosilico")
    source[0] += text.partition("\n")[2]


def setup(sphinx: Sphinx) -> None:
    """Connect what makes pages."""
    sphinx.connect("source-read", add_commands)
    sphinx.add_lexer("mermaid", TextLexer)  # drawn by those who host the sources, text here
