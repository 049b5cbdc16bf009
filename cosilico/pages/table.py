"""Tables in Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["anchor", "markdown_table"]


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of a table, each with its end; bars in cells are escaped."""
    lines = [list(titles), ["---"] * len(titles), *([_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def anchor(heading: str) -> str:
    """Return what a link to a heading ends in, as GitHub and MyST make it."""
    kept = (c for c in heading.lower() if c.isalnum() or c in " -_")
    return "".join(kept).strip().replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
