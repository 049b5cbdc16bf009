"""One PE: banks to lanes, lanes to banks, and what comes from the neighbours."""

import random
from collections import defaultdict
from typing import Any

import pytest

from accelerators import small_accelerator
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.grid.pe import Pe
from sampled import sampled
from sim.spec.accelerator import REQUANTIZER_LATENCY, AcceleratorConfig

Script = defaultdict[int, dict[str, int]]
"""Control of every cycle; what is not named is 0."""

SIMD = 4
VECTOR_BITS = 8 * SIMD


def make_config(lanes: int) -> AcceleratorConfig:
    """Return one PE of `lanes` lanes."""
    return small_accelerator(
        simd_units=SIMD,
        compute_lanes=lanes,
        local_memory_kb=1,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


async def play(ctx: Any, dut: Any, script: Script) -> None:
    """Run a script, then set all control to 0."""
    constants = {"clamp_low": -128, "clamp_high": 127}
    names = [name for name in dut.control.signature.members if name not in constants]
    for name, value in constants.items():
        ctx.set(getattr(dut.control, name), value)
    for cycle in range(max(script) + 2):
        for name in names:
            ctx.set(getattr(dut.control, name), script[cycle].get(name, 0))
        await ctx.tick()


async def write_tile(ctx: Any, dut: Any, address: int, vectors: list[int]) -> None:
    """Write one vector to every bank."""
    for bank, vector in enumerate(vectors):
        ctx.set(dut.tile_write_enable, 1 << bank)
        ctx.set(dut.tile_write_address, address)
        ctx.set(dut.tile_write_data, vector)
        await ctx.tick()
    ctx.set(dut.tile_write_enable, 0)


async def read_tile(ctx: Any, dut: Any, address: int, banks: int) -> list[int]:
    """Read one vector of every bank."""
    vectors = []
    for bank in range(banks):
        ctx.set(dut.tile_read_enable, 1 << bank)
        ctx.set(dut.tile_read_address, address)
        await ctx.tick()
        ctx.set(dut.tile_read_enable, 0)
        await ctx.tick().repeat(2)
        vectors.append(ctx.get(dut.tile_read_data))
    await ctx.tick()
    assert ctx.get(dut.tile_read_data) == 0
    return vectors


async def write_identity(ctx: Any, dut: Any, biases: list[int]) -> None:
    """Give each lane parameters that add its bias and change nothing else."""
    ctx.set(dut.weight_write, 0)
    for lane, bias in enumerate(biases):
        ctx.set(dut.parameter_write, 1 << lane)
        ctx.set(dut.parameter_write_data, bias % (1 << 32) | 1 << 62 | 1 << 64)
        for row in range(4):
            ctx.set(dut.row_write_address, row)
            await ctx.tick()
    ctx.set(dut.parameter_write, 0)


def add_requantization(script: Script, cycle: int, operand: int) -> int:
    """Schedule slots from `cycle` on; return the first cycle with the output."""
    for phase in range(4):
        script[cycle + phase] |= {"parameter_enable": 1, "parameter_row": phase}
        script[cycle + phase] |= {"slot": 1, "phase": phase, "operand": operand}
        script[cycle + phase + REQUANTIZER_LATENCY] |= {"finish": 1}
        script[cycle + phase + REQUANTIZER_LATENCY + 1] |= {"assemble": 1}
    script[cycle + REQUANTIZER_LATENCY + 4] |= {"commit": 1}
    return cycle + REQUANTIZER_LATENCY + 5


def shifted(vector: int, bias: int) -> int:
    """Add `bias` to every byte and clamp."""
    values = [byte - 256 if byte > 127 else byte for byte in vector.to_bytes(SIMD, "little")]
    return int.from_bytes(
        bytes(min(127, max(-128, value + bias)) % 256 for value in values), "little"
    )


@pytest.mark.parametrize(
    ("lanes", "pixels"),
    sampled(
        [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4)],
        lambda case: case in ((1, 1), (2, 1), (2, 2), (4, 2)),
        fields=True,
    ),
)
def test_pixels_go_through_their_lanes_and_come_back(lanes: int, pixels: int) -> None:
    """P pixels are read one after the other, scaled together and stored one after the other."""
    config = make_config(lanes)
    dut = kept_unit(Pe, config)
    rng = random.Random(lanes + pixels)
    group = lanes // pixels
    biases = [rng.randrange(-40, 40) for _ in range(lanes)]
    ports = ("east_output", "west_output", "north_taken", "south_taken")

    def vector() -> int:
        return rng.getrandbits(VECTOR_BITS)

    async def bench(ctx: Any) -> None:
        await write_identity(ctx, dut, biases)
        for trial in range(6):
            private = trial % 2
            base = rng.randrange(0, lanes, group)
            mask = group - 1 if private else 0
            base = base if private else rng.randrange(lanes)
            source = [[vector() for _ in range(lanes)] for _ in range(pixels)]
            target = [[vector() for _ in range(lanes)] for _ in range(pixels)]
            neighbours = {port: [vector() for _ in range(lanes)] for port in ports}
            for port, values in neighbours.items():
                for bank, value in enumerate(values):
                    ctx.set(getattr(dut, port)[bank], value)
            for pixel in range(pixels):
                await write_tile(ctx, dut, 10 + pixel, source[pixel])
                await write_tile(ctx, dut, 20 + pixel, target[pixel])
            script: Script = defaultdict(dict)
            pads = [rng.random() < 0.25 for _ in range(pixels)]
            for pixel in range(pixels):
                read = (1 << lanes) - 1 if private else 1 << base
                script[pixel + 1] |= {"read_enable": read, "read_address": 10 + pixel}
                script[pixel + 3] |= {
                    "incoming": ((1 << group) - 1) << pixel * group,
                    "source_mask": mask,
                    "source_base": base,
                    "pad": int(pads[pixel]),
                    "pad_value": -7,
                }
            script[pixels + 3] |= {"advance": 1}
            ready = add_requantization(script, pixels + 4, operand=1)

            padding = int.from_bytes(bytes([256 - 7]) * SIMD, "little")
            outputs = []
            for lane in range(lanes):
                pixel = lane // group
                taken = padding if pads[pixel] else source[pixel][(lane & mask) | base]
                outputs.append(shifted(taken, biases[lane]))
            for pixel in range(pixels):
                across = rng.choice(["", "from_east", "from_west"])
                down = rng.choice(["", "from_south", "from_north"])
                written = rng.getrandbits(lanes)
                script[ready + pixel] |= {
                    "push": 1,
                    "take_mask": group - 1,
                    "take_base": pixel * group,
                }
                script[ready + pixel + 1] |= {
                    "write_enable": written,
                    "write_address": 20 + pixel,
                }
                if across:
                    script[ready + pixel][across] = 1
                if down:
                    script[ready + pixel + 1][down] = 1
                own = [outputs[(bank & (group - 1)) | pixel * group] for bank in range(lanes)]
                stored = {"from_east": "east_output", "from_west": "west_output"}
                stored |= {"from_south": "south_taken", "from_north": "north_taken"}
                vectors = neighbours[stored[across]] if across else own
                vectors = neighbours[stored[down]] if down else vectors
                target[pixel] = [
                    vectors[bank] if written >> bank & 1 else target[pixel][bank]
                    for bank in range(lanes)
                ]
            await play(ctx, dut, script)
            for pixel in range(pixels):
                assert await read_tile(ctx, dut, 20 + pixel, lanes) == target[pixel], trial
                assert await read_tile(ctx, dut, 10 + pixel, lanes) == source[pixel], trial

    simulate(dut, bench)


