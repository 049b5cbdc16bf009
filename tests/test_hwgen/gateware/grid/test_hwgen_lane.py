"""One lane with its control driven by hand: at random, and window by window."""

import random
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from accelerators import small_accelerator
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.grid.lane import Lane
from sampled import sampled
from sim.spec.accelerator import (
    ADD_INTERVAL,
    REQUANTIZER_LATENCY,
    WINDOW_VECTORS,
    AcceleratorConfig,
)

Ints = NDArray[np.int64]
Record = tuple[int, int, int, int]
"""Bias, multiplier, left shift, right shift."""
Script = defaultdict[int, dict[str, int]]
"""Control of every cycle; what is not named is 0."""


def make_config(simd: int) -> AcceleratorConfig:
    """Return a lane of `simd` units with a small register file."""
    return small_accelerator(
        simd_units=simd, local_memory_kb=1, io_bandwidth_gbps=1.0, clock_mhz=500
    )


CONFIG = make_config(8)


class LoneLane(Lane):
    """A lane that reads its own rows."""

    def elaborate(self, platform: object) -> Any:
        """Build the lane with its row for its units."""
        m = super().elaborate(platform)
        m.d.comb += [self.reads_row.eq(1), self.shared_row.eq(self.row)]
        return m


def word(values: Any, bits: int = 8) -> int:
    """Values as one little-endian number."""
    return sum((int(value) % (1 << bits)) << bits * k for k, value in enumerate(values))


def wrap(values: Any) -> Any:
    """Two's complement of 32 bits."""
    return (values + (1 << 31)) % (1 << 32) - (1 << 31)


def low_byte(values: Ints) -> Ints:
    """Lowest byte as int8."""
    return (values + 128) % 256 - 128


def requantize(value: int, record: Record) -> int:
    """Scale one value before the zero point is added."""
    bias, multiplier, left, right = record
    x = wrap(wrap(value + bias) << left)
    h = (x * multiplier + (1 << 30)) >> 31
    half = 1 << right >> 1
    return int(-((-h + half) >> right) if h < 0 else (h + half) >> right)


def record_word(records: list[Record]) -> int:
    """Pack a parameter row."""
    return word(
        [b % (1 << 32) | m << 32 | left << 64 | right << 72 for b, m, left, right in records], 80
    )


