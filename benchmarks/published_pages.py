"""Tables of published accelerators beside ours with as many multipliers and as much local memory."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from page_tables import table_lines
from sim.cost.area import area
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.documents import read_json
from sim.spec.spaces import EDGE

__all__ = ["PUBLISHED", "own_accelerator", "published_areas", "published_energies"]

Results = Mapping[str, Any]

PUBLISHED = Path(__file__).with_name("published_accelerators.json")

_FITTED_NM = 45


def own_accelerator(entry: Results) -> AcceleratorConfig:
    """Accelerator of this project with the multipliers and the buffer of an entry, at the clock of `edge`."""
    columns, rows = entry["grid"]
    made = AcceleratorConfig(
        pes_x=columns,
        pes_y=rows,
        compute_lanes=entry["compute_lanes"],
        simd_units=entry["simd_units"],
        local_memory_kb=entry["buffer_kb"] // (columns * rows),
        register_file_kb=8,
        io_bandwidth_gbps=10,
        clock_mhz=EDGE.clock_mhz,
    )
    if made.macs != entry["macs"]:
        raise ValueError(f"macs must be {entry['macs']} as in the entry, not {made.macs}")
    return made


def published_areas(results: Results) -> str:
    """Area of published accelerators, and ours as it would be in their technology."""
    return "\n".join(table_lines(_TITLES, _area_rows(results), text=1))


_TITLES = (
    *("MACs", "buffer, KiB", "published, mm²", "ours in 45 nm, mm²", "scaled, mm²", "ratio"),
    *("of ours: multipliers", "memories", "control"),
)


def _area_rows(results: Results) -> list[list[str]]:
    shrink = (results["area_nm"] / _FITTED_NM) ** 2
    rows = []
    for entry in results["accelerators"]:
        own = replace(area(own_accelerator(entry)), external_interface=0.0)
        memories = own.local_memory + own.register_files + own.parameter_memory
        scaled = own.total * shrink
        rows.append(
            [
                f"{entry['macs']:,}",
                f"{entry['buffer_kb']:,}",
                f"{entry['area_mm2']:g}",
                f"{own.total:.2f}",
                f"{scaled:.2f}",
                f"{scaled / entry['area_mm2']:.2f}×",
                *(
                    f"{100 * part / own.total:.0f} %"
                    for part in (own.multiply_accumulate, memories, own.control)
                ),
            ]
        )
    return rows


def published_energies(results: Results) -> str:
    """Energy for each MAC of ResNet-50 on published accelerators, and on ours as it would be in their technology."""
    published = read_json(PUBLISHED, "published accelerators")
    scale = _energy_factor(published["scaling"]["to"]) / _energy_factor(
        published["scaling"]["from"]
    )
    rows = []
    for entry, own in zip(published["accelerators"], results["runs"], strict=True):
        parts = {name: part / results["macs"] for name, part in own["energy"].items()}
        external = parts.pop("external_memory")
        on_chip = sum(parts.values())
        theirs = entry["power_mw"] * 1e9 / entry["images_per_s"] / results["macs"]
        shares = (
            parts["multiply_accumulate"],
            parts["register_files"],
            parts["accumulators"] + parts["requantizers"],
            own["idle"] / results["macs"],
        )
        rows.append(
            [
                f"{entry['macs']:,}",
                f"{theirs:.2f}",
                f"{100 * own['utilization']:.0f} %",
                f"{on_chip:.1f}",
                f"{scale * on_chip:.2f}",
                f"{scale * on_chip / theirs:.1f}×",
                *(f"{100 * share / on_chip:.0f} %" for share in shares),
                f"{scale * (on_chip - shares[-1]) / theirs:.1f}×",
                f"{scale * on_chip / _OPERATIONS:.2f}",
                f"{scale * on_chip / _OPERATIONS / published['simba_pj_per_operation']:.0f}×",
                f"{external:.1f}",
            ]
        )
    return "\n".join(table_lines(_ENERGY_TITLES, rows, text=1))


_ENERGY_TITLES = (
    *("MACs", "published, pJ/MAC", "ours: utilization", "pJ/MAC in 45 nm", "scaled", "ratio"),
    *("of ours: multipliers", "register files", "lanes, requantizers", "idle"),
    *("ratio without idle", "pJ/operation, scaled", "Simba's in it", "external, pJ/MAC"),
)

_OPERATIONS = 2
"""Operations of a MAC, as Simba counts them."""


def _energy_factor(technology: Results) -> float:
    """Energy of a technology at its voltage, on the scale of the source."""
    squared, linear, constant = technology["factor"]
    volts = technology["volts"]
    return float(squared * volts**2 + linear * volts + constant)
