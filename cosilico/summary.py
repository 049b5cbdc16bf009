"""The table that a run ends with: default hardware beside the searched hardware."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosilico.console import Column, fitted_table, output_console, print_line
from cosilico.profile import Profile
from cosilico.profile_tables import print_profile
from cosilico.results import compared_cycles, layer_agreement

__all__ = [
    "EDP_SCALE",
    "accelerator_text",
    "agreement_lines",
    "gain_lines",
    "print_summary",
    "summary_rows",
    "view_name",
    "workload_lines",
]

EDP_SCALE = 1e-3
"""Units of µJ · ms, in which energy-delay products are told, in a pJ · s."""


def accelerator_text(accelerator: dict[str, Any]) -> str:
    """Return grid (columns x rows), lanes, SIMD units, memories, tables and bandwidth in one line."""
    lanes = accelerator["compute_lanes"]
    stored = accelerator.get("weight_store_kb", 0)
    store = f"{stored} KiB of weight store, " if stored else ""
    store += "activation tables, " if accelerator.get("activation_table") else ""
    return (
        f"{accelerator['pes_x']}x{accelerator['pes_y']} PEs, "
        f"{lanes} {'lane' if lanes == 1 else 'lanes'} of {accelerator['simd_units']} SIMD units, "
        f"{accelerator['local_memory_kb']} KiB per PE, "
        f"{accelerator['register_file_kb']} KiB per lane, {store}{_bandwidth_text(accelerator)}"
    )


def _array_text(accelerator: dict[str, Any]) -> str:
    grid = f"{accelerator['pes_x']}x{accelerator['pes_y']}"
    return f"{grid}, {accelerator['compute_lanes']}, {accelerator['simd_units']}"


def _memory_text(accelerator: dict[str, Any]) -> str:
    return "{local_memory_kb} KiB, {register_file_kb} KiB".format(**accelerator)


def _store_text(size_kb: int) -> str:
    return f"{size_kb} KiB" if size_kb else "none"


def _clock_text(accelerator: dict[str, Any]) -> str:
    return f"{accelerator['clock_mhz']:,} MHz"


def _bandwidth_text(accelerator: dict[str, Any]) -> str:
    return f"{accelerator['io_bandwidth_gbps']:g} GB/s"


def summary_rows(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the rows (figure, default hardware, searched hardware), as text."""
    sides = (results["rtl_default"], results["rtl"])
    default_config, searched_config = (side["accelerator"] for side in sides)
    stores = [side["accelerator"].get("weight_store_kb", 0) for side in sides]

    def row(name: str, form: str, key: str, scale: float = 1) -> tuple[str, str, str]:
        default, searched = (form.format(side[key] * scale) for side in sides)
        return name, default, searched

    return [
        ("PE grid, lanes, SIMD units", _array_text(default_config), _array_text(searched_config)),
        (
            "local memory, register file",
            _memory_text(default_config),
            _memory_text(searched_config),
        ),
        *(
            [("weight store", _store_text(stores[0]), _store_text(stores[1]))]
            if any(stores)
            else []
        ),
        ("external bandwidth", _bandwidth_text(default_config), _bandwidth_text(searched_config)),
        row("MACs per cycle", "{:,}", "macs_per_cycle"),
        row("images through RTL", "{:,}", "images"),
        ("view of the PE grid", view_name(sides[0]), view_name(sides[1])),
        *([row("accuracy in RTL", "{:.4f}", "accuracy")] if _labelled(results) else []),
        row("measured cycles", "{:,}", "measured_cycles"),
        ("inferences per second", f"{_rate(sides[0]):,.0f}", f"{_rate(sides[1]):,.0f}"),
        row("predicted cycles", "{:,}", "predicted_cycles"),
        *([row("measured cycles, cold", "{:,}", "cold_cycles")] if _fills(sides) else []),
        *(
            [row("predicted cycles, cold", "{:,}", "predicted_cold_cycles")]
            if _fills(sides)
            else []
        ),
        row("MACs of the network", "{:,}", "macs"),
        row("utilization", "{:.1f} %", "utilization", 100),
        ("clock", _clock_text(default_config), _clock_text(searched_config)),
        *(
            [row("highest clock, mapped for it", "{:,} MHz", "reach_mhz")]
            if all("reach_mhz" in side for side in sides)
            else []
        ),
        row("area in 45 nm", "{:.3f} mm²", "area"),
        row("energy in 45 nm", "{:.2f} µJ", "energy", 1e-6),
        *_edp_rows(sides, row),
    ]