class LaneModel:
    """The lane's registers and memories, one method call per cycle."""

    def __init__(self, config: AcceleratorConfig) -> None:
        """Start as the simulator does, with zeros."""
        simd, self.width = config.simd_units, config.requantizer_width
        self.vector = np.zeros(simd, np.int64)
        self.operand = np.zeros(4, np.int64)
        self.ring = np.zeros((WINDOW_VECTORS, simd), np.int64)
        self.window = np.zeros((4, simd), np.int64)
        self.weight_rows = np.zeros((2 * config.weight_rows, simd, 4), np.int64)
        self.weights = np.zeros((simd, 4), np.int64)
        self.taken = np.zeros((4, simd), np.int64)
        self.taken_weights = np.zeros((simd, 4), np.int64)
        self.total = np.zeros(simd, np.int64)
        self.dot = np.zeros(simd, np.int64)
        self.multiplied, self.maximum = [0, 0], 0
        self.accumulator = np.zeros(simd, np.int64)
        self.saved_rows = np.zeros((config.accumulator_rows, simd), np.int64)
        self.saved = np.zeros(simd, np.int64)
        self.drain = np.zeros(simd, np.int64)
        self.parameter_rows = [[(0, 0, 0, 0)] * self.width for _ in range(8)]
        self.records = self.parameter_rows[0]
        self.values: list[int] | None = None
        self.stages: list[list[int] | None] = [None] * (REQUANTIZER_LATENCY - 2)
        self.result = np.zeros(self.width, np.int64)
        self.finished = np.zeros(self.width, np.int64)
        self.waiting = np.zeros(3 * self.width, np.int64)
        self.output = np.zeros(simd, np.int64)

    @property
    def head(self) -> Ints:
        """First quarter of the drain register."""
        return self.drain[: self.width]

    def tick(self, c: dict[str, int], incoming: Ints, neighbour: Ints) -> None:
        """Advance by one cycle, from the last pipeline stage to the first."""
        arrived = np.concatenate([self.waiting, self.finished])
        if c["commit"]:
            self.output = arrived
        if c["assemble"]:
            self.waiting = arrived[self.width :]
        if c["finish"]:
            self.finished = np.clip(self.result + c["zero_point"], c["clamp_low"], c["clamp_high"])
        self._requantize_and_drain(c, neighbour)

        if c["save"]:
            self.saved_rows[c["save_row"]] = self.accumulator
        if c["accumulate"]:
            empty = np.full_like(self.saved, -128 if c["compare"] else 0)
            start = self.saved if c["restore"] else empty
            first = start if c["restart"] else self.accumulator
            larger = np.maximum(low_byte(first), low_byte(self.dot))
            self.accumulator = larger if c["compare"] else wrap(first + self.dot)
        if c["restore_enable"]:
            self.saved = self.saved_rows[c["restore_row"]].copy()
        if self.multiplied[1]:
            self.dot = self.total.copy()
        if self.multiplied[0]:
            products = self.taken * self.taken_weights.T
            self.total = self.taken.max(axis=0) if self.maximum else products.sum(axis=0)
        if c["multiply"]:
            taps = np.array([c["tap"] >> j & 1 for j in range(4)])[:, None]
            own = np.where(taps, self.window, -128 if c["maximum"] else 0)
            shared = np.broadcast_to(self.operand[:, None], own.shape)
            self.taken = own if c["private"] or c["maximum"] else shared.copy()
            self.taken_weights = self.weights.copy()
        self.multiplied, self.maximum = [c["multiply"], self.multiplied[0]], c["maximum"]
        if c["weight_enable"]:
            self.weights = self.weight_rows[c["weight_row"]].copy()
            self.operand = self.vector[4 * c["quad"] : 4 * c["quad"] + 4]
        if c["ring_read"]:
            self.window = self.ring[ring_positions(c)]
        if c["ring_write"]:
            self.ring[c["ring_write_position"]] = incoming
        if c["advance"]:
            self.vector = incoming
        if c["parameter_enable"]:
            self.records = list(self.parameter_rows[c["parameter_row"]])

    def _requantize_and_drain(self, c: dict[str, int], neighbour: Ints) -> None:
        """Move requantized results to the drain register, 6 cycles after their slot."""
        entering, values = None, None
        if self.values is not None:
            pairs = zip(self.values, self.records, strict=True)
            entering = [requantize(int(value), record) for value, record in pairs]
        if c["slot"]:
            start = self.width * c["phase"]
            operands = self.vector[start : start + self.width]
            chosen = operands if c["operand"] else self.head
            values = [int(value) for value in wrap(chosen + (self.result if c["sum"] else 0))]
        self.values = values
        kept, rotated = self.result, self.head
        if self.stages[-1] is not None:
            self.result = np.array(self.stages[-1])
        self.stages = [entering, *self.stages[:-1]]
        if c["capture"]:
            self.drain = self.accumulator.copy()
        elif c["keep"]:
            self.drain = np.concatenate([self.drain[self.width :], kept])
        elif c["reduce"] or (c["slot"] and not c["operand"]):
            if c["reduce"] and c["receive"]:
                rotated = wrap(rotated + neighbour)
            self.drain = np.concatenate([self.drain[self.width :], rotated])


def ring_positions(c: dict[str, int]) -> Ints:
    """Positions of the ring that are read."""
    jumps = np.array([c["ring_beyond"] >> j & 1 for j in range(4)]) * 4 * c["ring_gap"]
    return np.array((c["ring_read_position"] + np.arange(4) + jumps) % WINDOW_VECTORS)


