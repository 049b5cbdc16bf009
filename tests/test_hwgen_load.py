"""LOAD unit: bytes, destinations, bursts and cycles."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from hwgen.axi_memory import MemoryPort, read_side
from hwgen.gateware.load import LoadUnit
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind

BASE = 0x1000


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


class Run:
    """Runs descriptors on a LOAD unit and keeps what it writes."""

    def __init__(
        self,
        config: AcceleratorConfig,
        descriptors: list[dict[str, int]],
        stalls: float = 0.0,
        error_address: int = -1,
    ) -> None:
        self.config = config
        data = bytearray(random.Random(1).randbytes(1 << 16))
        self.port = MemoryPort(
            data, config.bus_bytes, stalls=stalls, seed=7, error_address=error_address
        )
        self.starts: list[int] = []
        self.dones: list[int] = []
        self.posts: list[int] = []
        self.tiles: list[tuple[int, ...]] = []
        self.rows: list[tuple[int, ...]] = []
        self.waiting = self.errors = self.busy = 0
        unit = LoadUnit(config)
        simulator = Simulator(unit)
        simulator.add_clock(1e-6)
        simulator.add_process(read_side(self.port, unit))

        async def monitor(ctx: Any) -> None:
            cycle = -1
            watched = (
                unit.command.valid & unit.command.ready,
                unit.done,
                unit.done_post,
                unit.tile_write,
                unit.row_write,
                unit.waiting,
                unit.error,
                unit.busy,
            )
            async for _, _, start, done, post, tile, row, waiting, error, busy in ctx.tick().sample(
                *watched
            ):
                cycle += 1
                if start:
                    self.starts.append(cycle)
                if done:
                    self.dones.append(cycle)
                    self.posts.append(post)
                if tile.enable:
                    self.tiles.append((tile.pe_y, tile.pe_x, tile.bank, tile.address, tile.data))
                if row.enable:
                    self.rows.append((row.lanes, row.parameter, row.address, row.data))
                self.waiting += waiting
                self.errors += error
                self.busy += busy

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
            await ctx.tick().repeat(4)

        simulator.add_process(monitor)
        simulator.add_testbench(drive)
        simulator.run()
        assert len(self.dones) == len(descriptors)

    def word(self, address: int, count: int) -> int:
        """Return memory content as the bus gives it."""
        return int.from_bytes(self.port.data[BASE + address : BASE + address + count], "little")

    def expected_tiles(self, d: dict[str, int]) -> list[tuple[int, ...]]:
        """Return the writes of a tile by definition."""
        size, lanes = self.config.vector_bytes, self.config.compute_lanes
        return [
            (
                d["pe_y"],
                d["pe_x"],
                g % lanes,
                d["local_address"] + g // lanes * d["local_plane"] + r * d["local_row"] + c,
                self.word(
                    d["address"] + g * d["group_stride"] + r * d["row_stride"] + c * size, size
                ),
            )
            for g in range(d["groups"])
            for r in range(d["rows"])
            for c in range(d["columns"])
        ]


def cuts(address: int, size: int, bus_bytes: int) -> list[tuple[int, int]]:
    """Bursts of one segment by the definition: (address, beats)."""
    found = []
    while size:
        take = min(size, 256 * bus_bytes, 4096 - address % 4096)
        found.append((address, take // bus_bytes))
        address, size = address + take, size - take
    return found


def predicted(run: Run, index: int) -> tuple[list[int], int]:
    """Request cycles and the done cycle of the documented recurrence."""
    unit, start, latency = LoadUnit, run.starts[index], run.port.latency
    requests: list[int] = []
    last: list[int] = []
    for k, burst in enumerate(run.port.reads):
        request = requests[-1] + 1 if k else start + unit.FIRST_REQUEST
        if k >= unit.OUTSTANDING:
            request = max(request, last[k - unit.OUTSTANDING] + 1)
        requests.append(request)
        first = max(request + latency, last[-1] + 1 if k else 0)
        last.append(first + burst.beats - 1)
    return requests, last[-1] + unit.DONE_DELAY


TILE = {
    "kind": LoadKind.TILE,
    "pe_y": 1,
    "pe_x": 0,
    "address": 0x0FE0,
    "local_address": 5,
    "groups": 3,
    "rows": 4,
    "columns": 7,
    "local_plane": 64,
    "local_row": 9,
    "group_stride": 0x800,
    "row_stride": 0x68,
    "post": 0b010,
}


@pytest.mark.parametrize(
    "config",
    [make_config(), make_config(8, 3, 1.6), make_config(16, 2, 0.2), make_config(4, 1, 0.8)],
    ids=["S8B4", "S8B8L3", "S16B1", "S4B4L1"],
)
def test_tile_reaches_its_banks_in_the_predicted_cycles(config: AcceleratorConfig) -> None:
    tile = TILE | {"row_stride": 16 * config.vector_bytes}
    run = Run(config, [tile])
    assert run.tiles == run.expected_tiles(tile)
    assert run.rows == []
    bursts = [
        cut
        for g in range(3)
        for r in range(4)
        for cut in cuts(
            BASE + 0x0FE0 + g * 0x800 + r * tile["row_stride"],
            7 * config.vector_bytes,
            config.bus_bytes,
        )
    ]
    assert [(burst.address, burst.beats) for burst in run.port.reads] == bursts
    requests, done = predicted(run, 0)
    assert [burst.cycle for burst in run.port.reads] == requests
    assert run.dones == [done]
    assert run.posts == [0b010]
    assert run.busy == done - run.starts[0]


def test_random_stalls_give_the_same_vectors() -> None:
    calm = Run(make_config(), [TILE, TILE | {"address": 0x40}])
    stalled = Run(make_config(), [TILE, TILE | {"address": 0x40}], stalls=0.5)
    assert stalled.tiles == calm.tiles
    assert stalled.dones[-1] > calm.dones[-1]


def test_next_command_is_accepted_after_done() -> None:
    run = Run(make_config(), [TILE, TILE])
    assert run.starts[1] == run.dones[0] + 1


def weights(broadcast: int, parameter_rows: int, weight_rows: int, half: int) -> dict[str, int]:
    return {
        "kind": LoadKind.WEIGHTS,
        "address": 0x7C0,
        "lanes": 2,
        "broadcast": broadcast,
        "half": half,
        "parameter_rows": parameter_rows,
        "weight_rows": weight_rows,
    }


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize(("parameter_rows", "weight_rows"), [(4, 5), (0, 3), (2, 0), (1, 1)])
@pytest.mark.parametrize("stalls", [0.0, 0.4])
def test_weights_go_lane_after_lane(
    half: int, parameter_rows: int, weight_rows: int, stalls: float
) -> None:
    config = make_config(lanes=3)
    run = Run(config, [weights(0, parameter_rows, weight_rows, half)], stalls=stalls)
    size = config.row_bytes
    order = [
        (1 << lane, parameter, half * depth + row)
        for lane in range(2)
        for parameter, depth, rows in ((1, 4, parameter_rows), (0, config.weight_rows, weight_rows))
        for row in range(rows)
    ]
    expected = [(*where, run.word(0x7C0 + n * size, size)) for n, where in enumerate(order)]
    assert run.rows == expected
    if not stalls:
        requests, done = predicted(run, 0)
        assert [burst.cycle for burst in run.port.reads] == requests
        assert run.dones == [done]


def test_broadcast_weights_go_to_all_lanes() -> None:
    config = make_config(lanes=3)
    run = Run(config, [weights(1, 2, 2, 1)])
    assert [row[:3] for row in run.rows] == [(7, 1, 4), (7, 1, 5), (7, 0, 64), (7, 0, 65)]


def test_long_stream_is_cut_at_256_beats_and_4_kib() -> None:
    config = make_config(simd_units=16)
    run = Run(config, [weights(0, 4, 32, 0) | {"address": 0xE00}])
    assert [(b.address, b.beats) for b in run.port.reads] == cuts(
        BASE + 0xE00, 2 * 36 * 64, config.bus_bytes
    )
    requests, done = predicted(run, 0)
    assert run.dones == [done]
    assert [burst.cycle for burst in run.port.reads] == requests
    # Every cycle without a beat before the end is one of waiting for the first.
    assert run.waiting == run.port.latency - 1


@pytest.mark.parametrize("field", ["groups", "rows", "columns"])
def test_empty_tile_is_done_at_once(field: str) -> None:
    run = Run(make_config(), [TILE | {field: 0}, TILE])
    assert run.dones[0] == run.starts[0] + 2
    assert run.tiles == run.expected_tiles(TILE)


def test_error_response_is_reported() -> None:
    run = Run(make_config(), [TILE], error_address=BASE + 0x0FE4)
    assert run.errors == 1
