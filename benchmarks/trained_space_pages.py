"""Figures of a table of trained networks: rank correlation with shared weights, spread, and the seed's noise."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from claim_verdicts import times
from page_tables import NOT_YET, table_lines

__all__ = ["figures", "pooled_deviation", "trained_space", "within"]

Results = Mapping[str, Any]


def figures(table: Results) -> dict[str, Any]:
    """Figures of a table that has networks.

    Returns
    -------
    dict
        ``networks`` : int; ``least``, ``median``, ``most`` : int8 accuracies of the networks alone; ``deviation`` : their
        standard deviation; ``noise`` : that of a network's seeds, pooled over the networks that have several, and
        ``repeated`` : how many these are; ``kendall``, ``spearman`` : rank correlation of the networks alone with the shared
        weights, and ``kendall_best`` : of the better half; ``shared`` : median accuracy with the shared weights; ``lost`` :
        what quantization takes from the accuracy, on average; ``alike`` : share of pairs of networks that differ by
        less than the noise of two trainings; ``cpu_s`` : spread of the CPU seconds that a training alone takes, its test
        included; ``cpu_h`` : CPU hours of all.
    """
    children = list(table["children"].values())
    alone = np.array([child["post_training"] for child in children])
    shared = np.array([child["shared_weights"] for child in children])
    real = np.array([child["full_precision"] for child in children])
    seeds = [
        np.array([child["post_training"], *child["other_seeds"]])
        for child in children
        if child.get("other_seeds")
    ]
    better = alone >= np.median(alone)
    return {
        "networks": len(children),
        "least": float(alone.min()),
        "median": float(np.median(alone)),
        "most": float(alone.max()),
        "deviation": float(alone.std(ddof=1)),
        "noise": pooled_deviation(seeds) if seeds else None,
        "repeated": len(seeds),
        "kendall": float(kendalltau(alone, shared).statistic),
        "spearman": float(spearmanr(alone, shared).statistic),
        "kendall_best": float(kendalltau(alone[better], shared[better]).statistic),
        "shared": float(np.median(shared)),
        "lost": float((real - alone).mean()),
        "alike": None if not seeds else within(alone, pooled_deviation(seeds)),
        "cpu_s": table["training"]["cpu_s"].get("alone"),
        "cpu_h": table["training"]["cpu_s"]["all"] / 3600,
    }


def pooled_deviation(samples: Sequence[NDArray[np.float64]]) -> float:
    """Standard deviation within samples that may differ in size, each with a mean of its own."""
    squares = sum(float(((own - own.mean()) ** 2).sum()) for own in samples)
    return float(np.sqrt(squares / sum(len(own) - 1 for own in samples)))


def within(accuracies: NDArray[np.float64], noise: float) -> float:
    """Share of all pairs of accuracies that differ by less than the deviation of the difference of two with this noise."""
    first, second = np.triu_indices(len(accuracies), 1)
    near = np.abs(accuracies[first] - accuracies[second]) < np.sqrt(2) * noise
    return float(near.mean())


def trained_space(results: Results) -> str:
    """Figures of the table as a table of a page."""
    if not results["children"]:
        return NOT_YET
    made = figures(results)
    noise = "none" if made["noise"] is None else f"{made['noise']:.4f}"
    seconds = "none" if made["cpu_s"] is None else times(made["cpu_s"], unit="", digits=0)
    rows = [
        ["networks, each trained alone", f"{made['networks']:,}"],
        [
            "int8 accuracy: least, median, most",
            f"{made['least']:.4f}, {made['median']:.4f}, {made['most']:.4f}",
        ],
        ["standard deviation over the networks", f"{made['deviation']:.4f}"],
        [f"standard deviation over the seeds of a network ({made['repeated']} networks)", noise],
        [
            "pairs of networks that differ by less than the deviation of a difference of two trainings",
            "none" if made["noise"] is None else f"{100 * made['alike']:.1f} %",
        ],
        ["accuracy that quantization takes, mean", f"{made['lost']:.4f}"],
        ["median int8 accuracy with shared weights", f"{made['shared']:.4f}"],
        ["Kendall's τ of both", f"{made['kendall']:.3f}"],
        ["Spearman's ρ of both", f"{made['spearman']:.3f}"],
        ["Kendall's τ of the better half", f"{made['kendall_best']:.3f}"],
        ["CPU seconds of a network alone, its test included", seconds],
        ["CPU hours of all", f"{made['cpu_h']:.2f}"],
    ]
    return "\n".join(table_lines(("figure", "value"), rows, text=1))
