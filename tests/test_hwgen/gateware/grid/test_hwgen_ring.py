"""Window ring: four consecutive vectors from any position."""

import random
from typing import Any

import pytest

from gateware_simulation import simulate
from hwgen.gateware.grid.ring import Ring
from sim.spec.accelerator import WINDOW_VECTORS


def test_reads_from_every_position_in_order() -> None:
    """The last positions are followed by the first."""
    dut = Ring(8)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.write_enable, 1)
        for position in range(WINDOW_VECTORS):
            ctx.set(dut.write_position, position)
            ctx.set(dut.write_data, 3 * position)
            await ctx.tick()
        ctx.set(dut.write_enable, 0)
        ctx.set(dut.read_enable, 1)
        for position in range(WINDOW_VECTORS):
            ctx.set(dut.read_position, position)
            await ctx.tick()
            expected = [3 * ((position + j) % WINDOW_VECTORS) for j in range(4)]
            assert [ctx.get(vector) for vector in dut.vectors] == expected

    simulate(dut, bench)


@pytest.mark.parametrize("vector_bits", [32, 128])
def test_matches_the_reference_under_random_accesses(vector_bits: int) -> None:
    """Reads and writes mix, with any of the four farther on; without a read the vectors hold."""
    dut = Ring(vector_bits)
    rng = random.Random(5)
    vectors = [0] * WINDOW_VECTORS
    read = [0] * 4

    async def bench(ctx: Any) -> None:
        nonlocal read
        for cycle in range(2000):
            reading = rng.random() < 0.5
            first, written = rng.randrange(WINDOW_VECTORS), rng.randrange(WINDOW_VECTORS)
            beyond, gap = rng.choice((0, rng.randrange(16))), rng.randrange(WINDOW_VECTORS // 4)
            places = [first + j + (4 * gap if beyond >> j & 1 else 0) for j in range(4)]
            places = [place % WINDOW_VECTORS for place in places]
            # a position that is read and written in one cycle may give either vector
            clash = reading and written in places
            writing = not clash and rng.random() < 0.6
            vector = rng.getrandbits(vector_bits)
            ctx.set(dut.read_enable, reading)
            ctx.set(dut.read_position, first)
            ctx.set(dut.beyond, beyond)
            ctx.set(dut.gap, gap)
            ctx.set(dut.write_enable, writing)
            ctx.set(dut.write_position, written)
            ctx.set(dut.write_data, vector)
            await ctx.tick()
            if reading:
                read = [vectors[place] for place in places]
            if writing:
                vectors[written] = vector
            assert [ctx.get(port) for port in dut.vectors] == read, cycle

    simulate(dut, bench)
