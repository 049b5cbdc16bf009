"""STORE unit: bytes, bursts, responses and cycles."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from hwgen.axi_memory import MemoryPort, write_side
from hwgen.gateware.grid import Grid
from hwgen.gateware.store import StoreUnit
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
        self.errors = 0
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
            async for _, _, start, done, post, error in ctx.tick().sample(
                unit.command.valid & unit.command.ready, unit.done, unit.done_post, unit.error
            ):
                cycle += 1
                if start:
                    self.starts.append(cycle)
                if done:
                    self.dones.append(cycle)
                    self.posts.append(post)
                self.errors += error

        async def drive(ctx: Any) -> None:
            ctx.set(unit.memory_base, BASE)
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
    memory, size, lanes = bytearray(1 << 16), config.vector_bytes, config.compute_lanes
    for d in descriptors:
        for g in range(d["groups"]):
            for r in range(d["rows"]):
                for c in range(d["columns"]):
                    at = BASE + d["address"] + g * d["group_stride"] + r * d["row_stride"]
                    local = d["local_address"] + g // lanes * d["local_plane"]
                    local += r * d["local_row"] + c
                    memory[at + c * size : at + (c + 1) * size] = vector(
                        d["pe_y"], d["pe_x"], g % lanes, local, size
                    )
    return bytes(memory)


def predicted(run: Run) -> tuple[list[int], list[int], int]:
    """Address cycles, last beats and done of the documented recurrence, for one descriptor."""
    first_beat = run.starts[0] + StoreUnit.FIRST_BEAT
    addresses, last = [run.starts[0] + StoreUnit.FIRST_ADDRESS], []
    for burst in run.port.writes:
        last.append(first_beat + burst.beats - 1)
        addresses.append(last[-1] + 1)
        first_beat = addresses[-1] + 1
    return addresses[:-1], last, last[-1] + run.port.latency + 1


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
    "post": 0b001,
}


@pytest.mark.parametrize("latency", [1, 24])
@pytest.mark.parametrize(
    "config",
    [make_config(), make_config(8, 3, 1.6), make_config(16, 2, 0.2), make_config(4, 1, 0.8)],
    ids=["S8B4", "S8B8L3", "S16B1", "S4B4L1"],
)
def test_tile_arrives_in_the_predicted_cycles(config: AcceleratorConfig, latency: int) -> None:
    tile = TILE | {"row_stride": 16 * config.vector_bytes}
    run = Run(config, [tile], latency=latency)
    assert run.port.data == stored(config, [tile])
    addresses, last, done = predicted(run)
    assert [burst.cycle for burst in run.port.writes] == addresses
    assert run.port.last_write_beats == last
    assert run.dones == [done]
    assert run.posts == [0b001]


def test_single_vector_rows_keep_the_rate() -> None:
    config = make_config(4, 1, 0.8)
    tile = TILE | {"rows": 40, "columns": 1, "groups": 1, "row_stride": 16}
    run = Run(config, [tile])
    assert run.port.data == stored(config, [tile])
    _, last, done = predicted(run)
    assert run.port.last_write_beats == last
    assert run.dones == [done]


def test_random_stalls_store_the_same_bytes() -> None:
    tiles = [TILE, TILE | {"address": 0x4000, "pe_y": 1}]
    run = Run(make_config(), tiles, stalls=0.5)
    assert run.port.data == stored(make_config(), tiles)
    assert len(run.port.responses) == len(run.port.writes)


def test_done_waits_for_the_last_response() -> None:
    run = Run(make_config(), [TILE], stalls=0.6)
    assert run.dones == [run.port.responses[-1] + 1]


def test_next_command_is_accepted_after_done() -> None:
    run = Run(make_config(), [TILE, TILE])
    assert run.starts[1] == run.dones[0] + 1


def test_empty_tile_is_done_at_once() -> None:
    run = Run(make_config(), [TILE | {"rows": 0}, TILE])
    assert run.dones[0] == run.starts[0] + 2
    assert run.port.data == stored(make_config(), [TILE])


def test_error_response_is_reported() -> None:
    run = Run(make_config(), [TILE], error=True)
    assert run.errors == len(run.port.writes)


def test_long_row_is_cut_at_256_beats_and_4_kib() -> None:
    config = make_config(simd_units=8, gbps=0.2)
    tile = TILE | {"address": 0x0F00, "groups": 1, "rows": 1, "columns": 150}
    run = Run(config, [tile])
    assert run.port.data == stored(config, [tile])
    assert [burst.beats for burst in run.port.writes] == [256, 256, 256, 256, 176]
