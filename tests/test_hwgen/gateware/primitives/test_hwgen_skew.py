"""Skew: a delay that changes while bundles are on their way."""

import random
from typing import Any

import pytest
from amaranth.lib import data

from gateware_simulation import simulate
from hwgen.gateware.primitives.skew import Skew

LAYOUT = data.StructLayout({"valid": 1, "value": 7})


@pytest.mark.parametrize("most", [1, 3, 7])
def test_nothing_of_an_earlier_delay_appears(most: int) -> None:
    """Bundles leave once each, as late as their own delay, when delays fall only on empty lines."""
    rng = random.Random(most)
    skew = Skew(LAYOUT, most)

    async def bench(ctx: Any) -> None:
        expected: dict[int, int] = {}
        arrivals: dict[int, int] = {}
        cycle = 0
        for _ in range(60):
            cycles = rng.randint(0, most)
            ctx.set(skew.cycles, cycles)
            entries = rng.randint(1, 12)
            for number in range(entries + cycles):
                valid, value = int(number < entries and rng.random() < 0.7), rng.randrange(128)
                ctx.set(skew.entry, {"valid": valid, "value": value})
                if valid:
                    expected[cycle + cycles] = value
                if ctx.get(skew.exit.valid):
                    arrivals[cycle] = ctx.get(skew.exit.value)
                await ctx.tick()
                cycle += 1
        assert arrivals == expected

    simulate(skew, bench)
