"""Drain register: rotation, reduction and kept results."""

import random
from typing import Any

import pytest

from gateware_simulation import simulate
from hwgen.gateware.grid.drain import Drain


def test_rotates_and_receives() -> None:
    """A hop of 4 shifts restores the register, plus what the neighbour gave."""
    dut = Drain(1)
    values, others = [1, -2, 1 << 30, -(1 << 31)], [10, 20, 1 << 30, -1]

    async def bench(ctx: Any) -> None:
        for index, value in enumerate(values):
            ctx.set(dut.accumulator[index], value)
        ctx.set(dut.capture, 1)
        await ctx.tick()
        ctx.set(dut.capture, 0)
        for receive in (0, 1, 0):
            ctx.set(dut.shift, 1)
            ctx.set(dut.receive, receive)
            for other in others:
                ctx.set(dut.neighbour, other % (1 << 32))
                await ctx.tick()
        ctx.set(dut.shift, 0)
        sums = [11, 18, -(1 << 31), (1 << 31) - 1]
        for total in sums:
            assert ctx.get(dut.head) == total % (1 << 32)
            ctx.set(dut.shift, 1)
            await ctx.tick()
        for index, kept in enumerate(others):
            ctx.set(dut.shift, 0)
            ctx.set(dut.keep, 1)
            ctx.set(dut.result[0], kept)
            assert ctx.get(dut.head) == sums[index] % (1 << 32)
            await ctx.tick()
        assert ctx.get(dut.head) == others[0]

    simulate(dut, bench)


@pytest.mark.parametrize("width", [1, 4])
def test_matches_the_reference_under_random_control(width: int) -> None:
    """Capture goes before keep, keep before shift; nothing moves without one of them."""
    dut = Drain(width)
    rng = random.Random(6)
    quarters = [[0] * width for _ in range(4)]
    mask = (1 << 32) - 1

    async def bench(ctx: Any) -> None:
        nonlocal quarters
        for cycle in range(800):
            capture, shift, keep, receive = (rng.random() < odds for odds in (0.2, 0.5, 0.3, 0.5))
            accumulators = [rng.getrandbits(32) for _ in range(4 * width)]
            results = [rng.getrandbits(32) for _ in range(width)]
            neighbour = [rng.getrandbits(32) for _ in range(width)]
            for name, flag in (
                ("capture", capture),
                ("shift", shift),
                ("keep", keep),
                ("receive", receive),
            ):
                ctx.set(getattr(dut, name), flag)
            for port, value in zip(dut.accumulator, accumulators, strict=True):
                ctx.set(port, value)
            for port, value in zip(dut.result, results, strict=True):
                ctx.set(port, value)
            ctx.set(dut.neighbour, sum(value << 32 * k for k, value in enumerate(neighbour)))
            await ctx.tick()
            if capture:
                quarters = [accumulators[width * q : width * (q + 1)] for q in range(4)]
            elif keep:
                quarters = [*quarters[1:], results]
            elif shift:
                added = [
                    value + other * receive & mask
                    for value, other in zip(quarters[0], neighbour, strict=True)
                ]
                quarters = [*quarters[1:], added]
            expected = sum(value << 32 * k for k, value in enumerate(quarters[0]))
            assert ctx.get(dut.head) == expected, cycle

    simulate(dut, bench)
