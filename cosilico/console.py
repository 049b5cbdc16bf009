"""Where tables are printed: as wide as the terminal, or wide enough in a file."""

from rich.console import Console

__all__ = ["output_console"]

FILE_WIDTH = 120
"""Columns where no terminal says its own."""


def output_console() -> Console:
    """Console on stdout."""
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)