def test_output_is_what_the_neighbours_take() -> None:
    """`output` follows the selection at once, `taken` holds what was pushed."""
    lanes = 4
    dut = kept_unit(Pe, make_config(lanes))
    vectors = [0x01010101 * (bank + 1) for bank in range(lanes)]

    async def bench(ctx: Any) -> None:
        await write_identity(ctx, dut, [0] * lanes)
        await write_tile(ctx, dut, 0, vectors)
        script: Script = defaultdict(dict)
        script[1] |= {"read_enable": 15, "read_address": 0}
        script[3] |= {"incoming": 15, "source_mask": 3}
        script[4] |= {"advance": 1}
        add_requantization(script, 5, operand=1)
        await play(ctx, dut, script)
        for mask, base in ((3, 0), (1, 0), (1, 2), (0, 0), (0, 3)):
            ctx.set(dut.control.take_mask, mask)
            ctx.set(dut.control.take_base, base)
            selected = [vectors[(bank & mask) | base] for bank in range(lanes)]
            assert [ctx.get(port) for port in dut.output] == selected
            ctx.set(dut.control.push, 1)
            await ctx.tick()
            ctx.set(dut.control.push, 0)
            ctx.set(dut.control.take_base, 0)
            await ctx.tick()
            assert [ctx.get(port) for port in dut.taken] == selected

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("lanes", "mask"),
    sampled(
        [(2, 1), (2, 0), (4, 3), (4, 1), (4, 0), (3, 3)],
        lambda case: case in ((2, 0), (4, 1), (3, 3)),
        fields=True,
    ),
)
def test_lanes_multiply_a_vector_by_the_rows_that_the_mask_names(lanes: int, mask: int) -> None:
    """A step of CONV: one bank's vector, rows of lanes l & mask; the heads show the sums."""
    dut = kept_unit(Pe, make_config(lanes))
    weights = [[3, -5, 7, 11], [-128, 127, 1, 0], [9, 8, 7, -6], [1, 2, -3, 4]][:lanes]
    vector = [100, -100, 50, -1]

    async def bench(ctx: Any) -> None:
        packed = int.from_bytes(bytes(value % 256 for value in vector), "little")
        await write_tile(ctx, dut, 5, [0, packed, *([0] * (lanes - 2))])
        for lane, row in enumerate(weights):
            ctx.set(dut.weight_write, 1 << lane)
            ctx.set(dut.row_write_address, 2)
            data = bytes(value % 256 for value in row) * SIMD
            ctx.set(dut.weight_write_data, int.from_bytes(data, "little"))
            await ctx.tick()
        ctx.set(dut.weight_write, 0)
        script: Script = defaultdict(dict)
        script[1] |= {"read_enable": 2, "read_address": 5}
        script[3] |= {"incoming": (1 << lanes) - 1, "source_base": 1}
        script[4] |= {"advance": 1}
        script[5] |= {"weight_enable": 1, "weight_row": 2, "weight_mask": mask}
        # the mask of a cycle without a read does not count
        script[6] |= {"weight_mask": ~mask & 1}
        script[6] |= {"multiply": 1}
        script[9] |= {"accumulate": 1, "restart": 1}
        script[10] |= {"capture": 1}
        await play(ctx, dut, script)
        for lane in range(lanes):
            row = weights[lane & mask]
            expected = sum(x * w for x, w in zip(vector, row, strict=True))
            assert ctx.get(dut.head[lane]) == expected % (1 << 32)

    simulate(dut, bench)


@pytest.mark.parametrize("vertical", [0, 1])
def test_a_hop_adds_the_heads_of_the_named_neighbour(vertical: int) -> None:
    """The other neighbour's head does not count."""
    lanes = 2
    dut = kept_unit(Pe, make_config(lanes))
    rng = random.Random(11)

    async def bench(ctx: Any) -> None:
        hop = [[rng.getrandbits(32) for _ in range(lanes)] for _ in range(4)]
        ctx.set(dut.control.vertical, vertical)
        ctx.set(dut.control.reduce, 1)
        ctx.set(dut.control.receive, 1)
        named, other = dut.east_head, dut.south_head
        if vertical:
            named, other = other, named
        for heads in hop:
            for lane, head in enumerate(heads):
                ctx.set(named[lane], head)
                ctx.set(other[lane], rng.getrandbits(32))
            await ctx.tick()
        ctx.set(dut.control.receive, 0)
        for heads in hop:
            assert [ctx.get(port) for port in dut.head] == heads
            await ctx.tick()

    simulate(dut, bench)
