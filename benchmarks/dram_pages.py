"""Tables of the pages on DRAMs: errors and parameters of the calibration, and another simulator beside it."""

from collections.abc import Mapping
from typing import Any

from page_tables import table_lines

__all__ = ["dram_judge", "dram_parameters", "drams"]

Results = Mapping[str, Any]


def drams(results: Results) -> str:
    """Errors of every DRAM's calibration on what took no part in it."""
    titles = ["memory", "layers", "mean error", "worst error", "rank correlation"]
    titles += ["networks", "mean error", "worst error"]
    rows = [
        [
            f"`{name}`",
            f"{dram['layers']:,}",
            *(f"{100 * dram[figure]:.3f} %" for figure in ("mean", "worst")),
            f"{dram['spearman']:.3f}",
            f"{dram['networks']:,}",
            *(f"{100 * dram[figure]:.3f} %" for figure in ("network_mean", "network_worst")),
        ]
        for name, dram in results["drams"].items()
    ]
    return "\n".join(table_lines(titles, rows, text=1))


def dram_parameters(results: Results) -> str:
    """Fitted parameters of every DRAM whose controller serves in order."""
    shown = {name: dram for name, dram in results["drams"].items() if "/" not in name}
    names = next(iter(shown.values()))["parameters"]
    rows = [
        [f"`{name}`", *(f"{dram['parameters'][name]:,}" for dram in shown.values())]
        for name in names
    ]
    titles = ["parameter", *(f"`{name}`" for name in shown)]
    return "\n".join(table_lines(titles, rows, text=1))


def dram_judge(results: Results) -> str:
    """Latencies of reads in our DRAM and in DRAMsim3."""
    titles = ["memory", "requests", "reads", "mean latency, clocks", "in DRAMsim3"]
    titles += ["median", "in DRAMsim3", "equal"]
    rows = [
        [
            row["memory"],
            row["kind"],
            f"{row['reads']:,}",
            f"{row['mean_ours']:.1f}",
            f"{row['mean_dramsim3']:.1f}",
            f"{row['median_ours']:g}",
            f"{row['median_dramsim3']:g}",
            f"{100 * row['equal']:.0f} %",
        ]
        for row in results["rows"]
    ]
    return "\n".join(table_lines(titles, rows, text=2))
