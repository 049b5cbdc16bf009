"""EXECUTE unit: every control field in every cycle, against a plain walk over the descriptors."""

import itertools
import random
from functools import reduce
from operator import or_
from typing import Any

import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Signal, Value

from accelerators import small_accelerator
from execute_descriptors import Descriptor, complete, complete_alike, group_quads, share_rows
from execute_walk import Events, Walk, durations
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.execute.unit import ExecuteUnit
from sampled import sampled
from sim.spec.accelerator import WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

ENABLES = (
    "read_enable",
    "incoming",
    "ring_write",
    "advance",
    "ring_read",
    "weight_enable",
    "multiply",
    "restore_enable",
    "accumulate",
    "capture",
    "save",
    "reduce",
    "parameter_enable",
    "slot",
    "keep",
    "finish",
    "assemble",
    "commit",
    "push",
    "write_enable",
)
"""Fields that are 0 in every cycle without an event; the others are then of no account."""


def make_config(pes_y: int, pes_x: int, lanes: int, simd: int) -> AcceleratorConfig:
    """Return a grid with 256 register-file rows and 2048 vectors per bank."""
    return small_accelerator(
        pes_y,
        pes_x,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=2 * lanes * simd,
        register_file_kb=simd,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


def used_banks(config: AcceleratorConfig, d: Descriptor) -> int:
    """Banks, as a mask, that a descriptor reads or stores to; all if it may use any."""
    lanes = config.compute_lanes
    every = (1 << lanes) - 1
    stored = every if d["spread"] else (((1 << d["lanes"]) - 1) << d["out_bank"]) & every
    groups = d["groups"] if d["op"] == ExecuteOp.CONV else lanes // d["pixels"]
    if d["op"] == ExecuteOp.POOL or d["bank"] + groups > lanes:
        return every
    return stored | ((1 << groups) - 1) << d["bank"]


class Watched(Elaboratable):  # type: ignore[misc]  # amaranth has no types
    """An EXECUTE unit, and its control fields as one signal.

    As a signal the simulator compiles it, which reading hundreds of its parts is not.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Build the unit."""
        self.execute = ExecuteUnit(config)
        control = self.execute.control
        self.control = Cat(Value.cast(getattr(control, name)) for name in control.signature.members)
        self.word = Signal(len(self.control))

    def elaborate(self, platform: object) -> Module:
        """Return the unit, and the signal beside it."""
        m = Module()
        m.submodules.execute = self.execute
        m.d.comb += self.word.eq(self.control)
        return m


class Bench:
    """An EXECUTE unit that runs descriptors and records its control fields."""

    def __init__(self, config: AcceleratorConfig) -> None:
        """Build the unit."""
        self.config = config
        self.unit = kept_unit(Watched, config)
        self.execute = self.unit.execute
        self.waits = 0

    def check(self, descriptors: list[Descriptor], idles: list[int] | None = None) -> None:
        """Run complete descriptors, `idles` cycles before each; compare control and times."""
        trace: list[int] = []
        starts: list[int] = []

        async def bench(ctx: Any) -> None:
            waits = idles or [0] * len(descriptors)
            await self._run(ctx, self.unit.word, descriptors, waits, starts, trace)

        simulate(self.unit, bench)
        walk = Walk(self.config)
        for d, start in zip(descriptors, starts, strict=True):
            walk.run(d, start)
        self._compare(walk.settled(), trace)
        self.waits = walk.waits

    async def _run(
        self,
        ctx: Any,
        control: Signal,
        descriptors: list[Descriptor],
        idles: list[int],
        starts: list[int],
        trace: list[int],
    ) -> None:
        """Run the descriptors; check when each starts, leaves the issue stage and is done."""
        execute = self.execute
        banks = [used_banks(self.config, d) for d in descriptors]
        issue_ends: list[int] = []
        dones: list[tuple[int, int]] = []
        offered: list[int] = []
        cycle, idle = 0, idles[0]
        limit = sum(sum(durations(self.config, d)) for d in descriptors) + sum(idles) + 100
        while min(len(dones), len(issue_ends)) < len(descriptors):
            assert cycle < limit
            offer = len(starts) < len(descriptors) and idle == 0
            ctx.set(execute.command.valid, offer)
            if offer:
                ctx.set(execute.command.payload, descriptors[len(starts)])
                if len(offered) == len(starts):
                    offered.append(cycle)
            idle = max(0, idle - 1)
            trace.append(ctx.get(control))
            if ctx.get(execute.issue_end):
                issue_ends.append(cycle)
            if ctx.get(execute.done):
                dones.append((cycle, ctx.get(execute.done_post)))
            assert ctx.get(execute.busy) == (len(starts) > len(dones))
            used = banks[len(dones) : len(starts)]
            assert ctx.get(execute.bank_busy) == reduce(or_, used, 0)
            halves = sum({1 << d["half"] for d in descriptors[len(dones) : len(starts)]})
            assert ctx.get(execute.half_busy) == halves
            if offer and ctx.get(execute.command.ready):
                starts.append(cycle)
                idle = idles[len(starts)] if len(starts) < len(descriptors) else 0
            await ctx.tick()
            cycle += 1
        ctx.set(execute.command.valid, 0)

        for index, (d, start) in enumerate(zip(descriptors, starts, strict=True)):
            until_issue_end, until_done = durations(self.config, d)
            assert issue_ends[index] == start + until_issue_end
            assert dones[index] == (start + until_done, d["post"])
            before = offered[index]
            if index:
                before = max(before, issue_ends[index - 1])
                if d["wait_drain"]:
                    before = max(before, dones[index - 1][0])
            assert start == before

    def _compare(self, events: Events, trace: list[int]) -> None:
        """Compare every cycle; after the last event nothing may happen."""
        assert max(events) < len(trace)
        shapes = {
            name: Value.cast(getattr(self.execute.control, name)).shape()
            for name in self.execute.control.signature.members
        }
        for cycle, word in enumerate(trace):
            expected = dict.fromkeys(ENABLES, 0) | events.get(cycle, {})
            seen = {}
            for name, shape in shapes.items():
                value = word & ((1 << shape.width) - 1)
                word >>= shape.width
                if shape.signed and value >> (shape.width - 1):
                    value -= 1 << shape.width
                seen[name] = value
            assert not expected.keys() - seen.keys()
            wrong = {name: (seen[name], v) for name, v in expected.items() if seen[name] != v}
            assert (cycle, wrong) == (cycle, {})


def split(rng: random.Random, d: Descriptor) -> None:
    """Let a descriptor compute a part of a tile that has halos to any side."""
    d["first_row"], d["first_column"] = rng.randrange(3), rng.randrange(3)
    d["tile_rows"] = d["first_row"] + d["window_rows"] + rng.randrange(2)
    d["tile_columns"] = d["first_column"] + d["window_columns"] + rng.randrange(2)
    d |= {f"halo_{side}": rng.randrange(4) for side in ("top", "bottom", "left", "right")}


def fits_ring(d: Descriptor, band_rows: int) -> bool:
    """Whether the ring holds a band's columns, a whole number of fours longer than a window's."""
    column = d["kernel_rows"] + -(-(band_rows - 1) * d["stride_y"] // 4) * 4
    return d["kernel_rows"] > 1 and d["kernel_columns"] * column < WINDOW_VECTORS


def random_descriptor(rng: random.Random, config: AcceleratorConfig, op: ExecuteOp) -> Descriptor:
    """Draw a descriptor; addresses may wrap around, they only have to be right."""
    lanes, quads = config.compute_lanes, config.simd_units // 4
    pixels = 1
    if op != ExecuteOp.POOL and lanes & (lanes - 1) == 0:
        pixels = 1 << rng.randrange(lanes.bit_length())
    group = lanes // pixels
    d = {
        "op": int(op),
        "post": rng.randrange(8),
        "wait_drain": int(rng.random() < 0.1),
        "half": rng.randrange(2),
        "pixels": pixels,
        "lanes": rng.randint(1, group),
        "window_rows": 1 if op == ExecuteOp.POOL else rng.randint(1, 3),
        "window_columns": 1 if op == ExecuteOp.POOL else rng.randint(1, 2 * pixels + 3),
        "kernel_rows": rng.randint(1, 3),
        "kernel_columns": rng.randint(1, 3),
        "stride_y": rng.randint(1, 3),
        "stride_x": rng.randint(1, 3),
        "zero_point": rng.randint(-128, 127),
        "clamp_low": rng.randint(-128, 0),
        "clamp_high": rng.randint(0, 127),
        "pad_value": rng.randint(-128, 127),
        "out_row": rng.randint(1, 40),
    }
    d["out_bank"] = rng.randint(0, lanes - d["lanes"])
    for name in ("in_address", "in2_address", "out_address"):
        d[name] = rng.randrange(config.bank_depth)
    for name in ("in_row", "in2_row", "in_plane"):
        d[name] = rng.randint(1, 60)
    for axis in ("y", "x"):
        d[f"origin_{axis}"] = rng.randint(-20, 20)
        d[f"pitch_{axis}"] = rng.randrange(1 << 12)
        d[f"bound_{axis}"] = rng.randrange(1 << 12)
    if op != ExecuteOp.POOL and rng.random() < 0.6:
        split(rng, d)
    if op in (ExecuteOp.DEPTHWISE, ExecuteOp.ADD):
        d["bank"] = rng.randrange(pixels) * group
    if op == ExecuteOp.CONV:
        d["bank"] = rng.randrange(lanes)
        d["groups"] = rng.randint(1, lanes + 2)
        d["first_quad"] = rng.randrange(quads)
        d["last_quads"] = rng.randint(d["first_quad"] + 1, quads)
        taps = d["kernel_rows"] * d["kernel_columns"]
        while taps * sum(map(len, group_quads(config, d))) > config.weight_rows:
            d["groups"] -= 1
        if rng.random() < 0.4:
            d |= {"vector_sets": rng.randint(1, 4), "window_bytes": rng.randrange(256)}
            d |= {"groups": 1, "kernel_columns": 1, "stride_x": 0}
            d["last_quads"] = rng.randint(d["first_quad"] + 1, quads)
        sets = d["window_rows"] * -(-d["window_columns"] // pixels)
        if sets <= config.accumulator_rows:
            d["restore"], d["save"] = rng.randrange(2), rng.randrange(2)
            d["accumulator_row"] = rng.randint(0, config.accumulator_rows - sets)
        if d.get("save"):
            d["lanes"] = 0
    if lanes & (lanes - 1) == 0 and rng.random() < 0.5:
        share_rows(rng, config, d)
    if op == ExecuteOp.DEPTHWISE:
        new = min(d["kernel_columns"], d["stride_x"])
        fits = d["kernel_rows"] * (d["kernel_columns"] + new) <= WINDOW_VECTORS
        d["window"] = int(fits and rng.random() < 0.7)
        d["maximum"] = rng.randrange(2)
        if pixels > 1:
            d["window"] = 1
        while d["window"] and pixels > 1 and not fits_ring(d, pixels):
            d["stride_y"], d["kernel_rows"] = 1, 3
            d["kernel_columns"] = max(1, d["kernel_columns"] - 1)
        d["band_rows"] = pixels * rng.randint(1, 4)
        d["window_rows"] = rng.randint(1, 2 * d["band_rows"] + 1)
        d["tile_rows"] = max(d.get("tile_rows", 1), d.get("first_row", 0) + d["window_rows"])
        if not d["window"] or not fits_ring(d, d["band_rows"]):
            d["band_rows"] = pixels
    d = complete(config, **d)
    if rng.random() < 0.3:
        d["initiation_interval"] += rng.randrange(6)
        d["hold"] += rng.randrange(6)
        d["row_lead"] += rng.randrange(3) if op == ExecuteOp.DEPTHWISE else 0
    return d


SHAPES = [
    ((1, 1), 1, 4),
    ((2, 1), 2, 8),
    ((1, 2), 3, 8),
    ((1, 3), 4, 4),
    ((3, 2), 4, 16),
    ((2, 2), 8, 8),
    ((1, 1), 8, 32),
]


@pytest.mark.parametrize("op", list(ExecuteOp))
@pytest.mark.parametrize(
    ("shape", "lanes", "simd"),
    sampled(SHAPES, lambda shape: shape[1:] in ((1, 4), (3, 8), (4, 4)), fields=True),
)
def test_each_operation(op: ExecuteOp, shape: tuple[int, int], lanes: int, simd: int) -> None:
    """Random descriptors of one operation, back to back."""
    rng = random.Random(f"{op} {shape} {lanes} {simd}")
    config = make_config(*shape, lanes, simd)
    Bench(config).check([random_descriptor(rng, config, op) for _ in range(6)])


@pytest.mark.parametrize(
    ("shape", "lanes", "simd"),
    sampled(SHAPES, lambda shape: shape[1:] in ((1, 4), (3, 8)), fields=True),
)
def test_operations_follow_each_other(shape: tuple[int, int], lanes: int, simd: int) -> None:
    """Every order of operations, also with idle cycles between the commands."""
    rng = random.Random(f"{shape} {lanes} {simd}")
    config = make_config(*shape, lanes, simd)
    descriptors = [random_descriptor(rng, config, rng.choice(list(ExecuteOp))) for _ in range(16)]
    idles = [rng.choice((0, 0, 0, rng.randrange(40))) for _ in descriptors]
    Bench(config).check(descriptors, idles)


@pytest.mark.parametrize(
    ("op", "draws"),
    sampled(
        itertools.product(ExecuteOp, (1, 3)),
        lambda case: case in ((ExecuteOp.CONV, 1), (ExecuteOp.POOL, 1)),
        fields=True,
    ),
)
def test_reads_and_stores_share_a_banks_port(op: ExecuteOp, draws: int) -> None:
    """Descriptors like a layer's rounds: the stores of one meet the reads of the next, at any distance."""
    rng = random.Random(f"port {op}")
    waits = 0
    for lanes, simd in ((1, 4), (2, 8), (4, 4), (4, 16)):
        config = make_config(1, 2, lanes, simd)
        for _ in range(draws):
            drawn = random_descriptor(rng, config, op)
            while drawn["save"]:
                drawn = random_descriptor(rng, config, op)
            for name in ("initiation_interval", "hold", "row_lead", "store_slack"):
                del drawn[name]
            d = complete_alike(config, **drawn | {"restore": 0, "wait_drain": 0})
            bench = Bench(config)
            bench.check([d] * 6, [0, 0, 0, 1, 2, rng.randrange(20)])
            waits += bench.waits
    assert waits > 5 * draws


@pytest.mark.parametrize(
    ("kernel", "stride"),
    sampled(
        itertools.product(
            [(3, 3), (5, 5), (1, 7), (7, 1), (7, 2), (1, 1), (2, 2), (4, 8)], (1, 2, 3)
        ),
        lambda case: case[1] == 2 and case[0] in ((3, 3), (1, 7), (7, 1), (4, 8)),
        fields=True,
    ),
)
def test_window_ring(kernel: tuple[int, int], stride: int) -> None:
    """Windows at the least II, also those that fill the ring; the next row starts anew."""
    rows, columns = kernel
    assert rows * (columns + min(columns, stride)) <= WINDOW_VECTORS
    config = make_config(1, 1, 2, 4)
    d = complete(
        config,
        op=ExecuteOp.DEPTHWISE,
        window=1,
        window_rows=2,
        window_columns=6,
        kernel_rows=rows,
        kernel_columns=columns,
        stride_y=stride,
        stride_x=stride,
        in_row=50,
    )
    Bench(config).check([d, d | {"half": 1}, d])


@pytest.mark.parametrize("op", [ExecuteOp.CONV, ExecuteOp.ADD, ExecuteOp.POOL])
def test_only_depthwise_takes_maxima(op: ExecuteOp) -> None:
    """The others sum, whatever the descriptor says, also right after a maximum."""
    config = make_config(2, 1, 2, 8)
    largest = complete(config, op=ExecuteOp.DEPTHWISE, maximum=1, window=1, kernel_columns=3)
    other = complete(config, op=op, maximum=1, kernel_rows=2)
    Bench(config).check([largest, other, largest, other])


def test_maxima_and_sums_follow_each_other_in_both_modes() -> None:
    """The last step of a window has fewer taps; at one tap per cycle each step has a tap."""
    config = make_config(1, 1, 1, 4)
    fields = {"kernel_rows": 3, "kernel_columns": 3, "window_columns": 3, "in_row": 9}
    fields |= {"op": ExecuteOp.DEPTHWISE, "pad_value": -128}
    modes = [(window, maximum) for window in (0, 1, 1, 0) for maximum in (1, 0)]
    Bench(config).check(
        [complete(config, window=window, maximum=maximum, **fields) for window, maximum in modes]
    )


@pytest.mark.parametrize(
    ("first", "pixels"),
    sampled(
        itertools.product((0, 1, 13, 15), (1, 4)),
        lambda case: case in ((0, 4), (13, 1), (15, 1)),
        fields=True,
    ),
)
def test_saved_rows_count_from_the_descriptors_first_one(pixels: int, first: int) -> None:
    """With as many sets as there are rows from there on, and one less; one descriptor after another."""
    config = make_config(1, 1, 4, 8)
    assert config.accumulator_rows == 16
    descriptors = []
    for sets in {16 - first, max(1, 15 - first)}:
        fields = {"op": ExecuteOp.CONV, "pixels": pixels, "window_columns": sets * pixels}
        fields |= {"accumulator_row": first, "last_quads": 2}
        save = complete(config, save=1, **fields | {"lanes": 0})
        low = complete(config, op=ExecuteOp.CONV, save=1, lanes=0)
        restore = complete(config, restore=1, **fields)
        descriptors += [save, low, save | {"restore": 1}, restore, low | {"restore": 1}]
    Bench(config).check(descriptors)


def test_short_descriptors_pile_up() -> None:
    """With the least II, as many descriptors as possible are between start and done."""
    config = make_config(1, 1, 8, 4)
    plain = complete_alike(config, op=ExecuteOp.CONV)
    assert (plain["hold"], plain["store_slack"]) == (0, 1)
    halos = {f"halo_{side}": 1 for side in ("top", "bottom", "left", "right")}
    wide = complete(config, op=ExecuteOp.CONV, pixels=8, window_columns=8, **halos)
    # 30 stores, and 8 reads of the same bank
    assert wide["initiation_interval"] == 3 * (8 + 2) + 8
    # 8 reads in a row are more than its slack
    last = plain | {"hold": complete(config, op=ExecuteOp.CONV)["hold"]}
    several = [*[plain] * 11, last]
    Bench(config).check([wide, *several, wide, *[d | {"half": 1} for d in several]])


def test_every_neighbour_of_every_pixel() -> None:
    """A set of 8 pixels in a tile of one row takes up to 72 stores."""
    config = make_config(1, 1, 8, 4)
    halos = {f"halo_{side}": 7 for side in ("top", "bottom", "left", "right")}
    d = complete(
        config,
        op=ExecuteOp.CONV,
        pixels=8,
        window_columns=7,
        first_row=0,
        tile_columns=7,
        out_row=30,
        out_address=100,
        **halos,
    )
    assert d["initiation_interval"] == 63 + 8
    Bench(config).check([d, complete(config, op=ExecuteOp.CONV), d])
