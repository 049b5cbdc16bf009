"""Markdown tables of the pages."""

from collections.abc import Iterable, Sequence

__all__ = ["NOT_YET", "table_lines"]

NOT_YET = "Not measured yet."
"""Text in the place of a table whose results file is empty."""


def table_lines(titles: Sequence[str], rows: Iterable[Sequence[str]], *, text: int) -> list[str]:
    """Lines of a Markdown table whose first columns are text and whose others are numbers."""
    ruler = "|---" * text + "|---:" * (len(titles) - text) + "|"
    return [f"| {' | '.join(titles)} |", ruler, *(f"| {' | '.join(row)} |" for row in rows)]
