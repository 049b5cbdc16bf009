"""Random LOAD and STORE descriptors, and the bursts that they are cut into."""

import random

import numpy as np
from numpy.typing import NDArray

from accelerators import small_accelerator
from sim.arrays.tables import COLUMNS
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import BURST_BEATS, PAGE_BYTES
from sim.spec.descriptor import LoadKind, LoadStore, Queue
from weight_streams import with_beats

Sequence = list[tuple[int, dict[str, int]]]
"""Earliest start and fields of each descriptor."""


def draw_config(generator: random.Random) -> AcceleratorConfig:
    """Draw an accelerator with any bus and pace that the gateware can have."""
    simd_units = generator.choice([4, 8, 16])
    bus = generator.choice([b for b in (1, 2, 4, 8, 16, 32, 64) if b <= 4 * simd_units])
    share = generator.choice([1, 1, 0.78125, 0.5859375, 0.9765625, 0.75, generator.random()])
    megabytes = max(200 * bus // 2 + 1, round(200 * bus * share)) if bus > 1 else 200
    return small_accelerator(
        1,
        2,
        simd_units=simd_units,
        compute_lanes=generator.choice([1, 2]),
        local_memory_kb=16,
        register_file_kb=4,
        io_bandwidth_gbps=megabytes / 1000,
        clock_mhz=200 if bus > 1 else generator.choice([200, 256, 333, 1000]),
        weight_store_kb=generator.choice([0, 16]),
    )


def draw_tile(generator: random.Random, config: AcceleratorConfig, beats: int) -> dict[str, int]:
    """Draw a tile of up to about ``beats`` beats."""
    most = max(1, config.vector_bytes // config.bus_bytes)
    vector_beats = generator.choice([most, generator.randint(1, most)])
    shape = {}
    left = max(1, beats // vector_beats)
    for name in generator.sample(["columns", "rows", "groups"], 3):
        shape[name] = generator.choice([1, generator.randint(1, left)])
        left //= shape[name]
    vector = vector_beats * config.bus_bytes
    row_stride = (shape["columns"] + generator.randrange(3)) * vector
    return shape | {
        "kind": LoadKind.TILE,
        "address": generator.randrange(6000 // vector) * vector,
        "vector_beats": vector_beats,
        "row_stride": row_stride,
        "group_stride": shape["rows"] * row_stride + generator.choice([0, vector]),
        "local_row": shape["columns"],
        "local_plane": shape["rows"] * shape["columns"],
    }


def draw_vectors(
    generator: random.Random, config: AcceleratorConfig, steps: list[int], columns: int
) -> dict[str, int]:
    """Draw how a gathered row is cut into vectors, for a PE or for some; the last vector begins in the row."""
    size = config.vector_bytes
    length = generator.randint(1, size)
    step = generator.choice([generator.randint(1, 2 * length), length, *steps])
    vectors = {"columns": columns, "length": length, "step": step}
    vectors["pe_vectors"] = generator.choice([0, generator.randint(1, max(1, columns))])
    if vectors["pe_vectors"]:
        least = max(length - size, 1 - (vectors["pe_vectors"] - 1) * step)
        vectors["pe_step"] = generator.choice([least, generator.randint(least, 2 * length), *steps])
    vectors["lead"] = generator.choice([0, generator.randrange(length)])
    firsts = first_bytes(vectors)
    if vectors["pe_vectors"]:
        vectors["lead"] = generator.choice(
            [vectors["lead"], generator.randint(0, firsts[-1] + length)]
        )
        firsts = first_bytes(vectors)
    vectors["row_bytes"] = generator.randint(
        max(1, firsts[-1] + 1), max(1, firsts[-1] + 1, max(firsts) + length)
    )
    return vectors


def first_bytes(fields: dict[str, int]) -> list[int]:
    """Place of every gathered vector's first byte, counted from the row's."""
    at, firsts = -fields["lead"] if "lead" in fields else 0, []
    for k in range(fields["columns"]):
        if k > 0:
            turns = fields.get("pe_vectors", 0) > 0 and k % fields["pe_vectors"] == 0
            at += fields["pe_step"] if turns else fields["step"]
        firsts.append(at)
    return firsts


def last_bytes(fields: dict[str, int]) -> list[int]:
    """Place of the byte with which every gathered vector is complete: in the row, and not before another's."""
    lasts = [0]
    for first in first_bytes(fields):
        lasts.append(max(lasts[-1], min(first + fields["length"], fields["row_bytes"]) - 1))
    return lasts[1:]


def draw_gather(generator: random.Random, config: AcceleratorConfig, beats: int) -> dict[str, int]:
    """Draw a tile of packed rows of up to about ``beats`` beats."""
    most = max(1, beats * config.bus_bytes // config.vector_bytes)
    columns = generator.choice([1, generator.randint(1, min(60, most))])
    vectors = draw_vectors(generator, config, [config.bus_bytes], columns)
    row_bytes = vectors["row_bytes"]
    rows = generator.choice([1, generator.randint(1, max(1, min(20, most // columns)))])
    return vectors | {
        "kind": LoadKind.TILE,
        "gather": 1,
        "address": generator.randrange(6000),
        "groups": 1,
        "rows": rows,
        "row_stride": row_bytes + generator.choice([0, generator.randrange(40)]),
        "local_row": columns,
    }


def draw_many_rows(
    generator: random.Random, config: AcceleratorConfig, queue: Queue
) -> dict[str, int]:
    """Draw a tile of so many rows that those in the middle are alike, for LOAD some of them gathered; or a row of long or a few of short bursts."""
    rows = generator.choice([1, 6, 7, *[generator.randint(10, 60) for _ in range(6)]])
    if queue == Queue.LOAD and generator.random() < 0.4:
        fields = draw_gather(generator, config, generator.randint(1, 60))
        stride = fields["row_bytes"] + generator.choice([0, 0, -fields["row_bytes"]])
        align = generator.choice([1, config.bus_bytes])
        return fields | {"rows": rows, "row_stride": -(-max(1, stride) // align) * align}
    fields = draw_tile(generator, config, 1)
    columns = generator.choice([1, 1, generator.randint(1, 8), generator.randint(8, 40)])
    if rows == 1:
        columns *= 20
    vector = fields["vector_beats"] * config.bus_bytes
    stride = (columns + generator.choice([0, 0, 1, 70])) * vector
    shape = {"columns": columns, "rows": rows, "groups": generator.choice([1, 1, 1, 2])}
    return (
        fields
        | shape
        | {"row_stride": stride, "group_stride": rows * stride + generator.choice([0, vector])}
    )


def draw_weights(generator: random.Random, config: AcceleratorConfig, beats: int) -> dict[str, int]:
    """Draw a weight stream of up to about ``beats`` beats."""
    own = generator.choice([0, generator.randint(1, config.compute_lanes)])
    lanes = generator.randint(1, own * config.pes_x or config.compute_lanes)
    most = beats * config.bus_bytes // (lanes * config.row_bytes)
    rows = generator.randint(1, max(1, min(most, config.weight_rows)))
    parameter_rows = generator.randint(0, min(4, rows))
    store, most_row = LoadStore.NONE, config.store_rows - lanes * rows
    if most_row >= 0:
        store = generator.choice([*LoadStore, LoadStore.READ])
    stream = {
        "kind": LoadKind.WEIGHTS,
        "store": store,
        "store_row": generator.randint(0, most_row) if store else 0,
        "address": generator.randrange(6000 // config.bus_bytes) * config.bus_bytes,
        "lanes": lanes,
        "lane_mask": 1,
        "column_lanes": own,
        "parameter_rows": parameter_rows,
        "weight_rows": rows - parameter_rows,
    }
    return with_beats(config, stream, generator.randint(1, config.simd_units))


def draw_sequence(
    generator: random.Random, config: AcceleratorConfig, queue: Queue, count: int, beats: int
) -> Sequence:
    """Draw descriptors that come in bunches or with pauses."""
    sequence: Sequence = []
    arrival = 0
    for _ in range(count):
        arrival += generator.choice([0, 0, 0, generator.randrange(1, 40), 150])
        size = generator.choice([1, generator.randint(1, beats)])
        draw = draw_tile
        if queue == Queue.LOAD:
            draw = generator.choice(
                [draw_weights, draw_weights, draw_gather, draw_gather, draw_tile]
            )
        fields = draw(generator, config, size)
        if queue == Queue.STORE:
            del fields["kind"]
        sequence.append((arrival, fields))
    return sequence


def holds(config: AcceleratorConfig, fields: dict[str, int]) -> list[int]:
    """Cycles that every beat of a descriptor keeps the next away: the vectors that it completes, at least 1."""
    bus, counts = config.bus_bytes, []
    for r in range(fields["rows"] if fields.get("gather") else 0):
        start = fields["address"] + r * fields["row_stride"]
        end = start + fields["row_bytes"]
        for at in range(start // bus * bus, end, bus):
            lasts = [start + last for last in last_bytes(fields)]
            counts.append(max(1, sum(at <= last < at + bus for last in lasts)))
    return counts or [1] * sum(cut(config, fields))


def row_of(queue: Queue, fields: dict[str, int]) -> NDArray[np.int64]:
    row = np.zeros(len(COLUMNS), np.int64)
    row[COLUMNS["queue"]] = queue
    for name, value in fields.items():
        row[COLUMNS[name]] = value
    return row


def cut(config: AcceleratorConfig, fields: dict[str, int]) -> list[int]:
    """Beats of every burst of a descriptor, cut beat by beat; the weight store needs none."""
    if fields.get("store") == LoadStore.READ:
        return []
    bus = config.bus_bytes
    if fields.get("gather"):
        segments = []
        for r in range(fields["rows"]):
            start = fields["address"] + r * fields["row_stride"]
            first = start // bus * bus
            segments.append((first, len(range(first, start + fields["row_bytes"], bus))))
    elif fields.get("kind") == LoadKind.WEIGHTS:
        segments = [(fields["address"], fields["stream_beats"])]
    else:
        segments = [
            (
                fields["address"] + g * fields["group_stride"] + r * fields["row_stride"],
                fields["columns"] * fields["vector_beats"],
            )
            for g in range(fields["groups"])
            for r in range(fields["rows"])
        ]
    bursts = []
    for address, count in segments:
        beats = 0
        for beat in range(count):
            at_page = (address + beat * config.bus_bytes) % PAGE_BYTES == 0
            if beats and (at_page or beats == BURST_BEATS):
                bursts.append(beats)
                beats = 0
            beats += 1
        bursts.append(beats)
    return bursts
