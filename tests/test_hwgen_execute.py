"""EXECUTE unit: every control field in every cycle, against a plain walk over the descriptors."""

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from amaranth.hdl import Cat, Value
from amaranth.sim import Simulator

from hwgen.gateware.execute import ExecuteUnit
from sim.spec.accelerator import WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import FIELDS, ExecuteOp, Queue

Descriptor = dict[str, int]
Events = dict[int, dict[str, int]]

DEFAULTS: Descriptor = {
    "pixels": 1,
    "lanes": 1,
    "window_rows": 1,
    "window_columns": 1,
    "tile_rows": 1,
    "tile_columns": 1,
    "kernel_rows": 1,
    "kernel_columns": 1,
    "stride_y": 1,
    "stride_x": 1,
    "groups": 1,
    "last_quads": 1,
}
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
    return AcceleratorConfig(
        pes_x=pes_x,
        pes_y=pes_y,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=2 * lanes * simd,
        register_file_kb=simd,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


def window_sets(d: Descriptor) -> Iterator[tuple[int, int, int]]:
    """Row, first column and number of windows of every set."""
    for row in range(d["window_rows"]):
        for column in range(0, d["window_columns"], d["pixels"]):
            yield row, column, min(d["pixels"], d["window_columns"] - column)


def set_stores(d: Descriptor, row: int, column: int, count: int) -> list[tuple[int, int, int]]:
    """Return the stores of a set as (pixel, dy, dx), in order."""
    if d["save"]:
        return [(0, 0, 0)]
    if d["op"] == ExecuteOp.POOL:
        return [(pixel, 0, 0) for pixel in range(count)]
    stores = []
    y = d["first_row"] + row
    for pixel in range(count):
        x = d["first_column"] + column + pixel
        east, west = x < d["halo_right"], x >= d["tile_columns"] - d["halo_left"]
        south, north = y < d["halo_bottom"], y >= d["tile_rows"] - d["halo_top"]
        for dy in [0] + [1] * south + [-1] * north:
            stores += [(pixel, dy, dx) for dx in [0] + [1] * east + [-1] * west]
    return stores


def group_quads(config: AcceleratorConfig, d: Descriptor) -> list[range]:
    """Quads of every channel group."""
    return [
        range(
            d["first_quad"] if group == 0 else 0,
            d["last_quads"] if group == d["groups"] - 1 else config.simd_units // 4,
        )
        for group in range(d["groups"])
    ]


def least_interval(config: AcceleratorConfig, d: Descriptor) -> int:
    """Return the least II of a descriptor."""
    most = max(len(set_stores(d, *place)) for place in window_sets(d))
    rows, columns = d["kernel_rows"], d["kernel_columns"]
    taps = rows * columns
    if d["op"] == ExecuteOp.ADD:
        return max(12, most, d["pixels"] + max(4, d["pixels"]))
    if d["op"] == ExecuteOp.CONV:
        taps *= sum(max(len(quads), d["pixels"]) for quads in group_quads(config, d))
    if d["window"]:
        taps = max(-(-taps // 4), rows * min(columns, d["stride_x"]))
    return max(4, most, taps)


def complete(config: AcceleratorConfig, **fields: int) -> Descriptor:
    """Return a descriptor with all fields, the least II and hold, and the row lead that it needs."""
    names = [field.name for field in FIELDS[Queue.EXECUTE]]
    d = dict.fromkeys(names, 0) | DEFAULTS | {"queue": int(Queue.EXECUTE)}
    d |= {
        "tile_rows": fields.get("window_rows", 1),
        "tile_columns": fields.get("window_columns", 1),
    }
    d |= fields
    assert set(d) == set(names)
    last = len(set_stores(d, *list(window_sets(d))[-1]))
    hold = max(0, last - 4)
    if d["op"] == ExecuteOp.CONV:
        hold += d["pixels"] - 1
    if d["op"] == ExecuteOp.ADD:
        hold = max(3, hold)
    d |= {"initiation_interval": least_interval(config, d), "hold": hold} | fields
    if d["window"]:
        taps = d["kernel_rows"] * d["kernel_columns"]
        d["row_lead"] = max(0, taps - d["initiation_interval"])
    return d


def durations(config: AcceleratorConfig, d: Descriptor) -> tuple[int, int]:
    """Return cycles from start to issue end and to done, in closed form."""
    per_row = -(-d["window_columns"] // d["pixels"])
    cycles = d["window_rows"] * (per_row * d["initiation_interval"] + d["row_lead"])
    if d["op"] == ExecuteOp.POOL:
        cycles += 4 * (config.pes_x + config.pes_y - 2)
    skew = d["pixels"] - 1 if d["op"] == ExecuteOp.CONV else 0
    stores = len(set_stores(d, *list(window_sets(d))[-1]))
    return cycles + d["hold"], cycles + skew + ExecuteUnit.DRAIN + stores


class Walk:
    """The control fields of descriptors that start in given cycles.

    `events` holds, per cycle, the fields that matter in it.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Start with an empty ring."""
        self.config = config
        self.events: Events = defaultdict(dict)
        self.position = 0

    def put(self, cycle: int, **fields: int) -> None:
        """Expect fields in a cycle, each once."""
        assert not self.events[cycle].keys() & fields.keys()
        self.events[cycle].update(fields)

    def run(self, d: Descriptor, start: int) -> None:
        """Expect a whole descriptor."""
        cycle = start + 1
        previous_row = -1
        for index, (row, column, count) in enumerate(window_sets(d)):
            lead = d["row_lead"] if row != previous_row else 0
            end = cycle + d["initiation_interval"] + lead - 1
            if d["op"] == ExecuteOp.CONV:
                end_step = self._conv(d, cycle, end, (row, column, index))
            elif d["op"] == ExecuteOp.ADD:
                end_step = self._add(d, end, (row, column))
            else:
                end_step = self._ring(d, cycle, end, (row, column), row != previous_row)
            self._finish(d, end_step, (row, column, count), index)
            cycle, previous_row = end + 1, row

    def _lanes(self, d: Descriptor, pixel: int) -> int:
        """Mask of the lanes that work on a pixel."""
        group = self.config.compute_lanes // d["pixels"]
        return ((1 << group) - 1) << (pixel * group)

    def _read(self, d: Descriptor, cycle: int, place: tuple[int, int, int], **lanes: int) -> None:
        """Expect a read of (address, y, x)."""
        address, y, x = place
        inject = d["op"] != ExecuteOp.ADD
        self.put(
            cycle,
            read_enable=lanes.pop("enable"),
            read_address=address % (1 << (self.config.bank_depth - 1).bit_length()),
            inject=inject,
        )
        if inject:
            bounds = {name: d[name] for name in ("pitch_y", "pitch_x", "bound_y", "bound_x")}
            self.put(cycle, tap_y=y, tap_x=x, **bounds)
            self.put(cycle + 1, pad_value=d["pad_value"])
        self.put(cycle + 1, **lanes)

    def _step(self, d: Descriptor, cycle: int, first: bool, row: int) -> None:
        """Expect what every step that multiplies does."""
        weight_row = d["half"] * self.config.weight_rows + row
        private = d["op"] != ExecuteOp.CONV
        self.put(cycle + 3, weight_enable=1, weight_row=weight_row)
        maximum = d["maximum"] if d["op"] == ExecuteOp.DEPTHWISE else 0
        self.put(cycle + 4, multiply=1, private=private, maximum=maximum)
        self.put(cycle + 5, accumulate=1, restart=first, compare=maximum)
        if first:
            self.put(cycle + 5, restore=d["restore"])

    def _conv(self, d: Descriptor, cycle: int, end: int, place: tuple[int, int, int]) -> int:
        """Expect the reads and steps of a CONV set; return the cycle in which its steps end."""
        row, column, index = place
        lanes, pixels = self.config.compute_lanes, d["pixels"]
        number = 0
        for group, quads in enumerate(group_quads(self.config, d)):
            plane, bank = divmod(d["bank"] + group, lanes)
            for ky in range(d["kernel_rows"]):
                for kx in range(d["kernel_columns"]):
                    y = row * d["stride_y"] + ky
                    for pixel in range(pixels):
                        x = (column + pixel) * d["stride_x"] + kx
                        address = d["in_address"] + plane * d["in_plane"] + y * d["in_row"] + x
                        self._read(
                            d,
                            cycle + pixel,
                            (address, d["origin_y"] + y, d["origin_x"] + x),
                            enable=1 << bank,
                            incoming=self._lanes(d, pixel),
                            source_mask=0,
                            source_base=bank,
                        )
                    for slot, quad in enumerate(quads):
                        step = cycle + slot + pixels - 1
                        self._step(d, step, number == 0, number)
                        self.put(step + 3, quad=quad)
                        if slot == 0:
                            self.put(step + 2, advance=1)
                        if number == 0 and d["restore"]:
                            saved = d["accumulator_row"] + index
                            self.put(step + 4, restore_enable=1, restore_row=saved)
                        number += 1
                    cycle += max(len(quads), pixels)
        assert cycle <= end + 1
        return end + pixels - 1

    def _add(self, d: Descriptor, end: int, place: tuple[int, int]) -> int:
        """Expect the reads of both operands, and their requantization."""
        row, column = place
        pixels, group = d["pixels"], self.config.compute_lanes // d["pixels"]
        for second, step in ((0, end - max(4, pixels)), (1, end)):
            first = d["in2_address"] if second else d["in_address"]
            pitch = d["in2_row"] if second else d["in_row"]
            for pixel in range(pixels):
                self._read(
                    d,
                    step - (pixels - 1 - pixel),
                    (first + row * pitch + column + pixel, 0, 0),
                    enable=((1 << group) - 1) << d["bank"],
                    incoming=self._lanes(d, pixel),
                    source_mask=(1 << (group - 1).bit_length()) - 1,
                    source_base=d["bank"],
                )
            self.put(step + 2, advance=1)
            for phase in range(4):
                self.put(step + 2 + phase, parameter_enable=1, parameter_row=4 * d["half"] + second)
                self.put(step + 3 + phase, slot=1, operand=1, sum=0, phase=phase)
                if not second:
                    self.put(step + 7 + phase, keep=1)
        return end

    def _ring(
        self, d: Descriptor, cycle: int, end: int, place: tuple[int, int], row_start: bool
    ) -> int:
        """Expect the reads and steps of a DEPTHWISE or POOL window."""
        row, column = place
        lanes, rows, columns = self.config.compute_lanes, d["kernel_rows"], d["kernel_columns"]
        known = 0 if row_start or not d["window"] else max(0, columns - d["stride_x"])
        for tap in range(known * rows, columns * rows):
            kx, ky = divmod(tap, rows)
            y, x = row * d["stride_y"] + ky, column * d["stride_x"] + kx
            self._read(
                d,
                cycle,
                (d["in_address"] + y * d["in_row"] + x, d["origin_y"] + y, d["origin_x"] + x),
                enable=(1 << lanes) - 1,
                incoming=(1 << lanes) - 1,
                source_mask=(1 << (lanes - 1).bit_length()) - 1,
                source_base=0,
            )
            position = self.position % WINDOW_VECTORS
            self.put(cycle + 2, ring_write=1, ring_write_position=position)
            if not d["window"]:
                element = 0 if d["op"] == ExecuteOp.POOL else tap % 4
                weight_row = 0 if d["op"] == ExecuteOp.POOL else tap // 4
                self._step(d, cycle, tap == 0, weight_row)
                self.put(cycle + 4, tap=1 << element)
                position = (position - element) % WINDOW_VECTORS
                self.put(cycle + 3, ring_read=1, ring_read_position=position)
            self.position += 1
            cycle += 1
        assert cycle <= end + 1
        if d["window"]:
            steps = -(-rows * columns // 4)
            for number in range(steps):
                step = end + 1 - steps + number
                self._step(d, step, number == 0, number)
                used = min(4, rows * columns - 4 * number)
                self.put(step + 4, tap=(1 << used) - 1)
                # All of the window's taps are the ring's newest vectors
                position = (self.position - rows * columns + 4 * number) % WINDOW_VECTORS
                self.put(step + 3, ring_read=1, ring_read_position=position)
        return end

    def _finish(self, d: Descriptor, end: int, place: tuple[int, int, int], index: int) -> None:
        """Expect the end of a set: requantization and stores, or what comes in their place."""
        config = self.config
        if d["op"] != ExecuteOp.ADD:
            self.put(end + 6, capture=1)
        if d["save"]:
            self.put(end + 6, save=1, save_row=d["accumulator_row"] + index)
        if d["op"] == ExecuteOp.POOL:
            hops = [(0, x) for x in reversed(range(config.pes_x - 1))]
            hops += [(1, y) for y in reversed(range(config.pes_y - 1))]
            for vertical, receiver in hops:
                for cycle in range(end + 7, end + 11):
                    self.put(cycle, reduce=1, vertical=vertical, reduce_index=receiver)
                end += 4
        is_sum = d["op"] == ExecuteOp.ADD
        for phase in range(4):
            row = 4 * d["half"] + (2 if is_sum else phase)
            self.put(end + 6 + phase, parameter_enable=1, parameter_row=row)
            self.put(end + 7 + phase, slot=1, operand=0, sum=is_sum, phase=phase)
            finish = {name: d[name] for name in ("zero_point", "clamp_low", "clamp_high")}
            self.put(end + 11 + phase, finish=1, **finish)
            self.put(end + 12 + phase, assemble=1, commit=phase == 3)

        row, column, _ = place
        group = config.compute_lanes // d["pixels"]
        written = ((1 << d["lanes"]) - 1) << d["out_bank"]
        for number, (pixel, dy, dx) in enumerate(set_stores(d, *place)):
            push = end + 16 + number
            mask = (1 << (group - 1).bit_length()) - 1
            self.put(push, push=1, take_mask=mask, take_base=pixel * group)
            self.put(push, from_east=dx == 1, from_west=dx == -1)
            self.put(push + 1, write_enable=written)
            if written:
                y, x = row + dy * d["tile_rows"], column + pixel + dx * d["tile_columns"]
                address = (d["out_address"] + y * d["out_row"] + x) % self.config.bank_depth
                self.put(push + 1, write_address=address, from_south=dy == 1, from_north=dy == -1)


class Bench:
    """An EXECUTE unit that runs descriptors and records its control fields."""

    def __init__(self, config: AcceleratorConfig) -> None:
        """Build the unit."""
        self.config = config
        self.execute = ExecuteUnit(config)

    def check(self, descriptors: list[Descriptor], idles: list[int] | None = None) -> None:
        """Run complete descriptors, `idles` cycles before each; compare control and times."""
        simulator = Simulator(self.execute)
        simulator.add_clock(1e-6)
        trace: list[int] = []
        starts: list[int] = []

        async def bench(ctx: Any) -> None:
            await self._run(ctx, descriptors, idles or [0] * len(descriptors), starts, trace)

        simulator.add_testbench(bench)
        simulator.run()
        walk = Walk(self.config)
        for d, start in zip(descriptors, starts, strict=True):
            walk.run(d, start)
        self._compare(walk.events, trace)

    async def _run(
        self,
        ctx: Any,
        descriptors: list[Descriptor],
        idles: list[int],
        starts: list[int],
        trace: list[int],
    ) -> None:
        """Run the descriptors; check when each starts, leaves the issue stage and is done."""
        execute = self.execute
        members = execute.control.signature.members
        control = Cat(Value.cast(getattr(execute.control, name)) for name in members)
        issue_ends: list[int] = []
        dones: list[tuple[int, int]] = []
        offered: list[int] = []
        cycle, idle = 0, idles[0]
        limit = sum(sum(durations(self.config, d)) for d in descriptors) + sum(idles) + 100
        while len(dones) < len(descriptors):
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
                free = dones[index - 1][0] if d["wait_drain"] else issue_ends[index - 1]
                before = max(before, free)
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
            found = {}
            for name, shape in shapes.items():
                value = word & ((1 << shape.width) - 1)
                word >>= shape.width
                if shape.signed and value >> (shape.width - 1):
                    value -= 1 << shape.width
                found[name] = value
            assert not expected.keys() - found.keys()
            wrong = {name: (found[name], v) for name, v in expected.items() if found[name] != v}
            assert (cycle, wrong) == (cycle, {})


def split(rng: random.Random, d: Descriptor) -> None:
    """Let a descriptor compute a part of a tile that has halos to any side."""
    d["first_row"], d["first_column"] = rng.randrange(3), rng.randrange(3)
    d["tile_rows"] = d["first_row"] + d["window_rows"] + rng.randrange(2)
    d["tile_columns"] = d["first_column"] + d["window_columns"] + rng.randrange(2)
    d |= {f"halo_{side}": rng.randrange(4) for side in ("top", "bottom", "left", "right")}


def random_descriptor(rng: random.Random, config: AcceleratorConfig, op: ExecuteOp) -> Descriptor:
    """Draw a descriptor; addresses may wrap around, they only have to be right."""
    lanes, quads = config.compute_lanes, config.simd_units // 4
    pixels = 1
    if op in (ExecuteOp.CONV, ExecuteOp.ADD) and lanes & (lanes - 1) == 0:
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
    if op == ExecuteOp.ADD:
        d["bank"] = rng.randrange(pixels) * group
    if op == ExecuteOp.CONV:
        d["bank"] = rng.randrange(lanes)
        d["groups"] = rng.randint(1, lanes + 2)
        d["first_quad"] = rng.randrange(quads)
        d["last_quads"] = rng.randint(d["first_quad"] + 1, quads)
        taps = d["kernel_rows"] * d["kernel_columns"]
        while taps * sum(map(len, group_quads(config, d))) > config.weight_rows:
            d["groups"] -= 1
        sets = d["window_rows"] * -(-d["window_columns"] // pixels)
        if sets <= config.accumulator_rows:
            d["restore"], d["save"] = rng.randrange(2), rng.randrange(2)
            d["accumulator_row"] = rng.randint(0, config.accumulator_rows - sets)
        if d.get("save"):
            d["lanes"] = 0
    if op == ExecuteOp.DEPTHWISE:
        new = min(d["kernel_columns"], d["stride_x"])
        fits = d["kernel_rows"] * (d["kernel_columns"] + new) <= WINDOW_VECTORS
        d["window"] = int(fits and rng.random() < 0.7)
        d["maximum"] = rng.randrange(2)
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
@pytest.mark.parametrize(("shape", "lanes", "simd"), SHAPES)
def test_each_operation(op: ExecuteOp, shape: tuple[int, int], lanes: int, simd: int) -> None:
    """Random descriptors of one operation, back to back."""
    rng = random.Random(f"{op} {shape} {lanes} {simd}")
    config = make_config(*shape, lanes, simd)
    Bench(config).check([random_descriptor(rng, config, op) for _ in range(6)])


@pytest.mark.parametrize(("shape", "lanes", "simd"), SHAPES)
def test_operations_follow_each_other(shape: tuple[int, int], lanes: int, simd: int) -> None:
    """Every order of operations, also with idle cycles between the commands."""
    rng = random.Random(f"{shape} {lanes} {simd}")
    config = make_config(*shape, lanes, simd)
    descriptors = [random_descriptor(rng, config, rng.choice(list(ExecuteOp))) for _ in range(16)]
    idles = [rng.choice((0, 0, 0, rng.randrange(40))) for _ in descriptors]
    Bench(config).check(descriptors, idles)


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 7), (7, 1), (7, 2), (1, 1), (2, 2), (4, 8)])
@pytest.mark.parametrize("stride", [1, 2, 3])
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
    """The last step of a window has fewer taps; one tap per cycle has one in each step."""
    config = make_config(1, 1, 1, 4)
    fields = {"kernel_rows": 3, "kernel_columns": 3, "window_columns": 3, "in_row": 9}
    fields |= {"op": ExecuteOp.DEPTHWISE, "pad_value": -128}
    modes = [(window, maximum) for window in (0, 1, 1, 0) for maximum in (1, 0)]
    Bench(config).check(
        [complete(config, window=window, maximum=maximum, **fields) for window, maximum in modes]
    )


@pytest.mark.parametrize("pixels", [1, 4])
@pytest.mark.parametrize("first", [0, 1, 13, 15])
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
    plain = complete(config, op=ExecuteOp.CONV)
    halos = {f"halo_{side}": 1 for side in ("top", "bottom", "left", "right")}
    wide = complete(config, op=ExecuteOp.CONV, pixels=8, window_columns=8, **halos)
    assert wide["initiation_interval"] == 3 * (8 + 2)
    Bench(config).check([wide, *[plain] * 12, wide, *[plain | {"half": 1}] * 12])


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
    assert d["initiation_interval"] == 63
    Bench(config).check([d, complete(config, op=ExecuteOp.CONV), d])
