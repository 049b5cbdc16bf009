"""EXECUTE unit and PE grid together, against a model of the local memories."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from numpy.typing import NDArray

import execute_descriptors
from accelerators import small_accelerator
from execute_descriptors import (
    Descriptor,
    pixel_window,
    set_stores,
    share_rows,
    source_banks,
    window_sets,
)
from gateware_simulation import simulate
from hwgen.gateware.execute.unit import ExecuteUnit
from hwgen.gateware.grid.grid import Grid
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

HALF = 1 << 30  # a multiplier of one half
REGION = 48  # vectors; a bank has three regions, of which the first is only read


def make_config(pes_y: int, pes_x: int, lanes: int, simd: int) -> AcceleratorConfig:
    """Return a grid with 64 register-file rows per lane and 256 vectors per bank."""
    return small_accelerator(
        pes_y,
        pes_x,
        simd_units=simd,
        compute_lanes=lanes,
        local_memory_kb=lanes * simd // 4,
        register_file_kb=simd // 4,
        io_bandwidth_gbps=1.0,
        clock_mhz=500,
    )


def wrap(value: int) -> int:
    """Two's complement of 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def requantize(accumulator: int, record: NDArray[np.int64]) -> int:
    """Reference arithmetic of docs/explanation/hardware.md."""
    bias, multiplier, left, right = (int(value) for value in record)
    x = wrap((accumulator + bias) << left)
    h = wrap((x * multiplier + HALF) // (1 << 31))
    magnitude = (2 * abs(h) + (1 << right)) // (1 << (right + 1))
    return magnitude if h >= 0 else -magnitude


class GridModel:
    """Local memories of all PEs and what a descriptor does to them, by docs/explanation/hardware.md.

    memory : int8[pes_y, pes_x, L, depth, S]; weights : int8[2, L, rows, S, 4];
    records : int64[2, L, 4, R, 4]; saved : int64[A, pes_y, pes_x, L, S]
    """

    def __init__(self, config: AcceleratorConfig, seed: int) -> None:
        """Fill all local memories with random values; only three regions of a bank are modelled."""
        self.config = config
        lanes, simd, width = config.compute_lanes, config.simd_units, config.requantizer_width
        rng = np.random.default_rng(seed)
        shape = (config.pes_y, config.pes_x, lanes, 3 * REGION, simd)
        self.memory = rng.integers(-128, 128, shape, np.int8)
        own = (2, config.pes_x, lanes)
        self.weights = rng.integers(-128, 128, (*own, config.weight_rows, simd, 4), np.int8)
        self.records = np.zeros((*own, 4, width, 4), np.int64)
        self.records[..., 0] = rng.integers(-1000, 1000, (*own, 4, width))
        self.records[..., 1] = rng.integers(HALF, 1 << 31, (*own, 4, width))
        self.records[..., 2] = rng.integers(0, 3, (*own, 4, width))
        self.records[..., 3] = rng.integers(4, 9, (*own, 4, width))
        saved = (config.accumulator_rows, config.pes_y, config.pes_x, lanes, simd)
        self.saved = np.zeros(saved, np.int64)

    def read(self, d: Descriptor, pe: tuple[int, int], bank: int, y: int, x: int) -> Any:
        """Vector of a PE, `y` rows and `x` columns from the first, or padding."""
        image_y = d["origin_y"] + y + pe[0] * d["pitch_y"]
        image_x = d["origin_x"] + x + pe[1] * d["pitch_x"]
        if not (0 <= image_y < d["bound_y"] and 0 <= image_x < d["bound_x"]):
            return np.full(self.config.simd_units, d["pad_value"])
        plane, bank = divmod(bank, self.config.compute_lanes)
        address = d["in_address"] + plane * d["in_plane"] + y * d["in_row"] + x
        address += pe[1] * d["column_stride"]
        return self.memory[*pe, bank, address].astype(np.int64)

    def window(self, d: Descriptor, pe: tuple[int, int], y: int, column: int, pixel: int) -> Any:
        """Row of a window's input, where a vector holds that of several windows, or padding."""
        vector, place = divmod(column, d["vector_sets"] * d["pixels"])
        inside = self.read(d | {"in_address": d["in_address"] + vector}, pe, 0, y, 0)
        outside = self.read(d | {"in_address": 0, "pad_value": 1000}, pe, 0, y, 0)
        if (outside == 1000).all():
            return inside
        shift = (place + pixel) * d["window_bytes"]
        return np.append(inside[shift:], np.zeros(shift, np.int64))

    def accumulate(self, d: Descriptor, pe: tuple[int, int], row: int, column: int) -> Any:
        """Accumulators int64[L, S] of a set of windows of CONV, DEPTHWISE or POOL.

        Lanes of pixels beyond the row or column compute what no one stores: here 0.
        """
        lanes, simd = self.config.compute_lanes, self.config.simd_units
        # the lanes of all pixels have the rows of the first pixel's
        shared = np.arange(lanes) % (lanes // d["pixels"])
        weights = self.weights[d["half"], pe[1], shared].astype(np.int64)
        total = np.zeros((lanes, simd), np.int64)
        if d["maximum"]:
            total -= 128
        for lane in range(lanes):
            pixel = lane // (lanes // d["pixels"])
            y, x = pixel_window(d, row, column, pixel)
            if y >= d["window_rows"] or x >= d["window_columns"]:
                continue
            top, left = y * d["stride_y"], x * d["stride_x"]
            if d["op"] != ExecuteOp.CONV:
                for tap in range(d["kernel_rows"] * d["kernel_columns"]):
                    kx, ky = divmod(tap, d["kernel_rows"])
                    index, byte = divmod(tap, 4) if d["op"] == ExecuteOp.DEPTHWISE else (0, 0)
                    bank = d["bank"] + lane % (lanes // d["pixels"])
                    vector = self.read(d, pe, bank, top + ky, left + kx)
                    if d["maximum"]:
                        total[lane] = np.maximum(total[lane], vector)
                    else:
                        total[lane] += vector * weights[lane, index, :, byte]
                continue
            step = 0
            for group in range(d["groups"]):
                first = d["first_quad"] if group == 0 else 0
                end = d["last_quads"] if group == d["groups"] - 1 else simd // 4
                for ky in range(d["kernel_rows"]):
                    for kx in range(d["kernel_columns"]):
                        vector = self.read(d, pe, d["bank"] + group, top + ky, left + kx)
                        if d["vector_sets"]:
                            vector = self.window(d, pe, top + ky, column, pixel)
                        for quad in range(first, end):
                            total[lane] += weights[lane, step] @ vector[4 * quad : 4 * quad + 4]
                            step += 1
        return total

    def add(self, d: Descriptor, pe: tuple[int, int], row: int, column: int) -> Any:
        """Sums int64[L, S] of a set of windows of ADD."""
        lanes, width = self.config.compute_lanes, self.config.requantizer_width
        group = lanes // d["pixels"]
        values = np.zeros((lanes, self.config.simd_units), np.int64)
        for lane in range(lanes):
            pixel, bank = lane // group, d["bank"] + lane % group
            if column + pixel >= d["window_columns"]:
                continue
            further = column + pixel + pe[1] * d["column_stride"]
            first = d["in_address"] + row * d["in_row"] + further
            second = d["in2_address"] + row * d["in2_row"] + further
            for channel in range(self.config.simd_units):
                record = self.records[d["half"], pe[1], lane, :, channel % width]
                a = requantize(int(self.memory[*pe, bank, first, channel]), record[0])
                b = requantize(int(self.memory[*pe, bank, second, channel]), record[1])
                values[lane, channel] = requantize(wrap(a + b), record[2])
        return values

    def compute(self, d: Descriptor, row: int, column: int, index: int) -> dict[Any, Any]:
        """Output vectors int8[L, S] of a set of windows, by PE.

        POOL: a PE gets the sum of those to the east of it, and of the rows below; with ``spread`` of the
        rows only. Programs use that of row 0, but the model then knows all memories.
        """
        config, width = self.config, self.config.requantizer_width
        pes = list(np.ndindex(config.pes_y, config.pes_x))
        if d["op"] == ExecuteOp.ADD:
            values = {pe: self.add(d, pe, row, column) for pe in pes}
        else:
            totals = {pe: self.accumulate(d, pe, row, column) for pe in pes}
            if d["op"] == ExecuteOp.POOL:
                totals = {
                    (py, px): sum(
                        totals[y, x]
                        for y in range(py, config.pes_y)
                        for x in range(px, px + 1 if d["spread"] else config.pes_x)
                    )
                    for py, px in pes
                }
            saved = d["accumulator_row"] + index
            if d["restore"]:
                totals = {pe: total + self.saved[saved, *pe] for pe, total in totals.items()}
            if d["save"]:
                for pe, total in totals.items():
                    self.saved[saved, *pe] = total
            values = {}
            for pe, total in totals.items():
                values[pe] = np.zeros_like(total)
                for lane, channel in np.ndindex(total.shape):
                    own = self.records[d["half"], pe[1], lane]
                    record = own[channel // width, channel % width]
                    values[pe][lane, channel] = requantize(int(total[lane, channel]), record)
        low, high = d["clamp_low"], d["clamp_high"]
        return {
            pe: np.clip(value + d["zero_point"], low, high).astype(np.int8)
            for pe, value in values.items()
        }

    def execute(self, d: Descriptor) -> None:
        """Run a descriptor on the modelled memories."""
        group = self.config.compute_lanes // d["pixels"]
        zeros = np.zeros((self.config.compute_lanes, self.config.simd_units), np.int8)
        for index, (row, column, count) in enumerate(window_sets(d)):
            outputs = self.compute(d, row, column, index)
            for pixel, dy, dx in set_stores(d, row, column, count):
                banks = range(d["out_bank"], d["out_bank"] + d["lanes"])
                further = dx * d["tile_columns"]
                if d["sources"]:
                    further, banks = source_banks(self.config, d, dx)
                y, x = pixel_window(d, row, column, pixel)
                y, x = y + dy * d["tile_rows"], x + further
                address = d["out_address"] + y * d["out_row"] + x
                for py, px in outputs:
                    source = dx if d["sources"] else px + dx
                    vectors = outputs.get((py + dy, source), zeros)
                    for bank in banks:
                        lane = pixel * group + bank % group
                        self.memory[py, px, bank, address] = vectors[lane]


def complete(config: AcceleratorConfig, **fields: int) -> Descriptor:
    """Return a descriptor that stores all it computes, with the least II and hold that it needs."""
    given = {"lanes": config.compute_lanes // fields.get("pixels", 1)}
    given |= {"bound_y": 100, "bound_x": 100, "clamp_low": -128, "clamp_high": 127} | fields
    d = execute_descriptors.complete(config, **given)
    if d["save"]:
        # A single set's accumulators are saved before the next descriptor restores them
        d["hold"] = fields.get("hold", max(d["hold"], 2))
    return d


class Bench:
    """An EXECUTE unit with its grid, filled from a model."""

    def __init__(self, config: AcceleratorConfig, seed: int = 0) -> None:
        """Build the unit and its grid."""
        self.config = config
        self.model = GridModel(config, seed)
        self.grid = Grid(config)
        self.execute = ExecuteUnit(config)

    def check(self, *programs: list[Descriptor], idles: list[int] | None = None) -> None:
        """Run complete descriptors and compare the memories after each program of them.

        `idles` are the cycles before each descriptor of a program.
        """
        m = Module()
        m.submodules.grid, m.submodules.execute = self.grid, self.execute
        wiring.connect(m, self.execute.control, self.grid.control)

        async def bench(ctx: Any) -> None:
            await self._fill(ctx)
            for descriptors in programs:
                for d, idle in zip(descriptors, idles or [0] * len(descriptors), strict=True):
                    for _ in range(idle):
                        await ctx.tick()
                    ctx.set(self.execute.command.payload, d)
                    ctx.set(self.execute.command.valid, 1)
                    await ctx.tick().until(self.execute.command.ready)
                    ctx.set(self.execute.command.valid, 0)
                await ctx.tick().until(~self.execute.busy)
                for d in descriptors:
                    self.model.execute(d)
                await self._compare(ctx)

        simulate(m, bench)

    async def _fill(self, ctx: Any) -> None:
        """Write the model's memories, weights and records through the grid's ports."""
        model, config = self.model, self.config
        tile, row = self.grid.tile_write, self.grid.row_write
        for half in range(2):
            for x, lane in np.ndindex(config.pes_x, config.compute_lanes):
                for index in range(4 + config.weight_rows):
                    parameter = index < 4
                    if parameter:
                        data = b"".join(
                            (int(bias) % (1 << 32)).to_bytes(4, "little")
                            + int(multiplier).to_bytes(4, "little")
                            + bytes((int(left), int(right)))
                            for bias, multiplier, left, right in model.records[half, x, lane, index]
                        )
                        address = 4 * half + index
                    else:
                        data = model.weights[half, x, lane, index - 4].tobytes()
                        address = half * config.weight_rows + index - 4
                    ctx.set(row.enable, 1)
                    ctx.set(row.lanes, 1 << lane)
                    ctx.set(row.columns, 1 << x)
                    ctx.set(row.parameter, parameter)
                    ctx.set(row.address, address)
                    ctx.set(row.data[0], int.from_bytes(data, "little"))
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

    async def _compare(self, ctx: Any) -> None:
        """Read all memories back, one vector per cycle."""
        memory = self.model.memory
        places = list(np.ndindex(memory.shape[:4]))
        simd = self.config.simd_units
        content = np.zeros_like(memory)
        for index in range(len(places) + Grid.READ_LATENCY):
            enable = index < len(places)
            ctx.set(self.grid.tile_read.enable, enable)
            if enable:
                values = zip(("pe_y", "pe_x", "bank", "address"), places[index], strict=True)
                ctx.set(self.grid.tile_read, dict(values) | {"enable": 1})
            if index >= Grid.READ_LATENCY:
                data = ctx.get(self.grid.tile_read_data).to_bytes(simd, "little")
                content[places[index - Grid.READ_LATENCY]] = np.frombuffer(data, np.int8)
            await ctx.tick()
        np.testing.assert_array_equal(content, memory)


def random_descriptor(rng: random.Random, config: AcceleratorConfig, previous: int) -> Descriptor:
    """Draw a descriptor that reads region 0, or the region that an earlier one wrote.

    Only region 0 may be read without ``wait_drain``.
    """
    op = rng.choice(list(ExecuteOp))
    lanes, quads = config.compute_lanes, config.simd_units // 4
    source = rng.choice((0, previous))
    target = rng.choice([region for region in (1, 2) if region != source])
    pool, depthwise = op == ExecuteOp.POOL, op == ExecuteOp.DEPTHWISE
    pixels = 1 if pool else 1 << rng.randrange(lanes.bit_length())
    tile_rows, tile_columns = (1, 1) if pool else (rng.randint(1, 2), rng.randint(1, pixels + 2))
    if depthwise:
        tile_rows, tile_columns = tile_columns, tile_rows
    first_row, first_column = rng.randrange(tile_rows), rng.randrange(tile_columns)
    columns = tile_columns - first_column
    stride_x = rng.randint(1, 2)
    d = {
        "op": int(op),
        "wait_drain": int(source != 0 or rng.random() < 0.1),
        "half": rng.randrange(2),
        "pixels": pixels,
        "lanes": rng.randint(1, lanes // pixels),
        "tile_rows": tile_rows,
        "tile_columns": tile_columns,
        "first_row": first_row,
        "first_column": first_column,
        "window_rows": tile_rows - first_row,
        "window_columns": columns,
        "kernel_rows": rng.randint(1, 3),
        "kernel_columns": rng.randint(1, 3),
        "stride_y": rng.randint(1, 2),
        "stride_x": stride_x,
        "in_address": REGION * source,
        "in_row": rng.randint(1, 4),
        "in_plane": 3,
        "in2_address": REGION * source + rng.randrange(4),
        "in2_row": columns,
        "out_row": tile_columns + 2,
        "out_address": REGION * target + (first_row + 1) * (tile_columns + 2) + first_column + 1,
        "origin_y": rng.randint(-2, 1),
        "origin_x": rng.randint(-2, 1),
        "pitch_y": rng.randrange(4),
        "pitch_x": rng.randrange(4),
        "bound_y": rng.randint(1, 8),
        "bound_x": rng.randint(1, 8),
        "pad_value": rng.randint(-128, 127),
        "zero_point": rng.randint(-20, 20),
        "clamp_low": rng.randint(-128, -80),
        "clamp_high": rng.randint(80, 127),
    }
    d["out_bank"] = rng.randint(0, lanes - d["lanes"])
    d |= {f"halo_{side}": rng.randrange(2) for side in ("top", "bottom", "left", "right")}
    if op in (ExecuteOp.DEPTHWISE, ExecuteOp.ADD):
        d["bank"] = rng.randrange(pixels) * (lanes // pixels)
    if depthwise:
        d["maximum"] = rng.randrange(2)
        d["window"] = int(pixels > 1 or rng.random() < 0.7)
        if d["window"]:
            d["band_rows"] = pixels * rng.randint(1, 2)
        if pixels > 1 or d.get("band_rows", 1) > 1:
            # with a column of the ring of at most 2 + 4 * 4 vectors
            d |= {"kernel_rows": rng.randint(2, 3), "stride_y": 1}
    if op == ExecuteOp.CONV:
        d |= {"bank": rng.randrange(lanes), "groups": rng.randint(1, 2 * lanes)}
        d["first_quad"] = rng.randrange(quads)
        d["last_quads"] = rng.randint(d["first_quad"] + 1, quads)
        if d["kernel_rows"] * d["kernel_columns"] * d["groups"] * quads > config.weight_rows:
            d["groups"] = 1
        if rng.random() < 0.4:
            d |= several_windows(rng, config, d)
    if config.pes_x > 1 and rng.random() < 0.6:
        share_rows(rng, config, d)
        d["column_stride"] = rng.randrange(3)
    if rng.random() < 0.3:
        d["initiation_interval"] = complete(config, **d)["initiation_interval"] + rng.randrange(6)
    return complete(config, **d)


def several_windows(rng: random.Random, config: AcceleratorConfig, d: Descriptor) -> Descriptor:
    """Draw the fields of a CONV whose vectors hold the input of several windows."""
    sets = rng.randint(1, 3)
    most = (config.simd_units - 1) // max(1, sets * d["pixels"] - 1)
    fields = {"vector_sets": sets, "window_bytes": rng.randint(0, min(255, most))}
    fields |= {"groups": 1, "bank": 0, "kernel_columns": 1, "stride_x": 0, "first_quad": 0}
    return fields


SHAPES = [((1, 1), 1, 4), ((2, 2), 2, 4), ((1, 2), 4, 4), ((2, 1), 2, 8), ((1, 1), 8, 8)]


@pytest.mark.parametrize(
    ("shape", "lanes", "simd"),
    sampled(SHAPES, lambda shape: shape[1:] == (4, 4), fields=True),
)
def test_random_descriptors(shape: tuple[int, int], lanes: int, simd: int) -> None:
    """Every order of operations back to back, also with idle cycles between commands."""
    rng = random.Random(f"{shape} {lanes} {simd}")
    config = make_config(*shape, lanes, simd)
    descriptors: list[Descriptor] = []
    for _ in range(20 if config.pes == 1 else 12):
        written = descriptors[-1]["out_address"] // REGION if descriptors else 0
        descriptors.append(random_descriptor(rng, config, written))
    idles = [rng.choice((0, 0, 0, rng.randrange(30))) for _ in descriptors]
    Bench(config).check(descriptors, idles=idles)


def three_parts(config: AcceleratorConfig, columns: int, row: int) -> list[Descriptor]:
    """Return convolutions whose input channels are split, with accumulators in rows from `row` on."""
    descriptors = []
    for index, pixels in enumerate([1, 2, 4]):
        fields = {
            "op": ExecuteOp.CONV,
            "pixels": pixels,
            "window_rows": 2 if columns == 7 and pixels > 1 else 1,
            "window_columns": columns,
            "kernel_columns": 2,
            "in_row": 8,
            "in_plane": 16,
            "out_address": REGION + 16 * index,
            "out_row": 7,
            "accumulator_row": row,
        }
        first = complete(config, groups=2, last_quads=1, save=1, **fields | {"lanes": 0})
        second = first | {"restore": 1, "half": 1, "bank": 1, "first_quad": 1, "last_quads": 2}
        third = complete(config, groups=1, bank=3, last_quads=2, restore=1, **fields)
        descriptors += [first, second, third, first]
        descriptors.append(third | {"out_address": third["out_address"] + REGION})
    return descriptors


@pytest.mark.long
@pytest.mark.parametrize("places", [[(1, 15), (7, 5)], [(1, 0), (7, 0), (1, 15), (7, 8), (7, 5)]])
def test_input_channels_in_three_parts(places: list[tuple[int, int]]) -> None:
    """Saved accumulators are restored by the next descriptor, and again by the one after.

    Long: parts of several tiles interleave in a test that always runs.
    """
    config = make_config(1, 1, 4, 8)
    Bench(config).check(*(three_parts(config, *place) for place in places))


def test_parts_of_several_tiles_interleave() -> None:
    """Each keeps its sums in rows of its own while the weights of one part serve them all."""
    config = make_config(1, 2, 2, 8)
    assert config.accumulator_rows == 16
    fields = {"op": ExecuteOp.CONV, "pixels": 2, "window_columns": 5, "kernel_columns": 2}
    parts: list[Descriptor] = [
        {"groups": 1, "last_quads": 2, "save": 1, "lanes": 0},
        {"groups": 2, "last_quads": 1, "save": 1, "lanes": 0, "restore": 1, "half": 1},
        {"groups": 1, "last_quads": 2, "restore": 1},
    ]
    tiles: list[Descriptor] = [
        {"accumulator_row": row, "in_address": 8 * tile, "out_address": REGION + 8 * tile}
        for tile, row in enumerate((3, 0, 13, 6))
    ]
    Bench(config).check(
        [complete(config, **fields | part | tile) for part in parts for tile in tiles]
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "maximum"),
    sampled(
        [(3, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 1), (5, 1, 0), (5, 1, 1), (2, 3, 0), (2, 3, 1)],
        lambda case: case == (3, 2, 1),
        fields=True,
    ),
)
def test_depthwise_both_ways(kernel: int, stride: int, maximum: int) -> None:
    """The window ring and one tap per cycle give the same, padding included."""
    config = make_config(1, 2, 1, 4)
    fields = {
        "op": ExecuteOp.DEPTHWISE,
        "window_rows": 2,
        "window_columns": 2,
        "kernel_rows": kernel,
        "kernel_columns": kernel,
        "stride_y": stride,
        "stride_x": stride,
        "in_row": 6,
        "origin_y": -1,
        "origin_x": -1,
        "pitch_x": 2 * stride,
        "bound_y": 5,
        "bound_x": 5,
        "pad_value": -128 if maximum else 17,
        "out_row": 2,
        "maximum": maximum,
    }
    ring = complete(config, window=1, out_address=REGION, **fields)
    single = complete(config, out_address=2 * REGION, **fields)
    bench = Bench(config)
    bench.check([ring, single, ring | {"half": 1, "out_address": REGION + 8}])
    memory = bench.model.memory[..., REGION:, :]
    np.testing.assert_array_equal(memory[..., :4, :], memory[..., REGION : REGION + 4, :])
