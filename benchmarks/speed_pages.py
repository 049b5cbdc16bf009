"""Table of the page on the model's speed against another commit's."""

from collections.abc import Mapping
from typing import Any

from page_tables import table_lines

__all__ = ["speed"]


def speed(results: Mapping[str, Any]) -> str:
    """Ratios of CPU time of every timed case, and how many points were compared."""
    rows = [
        [
            row["case"],
            _time(row["before_s"]),
            _time(row["after_s"]),
            f"{row['before_s'] / row['after_s']:.2f}",
        ]
        for row in results["cases"]
    ]
    titles = ("case", f"at `{results['commit']}`", "here", "times as fast")
    compared = results["compared"]
    told = f"{compared['points']:,} points compared with `{results['commit']}`: "
    told += f"{compared['different']} of {compared['parts']} parts differ."
    return "\n".join((*table_lines(titles, rows, text=1), "", told))


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1e6 * seconds:,.0f} µs"
