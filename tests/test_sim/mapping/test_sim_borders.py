"""Border rows of tiles that are computed apart, against a walk over all sets."""

import numpy as np
import pytest

from accelerators import small_accelerator
from bordered_networks import bordered_networks
from execute_descriptors import (
    Descriptor,
    bands,
    complete,
    complete_alike,
    set_stores,
    window_sets,
)
from sampled import sampled
from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import COLUMNS, LayerColumn
from sim.mapping.bank_ports import NO_PORTS, Ports
from sim.mapping.borders import block_rows, choose_borders, descriptor_cycles
from sim.plan import map_network
from sim.spec.accelerator import ADD_INTERVAL
from sim.spec.descriptor import ExecuteOp, Queue

CONFIG = small_accelerator(
    compute_lanes=4, simd_units=8, local_memory_kb=1, io_bandwidth_gbps=1.0, clock_mhz=500
)


def walked_cycles(d: Descriptor, first: int, rows: int, fewest: int | None = None) -> int:
    """Cycles of whole rows of a tile, and what their descriptor is taken to cost.

    ``fewest`` are the stores of the others' sets; None if there are none and all rounds are alike.
    """
    part = d | {"first_row": first, "window_rows": rows}
    times = ("queue", "initiation_interval", "hold", "row_lead", "store_slack")
    given = {name: value for name, value in part.items() if name not in times}
    stores = [
        len(set_stores(part, *place)) for place in window_sets(part | {"band_rows": d["pixels"]})
    ]
    cost = 4 + (d["pixels"] if d["op"] == ExecuteOp.CONV else 0)
    if d["op"] == ExecuteOp.DEPTHWISE:
        choices = []
        for band in range(d["pixels"], rows + d["pixels"], d["pixels"]):
            done = complete_alike(CONFIG, **given | {"band_rows": band})
            leads = len(bands(done)) * done["row_lead"]
            choices.append(len(list(window_sets(done))) * done["initiation_interval"] + leads)
        return min(choices) + cost + (0 if fewest is None else 21 + stores[-1])
    done = complete_alike(CONFIG, **given)
    sets, interval, reads = len(stores), done["initiation_interval"], done["store_slack"]
    if fewest is None:
        return sets * interval + cost
    # what comes between two sets of others decides how long a store may wait
    slots = ADD_INTERVAL if d["op"] == ExecuteOp.ADD else max(4, d["pixels"])
    base = 3 if d["op"] == ExecuteOp.ADD else d["pixels"] - 1
    drained = 21 + stores[-1] - (3 if d["op"] == ExecuteOp.ADD else 0)
    floor = max(slots, fewest)
    if reads == 0 or floor > reads:
        waits = reads * -(-max(stores) // (floor - reads))
        longer = max(slots, max(stores) + waits)
        if longer * sets <= interval * sets + drained:
            return longer * sets + max(0, stores[-1] + waits - floor - base) + cost
    return sets * interval + drained + cost


@pytest.mark.parametrize("draws", sampled([300, 900], lambda draws: draws == 300))
def test_rows_are_apart_where_that_takes_less_time(draws: int) -> None:
    rng = np.random.default_rng(4)
    apart = shared = 0
    for _ in range(draws):
        op = ExecuteOp(int(rng.choice([ExecuteOp.CONV, ExecuteOp.DEPTHWISE, ExecuteOp.ADD])))
        pixels = int(rng.choice([1, 2, 4]))
        tile_y, tile_x = (int(size) for size in rng.integers(1, 9, 2))
        # at most six rows: the ring holds all of them
        halo = [int(rng.integers(0, min(3, size) + 1)) for size in (tile_y, tile_y, tile_x, tile_x)]
        names = ("halo_top", "halo_bottom", "halo_left", "halo_right")
        bank = int(rng.choice([0, 3])) if op == ExecuteOp.CONV else 0
        d = complete(
            CONFIG,
            op=op,
            pixels=pixels,
            bank=bank,
            lanes=4 // pixels,
            window=int(op == ExecuteOp.DEPTHWISE),
            band_rows=pixels,
            kernel_rows=2 if op == ExecuteOp.DEPTHWISE else 1,
            kernel_columns=2 if op == ExecuteOp.DEPTHWISE else 1,
            tile_rows=tile_y,
            tile_columns=tile_x,
            window_rows=tile_y,
            window_columns=tile_x,
            **dict(zip(names, halo, strict=True)),
        )
        layer = np.zeros(len(LayerColumn), np.int64)
        layer[LayerColumn.OP] = op
        layer[LayerColumn.KERNEL_Y] = d["kernel_rows"]
        layer[LayerColumn.KERNEL_X] = d["kernel_columns"]
        layer[LayerColumn.STRIDE_Y] = layer[LayerColumn.STRIDE_X] = 1
        slots = {ExecuteOp.CONV: max(1, pixels), ExecuteOp.ADD: ADD_INTERVAL}.get(op, 0)
        ports = NO_PORTS
        if op == ExecuteOp.CONV:
            ports = Ports(taps=1, groups=1, first=bank, quads=1, lanes=4, spread=0)
        chosen = choose_borders(layer, slots, pixels, tile_y, tile_x, tuple(halo), 0, ports, 1)
        # a convolution's other rounds store to other banks
        others = op == ExecuteOp.CONV and pixels > 1
        whole = walked_cycles(d, 0, tile_y, most_stores(d, 0, tile_y) if others else None)
        bottom, top = halo[:2]
        inner = tile_y - top - bottom
        expected = (0, 0, whole)
        if inner > 0 and top + bottom > 0:
            parts = [(0, top), (top, inner), (top + inner, bottom)]
            parts = [part for part in parts if part[1]]
            fewest = min(most_stores(d, *part) for part in parts)
            total = sum(walked_cycles(d, *part, fewest) for part in parts)
            if total < whole:
                expected = (top, bottom, total)
        assert chosen == expected
        apart += chosen[0] + chosen[1] > 0
        shared += chosen[0] + chosen[1] > 0 and op == ExecuteOp.ADD
    assert apart > draws // 30
    assert shared > draws // 180


def most_stores(d: Descriptor, first: int, rows: int) -> int:
    """Stores of the set with most of them in whole rows of a tile."""
    part = d | {"first_row": first, "window_rows": rows}
    return max(len(set_stores(part, *place)) for place in window_sets(part))


def test_blocks_have_every_row_of_a_tile_once() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        plan = np.zeros(len(LayerPlan), np.int64)
        top, bottom = (int(rows) for rows in rng.integers(0, 4, 2))
        inner, size = (int(rows) for rows in rng.integers(1, 9, 2))
        plan[LayerPlan.TILE_Y], plan[LayerPlan.BLOCK_ROWS] = top + inner + bottom, size
        plan[LayerPlan.BORDER_TOP], plan[LayerPlan.BORDER_BOTTOM] = top, bottom
        blocks = (top > 0) + -(-inner // size) + (bottom > 0)
        rows = [block_rows(plan, index) for index in range(blocks)]
        assert [y for first, count in rows for y in range(first, first + count)] == list(
            range(top + inner + bottom)
        )
        assert rows[0][1] == (top or min(size, inner))


def test_a_schedule_computes_the_inner_rows_at_their_own_interval() -> None:
    apart = faster = 0
    for config, network in bordered_networks(60, 8):
        mapped = map_network(config, network)
        if mapped.failure is not Failure.NONE:
            continue
        plan = mapped.layer_plan[0]
        border = int(plan[LayerPlan.BORDER_TOP] + plan[LayerPlan.BORDER_BOTTOM])
        if border == 0:
            continue
        apart += 1
        executes = [dict(zip(COLUMNS, row.tolist(), strict=True)) for row in mapped.rows]
        executes = [row for row in executes if (row["queue"], row["layer"]) == (Queue.EXECUTE, 0)]
        windows: dict[tuple[int, int, int, int], int] = {}
        intervals = set()
        for row in executes:
            for y in range(row["first_row"], row["first_row"] + row["window_rows"]):
                for x in range(row["window_columns"]):
                    key = (row["round"], row["pass"], y, x)
                    windows[key] = windows.get(key, 0) + 1
            intervals.add(row["initiation_interval"])
        tile = int(plan[LayerPlan.TILE_Y] * plan[LayerPlan.TILE_X])
        passes = int(plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X])
        assert len(windows) == tile * passes * int(plan[LayerPlan.ROUNDS])
        assert set(windows.values()) == {1}
        faster += len(intervals) > 1
    assert apart > 10
    # the others gain by fewer leads
    assert faster > 10


def test_a_descriptor_of_pixels_that_are_skewed_costs_more() -> None:
    assert descriptor_cycles(ExecuteOp.CONV, 4) == descriptor_cycles(ExecuteOp.ADD, 4) + 4
