"""Cycles that each kind of layer loses, and to what: tables of docs/explanation/hardware.md.

Every cycle of a warm run is counted once. A descriptor's sets have steps, of which a part of the multipliers
has work, and wait for whatever else makes their interval longer; what remains is between sets and layers. Model and
RTL agree in every cycle, so the tables show what is measured.

    python benchmarks/layer_limits.py [--out benchmarks/layer_limits.json]

Nothing in the file depends on the machine; `benchmarks/pages.py` makes tables of it.
"""

import argparse
import dataclasses
import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from sim.arrays.geometry import segment_slots, set_shape
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS
from sim.model import predict
from sim.networks.named import named_network
from sim.plan import map_network
from sim.spec.accelerator import ADD_INTERVAL, DOT_WIDTH, REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, Queue
from sim.spec.files import write_atomic
from sim.spec.network import Layer, LayerKind
from sim.spec.spaces import EDGE, TINY

IDLE = ("idle lanes", "idle PEs", "idle units")
CAUSES = ("products", *IDLE, "reads", "requantizer", "stores", "lead", "gaps", "waits")
Row = dict[str, int]

CASES: dict[str, tuple[str, AcceleratorConfig]] = {
    "edge": ("mobilenet_v2", EDGE.default),
    "tiny": ("mobilenet_v1_025", dataclasses.replace(TINY.default, weight_store_kb=256)),
}
"""Network and accelerator of each table."""


def main() -> None:
    """Write the tables of all cases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    tables = {
        case: {
            "network": network,
            "accelerator": config.to_json(),
            "layers": limits(config, network),
        }
        for case, (network, config) in CASES.items()
    }
    write_atomic(arguments.out, json.dumps(tables, indent=1) + "\n")


def limits(config: AcceleratorConfig, name: str) -> dict[str, dict[str, int]]:
    """Cycles by kind of layer and cause; the causes of a kind add up to its cycles."""
    network = named_network(name, 0)
    mapped = map_network(config, network)
    rows = [dict(zip(COLUMNS, row.tolist(), strict=True)) for row in mapped.rows]
    prediction = predict(config, network)
    table: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(CAUSES, 0))
    for index, (layer, predicted) in enumerate(zip(network.layers, prediction.layers, strict=True)):
        own = [r for r in rows if (r["queue"], r["layer"]) == (Queue.EXECUTE, index)]
        source = network.tensors[layer.inputs[0]].channels
        total = table["first layer" if index == 0 else _kind(layer, source)]
        parts = _sum([_parts(row, config) for row in own])
        steps = parts["products"]
        parts |= _idle(steps, layer, mapped.layer_plan[index], config, own)
        parts["gaps"] = predicted.execute_busy - sum(parts[cause] for cause in CAUSES[:-2])
        parts["waits"] = predicted.cycles - predicted.execute_busy
        for cause in CAUSES:
            total[cause] += parts[cause]
    return dict(table)


def _idle(
    steps: int, layer: Layer, plan: Any, config: AcceleratorConfig, rows: list[Row]
) -> dict[str, int]:
    """Steps of a layer by what they are for: products, or multipliers of which there are too many.

    First the lanes (of all PEs, in strips) without a window or output group, then the PEs beyond the image, then units without a
    channel and quads or taps that do not fill a row of weights.
    """
    windows = layer.output.height * layer.output.width
    tile = int(plan[LayerPlan.TILE_Y] * plan[LayerPlan.TILE_X])
    # In strips the PEs of a row have the same windows, and groups of their own
    parts = config.pes_y if plan[LayerPlan.SPREAD] else config.pes
    tiles = tile * int(plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]) * parts
    own = [row for row in rows if row["round"] == 0 and row["pass"] == 0]
    per_window = sum(
        steps_of_set(row, config) * row["window_rows"] * row["window_columns"] for row in own
    )
    groups = -(-layer.output.channels // config.simd_units)
    # Steps that fill all lanes, of those that fill all PEs as well, of those that fill the units too
    lanes = per_window / tile * tiles * groups / (config.pes * config.compute_lanes)
    pes = lanes * windows / tiles
    products = min(layer.macs / config.macs, pes)
    bounds = [round(bound) for bound in (steps, lanes, pes, products)]
    lost = [before - after for before, after in itertools.pairwise(bounds)]
    return {"products": bounds[-1], **dict(zip(IDLE, lost, strict=True))}


def _kind(layer: Layer, channels: int) -> str:
    """Kind of a layer with that many input channels, as the table calls it."""
    if layer.kind is not LayerKind.CONV or layer.kernel != (1, 1):
        return str(layer.kind)
    return "1×1 to more channels" if layer.output.channels > channels else "1×1 to fewer"


def _parts(row: Row, config: AcceleratorConfig) -> dict[str, int]:
    """Cycles of a descriptor's sets by cause; steps count as products."""
    parts = dict.fromkeys(CAUSES, 0)
    down, across = set_shape(row["op"], row["pixels"])
    sets = -(-row["window_rows"] // down) * -(-row["window_columns"] // across)
    if row["op"] == ExecuteOp.DEPTHWISE:
        parts["lead"] = row["row_lead"] * -(-row["window_rows"] // row["band_rows"])
    steps, issue = steps_of_set(row, config), _issue(row, config)
    requantizer = ADD_INTERVAL if row["op"] == ExecuteOp.ADD else REQUANTIZER_PHASES
    interval = row["initiation_interval"]
    # What is above both steps and requantizer is for the reads as far as these go, then for stores
    parts["products"] = sets * steps
    parts["requantizer"] = sets * max(0, min(interval, requantizer) - steps)
    floor = max(steps, min(interval, requantizer))
    parts["reads"] = sets * max(0, min(interval, issue) - floor)
    parts["stores"] = sets * (interval - max(floor, min(interval, issue)))
    return parts


def steps_of_set(row: Row, config: AcceleratorConfig) -> int:
    """Steps of a set of windows."""
    taps = row["kernel_rows"] * row["kernel_columns"]
    if row["op"] == ExecuteOp.CONV:
        return taps * int(_quads(row, config, 1))
    if row["op"] == ExecuteOp.DEPTHWISE and row["window"]:
        return -(-taps // DOT_WIDTH)
    return 0 if row["op"] == ExecuteOp.ADD else taps


def _issue(row: Row, config: AcceleratorConfig) -> int:
    """Cycles in which a set's vectors are read while nothing else holds it up."""
    if row["op"] == ExecuteOp.CONV:
        taps = row["kernel_rows"] * row["kernel_columns"]
        return taps * int(_quads(row, config, row["pixels"]))
    if row["op"] == ExecuteOp.DEPTHWISE and row["window"]:
        height = (row["pixels"] - 1) * row["stride_y"] + row["kernel_rows"]
        return height * min(row["kernel_columns"], row["stride_x"])
    return 0


def _quads(row: Row, config: AcceleratorConfig, pixels: int) -> Any:
    """Slots of a tap of CONV."""
    per_group = config.simd_units // DOT_WIDTH
    end = (row["groups"] - 1) * per_group + row["last_quads"]
    return segment_slots(row["first_quad"], end, config.simd_units, pixels)


def _sum(tables: list[dict[str, int]]) -> dict[str, int]:
    """Sum of dictionaries with the same names."""
    return {cause: sum(table[cause] for table in tables) for cause in CAUSES}


if __name__ == "__main__":
    main()
