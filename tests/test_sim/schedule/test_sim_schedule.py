"""Invariants of mapper and schedule on seeded random networks and configurations."""

import dataclasses
from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from execute_descriptors import least_ring_times, port_reads, ring_pitch, set_stores, window_sets
from sim.arrays.geometry import ceil_div, most_served, segment_slots
from sim.arrays.plan_columns import Failure, LayerPlan, TensorPlan
from sim.arrays.schedule_columns import FIELD_HIGH, FIELD_LOW
from sim.arrays.tables import COLUMNS, LayerColumn, TensorColumn
from sim.plan import Mapped, map_network
from sim.realizability import check
from sim.schedule.listing import first_overflow
from sim.schedule.transfer_fields import split_rows
from sim.spec.accelerator import REQUANTIZER_LATENCY, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue
from sim.spec.network import WINDOW_POOLS, Layer, LayerKind
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from stress_cases import draw_stress
from testbench.cases.random_networks import Case, Stratum, draw_cases, strata
from weight_streams import beats_of_rows, with_beats


@cache
def tiny_cases() -> list[Case]:
    return draw_cases(90, TINY, 23)


@cache
def stress() -> list[Case]:
    return draw_stress(150, 23)


@cache
def cases() -> list[Case]:
    return tiny_cases() + draw_cases(30, EDGE, 23) + stress()


Row = dict[str, int]


@cache
def mapped(case: Case) -> Mapped:
    mapping = map_network(case.config, case.network, case.batch)
    assert mapping.failure is Failure.NONE
    return mapping


@cache
def descriptors(case: Case) -> list[Row]:
    """Every schedule row by field name."""
    return [dict(zip(COLUMNS, row.tolist(), strict=True)) for row in mapped(case).rows]


def executes(case: Case) -> Iterator[Row]:
    return (row for row in descriptors(case) if row["queue"] == Queue.EXECUTE)


def is_weights(row: Row) -> bool:
    return row["queue"] == Queue.LOAD and row["kind"] == LoadKind.WEIGHTS


def is_tile(row: Row) -> bool:
    return row["queue"] == Queue.LOAD and row["kind"] == LoadKind.TILE


def test_every_value_fits_its_field() -> None:
    for case in cases():
        rows = mapped(case).rows
        assert ((rows >= FIELD_LOW) & (rows <= FIELD_HIGH)).all()
        assert first_overflow(rows, FIELD_LOW, FIELD_HIGH) == (-1, -1)


def test_the_first_value_beyond_its_field_is_found() -> None:
    rows = mapped(cases()[0]).rows.copy()
    rows[-1, COLUMNS["hold"]] = 256
    rows[3, COLUMNS["origin_y"]] = -4097
    assert first_overflow(rows, FIELD_LOW, FIELD_HIGH) == (3, COLUMNS["origin_y"])
    rows[3, COLUMNS["origin_y"]] = -4096
    assert first_overflow(rows, FIELD_LOW, FIELD_HIGH) == (len(rows) - 1, COLUMNS["hold"])


def test_tokens_pair_up_in_order_and_none_is_left() -> None:
    for case in cases():
        rows = descriptors(case)
        tokens: dict[tuple[int, int], list[int]] = {}
        for index, row in enumerate(rows):
            for giver, name in enumerate(("after_load", "after_execute", "after_store")):
                if not row["wait"] >> giver & 1:
                    assert row[name] == -1
                    continue
                # the oldest token that is left is that of the producer meant
                assert tokens[giver, row["queue"]].pop(0) == row[name]
            for taker in Queue:
                if row["post"] >> taker & 1:
                    assert taker != row["queue"]
                    tokens.setdefault((row["queue"], taker), []).append(index)
        assert not any(tokens.values())


def known_done(rows: list[Row]) -> list[list[int]]:
    """By descriptor, the last descriptor of each queue that is certainly done when it starts.

    A queue starts and ends its descriptors in order; a token says that its giver is done, and so
    all that was done when the giver started; ``wait_drain`` waits for the whole EXECUTE queue.
    """
    done_by: list[list[int]] = []
    last = [-1, -1, -1]
    for index, row in enumerate(rows):
        queue = row["queue"]
        known = list(done_by[last[queue]]) if last[queue] >= 0 else [-1, -1, -1]
        for giver, name in enumerate(("after_load", "after_execute", "after_store")):
            if row[name] >= 0:
                known = [max(pair) for pair in zip(known, done_by[row[name]], strict=True)]
                known[giver] = max(known[giver], row[name])
        if row["wait_drain"]:
            known[Queue.EXECUTE] = max(known[Queue.EXECUTE], last[Queue.EXECUTE])
        done_by.append(known)
        last[queue] = index
    return done_by


