"""STORE unit: bytes, bursts, responses and cycles."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from hwgen.axi_memory import MemoryPort, write_side
from hwgen.gateware.grid import Grid
from hwgen.gateware.store import StoreUnit
from hwgen.gateware.transfer import most_vector_beats
from sim.spec.accelerator import AcceleratorConfig

BASE = 0x2000


def make_config(simd_units: int = 8, lanes: int = 2, gbps: float = 0.8) -> AcceleratorConfig:
    return AcceleratorConfig(
        pes_x=2,
        pes_y=2,
        simd_units=simd_units,
        compute_lanes=lanes,
        local_memory_kb=16,
        register_file_kb=4,
        io_bandwidth_gbps=gbps,
        clock_mhz=200,
    )


def vector(pe_y: int, pe_x: int, bank: int, address: int, size: int) -> bytes:
    """Content of the local memories: different everywhere."""
    return random.Random(f"{pe_y} {pe_x} {bank} {address}").randbytes(size)


class Run:
    """Runs descriptors on a STORE unit before a grid of known content."""

    def __init__(
        self,
        config: AcceleratorConfig,
        descriptors: list[dict[str, int]],
        stalls: float = 0.0,
        latency: int = 24,
        error: bool = False,
    ) -> None:
        self.config = config
        self.port = MemoryPort(
            bytearray(1 << 16),
            config.bus_bytes,
            latency=latency,
            stalls=stalls,
            seed=3,
            error_address=0 if error else -1,
        )
        self.starts: list[int] = []
        self.dones: list[int] = []
        self.posts: list[int] = []
        self.errors = self.busy = 0
        unit = StoreUnit(config)
        simulator = Simulator(unit)
        simulator.add_clock(1e-6)
        simulator.add_process(write_side(self.port, unit))

        async def grid(ctx: Any) -> None:
            pipeline = [0] * (Grid.READ_LATENCY - 1)
            async for _, _, read in ctx.tick().sample(unit.tile_read):
                data = vector(read.pe_y, read.pe_x, read.bank, read.address, config.vector_bytes)
                pipeline.append(int.from_bytes(data, "little") if read.enable else 0)
                ctx.set(unit.tile_read_data, pipeline.pop(0))

        async def monitor(ctx: Any) -> None:
            cycle = -1
            start_strobe = unit.command.valid & unit.command.ready
            async for _, _, start, done, post, error, busy in ctx.tick().sample(
                start_strobe, unit.done, unit.done_post, unit.fault.valid, unit.busy
            ):
                cycle += 1
                self.busy += busy
                if start:
                    self.starts.append(cycle)
                if done:
                    self.dones.append(cycle)
                    self.posts.append(post)
                self.errors += error

        async def drive(ctx: Any) -> None:
            ctx.set(unit.memory_base, BASE)
            ctx.set(unit.pages.last, -1)
            for descriptor in descriptors:
                ctx.set(unit.command.payload, descriptor)
                ctx.set(unit.command.valid, 1)
                await ctx.tick().until(unit.command.ready)
            ctx.set(unit.command.valid, 0)
            for _ in range(20_000):
                if len(self.dones) == len(descriptors):
                    break
                await ctx.tick()
            await ctx.tick().repeat(2)

        simulator.add_process(grid)
        simulator.add_process(monitor)
        simulator.add_testbench(drive)
        simulator.run()
        assert len(self.dones) == len(descriptors)


def stored(config: AcceleratorConfig, descriptors: list[dict[str, int]]) -> bytes:
    """External memory after the descriptors, by definition."""
    memory, lanes = bytearray(1 << 16), config.compute_lanes
    for d in descriptors:
        size = d["vector_beats"] * config.bus_bytes
        for g in range(d["groups"]):
            for r in range(d["rows"]):
                for c in range(d["columns"]):
                    at = BASE + d["address"] + g * d["group_stride"] + r * d["row_stride"]
                    local = d["local_address"] + g // lanes * d["local_plane"]
                    local += r * d["local_row"] + c
                    content = vector(d["pe_y"], d["pe_x"], g % lanes, local, config.vector_bytes)
                    memory[at + c * size : at + (c + 1) * size] = content[:size].ljust(size, b"\0")
    return bytes(memory)


def bursts(config: AcceleratorConfig, d: dict[str, int]) -> list[tuple[int, int]]:
    """Bursts of a descriptor by definition: (address, beats)."""
    found = []
    for g in range(d["groups"]):
        for r in range(d["rows"]):
            address = BASE + d["address"] + g * d["group_stride"] + r * d["row_stride"]
            left = d["columns"] * d["vector_beats"] * config.bus_bytes
            while left:
                size = min(left, 256 * config.bus_bytes, 4096 - address % 4096)
                found.append((address, size // config.bus_bytes))
                address, left = address + size, left - size
    return found


def predicted(run: Run, descriptors: list[dict[str, int]]) -> tuple[list[int], ...]:
    """Starts, addresses, last beats and dones of the documented recurrence, from the first start.

    Credit is counted cycle by cycle.
    """
    earn, cost = run.config.pacing
    credit, now = 2 * cost - 1, 0
    starts: list[int] = []
    addresses: list[int] = []
    last: list[int] = []
    dones: list[int] = []
    for d in descriptors:
        start = addresses[-1] + 1 if addresses else run.starts[0]
        if len(dones) >= StoreUnit.HELD:
            start = max(start, dones[-StoreUnit.HELD] + 1)
        starts.append(start)
        for k, (_, beats) in enumerate(bursts(run.config, d)):
            address = addresses[-1] + 1 if k else start + StoreUnit.FIRST_ADDRESS
            if len(last) >= StoreUnit.OUTSTANDING:
                address = max(address, last[-StoreUnit.OUTSTANDING] + 1)
            addresses.append(address)
            for _ in range(beats):
                while now < start + StoreUnit.FIRST_BEAT or credit < cost:
                    now, credit = now + 1, min(2 * cost - 1, credit + earn)
                now, credit = now + 1, credit + earn - cost
            last.append(now - 1)
        dones.append(last[-1] + run.port.latency + 1)
    return starts, addresses, last, dones


def check(run: Run, descriptors: list[dict[str, int]]) -> None:
    """Compare bytes, bursts and cycles with the definition."""
    assert run.port.data == stored(run.config, descriptors)
    expected = [burst for d in descriptors for burst in bursts(run.config, d)]
    assert [(burst.address, burst.beats) for burst in run.port.writes] == expected
    starts, addresses, last, dones = predicted(run, descriptors)
    assert run.starts == starts
    assert [burst.cycle for burst in run.port.writes] == addresses
    assert run.port.last_write_beats == last
    assert run.dones == dones
    assert run.posts == [d["post"] for d in descriptors]
    assert run.busy == sum(
        done - max(start, before)
        for start, done, before in zip(starts, dones, [0, *dones[:-1]], strict=True)
    )


TILE = {
    "pe_y": 0,
    "pe_x": 1,
    "address": 0x0FA0,
    "local_address": 3,
    "groups": 3,
    "rows": 3,
    "columns": 5,
    "local_plane": 50,
    "local_row": 11,
    "group_stride": 0x800,
    "row_stride": 0x60,
    "vector_beats": 2,
    "post": 0b001,
}


def tile_for(config: AcceleratorConfig, vector_beats: int, **fields: int) -> dict[str, int]:
    """Return a tile whose rows do not overlap, aligned to the bus."""
    size = 6 * vector_beats * config.bus_bytes
    values = {"address": 0x1000 - 4 * config.bus_bytes, "row_stride": size}
    return TILE | values | {"vector_beats": vector_beats} | fields


CONFIGS = {
    "S8B4": (make_config(), 2),
    "S8B4 half a vector": (make_config(), 1),
    "S8B8L3": (make_config(8, 3, 1.6), 1),
    "S16B1": (make_config(16, 2, 0.2), 16),
    "S16B1, 5 bytes of a vector": (make_config(16, 2, 0.2), 5),
    "S4B4L1": (make_config(4, 1, 0.8), 1),
    "S4B16L2": (make_config(4, 2, 3.2), 1),
    "S8B8, 25/32": (make_config(8, 2, 1.25), 1),
    "S8B4, 3/4": (make_config(8, 2, 0.6), 2),
    "S16B16, 601/800": (make_config(16, 2, 2.404), 1),
    "S8B1, 1/200": (make_config(8, 2, 0.001), 3),
}


@pytest.mark.parametrize("latency", [1, 24])
@pytest.mark.parametrize(("config", "vector_beats"), CONFIGS.values(), ids=CONFIGS.keys())
def test_tiles_arrive_in_the_predicted_cycles(
    config: AcceleratorConfig, vector_beats: int, latency: int
) -> None:
    if config.pacing == (1, 200):
        tiles = [tile_for(config, vector_beats, groups=1, rows=1)]
    else:
        tiles = [
            tile_for(config, vector_beats),
            tile_for(config, vector_beats, columns=1, rows=9, pe_y=1, address=0x3000, post=4),
            tile_for(config, vector_beats, groups=1, rows=1, columns=1, address=0x4000),
            tile_for(config, vector_beats, groups=4, rows=1, columns=2, address=0x5000, post=5),
        ]
    check(Run(config, tiles, latency=latency), tiles)


@pytest.mark.parametrize(("columns", "tiles"), [(1, 1), (2, 3)])
def test_short_bursts_keep_the_rate(columns: int, tiles: int) -> None:
    config = make_config(4, 1, 0.8)
    fields = {"rows": 40, "columns": columns, "groups": 1, "row_stride": 16, "vector_beats": 1}
    sequence = [TILE | fields | {"address": 0x1000 * i} for i in range(tiles)]
    run = Run(config, sequence)
    check(run, sequence)
    first = run.starts[0] + StoreUnit.FIRST_BEAT
    beats = 40 * columns * tiles
    ends = range(first + columns - 1, first + beats, columns)
    assert run.port.last_write_beats == list(ends)


def test_a_fifth_descriptor_waits_for_the_first_to_be_done() -> None:
    one = TILE | {"groups": 1, "rows": 1}
    tiles = [one | {"columns": columns, "address": 64 * columns} for columns in (3, 1, 1, 2, 1, 1)]
    run = Run(make_config(), tiles, latency=60)
    assert run.starts[4] == run.dones[0] + 1
    check(run, tiles)


def test_random_stalls_store_the_same_bytes() -> None:
    tiles = [TILE, TILE | {"address": 0x4000, "pe_y": 1}, TILE | {"address": 0x6000, "rows": 1}]
    for gbps in (0.8, 0.75):
        run = Run(make_config(gbps=gbps), tiles, stalls=0.5)
        assert run.port.data == stored(run.config, tiles)
        assert len(run.port.responses) == len(run.port.writes)


def test_done_waits_for_the_last_response() -> None:
    tiles = [TILE, TILE | {"address": 0x4000}]
    run = Run(make_config(), tiles, stalls=0.6)
    count = len(bursts(run.config, TILE))
    assert run.dones == [run.port.responses[count - 1] + 1, run.port.responses[-1] + 1]


def test_a_bus_wider_than_a_register_file_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^bus_bytes must divide row_bytes 16, not 32$"):
        most_vector_beats(make_config(simd_units=4, gbps=6.4))


def test_error_response_is_reported() -> None:
    run = Run(make_config(), [TILE], error=True)
    assert run.errors == len(run.port.writes)


def test_long_row_is_cut_at_256_beats_and_4_kib() -> None:
    config = make_config(simd_units=8, gbps=0.2)
    fields = {"address": 0x0F00, "groups": 1, "rows": 1, "columns": 150, "vector_beats": 8}
    run = Run(config, [TILE | fields])
    check(run, [TILE | fields])
    assert [burst.beats for burst in run.port.writes] == [256, 256, 256, 256, 176]
