"""Table of docs/reference/importing.md: what fraction of public collections imports."""

from collections.abc import Mapping
from typing import Any

from page_tables import table_lines

__all__ = ["model_collections"]


def model_collections(results: Mapping[str, Any]) -> str:
    """Files, int8 models and those that import, by collection, and why others are refused."""
    titles = ["collection", "files", "of int8", "import", "share", "others"]
    rows, sums = [], [0, 0, 0]
    for name, counts in sorted(results["collections"].items()):
        figures = (counts["files"], counts["imported"] + counts["refused"], counts["imported"])
        sums = [a + b for a, b in zip(sums, figures, strict=True)]
        families = "; ".join(f"{count} × {family}" for family, count in counts["families"].items())
        rows.append([name, *_figures(*figures), families])
    rows.append(["all", *_figures(*sums), ""])
    lines = table_lines(titles, rows, text=1)
    return "\n".join([*lines, "", f"({results['date']}.)"])


def _figures(files: int, models: int, imported: int) -> list[str]:
    share = f"{100 * imported / models:.0f} %" if models else ""
    return [f"{files:,}", f"{models:,}", f"{imported:,}", share]
