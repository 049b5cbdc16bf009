"""The network that a search ended with, among those that it evaluated."""

from collections import defaultdict
from typing import Any

from cosilico.report.records import RunRecords

__all__ = ["chosen_networks"]

_COSTS = ("cycles", "execute_busy", "read_bytes", "write_bytes", "store_bytes", "energy")


def chosen_networks(records: RunRecords) -> set[str]:
    """Return the names that the final network has in the log.

    The last evaluations are of the trained network, by the experiment's name. While searching, it had a name that
    says what was chosen. Names are of one network if their costs are the same on every accelerator that both
    met, and if both met the searched accelerator.
    """
    rows = records.evaluations
    if not rows:
        return set()
    best = records.search.get("best") or {}
    winner = _key(best["accelerator"]) if best.get("accelerator") else None
    final = rows[-1].get("network", "")
    costs: dict[str, dict[Any, tuple[Any, ...]]] = defaultdict(dict)
    for row in rows:
        if row.get("accelerator"):
            costs[row.get("network", final)][_key(row["accelerator"])] = tuple(map(row.get, _COSTS))
            if _key(row["accelerator"]) == winner and row["cycles"] == best.get("predicted_cycles"):
                final = row.get("network", final)
    own = costs[final]
    same = {
        name
        for name, known in costs.items()
        if winner in known and all(own.get(key, value) == value for key, value in known.items())
    }
    return same | {final}


def _key(accelerator: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(accelerator.items()))
