"""Cycles that each layer loses, and to what: tables of hardware.md and layer_losses.md in docs/explanation.

Every cycle of a warm run is counted once. A descriptor's sets have steps, of which a part of the multipliers
has work, and wait for whatever else makes their interval longer; what remains is between sets and layers, or
EXECUTE waits. Model and RTL agree in every cycle, so the tables show what is measured. The accelerators are the defaults of `edge` and
`tiny`, and the best of each number of MACs (`benchmarks/memory_trade.json`).

    python benchmarks/layer_limits.py [--out benchmarks/layer_limits.json]

Nothing in the file depends on the machine; `benchmarks/pages.py` makes tables of it.
"""

import argparse
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from execute_waits import waits_for_loads
from headline import headline_cases
from sim.arrays.geometry import segment_slots, set_shape
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS
from sim.model import predict, predict_mapped
from sim.networks.named import named_network
from sim.plan import Mapped, map_network
from sim.prediction import Prediction
from sim.spec.accelerator import ADD_INTERVAL, DOT_WIDTH, REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, Queue
from sim.spec.files import write_atomic
from sim.spec.network import Layer, LayerKind, Network
from sim.spec.spaces import TINY

__all__ = ["CAUSES", "Row", "limits", "steps_of_set"]

IDLE = ("idle lanes", "idle PEs", "idle units")
OF_SETS = ("products", *IDLE, "reads", "requantizer", "stores", "lead")
WAITS = ("image", "weights", "spills", "rest")
CAUSES = (*OF_SETS, "gaps", *WAITS)
Row = dict[str, int]

TINY_WITH_STORE = dataclasses.replace(TINY.default, weight_store_kb=256)


def main() -> None:
    """Write the layers of all cases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    cases = [("mobilenet_v1_025", "tiny", TINY_WITH_STORE), *headline_cases()]
    tables = [
        {
            "network": network,
            "name": name,
            "accelerator": config.to_json(),
            "macs_per_cycle": config.macs,
            "cycles": predict(config, named_network(network)).total_cycles,
            "layers": limits(config, network),
        }
        for network, name, config in cases
    ]
    write_atomic(arguments.out, json.dumps(tables, indent=1) + "\n")


def limits(config: AcceleratorConfig, name: str) -> list[dict[str, Any]]:
    """Cycles of each layer of a named network, and of each cause that has any: the causes add up to the cycles.

    Where a layer waits for a spilled tensor, the bytes that it moves stand beside them.
    """
    network = named_network(name, 0)
    mapped = map_network(config, network)
    rows = [dict(zip(COLUMNS, row.tolist(), strict=True)) for row in mapped.rows]
    prediction = predict_mapped(mapped)
    layers = []
    waits = _waits(mapped, prediction)
    for index, (layer, predicted) in enumerate(zip(network.layers, prediction.layers, strict=True)):
        own = [r for r in rows if (r["queue"], r["layer"]) == (Queue.EXECUTE, index)]
        parts = _sum([_parts(row, config) for row in own])
        parts |= _idle(parts["products"], layer, mapped.layer_plan[index], config, own)
        parts["gaps"] = predicted.execute_busy - sum(parts[cause] for cause in OF_SETS)
        parts |= waits[index]
        figures: dict[str, Any] = {
            "name": layer.name,
            "kind": _kind(network, index),
            "macs": layer.macs,
            "cycles": predicted.cycles,
            "causes": {cause: parts[cause] for cause in CAUSES if parts[cause]},
        }
        if parts["spills"]:
            figures |= {"read_bytes": predicted.read_bytes, "written_bytes": predicted.write_bytes}
        layers.append(figures)
    return layers


def _waits(mapped: Mapped, prediction: Prediction) -> list[dict[str, int]]:
    """Cycles of each layer in which EXECUTE does not work on it, by what it waits for.

    A layer's cycles begin with the end of the layer before. Beside waits for the image and for weights, all that a layer waits that makes or
    reads a tensor in external memory is for that tensor's STOREs and LOADs.
    """
    network = mapped.source
    ends = np.cumsum([layer.cycles for layer in prediction.layers])
    waits = [dict.fromkeys(WAITS, 0) for _ in network.layers]
    for wait in waits_for_loads(mapped):
        begin = int(ends[wait.layer - 1]) if wait.layer else 0
        inside = max(0, wait.end - max(wait.begin, begin))
        if wait.weights:
            waits[wait.layer]["weights"] += inside
        elif wait.of == 0:
            waits[wait.layer]["image"] += inside
    for own, layer, predicted in zip(waits, network.layers, prediction.layers, strict=True):
        tensors = {layer.output.name, *layer.inputs}
        cause = "spills" if tensors & set(prediction.spilled) else "rest"
        own[cause] = predicted.cycles - predicted.execute_busy - own["image"] - own["weights"]
    return waits


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


def _kind(network: Network, index: int) -> str:
    """Kind of a layer as the table calls it."""
    layer = network.layers[index]
    if index == 0:
        return "first layer"
    channels = network.tensors[layer.inputs[0]].channels
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