def test_nothing_starts_before_what_it_needs_is_done() -> None:
    """Halves, local memories and external tensors are never used by two queues at once."""
    for case in cases():
        rows = descriptors(case)
        user, filled = [-1, -1], [-1, -1]
        tile_load = execute = store = -1
        for index, (row, known) in enumerate(zip(rows, known_done(rows), strict=True)):
            if is_weights(row):
                assert known[Queue.EXECUTE] >= user[row["half"]]
                filled[row["half"]] = index
            elif is_tile(row):
                assert known[Queue.EXECUTE] >= execute
                assert known[Queue.STORE] >= store
                tile_load = index
            elif row["queue"] == Queue.STORE:
                assert known[Queue.EXECUTE] >= execute
                assert known[Queue.LOAD] >= tile_load
                store = index
            else:
                assert known[Queue.LOAD] >= max(tile_load, filled[row["half"]])
                assert known[Queue.STORE] >= store
                user[row["half"]] = execute = index


def test_a_layer_starts_when_the_one_before_has_drained() -> None:
    """Its first descriptor reads what the last windows of another layer wrote."""
    for case in cases():
        rows = descriptors(case)
        written = -1
        layer = -1
        for index, (row, known) in enumerate(zip(rows, known_done(rows), strict=True)):
            if row["queue"] != Queue.EXECUTE:
                continue
            if row["layer"] != layer:
                written, layer = index - 1, row["layer"]
            last = max((i for i in range(written + 1) if rows[i]["queue"] == 1), default=-1)
            assert known[Queue.EXECUTE] >= last


def test_accumulators_are_saved_before_they_are_restored() -> None:
    """A set is restored 5 cycles after its step, and saved 7 after the tick of its last step.

    With two sets or more a whole interval of at least 4 cycles lies between tick and step.
    """
    restored = shared = 0
    for case in cases():
        saved_last: dict[int, tuple[Row, int]] = {}
        held: dict[int, tuple[int, int]] = {}
        now = 0  # cycles of issue
        for row in executes(case):
            previous, since = saved_last.pop(row["image"], ({}, 0))
            sets = row["window_rows"] * ceil_div(row["window_columns"], row["pixels"])
            if row["restore"]:
                restored += 1
                assert previous["save"]
                same = ("window_rows", "window_columns", "first_row", "first_column", "pixels")
                assert [row[name] for name in same] == [previous[name] for name in same]
                first_tick = previous["initiation_interval"] - 1
                first_step = now - since
                first_step -= row["pixels"] - 1  # the tick lags as much as the step
                saved = first_tick + 7
                assert row["wait_drain"] or first_step + 5 > saved
                for k in range(sets):
                    assert held[row["accumulator_row"] + k] == (row["image"], k)
            else:
                assert not previous
            if row["save"] or row["restore"]:
                assert row["accumulator_row"] + sets <= case.config.accumulator_rows
                shared += row["accumulator_row"] > 0
            else:
                assert row["accumulator_row"] == 0
            if row["save"]:
                assert row["lanes"] == 0
                saved_last[row["image"]] = (row, now)
                held |= {row["accumulator_row"] + k: (row["image"], k) for k in range(sets)}
            now += sets * row["initiation_interval"] + row["hold"]
        assert not saved_last
    assert restored > 500
    assert shared > 100


