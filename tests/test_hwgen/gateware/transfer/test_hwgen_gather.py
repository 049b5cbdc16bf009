"""Gathering against loops over every byte of a row, with beats that come at random."""

import random
from typing import Any

import pytest

from accelerators import small_accelerator
from axi_memory import MemoryPort, read_side
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.transfer.gather import Gather
from hwgen.gateware.transfer.load import LoadUnit
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind
from sim.spec.stops import StopCause
from transfer_bench import ALL_PAGES, TransferRun
from transfer_cases import draw_vectors, first_bytes, last_bytes

MEMORY = random.Random(4).randbytes(1 << 12)
CONFIGS = {
    "S4 B4": small_accelerator(),
    "S8 B4": small_accelerator(simd_units=8),
    "S16 B1": small_accelerator(simd_units=16, io_bandwidth_gbps=0.2),
    "S4 B16": small_accelerator(io_bandwidth_gbps=3.2),
    "S16 B8": small_accelerator(simd_units=16, io_bandwidth_gbps=1.6),
}


def draw(generator: random.Random, config: AcceleratorConfig) -> dict[str, int]:
    """Draw a tile of rows for a PE or for several."""
    vectors = draw_vectors(generator, config, [1], generator.choice([1, generator.randint(1, 12)]))
    return vectors | {
        "rows": generator.choice([1, generator.randint(1, 5)]),
        "address": generator.randrange(500),
        "row_stride": generator.choice([vectors["row_bytes"], generator.randrange(200)]),
        "pad_value": generator.randint(-128, 127),
    }


def sums_of(d: dict[str, int], bus: int) -> dict[str, int]:
    """Return what the line of descriptors has beside a descriptor's fields."""
    offset, lacks = d["address"] % bus, d["length"] - d["lead"] - 1
    after_lacks = lacks + d["pe_step" if d["pe_vectors"] == 1 else "step"]
    return {
        "lacks": lacks,
        "after_lacks": after_lacks,
        "first_lacks": offset + lacks,
        "first_after_lacks": offset + after_lacks,
        "first_left": offset + d["row_bytes"] - 1,
    }


