"""Burst generator: its cuts are those of a few lines of Python, for any bus, length and back-pressure."""

from typing import Any

import numpy as np
import pytest

from gateware_simulation import simulate
from hwgen.gateware.bus.bursts import BurstGenerator

LENGTH_BITS = 14
LENGTHS = (1, 2, 3, 255, 256, 257, 271, 511, 512, 513, 4095)


def cuts(region: dict[str, int], bus: int) -> list[tuple[int, int]]:
    """Addresses of all bursts of a region, and their beats less 1."""
    bursts = []
    for group in range(region["groups"]):
        for row in range(region["rows"]):
            first = region["base"] + group * region["group_stride"] + row * region["row_stride"]
            last = first + region["beats"] * bus - 1
            if region["loose"]:
                last = max(last + region["bytes"], first)
            address = first // bus * bus if region["loose"] else first
            while address <= last:
                left = (last - address) // bus + 1
                beats = min(left, 256, (4096 - address % 4096) // bus)
                bursts.append((address % (1 << 32), beats - 1))
                address += beats * bus
    return bursts


def random_region(rng: Any, bus: int, loose: int) -> dict[str, int]:
    """Region of a few segments, most of them of lengths beside a limit."""
    unit = 1 if loose else bus
    beats = int(rng.choice(LENGTHS)) if rng.random() < 0.6 else int(rng.integers(1, 700))
    return {
        "base": int(rng.integers(1 << 20)) * unit,
        "beats": beats,
        "rows": int(rng.integers(1, 4)),
        "groups": int(rng.integers(1, 3)),
        "row_stride": int(rng.integers(1 << 12)) * unit,
        "group_stride": int(rng.integers(1 << 16)) * unit,
        "loose": loose,
        "bytes": int(rng.integers(bus)) if loose else 0,
    }


@pytest.mark.parametrize("loose", [0, 1])
@pytest.mark.parametrize("bus", [1, 2, 4, 16, 64])
def test_cuts_at_boundaries_and_at_256_beats(bus: int, loose: int) -> None:
    """Regions come one after the other, with and without stalls."""
    dut = BurstGenerator(bus, LENGTH_BITS, has_loose=bool(loose))
    rng = np.random.default_rng(bus)
    fields = ("base", "beats", "rows", "groups", "row_stride", "group_stride")
    regions = [random_region(rng, bus, loose) for _ in range(25)]

    async def bench(ctx: Any) -> None:
        ctx.set(dut.legal, 1)
        ctx.set(dut.pages.last, (1 << 20) - 1)
        for number, region in enumerate(regions):
            for name in fields:
                ctx.set(dut.region[name], region[name])
            if loose:
                ctx.set(dut.excess.loose, 1)
                ctx.set(dut.excess.bytes, region["bytes"])
            ctx.set(dut.start, 1)
            ctx.set(dut.bursts.ready, 0)
            await ctx.tick()
            ctx.set(dut.start, 0)
            bursts, final, cycles = [], False, 0
            while not final:
                ready = number % 2 == 0 or rng.random() < 0.5
                ctx.set(dut.bursts.ready, int(ready))
                *_, valid, burst = await ctx.tick().sample(dut.bursts.valid, dut.bursts.payload)
                cycles += 1
                assert cycles < 1000
                if valid and ready:
                    assert not burst.barred
                    bursts.append((burst.address, burst.length))
                    final = bool(burst.final)
            assert bursts == cuts(region, bus)
        ctx.set(dut.bursts.ready, 0)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.bursts.valid)

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("change", "barred", "illegal"),
    [
        ({}, 0, 0),
        ({"beats": 0}, 1, 1),
        ({"base": 0x5002}, 1, 1),
        ({"legal": 0}, 1, 1),
        ({"base": 0x3000}, 1, 0),
        ({"base": 0x7000}, 1, 0),
    ],
)
def test_bars_what_may_not_be_addressed(change: dict[str, int], barred: int, illegal: int) -> None:
    """No beats, not aligned, not legal; below and above the window."""
    dut = BurstGenerator(4, LENGTH_BITS)
    region = {"base": 0x5000, "beats": 5, "rows": 1, "groups": 1} | change

    async def bench(ctx: Any) -> None:
        ctx.set(dut.legal, region.pop("legal", 1))
        ctx.set(dut.pages.first, 4)
        ctx.set(dut.pages.last, 6)
        for name, value in region.items():
            ctx.set(dut.region[name], value)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick().repeat(BurstGenerator.LATENCY - 1)
        assert ctx.get(dut.bursts.valid)
        burst = ctx.get(dut.bursts.payload)
        assert (burst.barred, burst.illegal) == (barred, illegal)
        assert burst.address == region["base"]

    simulate(dut, bench)
