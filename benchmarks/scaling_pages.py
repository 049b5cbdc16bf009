"""Tables of docs/explanation/scaling.md: figures of a small cluster, and those of a large cluster that follow."""

from collections.abc import Mapping, Sequence
from typing import Any

from page_tables import table_lines

__all__ = ["campaign", "cluster_overhead"]

CAMPAIGN_WORKERS = (1, 10, 100, 1000)
"""Workers for which a campaign's time is worked out."""


def cluster_overhead(results: Mapping[str, Any]) -> str:
    """Overhead of a task and efficiency, by workers."""
    titles = ["workers", "scheduler, per task", "client, per task", "efficiency"]
    rows = [
        [
            str(row["workers"]),
            f"{row['scheduler_us']:,.0f} µs",
            f"{row['client_us']:,.0f} µs",
            f"{100 * row['efficiency']:.0f} %",
        ]
        for row in results["workers"]
    ]
    load = results["load_before"]
    made = (
        f"{results['date']}, {results['processor']}, {results['cores']} cores, load {load:g} before; {results['tasks']:,} empty tasks, "
        f"{results['points']:,} accelerators for {results['network']}"
    )
    return "\n".join([*table_lines(titles, rows, text=0), "", f"({made}.)"])


def campaign(results: Mapping[str, Any]) -> str:
    """Time of an enumeration of a large space, by workers."""
    titles = ["workers", "hours of processors", "minutes", "scheduler busy", "efficiency"]
    rows = [
        [
            f"{workers:,}",
            f"{figures['cpu_hours']:.2f}",
            f"{figures['minutes']:.1f}",
            f"{100 * figures['scheduler']:.2g} %",
            f"{100 * figures['efficiency']:.0f} %",
        ]
        for workers, figures in campaigns(results, CAMPAIGN_WORKERS)
    ]
    return "\n".join(table_lines(titles, rows, text=0))


def campaigns(
    results: Mapping[str, Any], counts: Sequence[int]
) -> list[tuple[int, dict[str, float]]]:
    """Return for each number of workers what the enumeration of the whole space takes.

    A worker does a part at a time, so at the end some workers have nothing to do. The scheduler serves one task after the other, and a campaign is
    as long as the longer of the two: its work, and the parts of a worker.
    """
    space = results["campaign"]
    per_point = results["alone"]["cpu_s"] / results["points"]
    overhead = 1e-6 * max(row["scheduler_us"] + row["client_us"] for row in results["workers"])
    work, parts = per_point * space["points"], space["parts"]
    answers = []
    for count in counts:
        rounds = -(-parts // count)
        seconds = max(rounds * (per_point * space["part_points"]), work / count, overhead * parts)
        seconds += overhead
        answers.append(
            (
                count,
                {
                    "cpu_hours": (work + overhead * parts) / 3600,
                    "minutes": seconds / 60,
                    "scheduler": min(1.0, overhead * parts / seconds),
                    "efficiency": work / (count * seconds),
                },
            )
        )
    return answers