def rows_of(d: dict[str, int], bus: int) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Return of every row its beats' addresses, and of every vector its last beat and its bytes."""
    rows = []
    for r in range(d["rows"]):
        start = d["address"] + r * d["row_stride"]
        end = start + d["row_bytes"]
        beats = list(range(start // bus * bus, end, bus))
        vectors = []
        for first, last in zip(first_bytes(d), last_bytes(d), strict=True):
            places = range(start + first, start + first + d["length"])
            data = [MEMORY[at] if start <= at < end else d["pad_value"] & 0xFF for at in places]
            newest = start + last
            vectors.append((newest // bus - beats[0] // bus, int.from_bytes(bytes(data), "little")))
        rows.append((beats, vectors))
    return rows


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_vectors_come_a_cycle_after_their_last_beat(
    config: AcceleratorConfig, share: float
) -> None:
    """Those of a beat one after another, and the next beat with the last of them at the earliest."""
    generator = random.Random(str((config.simd_units, config.bus_bytes, share)))
    bus = config.bus_bytes
    tiles = [draw(generator, config) for _ in range(40)]
    unit = kept_unit(Gather, config)
    seen: list[tuple[int, int]] = []
    expected: list[tuple[int, int]] = []
    cycle = 0

    async def tick(ctx: Any) -> None:
        nonlocal cycle
        if ctx.get(unit.valid):
            seen.append((cycle, ctx.get(unit.vector)))
        await ctx.tick()
        cycle += 1
        # Until it moves, a beat may be offered, be taken by others or not be there
        ctx.set(unit.beat, 0)
        ctx.set(unit.last_beat, 0)
        ctx.set(unit.offered, generator.random() < 0.5)
        ctx.set(unit.data, generator.getrandbits(8 * bus))

    async def drive(ctx: Any) -> None:
        earliest = 0
        for d in tiles:
            shape = {name: value for name, value in d.items() if name != "rows"}
            ctx.set(unit.shape, shape | sums_of(d, bus))
            ctx.set(unit.enable, 1)
            rows = rows_of(d, bus)
            for number, (beats, vectors) in enumerate(rows):
                for place, at in enumerate(beats):
                    while ctx.get(unit.hold) or generator.random() >= share:
                        assert cycle < earliest or not ctx.get(unit.hold)
                        await tick(ctx)
                    assert cycle >= earliest
                    final = number == len(rows) - 1 and place == len(beats) - 1
                    ctx.set(unit.offered, 1)
                    ctx.set(unit.beat, 1)
                    ctx.set(unit.last_beat, final)
                    ctx.set(unit.data, int.from_bytes(MEMORY[at : at + bus], "little"))
                    own = [vector for beat, vector in vectors if beat == place]
                    expected.extend((cycle + 1 + i, vector) for i, vector in enumerate(own))
                    earliest = cycle + max(1, len(own))
                    while final and not ctx.get(unit.last):
                        await tick(ctx)
                    if final:
                        assert cycle == earliest - 1
                    await tick(ctx)
            if generator.random() < 0.5:
                ctx.set(unit.enable, 0)
                for _ in range(generator.randrange(4)):
                    await tick(ctx)
        ctx.set(unit.enable, 0)
        for _ in range(4):
            await tick(ctx)

    simulate(unit, drive)
    assert seen == expected


class Run(TransferRun):
    """A run on a LOAD unit whose memory, from its base on, repeats MEMORY."""

    BASE = 0x3000

    def __init__(
        self, config: AcceleratorConfig, descriptors: list[dict[str, int]], stalls: float = 0.0
    ) -> None:
        unit = kept_unit(LoadUnit, config)
        super().__init__(unit, self.BASE, ALL_PAGES, None)
        self.port = MemoryPort(bytearray(MEMORY * 8), config.bus_bytes, stalls=stalls, seed=2)
        self.tiles: list[tuple[int, ...]] = []
        self.run(descriptors, read_side(self.port, unit), self._keep, settle=4, stopped=100)

    async def _keep(self, ctx: Any) -> None:
        async for _, _, tile in ctx.tick().sample(self.unit.tile_write):
            if tile.enable:
                self.tiles.append((tile.pe_y, tile.pe_x, tile.bank, tile.address, tile.data))


def descriptor(generator: random.Random, config: AcceleratorConfig) -> dict[str, int]:
    """Draw a LOAD of packed rows."""
    place = {"pe_y": generator.randrange(config.pes_y), "pe_x": generator.randrange(config.pes_x)}
    place |= {"local_address": generator.randrange(20), "local_row": 14, "groups": 1}
    place |= {"post": generator.randrange(8)}
    return draw(generator, config) | place | {"kind": LoadKind.TILE, "gather": 1}


@pytest.mark.parametrize("stalls", [0.0, 0.3])
@pytest.mark.parametrize("units", [4, 16])
def test_gathered_tiles_reach_their_banks(units: int, stalls: float) -> None:
    config = small_accelerator(2, 2, simd_units=units, compute_lanes=2, local_memory_kb=16)
    generator = random.Random(str((units, stalls)))
    tiles = [descriptor(generator, config) for _ in range(30)]
    run = Run(config, tiles, stalls)
    expected = []
    for d in tiles:
        for r, (_, vectors) in enumerate(rows_of(d, config.bus_bytes)):
            at = d["local_address"] + r * d["local_row"]
            for k, (_, data) in enumerate(vectors):
                pe, own = divmod(k, d["pe_vectors"] or len(vectors))
                expected.append((d["pe_y"], (d["pe_x"] + pe) % 2, 0, at + own, data))
    assert run.tiles == expected
    assert run.posts == [d["post"] for d in tiles]
    assert run.faults == []


@pytest.mark.parametrize(
    "fields",
    [
        *({name: 0} for name in ("groups", "rows", "columns", "row_bytes", "step", "length")),
        {"length": 5},
        {"pe_y": 2},
        {"pe_x": 2},
    ],
    ids=str,
)
def test_illegal_gathering_is_not_begun(fields: dict[str, int]) -> None:
    config = small_accelerator(2, 2)
    legal = {"kind": LoadKind.TILE, "gather": 1, "groups": 1, "rows": 1, "columns": 2, "step": 3}
    legal |= {"row_bytes": 6, "length": 3, "address": 5}
    assert Run(config, [legal]).faults == []
    run = Run(config, [legal | fields])
    assert {fault[1] for fault in run.faults} == {StopCause.DESCRIPTOR}
    assert run.port.reads == []
    assert run.tiles == []
