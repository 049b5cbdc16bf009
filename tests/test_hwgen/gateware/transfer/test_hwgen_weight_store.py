"""Weight store: what a LOAD fills and reads, in which cycles, and what it refuses."""

import dataclasses
import random
from typing import Any

import pytest

from axi_memory import MemoryPort, read_side
from gateware_simulation import kept_unit
from hwgen.gateware.transfer.load import LoadUnit
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind, LoadStore
from sim.spec.stops import StopCause
from transfer_bench import ALL_PAGES, TransferRun, cuts, four_pes, tile_bursts
from weight_streams import beats_of_rows, with_beats

BASE = 0x2000

Written = tuple[int, int, int, int, dict[int, int]]
"""Half, lanes, kind and address of a write of rows, and the row of each PE column that takes it."""


class Run(TransferRun):
    """A run on a LOAD unit with a weight store, with the rows that it writes."""

    def __init__(
        self,
        config: AcceleratorConfig,
        descriptors: list[dict[str, int]],
        *,
        latency: int = 24,
        stalls: float = 0.0,
    ) -> None:
        unit = kept_unit(LoadUnit, config)
        super().__init__(unit, BASE, ALL_PAGES, None)
        self.config = config
        data = bytearray(random.Random(2).randbytes(1 << 17))
        self.port = MemoryPort(data, config.bus_bytes, latency=latency, stalls=stalls, seed=3)
        self.rows: list[Written] = []
        self.tiles = 0
        fields = [{k: v for k, v in d.items() if k != "channels"} for d in descriptors]
        self.run(fields, read_side(self.port, unit), self._keep, settle=4, stopped=400)

    async def _keep(self, ctx: Any) -> None:
        unit = self.unit
        watched = (unit.tile_write.enable, unit.row_write, unit.row_half)
        async for _, _, tile, row, half in ctx.tick().sample(*watched):
            self.tiles += tile
            if row.enable:
                columns = [x for x in range(self.config.pes_x) if row.columns >> x & 1]
                place = (half, row.lanes, row.parameter, row.address)
                self.rows.append((*place, {x: int(row.data[x]) for x in columns}))


def stream(
    config: AcceleratorConfig, generator: random.Random, store: LoadStore, place: int = 0
) -> dict[str, int]:
    """Return a weight stream of up to 24 rows from row `place` of the store on."""
    parameter_rows = generator.choice([0, 4])
    own = generator.choice([0, generator.randint(1, config.compute_lanes)])
    d = {
        "kind": LoadKind.WEIGHTS,
        "address": 8 * generator.randrange(1000) * config.bus_bytes,
        "lanes": generator.randint(1, own * config.pes_x or config.compute_lanes),
        "lane_mask": 1,
        "column_lanes": own,
        "half": generator.randrange(2),
        "parameter_rows": parameter_rows,
        "weight_rows": generator.randint(1 if not parameter_rows else 0, 8),
        "store": store,
        "store_row": place,
        "post": generator.randrange(8),
        "channels": generator.randint(1, config.simd_units),
    }
    return with_beats(config, d, d["channels"])


def rows_of(d: dict[str, int]) -> int:
    """Rows of a weight stream."""
    return d["lanes"] * (d["parameter_rows"] + d["weight_rows"])


def turns_of(d: dict[str, int]) -> int:
    """Cycles in which the store is read: those of the columns with most blocks."""
    lanes = min(d["lanes"], d.get("column_lanes", 0) or d["lanes"])
    return lanes * (d["parameter_rows"] + d["weight_rows"])


