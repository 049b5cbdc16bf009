"""One lane, cycle by cycle, with its control driven by hand."""

from typing import Any

import numpy as np
from amaranth.sim import Simulator
from numpy.typing import NDArray

from hwgen.gateware.drain import Drain
from hwgen.gateware.lane import Lane
from hwgen.gateware.simd_unit import SimdUnit
from sim.spec.accelerator import AcceleratorConfig

CONFIG = AcceleratorConfig(
    pes_x=1,
    pes_y=1,
    simd_units=8,
    compute_lanes=1,
    local_memory_kb=1,
    register_file_kb=1,
    io_bandwidth_gbps=1.0,
    clock_mhz=500,
)
WIDTH = CONFIG.requantizer_width


def simulate(dut: Any, bench: Any) -> None:
    """Run `bench` on `dut`."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def word(values: NDArray[np.int8]) -> int:
    """Bytes as one little-endian number."""
    return int.from_bytes(values.tobytes(), "little")


def test_simd_unit_sums_four_products() -> None:
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


def test_simd_unit_multiplies_the_private_byte_with_one_weight() -> None:
    """A tap selects the weight; the others are multiplied with nothing."""
    dut = SimdUnit()

    async def bench(ctx: Any) -> None:
        ctx.set(dut.private, -100 % 256)
        ctx.set(dut.weights, word(np.array([1, -2, 3, -128], np.int8)))
        for tap, expected in enumerate((-100, 200, -300, 12800)):
            ctx.set(dut.tap, 1 << tap)
            ctx.set(dut.multiply, 1)
            ctx.set(dut.accumulate, 0)
            await ctx.tick()
            ctx.set(dut.multiply, 0)
            ctx.set(dut.accumulate, 1)
            ctx.set(dut.restart, 1)
            await ctx.tick()
            assert ctx.get(dut.accumulator) == expected

    simulate(dut, bench)


def test_drain_rotates_and_receives() -> None:
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


def test_output_stays_while_the_next_window_is_requantized() -> None:
    """Windows follow every 4 cycles; each output vector lasts exactly 4 cycles."""
    dut = Lane(CONFIG)
    rng = np.random.default_rng(2)
    weights = rng.integers(-128, 128, (CONFIG.simd_units, 4), np.int8)
    inputs = rng.integers(-128, 128, (6, 4), np.int8)
    # multiplier 2^30 with left shift 1 is the identity; the right shift differs by unit
    records = [(5 * phase + unit, unit + 6) for phase in range(4) for unit in range(WIDTH)]
    bias, right = (np.array(column) for column in zip(*records, strict=True))
    totals = inputs.astype(int) @ weights.astype(int).T + bias
    halves = 1 << (right - 1)
    rounded = np.sign(totals) * ((abs(totals) + halves) >> right)
    expected = np.clip(rounded - 9, -120, 100).astype(np.int8)
    windows = len(inputs)

    async def bench(ctx: Any) -> None:
        control = dut.control
        ctx.set(dut.weight_write, 1)
        ctx.set(dut.row_write_address, 3)
        ctx.set(dut.weight_write_data, word(weights))
        await ctx.tick()
        ctx.set(dut.weight_write, 0)
        ctx.set(dut.parameter_write, 1)
        for phase in range(4):
            rows = records[WIDTH * phase : WIDTH * (phase + 1)]
            data = sum(
                (b | (1 << 30) << 32 | 1 << 64 | r << 72) << (80 * unit)
                for unit, (b, r) in enumerate(rows)
            )
            ctx.set(dut.row_write_address, 4 + phase)
            ctx.set(dut.parameter_write_data, data)
            await ctx.tick()
        ctx.set(dut.parameter_write, 0)
        ctx.set(control.zero_point, -9)
        ctx.set(control.clamp_low, -120)
        ctx.set(control.clamp_high, 100)
        ctx.set(control.weight_enable, 1)
        ctx.set(control.weight_row, 3)
        await ctx.tick()
        for cycle in range(4 * windows + 20):
            # Window w is multiplied in cycle 4w; each later use is named by its distance from that.
            def now(distance: int, length: int = 1, cycle: int = cycle) -> bool:
                window, rest = divmod(cycle - distance, 4)
                return 0 <= window < windows and rest < length

            if now(0):
                ctx.set(dut.broadcast, word(inputs[cycle // 4]))
            ctx.set(control.multiply, now(0))
            ctx.set(control.accumulate, now(1))
            ctx.set(control.restart, now(1))
            ctx.set(control.capture, now(2))
            ctx.set(control.parameter_enable, now(2, 4))
            ctx.set(control.parameter_row, 4 + (cycle - 2) % 4)
            ctx.set(control.slot, now(3, 4))
            ctx.set(control.phase, (cycle - 3) % 4)
            ctx.set(control.finish, now(7, 4))
            ctx.set(control.assemble, now(8, 4))
            ctx.set(control.commit, now(11))
            if now(12, 4):
                window = (cycle - 12) // 4
                assert ctx.get(dut.output) == word(expected[window]), window
            await ctx.tick()

    simulate(dut, bench)
