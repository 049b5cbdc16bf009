"""SIMD unit: both operand modes, maxima, restart and restore."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateware_simulation import kept_unit, simulate
from hwgen.gateware.grid.simd_unit import SimdUnit

LATER = SimdUnit.STEP_LATENCY - 1
"""Cycles between a step's operands and its accumulation."""


def word(values: NDArray[np.int8]) -> int:
    """Bytes as one little-endian number."""
    return int.from_bytes(values.tobytes(), "little")


def wrap(value: int) -> int:
    """Two's complement of 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def test_sums_four_products() -> None:
    """The extremes of int8 neither saturate nor wrap the dot product."""
    dut = kept_unit(SimdUnit)
    rng = np.random.default_rng(1)
    steps = [
        (np.full(4, -128, np.int8), np.full(4, -128, np.int8)),
        (np.full(4, 127, np.int8), np.full(4, -128, np.int8)),
        *(
            (rng.integers(-128, 128, 4, np.int8), rng.integers(-128, 128, 4, np.int8))
            for _ in "abc"
        ),
    ]
    expected = sum(int(x.astype(int) @ w.astype(int)) for x, w in steps)

    async def bench(ctx: Any) -> None:
        for window in range(2):
            for index in range(len(steps) + LATER):
                feeding = index < len(steps)
                if feeding:
                    ctx.set(dut.broadcast, word(steps[index][0]))
                    ctx.set(dut.weights, word(steps[index][1]))
                stages = sum((0 <= index - k < len(steps)) << k for k in range(LATER))
                ctx.set(dut.stages, stages)
                ctx.set(dut.accumulate, index >= LATER)
                ctx.set(dut.restart, index == LATER)
                await ctx.tick()
            assert ctx.get(dut.accumulator) == expected, window

    simulate(dut, bench)


def test_private_mode_multiplies_the_bytes_of_the_taps() -> None:
    """Every set of taps selects its products; the broadcast does not count."""
    dut = kept_unit(SimdUnit)
    private, weights = np.array([-100, 99, -128, 7], np.int8), np.array([1, -2, -128, 3], np.int8)
    products = private.astype(int) * weights.astype(int)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.broadcast, 0x55AA55AA)
        ctx.set(dut.private, word(private))
        ctx.set(dut.weights, word(weights))
        ctx.set(dut.private_mode, 1)
        for tap in range(16):
            ctx.set(dut.tap, tap)
            ctx.set(dut.accumulate, 0)
            for stage in range(LATER):
                ctx.set(dut.stages, 1 << stage)
                await ctx.tick()
            ctx.set(dut.stages, 0)
            ctx.set(dut.accumulate, 1)
            ctx.set(dut.restart, 1)
            await ctx.tick()
            expected = sum(int(products[j]) for j in range(4) if tap >> j & 1)
            assert ctx.get(dut.accumulator) == expected, tap

    simulate(dut, bench)


def low_byte(value: int) -> int:
    """Lowest byte as int8."""
    return (value + 128) % 256 - 128


async def step(ctx: Any, dut: Any, **inputs: int) -> int:
    """Run one step through all cycles; return the accumulator."""
    second = ("restart", "restore", "compare", "saved")
    for name, value in inputs.items():
        if name not in second:
            ctx.set(getattr(dut, name), value)
    ctx.set(dut.accumulate, 0)
    for stage in range(LATER):
        ctx.set(dut.stages, 1 << stage)
        ctx.set(dut.maximum, inputs.get("maximum", 0) << stage)
        await ctx.tick()
    for name in second:
        ctx.set(getattr(dut, name), inputs.get(name, 0))
    ctx.set(dut.stages, 0)
    ctx.set(dut.accumulate, 1)
    await ctx.tick()
    accumulator: int = ctx.get(dut.accumulator)
    return accumulator


@pytest.mark.parametrize("private_mode", [0, 1])
def test_takes_the_largest_byte_of_the_taps(private_mode: int) -> None:
    """Every set of taps, every place of the largest; weights and the broadcast do not count."""
    dut = kept_unit(SimdUnit)
    places = [
        np.array(values, np.int8)
        for values in itertools.chain(
            itertools.permutations((-128, -1, 0, 127)),
            [(-128,) * 4, (127,) * 4, (-127, -128, -128, -128), (-128, -128, -128, -127)],
        )
    ]

    async def bench(ctx: Any) -> None:
        for tap, private in itertools.product(range(16), places):
            inputs = {
                "broadcast": 0x7F7F7F7F,
                "private": word(private),
                "weights": 0x80FF7F01,
                "private_mode": private_mode,
                "tap": tap,
            }
            results = await step(ctx, dut, **inputs, maximum=1, restart=1, compare=1)
            expected = max([-128, *(int(private[j]) for j in range(4) if tap >> j & 1)])
            assert results == expected, (tap, private)

    simulate(dut, bench)


def test_a_maximum_goes_on_until_restart() -> None:
    """The largest of several steps; restart forgets it and starts from -128, or from `saved`."""
    dut = kept_unit(SimdUnit)
    steps: list[tuple[list[int], int, dict[str, int], int]] = [
        ([-128, -128, -128, -128], 0b1111, {"restart": 1}, -128),
        ([-128, -128, -128, -128], 0b1111, {}, -128),
        ([-100, 99, -128, 7], 0b1101, {}, 7),
        ([6, 99, 5, 6], 0b1101, {}, 7),
        ([127, 127, 127, 127], 0b0000, {}, 7),
        ([-3, -2, -1, -4], 0b0001, {"restart": 1}, -3),
        ([-3, -2, -1, -4], 0b1011, {}, -2),
        ([100, 101, 102, 103], 0b0000, {"restart": 1}, -128),
        ([1, 2, 3, 4], 0b1111, {"restart": 1, "restore": 1, "saved": 5}, 5),
        ([1, 2, 3, 6], 0b1111, {"restart": 1, "restore": 1, "saved": 5}, 6),
        ([1, 2, 3, 4], 0b1111, {"restart": 1, "restore": 1, "saved": -128}, 4),
        ([127, 0, 0, 0], 0b0001, {}, 127),
    ]

    async def bench(ctx: Any) -> None:
        for number, (private, tap, control, expected) in enumerate(steps):
            packed = word(np.array(private, np.int8))
            inputs = {"private": packed, "tap": tap, "maximum": 1, "compare": 1}
            assert await step(ctx, dut, **inputs, **control) == expected, number

    simulate(dut, bench)


def test_sums_and_maxima_take_turns() -> None:
    """Neither is seen in what restarts after it."""
    dut = kept_unit(SimdUnit)
    private = word(np.array([-128, 127, 127, 127], np.int8))
    weights = word(np.array([127, 1, 1, 1], np.int8))
    common = {"private": private, "weights": weights, "private_mode": 1, "tap": 0b1011}

    async def bench(ctx: Any) -> None:
        for _ in range(2):
            assert await step(ctx, dut, **common, maximum=0, restart=1) == 254 - 128 * 127
            assert await step(ctx, dut, **common, maximum=0) == 2 * (254 - 128 * 127)
            least = common | {"tap": 0b0001, "maximum": 1, "compare": 1}
            assert await step(ctx, dut, **least, restart=1) == -128
            assert await step(ctx, dut, **common, maximum=1, compare=1) == 127

    simulate(dut, bench)


def test_matches_the_reference_under_random_control() -> None:
    """Any mix of enables, modes and starting values, wrapping accumulators included."""
    dut = kept_unit(SimdUnit)
    rng = np.random.default_rng(4)
    dot = accumulator = 0
    operands, taken, products = (np.zeros(4, int) for _ in range(3))
    extremes = [-(1 << 31), (1 << 31) - 1, 0, -1]

    async def bench(ctx: Any) -> None:
        nonlocal dot, accumulator, operands, taken, products
        for cycle in range(1500):
            x, p, w = (rng.integers(-128, 128, 4, np.int8) for _ in range(3))
            tap = int(rng.integers(16))
            private, accumulate, restart, restore, compare, *maximum = (
                int(bit) for bit in rng.integers(0, 2, 8)
            )
            stages = int(rng.integers(8))
            random = int(rng.integers(-(1 << 31), 1 << 31))
            saved = extremes[cycle % 4] if cycle % 3 else random
            for name, value in (
                ("broadcast", word(x)),
                ("private", word(p)),
                ("weights", word(w)),
                ("private_mode", private),
                ("tap", tap),
                ("stages", stages),
                ("accumulate", accumulate),
                ("restart", restart),
                ("restore", restore),
                ("maximum", sum(bit << stage for stage, bit in enumerate(maximum))),
                ("compare", compare),
                ("saved", saved),
            ):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            if accumulate:
                start = saved if restore else -128 if compare else 0
                first = start if restart else accumulator
                larger = max(low_byte(first), low_byte(dot))
                accumulator = larger if compare else wrap(first + dot)
            if stages >> 2 & 1:
                largest = max(low_byte(int(product)) for product in products[:2])
                dot = largest if maximum[2] else int(products.sum())
            if stages >> 1 & 1:
                pairs = np.array([max(taken[:2]), max(taken[2:]), 0, 0])
                products = pairs if maximum[1] else taken * operands
            if stages & 1:
                ignored = -128 if maximum[0] else 0
                own = np.array([p[j] if tap >> j & 1 else ignored for j in range(4)], int)
                taken = own if private or maximum[0] else x.astype(int)
                operands = w.astype(int)
            assert ctx.get(dut.accumulator) == accumulator, cycle

    simulate(dut, bench)
