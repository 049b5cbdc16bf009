"""The requantizer against plain integer arithmetic."""

import random
from typing import Any

from gateware_simulation import simulate
from hwgen.gateware.grid.requantizer import RECORD_BITS, Requantizer

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
HALF = 1 << 30  # a multiplier of one half

Record = tuple[int, int, int, int]  # bias, multiplier, left, right


def wrap(value: int) -> int:
    """Two's complement of 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def requantize(accumulator: int, record: Record) -> int:
    """Reference of requantization, by exact quotients instead of the hardware's shifts."""
    bias, multiplier, left, right = record
    x = wrap((accumulator + bias) << left)
    h = wrap((x * multiplier + HALF) // (1 << 31))
    magnitude = (2 * abs(h) + (1 << right)) // (1 << (right + 1))
    return magnitude if h >= 0 else -magnitude


def finish(result: int, zero_point: int, low: int, high: int) -> int:
    """Reference of the requantizer's last stage."""
    return min(max(result + zero_point, low), high)


def run(
    cases: list[tuple[int, Record]],
    zero_point: int = 0,
    low: int = -128,
    high: int = 127,
    width: int = 2,
    idle: int = 0,
) -> tuple[list[int], list[int]]:
    """Send `cases` through a requantizer, `idle` cycles apart; return results and outputs."""
    dut, latency, rng = Requantizer(width), Requantizer.RESULT_LATENCY, random.Random(width)
    slices = [cases[i : i + width] for i in range(0, len(cases), width)]
    assert all(len(values) == width for values in slices)
    results: list[int] = []
    outputs: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.zero_point, zero_point)
        ctx.set(dut.clamp_low, low)
        ctx.set(dut.clamp_high, high)
        enabled = []
        for cycle in range(len(slices) * (idle + 1) + latency + 1):
            index, rest = divmod(cycle, idle + 1)
            enable = rest == 0 and index < len(slices)
            enabled.append(enable)
            ctx.set(dut.enable, enable)
            if enable:
                for i, (accumulator, _) in enumerate(slices[index]):
                    # Two terms of the value
                    addend = rng.randint(INT32_MIN, INT32_MAX)
                    ctx.set(dut.addend[i], addend)
                    ctx.set(dut.accumulator[i], wrap(accumulator - addend))
            before, rest = divmod(cycle - 1, idle + 1)
            if cycle and rest == 0 and before < len(slices):
                word = 0
                for i, (_, (bias, multiplier, left, right)) in enumerate(slices[before]):
                    record = bias % (1 << 32) | multiplier << 32 | left << 64 | right << 72
                    word |= record << (RECORD_BITS * i)
                ctx.set(dut.record, word)
            if cycle > latency and enabled[cycle - latency - 1]:
                outputs.extend(ctx.get(port) for port in dut.output)
            ready = cycle >= latency and enabled[cycle - latency]
            ctx.set(dut.finish, ready)
            if ready:
                results.extend(ctx.get(port) for port in dut.result)
            await ctx.tick()

    simulate(dut, bench)
    return results, outputs


def test_rounds_half_away_from_zero() -> None:
    """Ties of the right shift go away from zero on both sides."""
    cases = [(value, (0, HALF, 1, 1)) for value in (-5, -3, -2, -1, 1, 2, 3, 5)]
    assert run(cases)[0] == [-3, -2, -1, -1, 1, 1, 2, 3]


def test_doubling_high_multiply_rounds_half_up() -> None:
    """The first rounding is gemmlowp's: a negative tie goes up, to zero here."""
    assert run([(1, (0, HALF, 0, 0)), (-1, (0, HALF, 0, 0))])[0] == [1, 0]


def test_extremes_at_every_shift() -> None:
    """All right and left shifts, with the extreme accumulators, biases and multipliers."""
    cases = []
    for shift in range(32):
        for accumulator in (INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX):
            for multiplier in (0, 1, HALF, (1 << 31) - 1):
                cases.append((accumulator, (0, multiplier, 0, shift)))
                cases.append((accumulator, (INT32_MAX, multiplier, shift, 31 - shift)))
    results, _ = run(cases)
    assert results == [requantize(*case) for case in cases]


