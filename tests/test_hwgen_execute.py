"""EXECUTE unit and PE grid against a model of the local memories, in value and in time."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from numpy.typing import NDArray

from hwgen.gateware.execute import ExecuteUnit
from hwgen.gateware.grid import Grid
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import FIELDS, ExecuteOp, Queue

Descriptor = dict[str, int]

HALF = 1 << 30  # a multiplier of one half
DEFAULTS: Descriptor = {
    "initiation_interval": 4,
    "tile_rows": 1,
    "tile_columns": 1,
    "kernel_rows": 1,
    "kernel_columns": 1,
    "stride_y": 1,
    "stride_x": 1,
    "groups": 1,
    "last_quads": 1,
    "bound_y": 100,
    "bound_x": 100,
    "clamp_low": -128,
    "clamp_high": 127,
}


def make_config(pes_y: int, pes_x: int, lanes: int, simd: int) -> AcceleratorConfig:
    """Return a grid with small memories: 32 register-file rows per half, 64 vectors or more."""
    return AcceleratorConfig(
        pes_x=pes_x,
        pes_y=pes_y,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=max(1, lanes * simd // 16),
        register_file_kb=simd // 4,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


def wrap(value: int) -> int:
    """Two's complement of 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def requantize(accumulator: int, record: NDArray[np.int64]) -> int:
    """Reference arithmetic of docs/hardware.md."""
    bias, multiplier, left, right = (int(value) for value in record)
    x = wrap((accumulator + bias) << left)
    h = wrap((x * multiplier + HALF) // (1 << 31))
    magnitude = (2 * abs(h) + (1 << right)) // (1 << (right + 1))
    return magnitude if h >= 0 else -magnitude


class GridModel:
    """Local memories of all PEs and what a descriptor does to them, by docs/hardware.md.

    memory : int8[pes_y, pes_x, L, depth, S]; weights : int8[2, L, rows, S, 4];
    records : int64[2, L, 4, R, 4]
    """

    def __init__(self, config: AcceleratorConfig, seed: int, depth: int) -> None:
        """Fill everything with random values; only `depth` vectors per bank are modelled."""
        self.config = config
        self.depth = depth
        self.rows = min(config.weight_rows, 24)
        lanes, simd, width = config.compute_lanes, config.simd_units, config.requantizer_width
        rng = np.random.default_rng(seed)
        shape = (config.pes_y, config.pes_x, lanes, depth, simd)
        self.memory = rng.integers(-128, 128, shape, np.int8)
        self.weights = rng.integers(-128, 128, (2, lanes, self.rows, simd, 4), np.int8)
        self.records = np.zeros((2, lanes, 4, width, 4), np.int64)
        self.records[..., 0] = rng.integers(-1000, 1000, (2, lanes, 4, width))
        self.records[..., 1] = rng.integers(HALF, 1 << 31, (2, lanes, 4, width))
        self.records[..., 2] = rng.integers(0, 3, (2, lanes, 4, width))
        self.records[..., 3] = rng.integers(4, 9, (2, lanes, 4, width))

    def read(self, d: Descriptor, py: int, px: int, bank: int, tap: tuple[int, int, int]) -> Any:
        """Vector of a PE, or padding; `tap` is address, image row and image column of PE (0, 0)."""
        address, y, x = tap
        y, x = y + py * d["pitch_y"], x + px * d["pitch_x"]
        if not (0 <= y < d["bound_y"] and 0 <= x < d["bound_x"]):
            return np.full(self.config.simd_units, d["pad_value"])
        return self.memory[py, px, bank, address % self.depth].astype(np.int64)

    def accumulate(self, d: Descriptor, py: int, px: int, oy: int, ox: int) -> Any:
        """Accumulators int64[L, S] of a window of CONV, DEPTHWISE or POOL."""
        config = self.config
        lanes, simd = config.compute_lanes, config.simd_units
        weights = self.weights[d["half"]].astype(np.int64)
        total = np.zeros((lanes, simd), np.int64)
        taps = []
        for ky in range(d["kernel_rows"]):
            for kx in range(d["kernel_columns"]):
                y, x = oy * d["stride_y"] + ky, ox * d["stride_x"] + kx
                address = d["in_address"] + y * d["in_row"] + x
                taps.append((address, d["origin_y"] + y, d["origin_x"] + x))
        if d["op"] != ExecuteOp.CONV:
            for t, tap in enumerate(taps):
                row, byte = divmod(t, 4) if d["op"] == ExecuteOp.DEPTHWISE else (0, 0)
                for lane in range(lanes):
                    total[lane] += self.read(d, py, px, lane, tap) * weights[lane, row, :, byte]
            return total
        row = 0
        for group in range(d["groups"]):
            quads = d["last_quads"] if group == d["groups"] - 1 else simd // 4
            for address, y, x in taps:
                plane = group // lanes * d["in_plane"]
                vector = self.read(d, py, px, group % lanes, (address + plane, y, x))
                for quad in range(quads):
                    total += weights[:, row] @ vector[4 * quad : 4 * quad + 4]
                    row += 1
        return total

    def compute(self, d: Descriptor, py: int, px: int, oy: int, ox: int) -> Any:
        """Output vectors int8[L, S] of a window.

        POOL: a PE other than (0, 0) gets the sum of those to the east of it and, in the first column,
        of the rows below. No program uses that, but the model then knows all memories.
        """
        config = self.config
        lanes, simd, width = config.compute_lanes, config.simd_units, config.requantizer_width
        records = self.records[d["half"]]
        values = np.zeros((lanes, simd), np.int64)
        if d["op"] == ExecuteOp.ADD:
            first = d["in_address"] + oy * d["in_row"] + ox
            second = d["in2_address"] + oy * d["in2_row"] + ox
            for lane in range(lanes):
                for channel in range(simd):
                    record = records[lane, :, channel % width]
                    a = requantize(int(self.memory[py, px, lane, first, channel]), record[0])
                    b = requantize(int(self.memory[py, px, lane, second, channel]), record[1])
                    values[lane, channel] = requantize(wrap(a + b), record[2])
        else:
            if d["op"] == ExecuteOp.POOL:
                total = sum(
                    self.accumulate(d, y, x, oy, ox)
                    for y in range(py, config.pes_y if px == 0 else py + 1)
                    for x in range(px, config.pes_x)
                )
            else:
                total = self.accumulate(d, py, px, oy, ox)
            for lane in range(lanes):
                for channel in range(simd):
                    record = records[lane, channel // width, channel % width]
                    values[lane, channel] = requantize(int(total[lane, channel]), record)
        return np.clip(values + d["zero_point"], d["clamp_low"], d["clamp_high"]).astype(np.int8)

    def execute(self, d: Descriptor) -> None:
        """Run a descriptor."""
        config = self.config
        for oy in range(d["tile_rows"]):
            for ox in range(d["tile_columns"]):
                outputs = {
                    (py, px): self.compute(d, py, px, oy, ox)
                    for py in range(config.pes_y)
                    for px in range(config.pes_x)
                }
                for dy, dx in stores(d, oy, ox):
                    row = oy + dy * d["tile_rows"]
                    address = d["out_address"] + row * d["out_row"] + ox + dx * d["tile_columns"]
                    for py in range(config.pes_y):
                        for px in range(config.pes_x):
                            zeros = np.zeros_like(outputs[0, 0])
                            vectors = outputs.get((py + dy, px + dx), zeros)
                            for lane in range(d["lanes"]):
                                self.memory[py, px, lane, address] = vectors[lane]


def stores(d: Descriptor, oy: int, ox: int) -> list[tuple[int, int]]:
    """Stores of a window as (dy, dx), in order."""
    if d["op"] == ExecuteOp.POOL:
        return [(0, 0)]
    columns = [0] + [1] * (ox < d["halo_right"]) + [-1] * (ox >= d["tile_columns"] - d["halo_left"])
    rows = [0] + [1] * (oy < d["halo_bottom"]) + [-1] * (oy >= d["tile_rows"] - d["halo_top"])
    return [(dy, dx) for dy in rows for dx in columns]


def least_interval(config: AcceleratorConfig, d: Descriptor) -> int:
    """Return the least II of a descriptor."""
    taps = d["kernel_rows"] * d["kernel_columns"]
    if d["op"] == ExecuteOp.CONV:
        taps *= (d["groups"] - 1) * config.simd_units // 4 + d["last_quads"]
    most = max(
        len(stores(d, oy, ox)) for oy in range(d["tile_rows"]) for ox in range(d["tile_columns"])
    )
    if d["op"] == ExecuteOp.ADD:
        taps = ExecuteUnit.ADD_INTERVAL
    return max(4, taps, most)


def durations(config: AcceleratorConfig, d: Descriptor) -> tuple[int, int]:
    """Return cycles from start to issue end and to done, in closed form."""
    windows = d["tile_rows"] * d["tile_columns"] * d["initiation_interval"]
    count = len(stores(d, d["tile_rows"] - 1, d["tile_columns"] - 1))
    if d["op"] == ExecuteOp.POOL:
        windows += 4 * (config.pes_x + config.pes_y - 2)
    hold = ExecuteUnit.ADD_HOLD if d["op"] == ExecuteOp.ADD else 0
    return windows + hold + max(0, count - 4), windows + ExecuteUnit.DRAIN + count


class Bench:
    """An EXECUTE unit with its grid, filled from a model."""

    def __init__(self, config: AcceleratorConfig, seed: int = 0, depth: int = 64) -> None:
        """Build both; the model holds the first `depth` vectors of each bank."""
        self.config = config
        self.model = GridModel(config, seed, min(depth, config.bank_depth))
        self.grid = Grid(config)
        self.execute = ExecuteUnit(config)

    def check(self, descriptors: list[Descriptor], idles: list[int] | None = None) -> None:
        """Run complete descriptors, `idles` cycles before each, and compare memories and times."""
        m = Module()
        m.submodules.grid, m.submodules.execute = self.grid, self.execute
        wiring.connect(m, self.execute.control, self.grid.control)

        async def bench(ctx: Any) -> None:
            await self._fill(ctx)
            await self._run(ctx, descriptors, idles or [0] * len(descriptors))
            for d in descriptors:
                self.model.execute(d)
            await self._compare(ctx)

        simulator = Simulator(m)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()

    async def _fill(self, ctx: Any) -> None:
        """Write the model's memories, weights and records through the grid's ports."""
        model, config = self.model, self.config
        tile, row = self.grid.tile_write, self.grid.row_write
        for half in range(2):
            for lane in range(config.compute_lanes):
                for index in range(4 + model.rows):
                    parameter = index < 4
                    if parameter:
                        data = b"".join(
                            (int(bias) % (1 << 32)).to_bytes(4, "little")
                            + int(multiplier).to_bytes(4, "little")
                            + bytes((int(left), int(right)))
                            + b"\xa5" * 6
                            for bias, multiplier, left, right in model.records[half, lane, index]
                        )
                        address = 4 * half + index
                    else:
                        data = model.weights[half, lane, index - 4].tobytes()
                        address = half * config.weight_rows + index - 4
                    ctx.set(row.enable, 1)
                    ctx.set(row.lanes, 1 << lane)
                    ctx.set(row.parameter, parameter)
                    ctx.set(row.address, address)
                    ctx.set(row.data, int.from_bytes(data, "little"))
                    await ctx.tick()
        ctx.set(row.enable, 0)
        for py, px, bank, address in np.ndindex(model.memory.shape[:4]):
            vector = model.memory[py, px, bank, address].tobytes()
            values = {"enable": 1, "pe_y": py, "pe_x": px, "bank": bank, "address": address}
            ctx.set(tile, values | {"data": int.from_bytes(vector, "little")})
            await ctx.tick()
        ctx.set(tile.enable, 0)
        for _ in range(Grid.WRITE_LATENCY - 1):
            await ctx.tick()

    async def _run(self, ctx: Any, descriptors: list[Descriptor], idles: list[int]) -> None:
        """Run the descriptors; check when each starts, leaves the issue stage and is done."""
        execute = self.execute
        starts: list[int] = []
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

    async def _compare(self, ctx: Any) -> None:
        """Read all memories back, one vector per cycle."""
        memory = self.model.memory
        places = list(np.ndindex(memory.shape[:4]))
        simd = self.config.simd_units
        found = np.zeros_like(memory)
        for index in range(len(places) + Grid.READ_LATENCY):
            enable = index < len(places)
            ctx.set(self.grid.tile_read.enable, enable)
            if enable:
                values = zip(("pe_y", "pe_x", "bank", "address"), places[index], strict=True)
                ctx.set(self.grid.tile_read, dict(values) | {"enable": 1})
            if index >= Grid.READ_LATENCY:
                data = ctx.get(self.grid.tile_read_data).to_bytes(simd, "little")
                found[places[index - Grid.READ_LATENCY]] = np.frombuffer(data, np.int8)
            await ctx.tick()
        np.testing.assert_array_equal(found, memory)


def complete(config: AcceleratorConfig, **fields: int) -> Descriptor:
    """Return a descriptor with all fields, by default with all lanes and the least II."""
    d = {field.name: 0 for field in FIELDS[Queue.EXECUTE]}
    d |= DEFAULTS | {"lanes": config.compute_lanes} | fields
    if "initiation_interval" not in fields:
        d["initiation_interval"] = least_interval(config, d)
    return d


def test_conv_with_stride_padding_and_partial_group() -> None:
    """3 groups on 2 lanes (one wraps to the next plane), the last with fewer quads."""
    config = make_config(2, 2, 2, 8)
    d = complete(
        config,
        op=ExecuteOp.CONV,
        tile_rows=2,
        tile_columns=2,
        kernel_rows=2,
        kernel_columns=2,
        stride_y=2,
        stride_x=1,
        groups=3,
        last_quads=1,
        in_plane=16,
        in_row=3,
        in_address=1,
        origin_y=-1,
        origin_x=-1,
        pitch_y=4,
        pitch_x=2,
        bound_y=6,
        bound_x=4,
        pad_value=-7,
        out_address=40,
        out_row=2,
        zero_point=3,
        clamp_low=-100,
        clamp_high=90,
        post=5,
    )
    Bench(config).check([d])


def test_depthwise() -> None:
    """Taps beyond the fourth come from further rows; only the first of two lanes stores."""
    config = make_config(1, 2, 2, 4)
    descriptors = []
    for index, (kernel, stride) in enumerate([(3, 1), (3, 2), (5, 1)]):
        d = complete(
            config,
            op=ExecuteOp.DEPTHWISE,
            lanes=1,
            half=index % 2,
            tile_rows=2,
            tile_columns=2,
            kernel_rows=kernel,
            kernel_columns=kernel,
            stride_y=stride,
            stride_x=stride,
            in_row=6,
            origin_y=-1,
            origin_x=-1,
            pitch_x=2 * stride,
            bound_y=5,
            bound_x=5,
            pad_value=17,
            out_address=45 + 6 * index,
            out_row=3,
        )
        descriptors.append(d)
    Bench(config).check(descriptors)


@pytest.mark.parametrize("shape", [(2, 2), (1, 3), (3, 1)])
def test_pool_sums_over_the_grid(shape: tuple[int, int]) -> None:
    """Pixels outside the image read the zero point that the bias takes off again."""
    config = make_config(*shape, 1, 4)
    d = complete(
        config,
        op=ExecuteOp.POOL,
        kernel_rows=3,
        kernel_columns=2,
        in_row=2,
        pitch_y=3,
        pitch_x=2,
        bound_y=3 * shape[0] - 1,
        bound_x=2 * shape[1] - 1,
        pad_value=-3,
        out_address=20,
    )
    Bench(config, depth=24).check([d, d | {"half": 1, "out_address": 21}])


def test_add() -> None:
    """Each operand has its own address and row length."""
    config = make_config(1, 1, 2, 8)
    d = complete(
        config,
        op=ExecuteOp.ADD,
        tile_rows=2,
        tile_columns=3,
        in_address=2,
        in_row=4,
        in2_address=20,
        in2_row=5,
        out_address=40,
        out_row=6,
        zero_point=-5,
        bound_y=0,
        bound_x=0,
        stride_x=2,
    )
    Bench(config).check([d, d | {"initiation_interval": 15, "half": 1, "out_address": 52}])


def test_halo_of_every_neighbour() -> None:
    """Up to 9 stores per window; with II = 4 the next descriptor must not run into them."""
    config = make_config(3, 3, 1, 4)
    descriptors = []
    for index, (rows, columns) in enumerate([(1, 1), (2, 2), (1, 3), (3, 2)]):
        d = complete(
            config,
            op=ExecuteOp.CONV,
            tile_rows=rows,
            tile_columns=columns,
            in_row=columns,
            out_row=columns + 2,
            out_address=8 + 26 * index + columns + 3,
            halo_top=1,
            halo_bottom=1,
            halo_left=1,
            halo_right=1,
        )
        plain = complete(config, op=ExecuteOp.CONV, out_address=112 + 2 * index)
        descriptors += [d, plain, plain | {"in_address": 1, "out_address": 113 + 2 * index}]
    Bench(config, depth=120).check(descriptors)


def test_kernel_larger_than_image() -> None:
    """Every tap of the outer PEs is padding."""
    config = make_config(1, 3, 1, 8)
    d = complete(
        config,
        op=ExecuteOp.CONV,
        kernel_rows=3,
        kernel_columns=3,
        last_quads=2,
        in_address=config.bank_depth - 4,
        in_row=3,
        origin_y=-1,
        origin_x=-4,
        pitch_x=4,
        bound_y=1,
        bound_x=1,
        pad_value=5,
        out_address=30,
    )
    Bench(config, depth=config.bank_depth).check([d])


def random_descriptor(rng: random.Random, config: AcceleratorConfig, previous: int) -> Descriptor:
    """Draw a descriptor that reads region 0, or the region that an earlier one wrote.

    A bank has 3 regions of 21 vectors; only region 0 may be read without ``wait_drain``.
    """
    op = rng.choice(list(ExecuteOp))
    source = rng.choice((0, previous))
    target = rng.choice([region for region in (1, 2) if region != source])
    pool = op == ExecuteOp.POOL
    rows, columns = (1, 1) if pool else (rng.randint(1, 2), rng.randint(1, 3))
    kernel_rows, kernel_columns = rng.randint(1, 2), rng.randint(1, 2)
    fields = {
        "op": op,
        "post": rng.randrange(8),
        "wait_drain": int(source != 0 or rng.random() < 0.1),
        "half": rng.randrange(2),
        "lanes": rng.randint(1, config.compute_lanes),
        "tile_rows": rows,
        "tile_columns": columns,
        "kernel_rows": kernel_rows,
        "kernel_columns": kernel_columns,
        "in_address": 21 * source,
        "in2_address": 21 * source + rng.randrange(4),
        "in2_row": columns,
        "out_row": columns + 2,
        "out_address": 21 * target + columns + 3 if rows + columns < 4 else 21 * target + 3,
        "origin_y": rng.randint(-2, 1),
        "origin_x": rng.randint(-2, 1),
        "pitch_y": rng.randrange(4),
        "pitch_x": rng.randrange(4),
        "bound_y": rng.randint(1, 6),
        "bound_x": rng.randint(1, 6),
        "pad_value": rng.randint(-128, 127),
        "zero_point": rng.randint(-20, 20),
        "clamp_low": rng.randint(-128, -80),
        "clamp_high": rng.randint(80, 127),
        "stride_y": rng.randint(1, 2),
        "stride_x": 1,
        "in_row": rng.randint(1, 4),
    }
    if op == ExecuteOp.CONV:
        quads = config.simd_units // 4
        fields["groups"] = groups = rng.randint(1, 2 * config.compute_lanes)
        fields["last_quads"] = rng.randint(1, quads)
        fields["in_plane"] = 2
        if kernel_rows * kernel_columns * ((groups - 1) * quads + fields["last_quads"]) > 24:
            fields["groups"] = 1
    if not pool and rows + columns < 4:
        fields |= {f"halo_{side}": rng.randrange(2) for side in ("top", "bottom", "left", "right")}
    d = complete(config, **fields)
    if rng.random() < 0.3:
        d["initiation_interval"] += rng.randrange(6)
    return d


@pytest.mark.parametrize(
    ("shape", "lanes", "simd", "seed"),
    [((1, 1), 1, 4, 1), ((2, 2), 1, 4, 2), ((1, 2), 4, 4, 3), ((2, 1), 2, 8, 4)],
)
def test_random_descriptors(shape: tuple[int, int], lanes: int, simd: int, seed: int) -> None:
    """Every order of operations back to back, also with idle cycles between commands."""
    rng = random.Random(seed)
    config = make_config(*shape, lanes, simd)
    descriptors: list[Descriptor] = []
    for _ in range(40 if config.pes == 1 else 12):
        written = descriptors[-1]["out_address"] // 21 if descriptors else 0
        descriptors.append(random_descriptor(rng, config, written))
    idles = [rng.choice((0, 0, 0, rng.randrange(30))) for _ in descriptors]
    Bench(config, seed, depth=63).check(descriptors, idles)