def random_control(rng: random.Random, config: AcceleratorConfig) -> dict[str, int]:
    """Return any control that reads no row or position in the cycle that writes it."""
    flags = dict.fromkeys(("advance", "ring_read", "ring_write", "weight_enable"), 0.5)
    flags |= dict.fromkeys(("private", "restore_enable", "restore", "receive"), 0.5)
    flags |= dict.fromkeys(("multiply", "accumulate", "parameter_enable", "slot"), 0.7)
    flags |= dict.fromkeys(("maximum", "compare"), 0.4)
    flags |= dict.fromkeys(("operand", "sum", "restart", "save", "reduce"), 0.3)
    flags |= {"capture": 0.15, "keep": 0.2, "finish": 0.7, "assemble": 0.7, "commit": 0.3}
    c = {name: int(rng.random() < odds) for name, odds in flags.items()}
    c |= {
        "tap": rng.randrange(16),
        "quad": rng.randrange(config.simd_units // 4),
        "ring_write_position": rng.randrange(WINDOW_VECTORS),
        "ring_read_position": rng.randrange(WINDOW_VECTORS),
        "ring_beyond": rng.randrange(16),
        "ring_gap": rng.randrange(WINDOW_VECTORS // 4),
        "weight_row": rng.randrange(2 * config.weight_rows),
        "save_row": rng.randrange(config.accumulator_rows),
        "restore_row": rng.randrange(config.accumulator_rows),
        "parameter_row": rng.randrange(8),
        "phase": rng.randrange(4),
        "zero_point": rng.randrange(-128, 128),
        "clamp_low": rng.randrange(-128, 0),
        "clamp_high": rng.randrange(0, 128),
    }
    if c["ring_write_position"] in ring_positions(c):
        c["ring_write"] &= ~c["ring_read"]
    if c["save_row"] == c["restore_row"]:
        c["save"] &= ~c["restore_enable"]
    return c


@pytest.mark.parametrize("simd", sampled([4, 8, 16], lambda simd: simd < 16))
def test_matches_the_reference_under_random_control(simd: int) -> None:
    """Head and output in every cycle, whatever the control and the writes."""
    config = make_config(simd)
    dut, model = LoneLane(config), LaneModel(config)
    rng, numbers = random.Random(8), np.random.default_rng(8)
    width = config.requantizer_width

    async def bench(ctx: Any) -> None:
        for cycle in range(500):
            c = random_control(rng, config)
            incoming = numbers.integers(-128, 128, simd)
            neighbour = numbers.integers(-(1 << 31), 1 << 31, width)
            for name, value in c.items():
                ctx.set(getattr(dut.control, name), value)
            ctx.set(dut.incoming, word(incoming))
            ctx.set(dut.neighbour, word(neighbour, 32))
            weights = numbers.integers(-128, 128, (simd, 4))
            # small values reach the output unclamped, large values try the extremes
            biases = (lambda: rng.randrange(-99, 99), lambda: rng.randrange(-(1 << 31), 1 << 31))
            records = [
                (rng.choice(biases)(), rng.randrange(1 << 30, 1 << 31), left, rng.randrange(31))
                for left in rng.choices(range(6), k=width)
            ]
            row = rng.randrange(2 * config.weight_rows)
            parameter = rng.random() < 0.5
            if parameter:
                row %= 8
            read = "parameter" if parameter else "weight"
            writing = not (c[f"{read}_enable"] and c[f"{read}_row"] == row)
            ctx.set(dut.weight_write, writing and not parameter)
            ctx.set(dut.parameter_write, writing and parameter)
            ctx.set(dut.row_write_address, row)
            ctx.set(dut.weight_write_data, word(weights.reshape(-1)))
            ctx.set(dut.parameter_write_data, record_word(records))
            await ctx.tick()
            model.tick(c, incoming, neighbour)
            if writing and parameter:
                model.parameter_rows[row] = records
            elif writing:
                model.weight_rows[row] = weights
            assert ctx.get(dut.head) == word(model.head, 32), cycle
            assert ctx.get(dut.output) == word(model.output), cycle

    simulate(dut, bench)


def test_a_lane_with_the_row_of_another_reads_none() -> None:
    """Its units multiply by the shared row, and the row that it gives stays."""
    dut = kept_unit(Lane, CONFIG)
    rng = np.random.default_rng(5)
    rows = rng.integers(-128, 128, (2, 4 * CONFIG.simd_units))
    other, vector = (
        rng.integers(-128, 128, 4 * CONFIG.simd_units),
        rng.integers(-128, 128, CONFIG.simd_units),
    )

    async def bench(ctx: Any) -> None:
        ctx.set(dut.weight_write, 1)
        for address, row in enumerate(rows):
            ctx.set(dut.row_write_address, address)
            ctx.set(dut.weight_write_data, word(row))
            await ctx.tick()
        ctx.set(dut.weight_write, 0)
        ctx.set(dut.incoming, word(vector))
        ctx.set(dut.shared_row, word(other))
        for cycle in range(12):
            control = dut.control
            ctx.set(control.advance, cycle == 0)
            ctx.set(control.weight_enable, cycle in (0, 1))
            ctx.set(control.weight_row, cycle)
            ctx.set(dut.reads_row, cycle == 0)
            ctx.set(control.multiply, cycle == 2)
            ctx.set(control.accumulate, cycle == 5)
            ctx.set(control.restart, 1)
            ctx.set(control.capture, cycle == 6)
            await ctx.tick()
        assert ctx.get(dut.row) == word(rows[0])
        totals = other.reshape(-1, 4) @ vector[:4]
        assert ctx.get(dut.head) == word(totals[: CONFIG.requantizer_width], 32)

    simulate(dut, bench)


async def load(ctx: Any, dut: Any, weights: Ints, records: list[Record]) -> None:
    """Write register-file rows from row 0 on, and four parameter rows."""
    ctx.set(dut.weight_write, 1)
    for row, values in enumerate(weights):
        ctx.set(dut.row_write_address, row)
        ctx.set(dut.weight_write_data, word(values.reshape(-1)))
        await ctx.tick()
    ctx.set(dut.weight_write, 0)
    ctx.set(dut.parameter_write, 1)
    width = len(records) // 4
    for phase in range(4):
        ctx.set(dut.row_write_address, phase)
        ctx.set(dut.parameter_write_data, record_word(records[width * phase : width * (phase + 1)]))
        await ctx.tick()
    ctx.set(dut.parameter_write, 0)


def add_step(script: Script, cycle: int, row: int, **fields: int) -> None:
    """Schedule a step of cycle i; `fields` are those of cycle i + 6 and i + 9."""
    script[cycle + 5] |= {"weight_enable": 1, "weight_row": row}
    script[cycle + 6] |= {"multiply": 1}
    script[cycle + 9] |= {"accumulate": 1}
    for name, value in fields.items():
        script[cycle + (6 if name in ("private", "tap", "maximum") else 9)][name] = value


def add_tap_step(script: Script, cycle: int, row: int, tap: int, first: bool, maximum: int) -> None:
    """Schedule a step of the ring's vectors: of their weighted sum or of their maximum."""
    fields = {"tap": tap, "restart": int(first), "maximum": maximum, "compare": maximum}
    add_step(script, cycle, row, private=1, **fields)


def combine(taps: Ints, weights: Ints, maximum: int) -> Ints:
    """Accumulators of a window, taps[t, unit]."""
    total: Ints = taps.max(axis=0) if maximum else (taps * weights).sum(axis=0)
    return total


def add_requantization(script: Script, cycle: int, addition: bool = False) -> None:
    """Schedule a window's slots from `cycle` on, and what brings their results to the output.

    A sum has the same parameter row for all quarters.
    """
    for phase in range(4):
        row = 2 if addition else phase
        script[cycle + phase] |= {"parameter_enable": 1, "parameter_row": row}
        script[cycle + phase] |= {"slot": 1, "phase": phase, "sum": int(addition)}
        script[cycle + phase + REQUANTIZER_LATENCY] |= {"finish": 1}
        script[cycle + phase + REQUANTIZER_LATENCY + 1] |= {"assemble": 1}
    script[cycle + REQUANTIZER_LATENCY + 4] |= {"commit": 1}


def add_operand(script: Script, cycle: int, second: bool) -> None:
    """Schedule a step that requantizes an operand; the first is kept."""
    script[cycle + 4] |= {"advance": 1}
    for slot in range(cycle + 5, cycle + 9):
        script[slot] |= {"parameter_enable": 1, "parameter_row": int(second)}
        script[slot] |= {"slot": 1, "phase": slot - cycle - 5, "operand": 1}
        if not second:
            script[slot + REQUANTIZER_LATENCY] |= {"keep": 1}


async def play(
    ctx: Any, dut: Any, script: Script, incoming: dict[int, Ints], outputs: dict[int, Ints]
) -> None:
    """Run a script: what is not named is 0; outputs are compared in their cycles."""
    constants = {"zero_point": -9, "clamp_low": -120, "clamp_high": 100}
    names = [name for name in dut.control.signature.members if name not in constants]
    for name, value in constants.items():
        ctx.set(getattr(dut.control, name), value)
    for cycle in range(max([*script, *outputs]) + 1):
        for name in names:
            ctx.set(getattr(dut.control, name), script[cycle].get(name, 0))
        # garbage when nothing is due
        vector = incoming.get(cycle, np.arange(CONFIG.simd_units) * 37 - cycle)
        ctx.set(dut.incoming, word(vector))
        if cycle in outputs:
            assert ctx.get(dut.output) == word(outputs[cycle]), cycle
        await ctx.tick()


def scale(totals: Ints, records: list[Record]) -> Ints:
    """Requantize a vector to int8 with the constants of `play`."""
    results = [
        requantize(int(total), record) for total, record in zip(totals, records, strict=True)
    ]
    values: Ints = np.clip(np.array(results) - 9, -120, 100)
    return values


def some_records(rng: np.random.Generator) -> list[Record]:
    """Records whose results use the range of int8, of sums."""
    return [
        (int(rng.integers(-500, 500)), int(rng.integers(1 << 30, 1 << 31)), 1, 6 + unit % 3)
        for unit in range(CONFIG.simd_units)
    ]


def test_output_stays_while_the_next_window_is_requantized() -> None:
    """Windows follow every 4 cycles; each output vector lasts exactly 4 cycles."""
    dut = kept_unit(LoneLane, CONFIG)
    rng = np.random.default_rng(2)
    weights = rng.integers(-128, 128, (1, CONFIG.simd_units, 4))
    vectors = rng.integers(-128, 128, (6, CONFIG.simd_units))
    records = some_records(rng)
    script: Script = defaultdict(dict)
    incoming: dict[int, Ints] = {}
    outputs: dict[int, Ints] = {}
    for window, vector in enumerate(vectors):
        cycle = 4 * window
        incoming[cycle + 4] = vector
        script[cycle + 4] |= {"advance": 1}
        script[cycle + 5] |= {"quad": window % 2}
        add_step(script, cycle, 0, restart=1)
        script[cycle + 10] |= {"capture": 1}
        add_requantization(script, cycle + 11)
        operand = vector[4 * (window % 2) :][:4]
        expected = scale((weights[0] * operand).sum(axis=1), records)
        outputs |= {cycle + 22 + later: expected for later in range(4)}

    async def bench(ctx: Any) -> None:
        await load(ctx, dut, weights, records)
        await play(ctx, dut, script, incoming, outputs)

    simulate(dut, bench)


def test_split_windows_give_the_same_as_whole_ones() -> None:
    """CONV in two descriptors of five windows: the second starts from what the first saved."""
    dut = kept_unit(LoneLane, CONFIG)
    rng = np.random.default_rng(3)
    sets, quads, interval = 5, 2, 4
    weights = rng.integers(-128, 128, (2 * quads, CONFIG.simd_units, 4))
    vectors = rng.integers(-128, 128, (2, sets, CONFIG.simd_units))
    records = some_records(rng)
    script: Script = defaultdict(dict)
    incoming: dict[int, Ints] = {}
    outputs: dict[int, Ints] = {}
    for part in range(2):
        for number in range(sets):
            start = (part * sets + number) * interval
            end = start + interval - 1
            incoming[start + 4] = vectors[part, number]
            script[start + 4] |= {"advance": 1}
            for quad in range(quads):
                script[start + quad + 5] |= {"quad": quad}
                add_step(script, start + quad, quads * part + quad, restart=int(quad == 0))
            if part == 0:
                script[end + 10] |= {"save": 1, "save_row": number}
            else:
                script[start + 8] |= {"restore_enable": 1, "restore_row": number}
                script[start + 9] |= {"restore": 1}
                script[end + 10] |= {"capture": 1}
                add_requantization(script, end + 11)
                steps = vectors[:, number].reshape(2 * quads, 1, 4)
                outputs[end + 22] = scale((weights * steps).sum(axis=(0, 2)), records)

    async def bench(ctx: Any) -> None:
        await load(ctx, dut, weights, records)
        await play(ctx, dut, script, incoming, outputs)

    simulate(dut, bench)


@pytest.mark.parametrize("maximum", [0, 1])
@pytest.mark.parametrize(("kernel", "stride", "start"), [(3, 1, 0), (3, 2, 59), (5, 1, 33)])
def test_depthwise_windows_slide_along_the_ring(
    kernel: int, stride: int, start: int, maximum: int
) -> None:
    """Only the new columns of a window come in; four taps are multiplied, or compared, per cycle."""
    dut = kept_unit(LoneLane, CONFIG)
    rng = np.random.default_rng(kernel)
    windows, taps, fresh = 7, kernel * kernel, kernel * min(kernel, stride)
    steps = -(-taps // 4)
    interval, lead = max(4, steps, fresh), max(0, taps - max(4, steps, fresh))
    columns = rng.integers(-128, 128, ((windows - 1) * stride + kernel, kernel, CONFIG.simd_units))
    kernels = rng.integers(-128, 128, (4 * steps, CONFIG.simd_units))
    weights = kernels.reshape(steps, 4, -1).transpose(0, 2, 1)
    records = some_records(rng)
    stream = columns.reshape(-1, CONFIG.simd_units)
    script: Script = defaultdict(dict)
    incoming: dict[int, Ints] = {}
    outputs: dict[int, Ints] = {}
    came, begin = 0, 0
    for window in range(windows):
        length = interval + (lead if window == 0 else 0)
        for slot in range(taps if window == 0 else fresh):
            position = (start + came) % WINDOW_VECTORS
            incoming[begin + slot + 4] = stream[came]
            script[begin + slot + 4] |= {"ring_write": 1, "ring_write_position": position}
            came += 1
        end = begin + length - 1
        base = start + window * fresh
        for step in range(steps):
            cycle = end - steps + 1 + step
            position = (base + 4 * step) % WINDOW_VECTORS
            script[cycle + 5] |= {"ring_read": 1, "ring_read_position": position}
            tap = (1 << min(4, taps - 4 * step)) - 1
            add_tap_step(script, cycle, step, tap, step == 0, maximum)
        script[end + 10] |= {"capture": 1}
        add_requantization(script, end + 11)
        pixels = columns[window * stride : window * stride + kernel].reshape(taps, -1)
        outputs[end + 22] = scale(combine(pixels, kernels[:taps], maximum), records)
        begin += length

    async def bench(ctx: Any) -> None:
        await load(ctx, dut, weights, records)
        await play(ctx, dut, script, incoming, outputs)

    simulate(dut, bench)


@pytest.mark.parametrize("maximum", [0, 1])
def test_one_tap_steps_read_what_has_just_been_written(maximum: int) -> None:
    """A vector written in cycle r + 4 is multiplied by the step of the same cycle."""
    dut = kept_unit(LoneLane, CONFIG)
    rng = np.random.default_rng(9)
    taps, windows = 6, 3
    vectors = rng.integers(-128, 128, (windows, taps, CONFIG.simd_units))
    kernels = rng.integers(-128, 128, (8, CONFIG.simd_units))
    weights = kernels.reshape(2, 4, -1).transpose(0, 2, 1)
    records = some_records(rng)
    script: Script = defaultdict(dict)
    incoming: dict[int, Ints] = {}
    outputs: dict[int, Ints] = {}
    for window in range(windows):
        for t in range(taps):
            cycle = window * taps + t
            position = (60 + cycle) % WINDOW_VECTORS
            incoming[cycle + 4] = vectors[window, t]
            script[cycle + 4] |= {"ring_write": 1, "ring_write_position": position}
            first = (position - t % 4) % WINDOW_VECTORS
            script[cycle + 5] |= {"ring_read": 1, "ring_read_position": first}
            add_tap_step(script, cycle, t // 4, 1 << t % 4, t == 0, maximum)
        script[cycle + 10] |= {"capture": 1}
        add_requantization(script, cycle + 11)
        total = combine(vectors[window], kernels[:taps], maximum)
        outputs[cycle + 22] = scale(total, records)

    async def bench(ctx: Any) -> None:
        await load(ctx, dut, weights, records)
        await play(ctx, dut, script, incoming, outputs)

    simulate(dut, bench)


@pytest.mark.parametrize(("apart", "interval"), [(4, ADD_INTERVAL), (8, 18)])
def test_add_scales_both_operands_and_their_sum(apart: int, interval: int) -> None:
    """Operand a waits in the drain register for operand b's results."""
    dut = kept_unit(LoneLane, CONFIG)
    rng = np.random.default_rng(10)
    simd, windows = CONFIG.simd_units, 4
    # shifted left by 8 first and right by 7 with the sum, as TensorFlow Lite does
    scales = [(0, int(multiplier), 8, 1) for multiplier in rng.integers(1 << 30, 1 << 31, 2)]
    rows = [[scales[0]] * 2, [scales[1]] * 2, [(0, 3 << 29, 0, 7)] * 2, [(0, 0, 0, 0)] * 2]
    operands = rng.integers(-128, 128, (windows, 2, simd))
    script: Script = defaultdict(dict)
    incoming: dict[int, Ints] = {}
    outputs: dict[int, Ints] = {}
    for window, pair in enumerate(operands):
        end = window * interval + interval - 1
        for cycle, vector in zip((end - apart, end), pair, strict=True):
            incoming[cycle + 4] = vector
            add_operand(script, cycle, second=cycle == end)
        add_requantization(script, end + 11, addition=True)
        totals = [
            sum(
                requantize(int(value), record) for value, record in zip(values, scales, strict=True)
            )
            for values in pair.T
        ]
        outputs[end + 22] = scale(np.array(totals), rows[2] * 4)

    async def bench(ctx: Any) -> None:
        await load(ctx, dut, np.zeros((0, simd, 4), np.int64), [r for row in rows for r in row])
        await play(ctx, dut, script, incoming, outputs)

    simulate(dut, bench)