def test_random_values_with_idle_cycles() -> None:
    """Seeded random records; the pipeline holds nothing that an idle cycle could lose."""
    rng = random.Random(1)
    cases: list[tuple[int, Record]] = []
    for _ in range(400):
        accumulator = rng.randint(INT32_MIN, INT32_MAX) >> rng.randrange(31)
        bias = rng.randint(INT32_MIN, INT32_MAX) >> rng.randrange(31)
        multiplier = rng.choice((rng.randrange(HALF, 1 << 31), rng.randrange(1 << 31)))
        cases.append((accumulator, (bias, multiplier, rng.randrange(32), rng.randrange(32))))
    expected = [requantize(*case) for case in cases]
    assert run(cases)[0] == expected
    assert run(cases[:60], idle=2)[0] == expected[:60]


def test_every_entry_of_a_table_is_looked_up_and_others_pass_by_it() -> None:
    """All 256 results, a cycle apart or with gaps, with and without the table; both clamps come before it."""
    rng = random.Random(2)
    table = [rng.randint(-128, 127) for _ in range(256)]
    identity = (0, HALF, 1, 0)
    latency = Requantizer.RESULT_LATENCY
    results = [*range(-128, 128), *rng.sample(range(-300, 300), 64)]
    for idle, zero_point, low, high in ((0, 0, -128, 127), (1, 5, -100, 90)):
        dut = Requantizer(1, tables=True)
        through = [rng.random() < 0.8 for _ in results]
        outputs: list[int] = []

        async def bench(
            ctx: Any,
            dut: Requantizer = dut,
            idle: int = idle,
            bounds: tuple[int, int, int] = (zero_point, low, high),
            through: list[bool] = through,
            outputs: list[int] = outputs,
        ) -> None:
            for row in range(64):
                entries = [table[(4 * row + place + 128) % 256] % 256 for place in range(4)]
                word = sum(entry << (8 * place) for place, entry in enumerate(entries))
                ctx.set(dut.fill, {"write": 1, "row": row, "entries": word})
                await ctx.tick()
            ctx.set(dut.fill, {"write": 0, "row": rng.randrange(64), "entries": 0})
            for port, value in zip(
                (dut.zero_point, dut.clamp_low, dut.clamp_high), bounds, strict=True
            ):
                ctx.set(port, value)
            bias, multiplier, left, right = identity
            ctx.set(dut.record, bias % (1 << 32) | multiplier << 32 | left << 64 | right << 72)
            finished = [False, False]
            for cycle in range(len(results) * (idle + 1) + latency + 2):
                index, rest = divmod(cycle, idle + 1)
                ctx.set(dut.enable, rest == 0 and index < len(results))
                if rest == 0 and index < len(results):
                    ctx.set(dut.accumulator[0], results[index])
                if finished[-1]:
                    outputs.append(ctx.get(dut.output[0]))
                index, rest = divmod(cycle - latency, idle + 1)
                ready = cycle >= latency and rest == 0 and index < len(results)
                ctx.set(dut.finish, ready)
                ctx.set(dut.table, through[index] if ready else rng.randrange(2))
                finished.append(ready)
                await ctx.tick()

        simulate(dut, bench)
        clamped = [finish(result, zero_point, low, high) for result in results]
        expected = [
            table[value + 128] if tables else value
            for value, tables in zip(clamped, through, strict=True)
        ]
        assert outputs == expected


def test_zero_point_does_not_wrap_before_the_clamp() -> None:
    """Results near the ends of int32 are clamped, not wrapped."""
    record = (0, (1 << 31) - 1, 0, 0)
    cases = [(value, record) for value in (INT32_MAX, INT32_MIN, 100, -100, 5, 0)]
    for zero_point, low, high in ((127, -128, 127), (-128, -128, 127), (3, -7, 90)):
        outputs = run(cases, zero_point, low, high)[1]
        results = [requantize(*case) for case in cases]
        assert outputs == [finish(result, zero_point, low, high) for result in results]
