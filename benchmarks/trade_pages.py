"""Tables of the pages on what memory, store and bandwidth trade, and on what cycles are lost to."""

from collections.abc import Mapping
from typing import Any

from cosilico.summary import accelerator_text
from layer_limits import CAUSES
from page_tables import table_lines

__all__ = ["edge_limits", "edge_optima", "edge_trade", "edge_utilization", "tiny_limits"]

Results = Mapping[str, Any]

_AREAS = {"default": "the default's", "half": "half of it"}


def edge_limits(results: Results) -> str:
    """Cycles by kind of layer and cause on the default of `edge`."""
    return _limits(results["edge"])


def tiny_limits(results: Results) -> str:
    """Cycles by kind of layer and cause on the default of `tiny` with a weight store."""
    return _limits(results["tiny"])


def _limits(case: Results) -> str:
    kinds = dict(case["layers"])
    kinds["all"] = {cause: sum(kind[cause] for kind in kinds.values()) for cause in CAUSES}
    rows = [
        [name.replace("_", " "), f"{sum(kind.values()):,}", *(f"{kind[c]:,}" for c in CAUSES)]
        for name, kind in kinds.items()
    ]
    return "\n".join(table_lines(("layers", "cycles", *CAUSES), rows, text=1))


def edge_optima(results: Results) -> str:
    """Accelerators of fewest warm and of fewest cold cycles within each area."""
    titles = ("network", "area", "fewest", "accelerator", "warm cycles", "cold cycles", "area, mm²")
    rows = []
    for name, row in results.items():
        picks = [("the default", "-", row["default"])] + [
            (_AREAS[budget], entry, best)
            for budget, entries in row["optima"].items()
            for entry, best in entries.items()
        ]
        rows += [
            [
                name,
                area,
                entry,
                accelerator_text(best["accelerator"]),
                f"{best['predicted_cycles']:,}",
                f"{best['predicted_cold_cycles']:,}",
                f"{best['area']:.1f}",
            ]
            for area, entry, best in picks
        ]
    return "\n".join(table_lines(titles, rows, text=4))


def edge_trade(results: Results) -> str:
    """Fewest warm and cold cycles for each value of a field, all others free, within each area."""
    titles = ["network", "field", "value"]
    titles += [f"{_AREAS[area]}: {entry}" for area in _AREAS for entry in ("warm", "cold")]
    rows = []
    for name, row in results.items():
        for field, values in row["pinned"]["default"].items():
            for index, value in enumerate(values):
                cells = [
                    _cycles(row["pinned"][area][field][index][entry])
                    for area in _AREAS
                    for entry in ("warm", "cold")
                ]
                rows.append([name, f"`{field}`", f"{value['value']:g}", *cells])
    return "\n".join(table_lines(titles, rows, text=2))


def _cycles(value: int | None) -> str:
    return "none fits" if value is None else f"{value:,}"


def edge_utilization(results: Results) -> str:
    """Best accelerators by number of MACs within the default's area, and what their cycles are lost to."""
    causes = CAUSES[1:]
    titles = ("network", "accelerator", "MACs", "warm cycles", "utilization", *causes)
    rows = [
        [
            name,
            accelerator_text(best["accelerator"]),
            f"{int(size):,}",
            f"{best['cycles']:,}",
            f"{100 * best['utilization']:.1f} %",
            *(f"{100 * best['lost'][cause]:.1f} %" for cause in causes),
        ]
        for name, row in results.items()
        for size, best in row["sizes"].items()
    ]
    return "\n".join(table_lines(titles, rows, text=2))
