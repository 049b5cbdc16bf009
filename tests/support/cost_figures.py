"""Figures on the page on silicon, outside of its tables, from the model and the files of its sources."""

import json

from project_root import ROOT
from sim.cost.external_interface import ExternalInterface, interface_figures, interface_price
from sim.cost.sram import MACRO_ROWS
from sim.cost.sram_table import macro_table

FOUR_FIFTHS, DDR3_SIGNALS = 0.8, 49
"""I/O's share of DesignWare's DDR3 PHY in McPAT's code, and the signals of its 16 bits."""

WITHOUT_BORDERS = 0.01
"""Largest difference of a lane's area from the sum over its modules; the slow test of mapping judges it."""


def cost_figures() -> set[str]:
    """Every figure of the page that is not in a block."""
    return {
        f"{MACRO_ROWS:,}",
        percent(WITHOUT_BORDERS),
        *cacti_settings(),
        *macros_beyond_the_table(),
        *interface_areas(),
        *published_energy_figures(),
    }


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def cacti_settings() -> set[str]:
    """Allowed excess over the least delay, of macros and of wires."""
    provenance = macro_table().provenance
    deviations = provenance["deviate (delay, dynamic power, leakage power, cycle time, area)"]
    wires = provenance["Wire signaling (fullswing, lowswing, default)"].strip('"')
    return {f"{deviations.partition(':')[0]} %", f"{wires.removeprefix('Global_')} %"}


def macros_beyond_the_table() -> set[str]:
    """Deepest macro between the rows of the table, and what the deepest of all save in area."""
    beyond = json.loads((ROOT / "benchmarks/sram_beyond.json").read_text(encoding="utf-8"))
    density = {
        row["rows"]: row["area_um2"] / (row["rows"] * row["width"])
        for row in beyond["others"]
        if row["width"] == 64
    }
    rows = max(row["rows"] for row in beyond["between"])
    return {f"{rows:,}", percent(1 - density[max(density)] / density[MACRO_ROWS])}


def published_energy_figures() -> set[str]:
    """Sizes of the accelerators that wait more than half of the time, and shares of idle cycles, the least and the most."""
    runs = json.loads((ROOT / "benchmarks/published_energies.json").read_text(encoding="utf-8"))[
        "runs"
    ]
    idle = []
    for run in runs:
        on_chip = sum(run["energy"].values()) - run["energy"]["external_memory"]
        idle.append(run["idle"] / on_chip)
    waiting = {f"{run['macs']:,}" for run in runs if run["utilization"] < 0.5}
    return {*waiting, percent(min(idle)), percent(max(idle))}


def interface_areas() -> set[str]:
    """LPDDR4's areas beside those of other sources."""
    lpddr4 = {
        name: figure.published
        for name, figure in interface_figures().figures[ExternalInterface.LPDDR4].items()
    }
    logic_mm2, megatransfers = lpddr4["phy_logic_area"], lpddr4["phy_logic_rate"]
    phy_mm2 = logic_mm2 / (1 - FOUR_FIFTHS)
    fast = interface_price(ExternalInterface.LPDDR4, 2 * megatransfers / 1000)
    slow_mm2 = lpddr4["io_area"] + lpddr4["io_driver_area"] / lpddr4["io_resistance"]
    return {
        f"{phy_mm2:.1f} mm²",
        f"{FOUR_FIFTHS * phy_mm2 / DDR3_SIGNALS:.3f} mm²",
        f"{fast.io_mm2 / lpddr4['channel_signals']:.4f} mm²",
        f"{interface_price(ExternalInterface.LPDDR4, 20).area_mm2 / 20:.2f} mm²",
        f"{slow_mm2:.3f} mm²",
        "4.71 mm²",  # SAMOS 2019, cited on the page
    }
