"""Feed: which bank each lane takes its vector from, and padding."""

import random
from typing import Any

import pytest

from accelerators import small_accelerator
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.grid.feed import Feed
from sim.spec.accelerator import AcceleratorConfig


def make_config(lanes: int, simd: int) -> AcceleratorConfig:
    """Return one PE of `lanes` lanes."""
    return small_accelerator(
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=1,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


def test_pixels_arrive_one_after_the_other() -> None:
    """CONV with two pixels: each pair of lanes takes the same bank's vector in its own cycle."""
    dut = kept_unit(Feed, make_config(4, 4))

    async def bench(ctx: Any) -> None:
        ctx.set(dut.source_mask, 0)
        ctx.set(dut.source_base, 2)
        for pixel, data in enumerate((0x04030201, 0x08070605)):
            ctx.set(dut.bank_data[2], data)
            ctx.set(dut.incoming, 0b0011 << 2 * pixel)
            await ctx.tick()
        first, second = 0x04030201, 0x08070605
        assert [ctx.get(port) for port in dut.vector] == [first, first, second, second]

    simulate(dut, bench)


def test_padding_fills_the_lanes_that_take_a_vector() -> None:
    """The other lanes keep theirs."""
    dut = kept_unit(Feed, make_config(2, 8))

    async def bench(ctx: Any) -> None:
        ctx.set(dut.pad, 1)
        ctx.set(dut.pad_value, -2)
        ctx.set(dut.incoming, 0b10)
        await ctx.tick()
        assert [ctx.get(port) for port in dut.vector] == [0, 0xFEFEFEFEFEFEFEFE]

    simulate(dut, bench)


@pytest.mark.parametrize(("lanes", "simd"), [(1, 4), (2, 8), (3, 4), (4, 4), (8, 4)])
def test_matches_the_reference_under_random_control(lanes: int, simd: int) -> None:
    """Any mask and base that name a bank."""
    dut = kept_unit(Feed, make_config(lanes, simd))
    rng = random.Random(7)
    vectors = [0] * lanes
    selections = [
        (mask, base)
        for mask in range(lanes)
        for base in range(lanes)
        if all((lane & mask) | base < lanes for lane in range(lanes))
    ]

    async def bench(ctx: Any) -> None:
        for cycle in range(600):
            mask, base = selections[cycle % len(selections)]
            data = [rng.getrandbits(8 * simd) for _ in range(lanes)]
            incoming, pad = rng.getrandbits(lanes), rng.random() < 0.2
            pad_value = rng.randrange(-128, 128)
            shift = rng.choice([0, rng.randrange(simd)])
            ctx.set(dut.shift, shift)
            for port, value in zip(dut.bank_data, data, strict=True):
                ctx.set(port, value)
            ctx.set(dut.incoming, incoming)
            ctx.set(dut.source_mask, mask)
            ctx.set(dut.source_base, base)
            ctx.set(dut.pad, pad)
            ctx.set(dut.pad_value, pad_value)
            await ctx.tick()
            padding = int.from_bytes(bytes([pad_value % 256]) * simd, "little")
            data[-1] >>= 8 * shift
            for lane in range(lanes):
                if incoming >> lane & 1:
                    vectors[lane] = padding if pad else data[(lane & mask) | base]
            assert [ctx.get(port) for port in dut.vector] == vectors, cycle

    simulate(dut, bench)