def test_every_split_of_every_block_of_every_round_is_executed_once() -> None:
    for case in cases():
        mapping = mapped(case)
        seen: dict[tuple[int, int, int, int], dict[tuple[int, int], int]] = {}
        for row in executes(case):
            plan = mapping.layer_plan[row["layer"]]
            key = (row["layer"], row["image"], row["pass"], row["round"])
            windows = seen.setdefault(key, {})
            assert row["tile_rows"] == plan[LayerPlan.TILE_Y]
            assert row["tile_columns"] == plan[LayerPlan.TILE_X]
            for y in range(row["window_rows"]):
                for x in range(row["window_columns"]):
                    at = (row["first_row"] + y, row["first_column"] + x)
                    windows[at] = windows.get(at, 0) + 1
        for i, plan in enumerate(mapping.layer_plan):
            passes = plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]
            tile = plan[LayerPlan.TILE_Y] * plan[LayerPlan.TILE_X]
            for image, p in product(range(case.batch), range(passes)):
                for r in range(plan[LayerPlan.ROUNDS]):
                    windows = seen.pop((i, image, p, r))
                    assert len(windows) == tile
                    assert set(windows.values()) == {plan[LayerPlan.SPLITS]}
        assert not seen


def test_weight_rows_of_splits_follow_each_other() -> None:
    for case in cases():
        mapping = mapped(case)
        for layer, plan in zip(mapping.layers, mapping.layer_plan, strict=True):
            channels = mapping.tensors[layer[LayerColumn.INPUT], 2]
            end = 0
            for k in range(plan[LayerPlan.SPLITS]):
                before, own = split_rows(layer, plan, channels, k)
                assert before == end
                assert own <= case.config.weight_rows
                end += own
            assert end == plan[LayerPlan.WEIGHT_ROWS]


