"""Tables on the terminal: at any width columns are left out, digits never."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

__all__ = ["FILE_WIDTH", "Column", "fitted_table", "output_console", "print_line"]

FILE_WIDTH = 120
"""Columns where no terminal says its own, nor COLUMNS."""

TEXT_WIDTH = 16
"""Text is broken before a column is left out, but not into less than this."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str
    right : bool
        Whether it holds numbers, which are never broken; else text, which is where it must.
    rank : int
        Columns of the highest rank are left out first where the table is too wide; those of rank 0
        never.
    """

    title: str
    right: bool = False
    rank: int = 0


def output_console() -> Console:
    """Console on stdout, which prints text as it is: names in files may look like markup."""
    console = Console(markup=False, emoji=False)
    known = console.is_terminal or "COLUMNS" in os.environ
    return console if known else Console(width=FILE_WIDTH, markup=False, emoji=False)


def print_line(console: Console, line: str) -> None:
    """Print a line as it is; on a narrow terminal it is broken between words."""
    console.print(line, highlight=False, soft_wrap=console.width >= FILE_WIDTH)


def fitted_table(
    width: int,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    title: str | None = None,
    sections: Sequence[int] = (),
    tight: bool = False,
) -> Table:
    """Table that is at most ``width`` wide, as far as its columns of rank 0 let it.

    Parameters
    ----------
    width : int
    columns : sequence of Column
    rows : sequence of sequence of str
        A text for each column.
    title : str, optional
    sections : sequence of int
        Indices of rows that a line follows.
    tight : bool
        Without lines between columns.
    """
    chosen = list(range(len(columns)))
    while True:
        kept = [columns[i] for i in chosen]
        cells = [[row[i] for i in chosen] for row in rows]
        # Beside every cell: padding and a line, and a line at the end.
        room = width - (2 if tight else 3) * len(chosen) - 1
        widths = _widths(room, kept, cells)
        rank = max(column.rank for column in kept)
        if sum(widths) <= room or rank == 0:
            break
        chosen = [i for i in chosen if columns[i].rank != rank]
    table = Table(
        title=title,
        box=SIMPLE_HEAD if tight else HEAVY_HEAD,
        padding=(0, 1, 0, 0) if tight else (0, 1),
    )
    for column, column_width in zip(kept, widths, strict=True):
        justify = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, width=column_width, overflow="fold")  # type: ignore[arg-type]  # mypy sees a str
    for index, row in enumerate(cells):
        table.add_row(*row, end_section=index in sections)
    return table


def _widths(room: int, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Widths of the columns; more than ``room`` where they do not fit."""
    cells = [max((cell_len(row[i]) for row in rows), default=0) for i in range(len(columns))]
    natural = [max(cell_len(c.title), width) for c, width in zip(columns, cells, strict=True)]
    if sum(natural) <= room:
        return natural
    words = [max(map(cell_len, column.title.split()), default=0) for column in columns]
    widths = [max(word, width) for word, width in zip(words, cells, strict=True)]
    texts = [i for i, column in enumerate(columns) if not column.right]
    while sum(widths) > room:
        widest = max(texts, key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= max(TEXT_WIDTH, words[widest]):
            break
        widths[widest] -= 1
    return widths
