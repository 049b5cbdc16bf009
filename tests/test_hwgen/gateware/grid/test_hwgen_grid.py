"""The grid's external access, its distribution of padding, halos and reduction."""

import itertools
import random
from collections import defaultdict
from typing import Any

import pytest

from accelerators import small_accelerator
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.grid.grid import Grid
from sampled import sampled
from sim.spec.accelerator import REQUANTIZER_LATENCY, AcceleratorConfig

Script = defaultdict[int, dict[str, int]]
"""Control of every cycle; what is not named is 0."""

STEP = {"": 0, "from_east": 1, "from_west": -1, "from_south": 1, "from_north": -1}
"""How far east or south a vector comes from."""


def make_config(pes_y: int, pes_x: int, lanes: int, simd: int) -> AcceleratorConfig:
    """Return a grid with the smallest memories."""
    return small_accelerator(
        pes_y,
        pes_x,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=1,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


@pytest.mark.parametrize(
    "shape", sampled([(1, 1, 1, 4), (2, 3, 2, 4), (3, 1, 1, 8)], lambda shape: shape[2] == 1)
)
def test_vectors_come_back_from_where_they_were_written(shape: tuple[int, int, int, int]) -> None:
    """Reads pass through the pipeline with idle cycles between them, in random order."""
    config = make_config(*shape)
    dut = kept_unit(Grid, config)
    rng = random.Random(3)
    places = [
        {"pe_y": y, "pe_x": x, "bank": bank, "address": address}
        for y in range(config.pes_y)
        for x in range(config.pes_x)
        for bank in range(config.compute_lanes)
        for address in rng.sample(range(config.bank_depth), 3)
    ]
    written = [(place, rng.getrandbits(8 * config.simd_units)) for place in places]
    reads = [rng.choice([None, entry]) for entry in rng.sample(written, len(written)) * 2]

    async def bench(ctx: Any) -> None:
        for place, vector in written:
            ctx.set(dut.tile_write, place | {"enable": 1, "data": vector})
            await ctx.tick()
        ctx.set(dut.tile_write.enable, 0)
        for cycle in range(len(reads) + Grid.READ_LATENCY):
            read = reads[cycle] if cycle < len(reads) else None
            ctx.set(dut.tile_read.enable, read is not None)
            if read is not None:
                ctx.set(dut.tile_read, read[0] | {"enable": 1})
            before = cycle - Grid.READ_LATENCY
            expected = reads[before] if before >= 0 else None
            if expected is not None:
                assert ctx.get(dut.tile_read_data) == expected[1]
            await ctx.tick()

    simulate(dut, bench)


def test_a_written_vector_can_be_read_after_the_write_latency() -> None:
    """A read that reaches the bank WRITE_LATENCY cycles after the write sees it."""
    dut = kept_unit(Grid, make_config(1, 2, 2, 4))
    place = {"pe_y": 0, "pe_x": 1, "bank": 1, "address": 9}

    async def bench(ctx: Any) -> None:
        for vector in (0x11223344, 0x55667788):
            ctx.set(dut.tile_write, place | {"enable": 1, "data": vector})
            await ctx.tick()
            ctx.set(dut.tile_write.enable, 0)
            # reads, too, take one cycle to the bank
            await ctx.tick().repeat(Grid.WRITE_LATENCY - 1)
            ctx.set(dut.tile_read, place | {"enable": 1})
            await ctx.tick().repeat(Grid.READ_LATENCY)
            assert ctx.get(dut.tile_read_data) == vector
            ctx.set(dut.tile_read.enable, 0)

    simulate(dut, bench)


async def write_identity(ctx: Any, dut: Any) -> None:
    """Give all lanes weights of 1 in row 0 and parameters that change nothing."""
    config = dut.config
    lanes = (1 << config.compute_lanes) - 1
    weights = int.from_bytes(bytes([1, 0, 0, 0]) * config.simd_units, "little")
    record = 1 << 62 | 1 << 64
    records = sum(record << 80 * unit for unit in range(config.requantizer_width))
    rows = [(0, 0, weights), *((1, row, records) for row in range(4))]
    for parameter, address, row in rows:
        ctx.set(
            dut.row_write,
            {
                "enable": 1,
                "lanes": lanes,
                "columns": (1 << config.pes_x) - 1,
                "parameter": parameter,
                "address": address,
                "data": [row],
            },
        )
        await ctx.tick()
    ctx.set(dut.row_write.enable, 0)
    await ctx.tick()


async def play(ctx: Any, dut: Any, script: Script) -> None:
    """Run a script of PE control: the grid gets it one cycle earlier."""
    constants = {"clamp_low": -128, "clamp_high": 127}
    names = [name for name in dut.control.signature.members if name not in constants]
    for name, value in constants.items():
        ctx.set(getattr(dut.control, name), value)
    for cycle in range(1, max(script) + 3):
        for name in names:
            ctx.set(getattr(dut.control, name), script[cycle].get(name, 0))
        await ctx.tick()


def add_requantization(script: Script, cycle: int, operand: int) -> int:
    """Schedule slots from `cycle` on; return the first cycle with the output."""
    for phase in range(4):
        script[cycle + phase] |= {"parameter_enable": 1, "parameter_row": phase}
        script[cycle + phase] |= {"slot": 1, "phase": phase, "operand": operand}
        script[cycle + phase + REQUANTIZER_LATENCY] |= {"finish": 1}
        script[cycle + phase + REQUANTIZER_LATENCY + 1] |= {"assemble": 1}
    script[cycle + REQUANTIZER_LATENCY + 4] |= {"commit": 1}
    return cycle + REQUANTIZER_LATENCY + 5


async def write_vectors(
    ctx: Any, dut: Any, address: int, vectors: dict[tuple[int, int, int], int]
) -> None:
    """Write a vector to every named PE row, column and bank."""
    for (y, x, bank), vector in vectors.items():
        place = {"pe_y": y, "pe_x": x, "bank": bank, "address": address}
        ctx.set(dut.tile_write, place | {"enable": 1, "data": vector})
        await ctx.tick()
    ctx.set(dut.tile_write.enable, 0)
    await ctx.tick().repeat(Grid.WRITE_LATENCY)


async def read_vector(ctx: Any, dut: Any, address: int, place: tuple[int, int, int]) -> int:
    """Read one vector."""
    y, x, bank = place
    fields = {"pe_y": y, "pe_x": x, "bank": bank, "address": address}
    ctx.set(dut.tile_read, fields | {"enable": 1})
    await ctx.tick()
    ctx.set(dut.tile_read.enable, 0)
    await ctx.tick().repeat(Grid.READ_LATENCY - 1)
    vector: int = ctx.get(dut.tile_read_data)
    return vector


@pytest.mark.parametrize(
    "shape", sampled([(2, 3, 1), (3, 1, 1), (1, 2, 4)], lambda shape: shape[2] == 1)
)
def test_padding_and_halos_reach_the_right_pes(shape: tuple[int, int, int]) -> None:
    """Every PE pads for itself; what it stores comes from the neighbours named, or is 0."""
    pes_y, pes_x, lanes = shape
    config = make_config(pes_y, pes_x, lanes, 4)
    dut = kept_unit(Grid, config)
    rng = random.Random(12)
    places = list(itertools.product(range(pes_y), range(pes_x), range(lanes)))
    every = (1 << lanes) - 1
    seen = set()

    async def bench(ctx: Any) -> None:
        await write_identity(ctx, dut)
        for across, down in itertools.product(
            ("", "from_east", "from_west"), ("", "from_south", "from_north")
        ):
            vectors = {place: rng.getrandbits(32) for place in places}
            await write_vectors(ctx, dut, 3, vectors)
            inject = rng.random() < 0.8
            pitch = {axis: rng.randrange(2, 6) for axis in "yx"}
            # one row or column at either edge of the grid may be outside
            tap = {axis: rng.choice((-1, 0, pitch[axis] - 1)) for axis in "yx"}
            last = {"y": (pes_y - 1) * pitch["y"], "x": (pes_x - 1) * pitch["x"]}
            bound = {axis: max(1, tap[axis] + last[axis] + rng.choice((0, 1))) for axis in "yx"}
            take = rng.randrange(lanes)
            script: Script = defaultdict(dict)
            script[1] |= {"read_enable": every, "read_address": 3, "inject": int(inject)}
            for axis in "yx":
                script[1][f"tap_{axis}"] = tap[axis]
                script[1][f"pitch_{axis}"] = pitch[axis]
                script[1][f"bound_{axis}"] = bound[axis]
            script[3] |= {"incoming": every, "source_mask": lanes - 1, "pad_value": 85}
            script[4] |= {"advance": 1}
            ready = add_requantization(script, 5, operand=1)
            script[ready] |= {"push": 1, "take_base": take}
            script[ready + 1] |= {"write_enable": every, "write_address": 7}
            if across:
                script[ready][across] = 1
            if down:
                script[ready + 1][down] = 1
            await play(ctx, dut, script)

            for y, x, bank in places:
                source = {"y": y + STEP[down], "x": x + STEP[across]}
                inside = all(
                    0 <= tap[axis] + source[axis] * pitch[axis] < bound[axis] for axis in "yx"
                )
                stored = vectors.get((source["y"], source["x"], take))
                if stored is None:
                    case, stored = "missing", 0
                elif inject and not inside:
                    case, stored = "outside", 0x55555555
                else:
                    case = "inside"
                seen.add(case)
                assert await read_vector(ctx, dut, 7, (y, x, bank)) == stored, (across, down)

    simulate(dut, bench)
    assert seen == {"missing", "outside", "inside"}


@pytest.mark.parametrize(
    "shape", sampled([(2, 3, 1), (1, 1, 1), (3, 2, 2)], lambda shape: shape[2] == 1)
)
def test_pool_sums_over_all_pes(shape: tuple[int, int, int]) -> None:
    """Rows are summed towards the west, then the first column towards the north."""
    pes_y, pes_x, lanes = shape
    config = make_config(pes_y, pes_x, lanes, 4)
    dut = kept_unit(Grid, config)
    rng = random.Random(13)
    every = (1 << lanes) - 1
    values = {
        place: [rng.randrange(-14, 15) for _ in range(4)]
        for place in itertools.product(range(pes_y), range(pes_x), range(lanes))
    }

    def pack(values: list[int]) -> int:
        return int.from_bytes(bytes(value % 256 for value in values), "little")

    async def bench(ctx: Any) -> None:
        await write_identity(ctx, dut)
        vectors = {place: pack(bytes_) for place, bytes_ in values.items()}
        await write_vectors(ctx, dut, 0, vectors)
        script: Script = defaultdict(dict)
        script[1] |= {"read_enable": every}
        script[3] |= {"incoming": every, "source_mask": lanes - 1}
        script[4] |= {"ring_write": 1, "ring_write_position": 62}
        script[5] |= {"ring_read": 1, "weight_enable": 1}
        script[5]["ring_read_positions"] = sum(62 << 6 * lane for lane in range(lanes))
        script[6] |= {"multiply": 1, "private": 1, "tap": 1}
        script[9] |= {"accumulate": 1, "restart": 1}
        script[10] |= {"capture": 1}
        hops = [(0, index) for index in reversed(range(pes_x - 1))]
        hops += [(1, index) for index in reversed(range(pes_y - 1))]
        cycle = 11
        for vertical, index in hops:
            for _ in range(4):
                script[cycle] |= {"reduce": 1, "vertical": vertical, "reduce_index": index}
                cycle += 1
        ready = add_requantization(script, cycle, operand=0)
        script[ready] |= {"push": 1, "take_mask": lanes - 1}
        script[ready + 1] |= {"write_enable": every, "write_address": 1}
        await play(ctx, dut, script)
        for lane in range(lanes):
            total = [
                sum(values[y, x, lane][channel] for y in range(pes_y) for x in range(pes_x))
                for channel in range(4)
            ]
            assert await read_vector(ctx, dut, 1, (0, 0, lane)) == pack(total)

    simulate(dut, bench)