def _edp_rows(
    sides: tuple[dict[str, Any], ...], row: Callable[..., tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    """Rows of the energy-delay product, and of energies of a cold run; versions before did not record them."""
    if any("cold_edp" not in side for side in sides):
        return []
    rows = [row("energy-delay product", "{:.4g} µJ·ms", "edp", EDP_SCALE)]
    if _fills(sides):
        rows += [
            row("energy, cold", "{:.2f} µJ", "cold_energy", 1e-6),
            row("energy-delay product, cold", "{:.4g} µJ·ms", "cold_edp", EDP_SCALE),
        ]
    return rows


def _rate(side: dict[str, Any]) -> float:
    """Inferences per second at the accelerator's clock."""
    clock_mhz: int = side["accelerator"]["clock_mhz"]
    images: int = side.get("batch", 1)
    cycles: int = side["measured_cycles"]
    return clock_mhz * 1e6 * images / cycles


def _fills(sides: tuple[dict[str, Any], ...]) -> bool:
    """Whether a run on either hardware fills the weight store; versions before had none."""
    return any(
        side.get("cold_cycles", side["measured_cycles"]) != side["measured_cycles"]
        for side in sides
    )


def view_name(side: dict[str, Any]) -> str:
    """Return the view of the PE grid that ran; versions before did not record it."""
    return str(side.get("view") or "not recorded")


def _labelled(results: dict[str, Any]) -> bool:
    """Whether the test images have labels."""
    return results["rtl"]["accuracy"] is not None


def print_summary(results: dict[str, Any], out: Path) -> None:
    """Print the answer, the agreement of model and RTL, where cycles are lost, and where the rest is."""
    console, batch = output_console(), results["rtl"].get("batch", 1)
    columns = (
        Column("per image" if batch == 1 else f"per program of {batch} images"),
        Column("default hardware", right=True),
        Column("searched hardware", right=True),
    )
    title = f"{results['name']}: the same network on both"
    console.print(fitted_table(console.width, columns, summary_rows(results), title=title))
    for line in agreement_lines(results):
        print_line(console, line)
    row = results["rtl"].get("profile")
    if row is not None:
        print_profile(console, Profile.from_json(row), title="searched hardware")
    console.print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)


def agreement_lines(results: dict[str, Any]) -> list[str]:
    """Return lines on model against RTL, RTL against the reference, and search against optimum."""
    searched, default = results["rtl"], results["rtl_default"]
    equal, layers = layer_agreement(searched)
    equal_default, layers_default = layer_agreement(default)
    mismatched = searched["mismatched_activations"] + default["mismatched_activations"]
    lines = [
        f"predicted = measured cycles: {equal} of {layers} layers on the searched hardware, "
        f"{equal_default} of {layers_default} on the default",
        f"activations that differ from the integer reference: {mismatched}",
        *workload_lines(results),
        *gain_lines(results),
    ]
    optimum = results["search"].get("optimum")
    if optimum:
        _, best = compared_cycles(results)
        ratio = best / optimum["predicted_cycles"]
        of_what = "this workload" if results.get("workload") else "this network"
        lines.append(
            f"best accelerator of the space for {of_what}, by this mapper: "
            f"{optimum['predicted_cycles']:,} cycles "
            f"(the search's result takes {ratio:.3f} times that)"
        )
    return lines


def workload_lines(results: dict[str, Any]) -> list[str]:
    """Return a line for each other network of the workload, on the searched accelerator in RTL."""
    return [
        f"beside it, {row['network']} ({row['runs']:,} per workload): "
        f"{row['measured_cycles']:,} measured cycles, {row['predicted_cycles']:,} predicted, "
        f"{row['mismatched_activations']} activations differ"
        for row in results.get("workload", [])
    ]


def gain_lines(results: dict[str, Any]) -> list[str]:
    """Return the gain over the default, with bandwidth free and with bandwidth pinned.

    The latter two lines are left out for results of versions that did not compute them.
    """
    searched, default, search = results["rtl"], results["rtl_default"], results["search"]
    cycles, best = compared_cycles(results)
    of_workload = " for a whole workload" if results.get("workload") else ""
    lines = [
        f"gain over the default: {cycles / best:.2f} times as fast{of_workload} in "
        f"{100 * searched['area'] / default['area']:.1f} % of the area"
    ]
    widened, pinned = search.get("widened_default"), search.get("pinned_optimum")
    if widened:
        lines.append(
            f"of it, by bandwidth alone: {cycles / widened['predicted_cycles']:.2f}x; the default "
            f"with {_bandwidth_text(widened['accelerator'])} takes "
            f"{widened['predicted_cycles']:,} cycles"
        )
    if pinned:
        lines.append(
            f"with bandwidth pinned to {_bandwidth_text(pinned['accelerator'])}: "
            f"{cycles / pinned['predicted_cycles']:.3f}x at best; the best accelerator takes "
            f"{pinned['predicted_cycles']:,} cycles"
        )
    return lines