def tile(config: AcceleratorConfig, generator: random.Random) -> dict[str, int]:
    """Return a small tile."""
    beats = max(1, config.vector_bytes // config.bus_bytes)
    columns = generator.randint(1, 6)
    return {
        "kind": LoadKind.TILE,
        "address": 64 * generator.randrange(200),
        "groups": 1,
        "rows": generator.randint(1, 3),
        "columns": columns,
        "local_row": 8,
        "row_stride": 8 * beats * config.bus_bytes,
        "group_stride": 0,
        "vector_beats": beats,
    }


def mixed(config: AcceleratorConfig, generator: random.Random, count: int) -> list[dict[str, int]]:
    """Return tiles and streams of all kinds; what is read was filled before."""
    sequence: list[dict[str, int]] = []
    filled: list[dict[str, int]] = []
    free = 0
    for _ in range(count):
        kind = generator.choice(["tile", "none", "fill", "read", "read", "read"])
        if kind == "tile":
            sequence.append(tile(config, generator))
        elif kind == "none" or (kind == "read" and not filled):
            sequence.append(stream(config, generator, LoadStore.NONE))
        elif kind == "fill":
            d = stream(config, generator, LoadStore.FILL, free)
            if free + rows_of(d) > config.store_rows:
                continue
            free += rows_of(d)
            filled.append(d)
            sequence.append(d)
        else:
            source = generator.choice(filled)
            change = {"store": LoadStore.READ, "half": generator.randrange(2)}
            sequence.append(source | change | {"address": generator.randrange(1 << 20)})
    return sequence


def expected_rows(run: Run, descriptors: list[dict[str, int]]) -> list[Written]:
    """Return the writes of all streams by definition, from a list of the store's rows."""
    lanes = run.config.compute_lanes
    every = range(run.config.pes_x)
    store = [0] * run.config.store_rows
    written: list[Written] = []
    for d in descriptors:
        if d["kind"] != LoadKind.WEIGHTS:
            continue
        number, at, own = 0, BASE + d["address"], d["column_lanes"]
        beats = beats_of_rows(run.config, d, d["channels"])
        for block in range(min(own, d["lanes"]) if own else d["lanes"]):
            columns = range(-(-(d["lanes"] - block) // own)) if own else range(1)
            mask = (d["lane_mask"] << block) % (1 << lanes)
            for parameter, depth, rows in (
                (1, 4, d["parameter_rows"]),
                (0, run.config.weight_rows, d["weight_rows"]),
            ):
                for row in range(rows):
                    to = (d["half"], mask, parameter, d["half"] * depth + row)
                    datas = {}
                    for x in columns:
                        place = d["store_row"] + number
                        size = beats[number] * run.config.bus_bytes
                        used = min(size, run.config.row_bytes)
                        datas[x] = int.from_bytes(run.port.data[at : at + used], "little")
                        at += size
                        if d["store"] == LoadStore.READ:
                            datas[x] = store[place]
                        if d["store"] == LoadStore.FILL:
                            store[place] = datas[x]
                        number += 1
                    if not own:
                        written.append((*to, dict.fromkeys(every, datas[0])))
                    elif d["store"] == LoadStore.READ:
                        written.append((*to, datas))
                    else:
                        written += [(*to, {x: data}) for x, data in datas.items()]
    return written


def bursts(config: AcceleratorConfig, d: dict[str, int]) -> list[tuple[int, int]]:
    """Bursts of a descriptor by definition: (address, beats)."""
    if d["kind"] == LoadKind.TILE:
        return tile_bursts(config, BASE, d)
    if d["store"] == LoadStore.READ:
        return []
    return cuts(BASE + d["address"], d["stream_beats"] * config.bus_bytes, config.bus_bytes)


def stepped(run: Run, descriptors: list[dict[str, int]]) -> tuple[list[int], ...]:
    """Start and done cycles, beat by beat and row by row, with credit counted cycle by cycle."""
    earn, cost = run.config.pacing
    credit, now = 2 * cost - 1, 0
    starts: list[int] = []
    dones: list[int] = []
    last: list[int] = []
    earliest, last_move = run.starts[0], -LoadUnit.TURN
    for d in descriptors:
        start = earliest
        if len(dones) >= LoadUnit.HELD:
            start = max(start, dones[-LoadUnit.HELD] + 1)
        starts.append(start)
        if d["kind"] == LoadKind.WEIGHTS and d["store"] == LoadStore.READ:
            last_move = max(start + LoadUnit.GRANT + 1, last_move + LoadUnit.TURN)
            last_move += turns_of(d) - 1
            earliest = start + LoadUnit.GRANT + 1
        else:
            request = start + LoadUnit.FIRST_REQUEST - 1
            for _, beats in bursts(run.config, d):
                request += 1
                if len(last) >= LoadUnit.OUTSTANDING:
                    request = max(request, last[-LoadUnit.OUTSTANDING] + 1)
                for _ in range(beats):
                    there = max(request + run.port.latency, last_move + 1)
                    while now < there or credit < cost:
                        now, credit = now + 1, min(2 * cost - 1, credit + earn)
                    last_move = now
                    now, credit = now + 1, credit + earn - cost
                last.append(last_move)
            earliest = request + 1
        dones.append(last_move + LoadUnit.DONE_DELAY)
    return starts, dones


CONFIGS = {
    "a row of 8 beats": four_pes(weight_store_kb=4),
    "a row of a beat": four_pes(8, 3, 6.4, 4),
    "paced, 25/32": four_pes(8, 2, 1.25, 4),
    "paced, 1/3 of a wide bus": four_pes(4, 4, 1.1, 4),
    "three columns": dataclasses.replace(four_pes(8, 2, 6.4, 4), pes_x=3),
    "seven columns": dataclasses.replace(four_pes(8, 4, 6.4, 4), pes_x=7, pes_y=1),
    "one column": dataclasses.replace(four_pes(8, 4, 6.4, 4), pes_x=1),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("seed", sampled(range(4), lambda seed: seed == 0))
def test_rows_come_from_the_store_in_the_predicted_cycles(
    config: AcceleratorConfig, seed: int
) -> None:
    generator = random.Random(seed)
    sequence = mixed(config, generator, 20)
    run = Run(config, sequence, latency=generator.choice([1, 24, 60]))
    assert run.rows == expected_rows(run, sequence)
    expected = [burst for d in sequence for burst in bursts(config, d)]
    assert [(burst.address, burst.beats) for burst in run.port.reads] == expected
    assert (run.starts, run.dones) == stepped(run, sequence)
    assert run.posts == [d.get("post", 0) for d in sequence]
    assert run.faults == []


def test_filling_takes_no_cycle() -> None:
    generator = random.Random(9)
    config = four_pes(weight_store_kb=4)
    plain = [stream(config, generator, LoadStore.NONE, 30 * place) for place in range(4)]
    filling = [d | {"store": LoadStore.FILL} for d in plain]
    assert Run(config, plain).dones == Run(config, filling).dones


def test_stalls_change_no_row() -> None:
    config = CONFIGS["a row of 8 beats"]
    sequence = mixed(config, random.Random(5), 16)
    run = Run(config, sequence, stalls=0.4)
    assert run.rows == expected_rows(run, sequence)


def test_back_to_back_reads_lose_a_cycle() -> None:
    config = four_pes(weight_store_kb=4)
    fill = stream(config, random.Random(1), LoadStore.FILL)
    fill |= {"lanes": 2, "weight_rows": 8, "column_lanes": 0}
    fill = with_beats(config, fill, fill["channels"])
    reads = [fill | {"store": LoadStore.READ}] * 3
    run = Run(config, [fill, *reads])
    gaps = [after - before for before, after in zip(run.dones[1:], run.dones[2:], strict=False)]
    assert gaps == [turns_of(fill) + 1] * 2


LEGAL = with_beats(
    four_pes(),
    {
        "kind": LoadKind.WEIGHTS,
        "address": 0x400,
        "lanes": 2,
        "lane_mask": 1,
        "weight_rows": 4,
    },
)
DEPTH = four_pes(weight_store_kb=4).store_rows
DENIED = {
    "a row beyond the store": {"store_row": DEPTH - 7},
    "all rows beyond the store": {"store_row": DEPTH},
    "the last row that can be named": {"store_row": (1 << 20) - 1},
    "no rows": {"store_row": 0, "weight_rows": 0},
    "too many lanes": {"store_row": 0, "lanes": 3},
    "most weight rows": {"store_row": 0, "weight_rows": 0xFFFF, "lanes": 15},
}


@pytest.mark.parametrize(
    "store", sampled([LoadStore.FILL, LoadStore.READ], lambda store: store is LoadStore.READ)
)
@pytest.mark.parametrize("fields", DENIED.values(), ids=DENIED.keys())
def test_rows_beyond_the_store_are_denied(store: LoadStore, fields: dict[str, int]) -> None:
    config = four_pes(weight_store_kb=4)
    tiles = [tile(config, random.Random(3))]
    run = Run(config, [*tiles, LEGAL | {"store": store} | fields])
    assert {fault[1:] for fault in run.faults} == {(StopCause.DESCRIPTOR, 0, BASE + 0x400)}
    assert len(run.faults) > 390  # until the reset
    assert run.rows == []
    assert len(run.port.reads) == len(bursts(config, tiles[0]))
    assert len(run.dones) == 1
    assert run.quiet[-1] - run.quiet[-100] == 99


@pytest.mark.parametrize("store", [LoadStore.FILL, LoadStore.READ])
def test_the_last_rows_of_the_store_are_allowed(store: LoadStore) -> None:
    run = Run(four_pes(weight_store_kb=4), [LEGAL | {"store": store, "store_row": DEPTH - 8}])
    assert run.faults == []
    assert len(run.rows) == 8


@pytest.mark.parametrize("store", [1, 2, 3])
def test_without_a_store_none_is_named(store: int) -> None:
    run = Run(four_pes(), [LEGAL | {"store": store}])
    assert run.faults[0][1:] == (StopCause.DESCRIPTOR, 0, BASE + 0x400)
    assert run.rows == []


def test_a_third_use_of_the_store_is_denied() -> None:
    run = Run(four_pes(weight_store_kb=4), [LEGAL | {"store": 3}])
    assert run.faults[0][1:] == (StopCause.DESCRIPTOR, 0, BASE + 0x400)
