"""The table that a run ends with: default hardware beside what the search found."""

from pathlib import Path
from typing import Any

from cosilico.console import Column, fitted_table, output_console
from cosilico.results import layer_agreement

__all__ = ["accelerator_text", "print_summary", "summary_rows"]


def accelerator_text(accelerator: dict[str, Any]) -> str:
    """One line: grid, lanes, SIMD units, memories, bandwidth."""
    return (
        f"{accelerator['pes_x']}x{accelerator['pes_y']} PEs, "
        f"{accelerator['compute_lanes']} lanes of {accelerator['simd_units']} SIMD units, "
        f"{accelerator['local_memory_kb']} KiB per PE, "
        f"{accelerator['register_file_kb']} KiB per lane, {_bandwidth_text(accelerator)}"
    )


def _array_text(accelerator: dict[str, Any]) -> str:
    grid = f"{accelerator['pes_x']}x{accelerator['pes_y']}"
    return f"{grid}, {accelerator['compute_lanes']}, {accelerator['simd_units']}"


def _memory_text(accelerator: dict[str, Any]) -> str:
    return f"{accelerator['local_memory_kb']} KiB, {accelerator['register_file_kb']} KiB"


def _bandwidth_text(accelerator: dict[str, Any]) -> str:
    return f"{accelerator['io_bandwidth_gbps']:g} GB/s"


def summary_rows(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(figure, default hardware, searched hardware), as text."""
    sides = (results["rtl_default"], results["rtl"])
    default_config, found_config = (side["accelerator"] for side in sides)

    def row(name: str, form: str, key: str, scale: float = 1) -> tuple[str, str, str]:
        default, found = (form.format(side[key] * scale) for side in sides)
        return name, default, found

    return [
        ("PE grid, lanes, SIMD units", _array_text(default_config), _array_text(found_config)),
        ("local memory, register file", _memory_text(default_config), _memory_text(found_config)),
        ("external bandwidth", _bandwidth_text(default_config), _bandwidth_text(found_config)),
        row("MACs per cycle", "{:,}", "macs_per_cycle"),
        row("images through RTL", "{:,}", "images"),
        *([row("accuracy in RTL", "{:.4f}", "accuracy")] if _labelled(results) else []),
        row("measured cycles", "{:,}", "measured_cycles"),
        row("predicted cycles", "{:,}", "predicted_cycles"),
        row("MACs of the network", "{:,}", "macs"),
        row("utilization", "{:.1f} %", "utilization", 100),
        row("area figure (proxy)", "{:.3f} mm²", "area"),
        row("energy figure (proxy)", "{:.2f} µJ", "energy", 1e-6),
    ]


def _labelled(results: dict[str, Any]) -> bool:
    """Whether the test images have labels."""
    return results["rtl"]["accuracy"] is not None


def print_summary(results: dict[str, Any], out: Path) -> None:
    """Print the table, the agreement of model and RTL, and where the rest is."""
    console = output_console()
    columns = (
        Column("per image"),
        Column("default hardware", right=True),
        Column("searched hardware", right=True),
    )
    title = f"{results['name']}: the same network on both"
    console.print(fitted_table(console.width, columns, summary_rows(results), title=title))
    for line in agreement_lines(results):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)


def agreement_lines(results: dict[str, Any]) -> list[str]:
    """What agrees with what, and how the search did against the true optimum."""
    found, default = results["rtl"], results["rtl_default"]
    equal, layers = layer_agreement(found)
    equal_default, layers_default = layer_agreement(default)
    mismatched = found["mismatched_activations"] + default["mismatched_activations"]
    speedup = default["measured_cycles"] / found["measured_cycles"]
    lines = [
        f"predicted = measured cycles: {equal} of {layers} layers on the searched hardware, "
        f"{equal_default} of {layers_default} on the default",
        f"activations that differ from the integer reference: {mismatched}",
        f"searched hardware takes {speedup:.2f}x fewer cycles in "
        f"{100 * found['area'] / default['area']:.1f} % of the area",
    ]
    optimum = results["search"].get("optimum")
    if optimum:
        ratio = found["predicted_cycles"] / optimum["predicted_cycles"]
        lines.append(
            f"true optimum of the space for this network: {optimum['predicted_cycles']:,} cycles "
            f"(the search's result takes {ratio:.3f} times that)"
        )
    return lines
