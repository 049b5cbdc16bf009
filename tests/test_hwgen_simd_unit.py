"""SIMD unit: both operand modes, restart and restore."""

from typing import Any

import numpy as np
from amaranth.sim import Simulator
from numpy.typing import NDArray

from hwgen.gateware.simd_unit import SimdUnit


def simulate(dut: Any, bench: Any) -> None:
    """Run `bench` on `dut`."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def word(values: NDArray[np.int8]) -> int:
    """Bytes as one little-endian number."""
    return int.from_bytes(values.tobytes(), "little")


def wrap(value: int) -> int:
    """Two's complement of 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def test_sums_four_products() -> None:
    """The extremes of int8 neither saturate nor wrap the dot product."""
    dut = SimdUnit()
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
            for index in range(len(steps) + 1):
                feeding = index < len(steps)
                if feeding:
                    ctx.set(dut.broadcast, word(steps[index][0]))
                    ctx.set(dut.weights, word(steps[index][1]))
                ctx.set(dut.multiply, feeding)
                ctx.set(dut.accumulate, index > 0)
                ctx.set(dut.restart, index == 1)
                await ctx.tick()
            assert ctx.get(dut.accumulator) == expected, window

    simulate(dut, bench)


def test_private_mode_multiplies_the_bytes_of_the_taps() -> None:
    """Every set of taps selects its products; the broadcast does not count."""
    dut = SimdUnit()
    private, weights = np.array([-100, 99, -128, 7], np.int8), np.array([1, -2, -128, 3], np.int8)
    products = private.astype(int) * weights.astype(int)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.broadcast, 0x55AA55AA)
        ctx.set(dut.private, word(private))
        ctx.set(dut.weights, word(weights))
        ctx.set(dut.private_mode, 1)
        for tap in range(16):
            ctx.set(dut.tap, tap)
            ctx.set(dut.multiply, 1)
            ctx.set(dut.accumulate, 0)
            await ctx.tick()
            ctx.set(dut.multiply, 0)
            ctx.set(dut.accumulate, 1)
            ctx.set(dut.restart, 1)
            await ctx.tick()
            expected = sum(int(products[j]) for j in range(4) if tap >> j & 1)
            assert ctx.get(dut.accumulator) == expected, tap

    simulate(dut, bench)


def test_matches_the_reference_under_random_control() -> None:
    """Any mix of enables, modes and starting values, wrapping accumulators included."""
    dut = SimdUnit()
    rng = np.random.default_rng(4)
    dot = accumulator = 0
    extremes = [-(1 << 31), (1 << 31) - 1, 0, -1]

    async def bench(ctx: Any) -> None:
        nonlocal dot, accumulator
        for cycle in range(1500):
            x, p, w = (rng.integers(-128, 128, 4, np.int8) for _ in range(3))
            tap = int(rng.integers(16))
            private, multiply, accumulate, restart, restore = (
                int(bit) for bit in rng.integers(0, 2, 5)
            )
            random = int(rng.integers(-(1 << 31), 1 << 31))
            saved = extremes[cycle % 4] if cycle % 3 else random
            for name, value in (
                ("broadcast", word(x)),
                ("private", word(p)),
                ("weights", word(w)),
                ("private_mode", private),
                ("tap", tap),
                ("multiply", multiply),
                ("accumulate", accumulate),
                ("restart", restart),
                ("restore", restore),
                ("saved", saved),
            ):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            if accumulate:
                first = (saved if restore else 0) if restart else accumulator
                accumulator = wrap(first + dot)
            if multiply:
                taken = [p[j] if tap >> j & 1 else 0 for j in range(4)] if private else x
                dot = sum(int(taken[j]) * int(w[j]) for j in range(4))
            assert ctx.get(dut.accumulator) == accumulator, cycle

    simulate(dut, bench)