def test_an_execute_finds_its_own_weights_in_its_half() -> None:
    """What a half still holds is not loaded again, but never another round's or split's rows."""
    reused = shared = 0
    for case in cases():
        mapping = mapped(case)
        held: list[Row | None] = [None, None]
        used: set[int] = set()
        steps: dict[tuple[int, int, int], int] = {}
        for row in descriptors(case):
            if is_weights(row):
                held[row["half"]] = row
                continue
            if row["queue"] != Queue.EXECUTE:
                continue
            weights = held[row["half"]]
            assert weights is not None
            assert weights["layer"] == row["layer"]
            reused += id(weights) in used
            used.add(id(weights))
            plan, op = mapping.layer_plan[row["layer"]], row["op"]
            parameters = int(plan[LayerPlan.PARAMETER_ROWS])
            assert weights["parameter_rows"] == (0 if row["save"] else parameters)
            if mapping.layers[row["layer"], LayerColumn.SHARED]:
                assert weights["lanes"] == 1
                assert weights["address"] == plan[LayerPlan.BLOCK_ADDRESS]
                shared += 1
                continue
            # the splits so far of this block and round have used up so many rows per lane
            key = (row["layer"], row["image"], row["round"])
            if not row["restore"]:
                steps[key] = 0
            lanes = case.config.compute_lanes // row["pixels"]
            assert weights["column_lanes"] == (lanes if row["spread"] else 0)
            per_round = lanes * max(1, int(plan[LayerPlan.SPREAD]))
            active = weights["lanes"]
            assert row["lanes"] == (0 if row["save"] else active)
            channels = int(mapping.tensors[row["layer"] + 1, 2])
            ahead = row["round"] * per_round
            whole = {"lanes": ahead, "parameter_rows": parameters}
            whole["weight_rows"] = int(plan[LayerPlan.WEIGHT_ROWS])
            simd = case.config.simd_units
            place = sum(beats_of_rows(case.config, whole, simd))
            tail = min(simd, channels - (ahead + active - 1) * simd)
            before = {"lanes": active, "weight_rows": steps[key]}
            place += sum(beats_of_rows(case.config, before, tail))
            start = int(plan[LayerPlan.BLOCK_ADDRESS]) + place * case.config.bus_bytes
            assert weights["address"] == start
            own = {name: weights[name] for name in ("lanes", "parameter_rows", "weight_rows")}
            expected = with_beats(case.config, own, tail)
            assert {name: weights[name] for name in expected} == expected
            steps[key] += weights["weight_rows"]
            if op == ExecuteOp.CONV:
                quads = (row["groups"] - 1) * (case.config.simd_units // 4)
                quads += row["last_quads"] - row["first_quad"]
                taps = row["kernel_rows"] * row["kernel_columns"]
                assert weights["weight_rows"] == taps * quads
    assert reused > 100
    assert shared > 100


def test_live_tensors_never_share_local_memory() -> None:
    for case in cases():
        mapping = mapped(case)
        lanes, simd = case.config.compute_lanes, case.config.simd_units
        spans = []
        for t, tensor in enumerate(mapping.network.tensors.values()):
            plan = mapping.tensor_plan[t]
            until = int(plan[TensorPlan.RESIDENT_UNTIL])
            if t == 0 or until < 0:
                continue
            rows = plan[TensorPlan.PLANE] // plan[TensorPlan.ROW]
            first = (
                plan[TensorPlan.ADDRESS]
                - plan[TensorPlan.HALO_TOP] * plan[TensorPlan.ROW]
                - plan[TensorPlan.HALO_LEFT]
            )
            planes = ceil_div(ceil_div(tensor.channels, simd), lanes)
            size = planes * rows * plan[TensorPlan.ROW]
            assert first >= 0
            assert (
                first + size
                <= case.config.bank_depth // mapping.layer_plan[t - 1, LayerPlan.IMAGES]
            )
            spans.append((first, first + size, t - 1, until))
        for i, (a, b, born, dies) in enumerate(spans):
            for c, d, other, ends in spans[i + 1 :]:
                assert b <= c or d <= a or dies < other or ends < born


def external_spans(case: Case) -> list[tuple[int, int]]:
    """Bytes of weights and of stored tensors."""
    mapping = mapped(case)
    spans = []
    for i, plan in enumerate(mapping.layer_plan):
        channels = int(mapping.tensors[i + 1, 2])
        simd = case.config.simd_units
        groups, tail = ceil_div(channels, simd), (channels - 1) % simd + 1
        if mapping.layers[i, LayerColumn.SHARED]:
            groups, tail = 1, simd
        blocks = {"lanes": groups, "parameter_rows": int(plan[LayerPlan.PARAMETER_ROWS])}
        blocks["weight_rows"] = int(plan[LayerPlan.WEIGHT_ROWS])
        start = int(plan[LayerPlan.BLOCK_ADDRESS])
        beats = sum(beats_of_rows(case.config, blocks, tail))
        spans.append((start, start + beats * case.config.bus_bytes))
    shapes = mapping.tensors[:, : TensorColumn.CHANNELS + 1]
    for (height, width, channels), plan in zip(shapes, mapping.tensor_plan, strict=True):
        if plan[TensorPlan.STORED]:
            groups = ceil_div(int(channels), case.config.simd_units)
            start = int(plan[TensorPlan.EXTERNAL])
            size = case.batch * groups * int(height * width * plan[TensorPlan.PIXEL_BYTES])
            spans.append((start, start + size))
    return spans


def test_weights_and_tensors_never_share_external_memory() -> None:
    for case in cases():
        end = 0
        for start, stop in sorted(external_spans(case)):
            assert start % 128 == 0
            assert start >= end
            end = stop
        assert mapped(case).end >= end
        assert mapped(case).end % 128 == 0


def check_gather(case: Case, mapping: Mapped, row: Row) -> None:
    """Check that a gathering LOAD brings the input that its PEs' windows read, and no byte beside it.

    Every byte of every vector is looked at: which byte of the image it is, or padding.
    """
    height, width, channels = mapping.source.input.shape
    plan = mapping.layer_plan[row["layer"]]
    start = int(mapping.tensor_plan[0, TensorPlan.EXTERNAL])
    image, first_row = divmod((row["address"] - start) // (width * channels), height)
    first_byte = (row["address"] - start) % (width * channels)
    assert channels <= case.config.simd_units
    assert image == row["image"]
    assert row["row_stride"] == width * channels
    assert 1 <= row["rows"] <= height - first_row
    assert 1 <= row["row_bytes"] <= width * channels - first_byte
    assert row["groups"] == 1
    assert row["length"] <= case.config.simd_units
    assert row["rows"] <= plan[LayerPlan.IN_TILE_Y]
    places, own = [first_byte - row["lead"]], row["pe_vectors"] or row["columns"]
    while len(places) < row["columns"]:
        places.append(places[-1] + (row["step"] if len(places) % own else row["pe_step"]))
    pes = [places[k : k + own] for k in range(0, len(places), own)]
    assert row["pe_x"] + len(pes) <= case.config.pes_x
    if len(pes) == 1:
        assert row["pe_vectors"] == 0
        assert row["lead"] < row["length"]
    needed: set[int] = set()
    for pe_x, vectors in enumerate(pes, row["pe_x"]):
        if mapping.network is mapping.source:
            needed |= pixels_of_vectors(case, mapping, row, pe_x, vectors, len(pes) > 1)
        else:
            needed |= windows_of_vectors(case, mapping, row, pe_x, vectors)
    end = first_byte + row["row_bytes"]
    assert needed <= set(range(first_byte, end))
    assert min(needed) == first_byte
    assert max(needed) == end - 1


def first_outputs(case: Case, plan: NDArray[np.int64], pe_x: int) -> list[int]:
    """Column of a PE's first output in every pass."""
    return [
        (number * case.config.pes_x + pe_x) * int(plan[LayerPlan.TILE_X])
        for number in range(plan[LayerPlan.PASSES_X])
    ]


def pixels_of_vectors(
    case: Case, mapping: Mapped, row: Row, pe_x: int, vectors: list[int], shared: bool
) -> set[int]:
    """Bytes of a row of the image that a PE reads, a pixel per vector; the vectors are checked."""
    _, width, channels = mapping.source.input.shape
    layer, plan = mapping.source.layers[row["layer"]], mapping.layer_plan[row["layer"]]
    assert (row["step"], row["length"]) == (channels, channels)
    assert vectors == list(range(vectors[0], vectors[0] + len(vectors) * channels, channels))
    assert len(vectors) <= plan[LayerPlan.IN_TILE_X]
    pools = mapping.layers[row["layer"], LayerColumn.OP] == ExecuteOp.POOL
    if shared and not pools:
        stride, pad = layer.stride[1], layer.padding.left
        firsts = [(x * stride - pad) * channels for x in first_outputs(case, plan, pe_x)]
        assert vectors[0] in firsts
    elif shared:
        assert vectors[0] == pe_x * plan[LayerPlan.IN_TILE_X] * channels
    else:
        assert row["row_bytes"] == row["columns"] * channels
        assert row["lead"] == 0
    return {at + c for at in vectors if 0 <= at < width * channels for c in range(channels)}


def windows_of_vectors(
    case: Case, mapping: Mapped, row: Row, pe_x: int, vectors: list[int]
) -> set[int]:
    """Bytes of a row of the image that the windows of a PE read; the vectors that hold them are checked."""
    _, width, channels = mapping.source.input.shape
    layer, plan = mapping.source.layers[row["layer"]], mapping.layer_plan[row["layer"]]
    kernel, stride, pad = layer.kernel[1], layer.stride[1], layer.padding.left
    firsts = first_outputs(case, plan, pe_x)
    (first,) = (x for x in firsts if (x * stride - pad) * channels == vectors[0])
    last = min(first + int(plan[LayerPlan.TILE_X]), layer.output.width)
    needed = set()
    windows = row["length"] // channels - kernel
    assert windows % stride == 0
    windows = windows // stride + 1
    assert len(vectors) == -(-(last - first) // windows)
    for ox in range(first, last):
        vector, place = divmod(ox - first, windows)
        for kx in range(kernel):
            column = ox * stride - pad + kx
            at = vectors[vector] + (place * stride + kx) * channels
            assert at == column * channels
            if 0 <= column < width:
                needed |= set(range(at, at + channels))
    return needed


def test_transfers_stay_inside_their_tensor_and_move_it_whole() -> None:
    """Every pixel of every image's tensor is stored exactly once; no transfer is empty."""
    spilled = 0
    for case in cases():
        mapping = mapped(case)
        count = len(mapping.layers)
        written = [np.zeros((case.batch, *shape[:2]), np.int64) for shape in mapping.tensors]
        groups_written = [0] * (count + 1)
        for row in descriptors(case):
            if row["queue"] == Queue.EXECUTE or is_weights(row):
                continue
            if row["gather"]:
                check_gather(case, mapping, row)
                continue
            assert min(row[n] for n in ("groups", "rows", "columns", "vector_beats")) >= 1
            t = row["layer"] + 1
            if row["queue"] == Queue.LOAD:
                inputs = mapping.layers[row["layer"], [LayerColumn.INPUT, LayerColumn.INPUT2]]
                t = next(
                    int(t)
                    for t in inputs
                    if (t > 0 or mapping.source.input.channels > case.config.simd_units)
                    and 0
                    <= row["address"] - mapping.tensor_plan[t, TensorPlan.EXTERNAL]
                    < case.batch * row["group_stride"]
                    * ceil_div(int(mapping.tensors[t, 2]), case.config.simd_units)
                )  # fmt: skip
            height, width, channels = (
                int(n) for n in mapping.tensors[t, : TensorColumn.CHANNELS + 1]
            )
            plan = mapping.tensor_plan[t]
            pixel = row["vector_beats"] * case.config.bus_bytes
            assert pixel == plan[TensorPlan.PIXEL_BYTES]
            assert row["group_stride"] == height * width * pixel
            assert row["row_stride"] == width * pixel
            place, rest = divmod(row["address"] - int(plan[TensorPlan.EXTERNAL]), pixel)
            assert rest == 0
            group, place = divmod(place, height * width)
            image, group = divmod(group, ceil_div(channels, case.config.simd_units))
            assert image == row["image"]
            y, x = divmod(place, width)
            assert y + row["rows"] <= height
            assert x + row["columns"] <= width
            assert group + row["groups"] <= ceil_div(channels, case.config.simd_units)
            if row["queue"] == Queue.STORE:
                region = np.s_[image, y : y + row["rows"], x : x + row["columns"]]
                written[t][region] += row["groups"]
                groups_written[t] = ceil_div(channels, case.config.simd_units)
        for t in range(1, count + 1):
            stored = mapping.tensor_plan[t, TensorPlan.STORED]
            spilled += stored and t < count
            assert (written[t] == (groups_written[t] if stored else 0)).all()
            assert bool(stored) == bool(groups_written[t])
    assert spilled > 50


def least_slots(row: Row, simd: int) -> int:
    """Reads and steps of a set of windows, at least."""
    taps = row["kernel_rows"] * row["kernel_columns"]
    if row["op"] == ExecuteOp.POOL:
        return taps
    if row["op"] == ExecuteOp.ADD:
        return max(4, row["pixels"]) + max(4 + REQUANTIZER_LATENCY, row["pixels"])
    if row["op"] == ExecuteOp.DEPTHWISE:
        return -(-taps // 4) if row["window"] else taps
    slots = 0
    for group in range(row["groups"]):
        first = row["first_quad"] if group == 0 else 0
        last = row["last_quads"] if group == row["groups"] - 1 else simd // 4
        slots += taps * max(last - first, row["pixels"])
    return slots


def waits_for_order(row: Row) -> bool:
    """Whether a step of a band may come before the last reads of its columns, which are read row by row."""
    rows, columns = row["kernel_rows"], row["kernel_columns"]
    steps = -(-rows * columns // 4)
    later = [
        steps - 1 - (column * rows + rows - 1) // 4 - (columns - 1 - column)
        for column in range(columns)
    ]
    return max(later) > 0


def shares_port(config: AcceleratorConfig, row: Row) -> bool:
    """Whether a round like an EXECUTE's may store to a bank that it reads, in CONV and ADD."""
    size = config.compute_lanes // row["pixels"]
    whole = row | {"out_bank": row["out_bank"] // size * size, "lanes": size}
    return row["groups"] >= config.compute_lanes or port_reads(config, whole) > 0


def test_the_interval_is_the_least_that_holds_steps_reads_and_stores() -> None:
    together = alone = 0
    for case in cases():
        for row in executes(case):
            stores = [len(set_stores(row, *place)) for place in window_sets(row)]
            if row["spread"] and not row["save"]:
                # the last round may have fewer sources
                sources = int(mapped(case).layer_plan[row["layer"], LayerPlan.SOURCES])
                stores = [sources * count // row["sources"] for count in stores]
                row = row | {"sources": sources}
            least, lead = max(4, least_slots(row, case.config.simd_units)), 0
            gives_way = row["op"] in (ExecuteOp.DEPTHWISE, ExecuteOp.POOL)
            if row["window"]:
                least, lead = least_ring_times(row, least)
                # a store between reads may make up for their order
                later = int(row["band_rows"] > 1 and waits_for_order(row))
                assert 0 <= row["initiation_interval"] - least <= later
                assert 0 <= row["row_lead"] - lead <= later
            elif gives_way:
                assert row["initiation_interval"] == max(4, least_slots(row, 4) + max(stores))
            else:
                least = max(least, *stores)
                assert row["initiation_interval"] >= least
                splits = mapped(case).layer_plan[row["layer"], LayerPlan.SPLITS]
                # the last splits of all rounds have one interval, whichever bank they store to
                if row["save"] or not (splits > 1 or shares_port(case.config, row)):
                    assert row["initiation_interval"] == least
                    alone += not row["save"]
            base, drained = 0, 21 + stores[-1]
            if row["op"] == ExecuteOp.CONV:
                base, drained = row["pixels"] - 1, drained + row["pixels"] - 1
            elif row["op"] == ExecuteOp.ADD:
                base = 3
            assert base <= row["hold"] <= drained + max(9 * row["pixels"], *stores) - stores[-1]
            if row["window"]:
                fresh = min(row["kernel_columns"], row["stride_x"])
                assert row["kernel_rows"] * (row["kernel_columns"] + fresh) <= 64
            if row["band_rows"] > 1:
                together += 1
                assert row["window"]
                assert row["band_rows"] % row["pixels"] == 0
                assert row["kernel_columns"] * ring_pitch(row) < 64
    assert together > 50


def test_banks_and_lanes_are_those_of_the_round() -> None:
    for case in cases():
        mapping = mapped(case)
        lanes, simd = case.config.compute_lanes, case.config.simd_units
        for row in executes(case):
            plan, chunk = mapping.layer_plan[row["layer"]], 0
            chunk = int(plan[LayerPlan.CHUNK])
            assert row["pixels"] in (1, 2, 4, 8)
            assert lanes % row["pixels"] == 0
            own = lanes // row["pixels"]
            per_round = own * max(1, int(plan[LayerPlan.SPREAD]))
            group = row["round"] % chunk * per_round
            assert row["out_bank"] == group % lanes
            assert row["spread"] == (plan[LayerPlan.SPREAD] > 0)
            if row["spread"]:
                assert row["out_bank"] % own == 0
                assert row["save"] or row["sources"] == ceil_div(row["lanes"], own)
                assert row["source_stride"] == plan[LayerPlan.OUT_PLANE]
            else:
                assert row["out_bank"] + row["lanes"] <= lanes
                assert row["sources"] == plan[LayerPlan.SOURCES]
                assert row["source_stride"] == row["tile_columns"]
            planes = group // lanes * int(plan[LayerPlan.OUT_PLANE])
            inner = row["first_row"] * row["out_row"] + row["first_column"]
            together = int(plan[LayerPlan.IMAGES])
            inner += row["image"] % together * (case.config.bank_depth // together)
            assert row["out_address"] == plan[LayerPlan.OUT_ADDRESS] + planes + inner
            groups = ceil_div(int(mapping.tensors[row["layer"] + 1, 2]), simd)
            if not row["save"]:
                assert row["lanes"] == min(per_round, groups - row["round"] * per_round)
            if row["op"] in (ExecuteOp.DEPTHWISE, ExecuteOp.ADD):
                assert row["bank"] == row["out_bank"]
            elif row["op"] == ExecuteOp.POOL:
                assert row["pixels"] == 1


def test_a_smaller_local_memory_never_becomes_realizable_by_shrinking() -> None:
    for case in tiny_cases()[:25] + stress()[:25]:
        sizes = (64, 32, 16, 8, 4, 2, 1)
        realizable = [
            not check(dataclasses.replace(case.config, local_memory_kb=kb), case.network)
            for kb in sizes
        ]
        assert realizable == sorted(realizable, reverse=True)


def test_plan_covers_every_output_pixel() -> None:
    for case in cases():
        mapping = mapped(case)
        for layer, plan in zip(case.network.layers, mapping.layer_plan, strict=True):
            covered_y = plan[LayerPlan.TILE_Y] * plan[LayerPlan.PASSES_Y] * case.config.pes_y
            covered_x = plan[LayerPlan.TILE_X] * plan[LayerPlan.PASSES_X] * case.config.pes_x
            assert covered_y >= layer.output.height
            assert covered_x >= layer.output.width


def test_a_single_split_reads_each_group_once() -> None:
    """The slots of a whole layer, as they are weighed, are those of its descriptors."""
    alone = 0
    for case in tiny_cases():
        mapping = mapped(case)
        for row in executes(case):
            if row["op"] != ExecuteOp.CONV or row["save"] or row["restore"]:
                continue
            channels = int(mapping.tensors[mapping.layers[row["layer"], LayerColumn.INPUT], 2])
            steps = ceil_div(channels, 4)
            taps = row["kernel_rows"] * row["kernel_columns"]
            slots = taps * segment_slots(0, steps, case.config.simd_units, row["pixels"])
            halo = [row[n] for n in ("halo_top", "halo_bottom", "halo_left", "halo_right")]
            rows = most_served(
                row["tile_rows"], halo[0], halo[1], row["first_row"], row["window_rows"], 1
            )
            columns = most_served(
                row["tile_columns"], halo[2], halo[3], 0, row["tile_columns"], row["pixels"]
            )
            columns *= max(1, int(mapping.layer_plan[row["layer"], LayerPlan.SOURCES]))
            assert row["initiation_interval"] >= max(4, slots, rows * columns)
            if not shares_port(case.config, row):
                assert row["initiation_interval"] == max(4, slots, rows * columns)
                alone += 1
    assert alone > 10


def test_only_max_pools_compare_and_they_pad_with_the_least_value() -> None:
    modes = set()
    for case in cases():
        for row in executes(case):
            layer = mapped(case).network.layers[row["layer"]]
            assert row["maximum"] == (layer.kind is LayerKind.MAX_POOL)
            if row["maximum"]:
                assert (row["op"], row["pad_value"], row["zero_point"]) == (1, -128, 0)
                assert (row["clamp_low"], row["clamp_high"]) == layer.clamp
                modes.add(row["window"])
    assert modes == {0, 1}


def test_a_pool_runs_as_a_depthwise_layer_of_its_shape() -> None:
    """Every descriptor but the weights' and the values of padding and zero point is the same."""
    values = ["pad_value", "zero_point", "clamp_low", "clamp_high", "maximum"]
    places = [COLUMNS[name] for name in values]
    pools = [
        case
        for case in cases()
        if isinstance(case.stratum, Stratum) and case.stratum.kind in WINDOW_POOLS
    ]
    compared = 0
    for case in pools:
        layers = case.network.layers
        network = dataclasses.replace(case.network, layers=tuple(map(as_depthwise, layers)))
        groups = ceil_div(max(x.output.channels for x in layers), case.config.simd_units)
        other = map_network(case.config, network, case.batch)
        assert other.failure is Failure.NONE
        pixels = [plan.layer_plan[:, LayerPlan.PIXELS] for plan in (mapped(case), other)]
        if groups > case.config.compute_lanes or (pixels[0] != pixels[1]).any():
            continue  # more rounds: the pool loads its one block once
        ours, theirs = mapped(case).rows.copy(), other.rows.copy()
        for rows in (ours, theirs):
            rows[rows[:, COLUMNS["queue"]] != Queue.EXECUTE] = 0
            rows[:, places] = 0
        np.testing.assert_array_equal(ours, theirs)
        compared += 1
    assert compared > 20


def as_depthwise(layer: Layer) -> Layer:
    """A pool of windows with weights."""
    if layer.kind not in WINDOW_POOLS:
        return layer
    channels = layer.output.channels
    return dataclasses.replace(
        layer,
        kind=LayerKind.DEPTHWISE,
        weights=np.ones((*layer.kernel, channels), np.int8),
        bias=np.zeros(channels, np.int32),
        multiplier=np.full(channels, 1 << 30, np.int32),
        shift=np.zeros(channels, np.int32),
    )


def test_the_same_pair_gives_the_same_schedule() -> None:
    for case in cases()[::10]:
        again = map_network(case.config, case.network, case.batch)
        np.testing.assert_array_equal(again.rows, mapped(case).rows)


@pytest.mark.parametrize("space", [TINY, EDGE])
def test_defaults_map_a_case_of_every_stratum(space: HardwareSpace) -> None:
    for case in tiny_cases()[: len(strata())]:
        assert map_network(space.default, case.network).failure is Failure.NONE
