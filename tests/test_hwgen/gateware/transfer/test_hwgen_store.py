# amaranth: UnusedElaboratable=no
"""STORE unit: bytes, bursts, responses and cycles."""

import itertools
import random
from typing import Any

import pytest

from accelerators import SMALLEST
from axi_memory import MemoryPort, write_side
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.grid.grid import Grid
from hwgen.gateware.transfer.store import StoreUnit
from hwgen.gateware.transfer.tile_transfer import most_vector_beats
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.stops import StopCause
from testbench.rtl.memory_model import WriteOrder
from transfer_bench import ALL_PAGES, CONFIGS, TransferRun, four_pes, tile_bursts

BASE = 0x2000


def vector(pe_y: int, pe_x: int, bank: int, address: int, size: int) -> bytes:
    """Content of the local memories: different everywhere."""
    return random.Random(f"{pe_y} {pe_x} {bank} {address}").randbytes(size)


class Run(TransferRun):
    """A run on a STORE unit before a grid of known content."""

    def __init__(
        self,
        config: AcceleratorConfig,
        descriptors: list[dict[str, int]],
        stalls: float = 0.0,
        latency: int = 24,
        error_address: int = -1,
        order: WriteOrder = WriteOrder.INDEPENDENT,
        pages: tuple[int, int] = ALL_PAGES,
        responses: int = StoreUnit.RESPONSES,
        stop_at: int | None = None,
    ) -> None:
        unit = kept_unit(StoreUnit, config, responses)
        super().__init__(unit, BASE, pages, stop_at)
        self.config = config
        self.port = MemoryPort(
            bytearray(1 << 16),
            config.bus_bytes,
            latency=latency,
            stalls=stalls,
            seed=3,
            error_address=error_address,
            order=order,
        )
        self.located = 0
        self.run(descriptors, write_side(self.port, unit), self._grid, settle=2, stopped=500)

    async def _grid(self, ctx: Any) -> None:
        """Answer reads of the local memories, after the grid's latency."""
        unit, size = self.unit, self.config.vector_bytes
        pipeline = [0] * (Grid.READ_LATENCY - 1)
        async for _, _, read in ctx.tick().sample(unit.tile_read):
            data = vector(read.pe_y, read.pe_x, read.bank, read.address, size)
            pipeline.append(int.from_bytes(data, "little") if read.enable else 0)
            ctx.set(unit.tile_read_data, pipeline.pop(0))

    def after(self, ctx: Any) -> None:
        """Read the address of the write that failed."""
        self.located = ctx.get(self.unit.error_address) if ctx.get(self.unit.located) else 0


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
    return tile_bursts(config, BASE, d)


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


@pytest.mark.parametrize("latency", sampled([1, 24], lambda latency: latency == 24))
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
    config = four_pes(4, 1, 0.8)
    fields = {"rows": 40, "columns": columns, "groups": 1, "row_stride": 16, "vector_beats": 1}
    sequence = [TILE | fields | {"address": 0x1000 * i} for i in range(tiles)]
    run = Run(config, sequence)
    check(run, sequence)
    first = run.starts[0] + StoreUnit.FIRST_BEAT
    beats = 40 * columns * tiles
    ends = range(first + columns - 1, first + beats, columns)
    assert run.port.last_write_beats == list(ends)


def test_a_fifth_descriptor_waits_for_the_first_to_be_done() -> None:
    short = TILE | {"groups": 1, "rows": 1}
    tiles = [
        short | {"columns": columns, "address": 64 * columns} for columns in (3, 1, 1, 2, 1, 1)
    ]
    run = Run(four_pes(), tiles, latency=60)
    assert run.starts[4] == run.dones[0] + 1
    check(run, tiles)


def test_random_stalls_store_the_same_bytes() -> None:
    tiles = [TILE, TILE | {"address": 0x4000, "pe_y": 1}, TILE | {"address": 0x6000, "rows": 1}]
    for gbps in (0.8, 0.75):
        run = Run(four_pes(io_bandwidth_gbps=gbps), tiles, stalls=0.5)
        assert run.port.data == stored(run.config, tiles)
        assert len(run.port.responses) == len(run.port.writes)


def test_done_waits_for_the_last_response() -> None:
    tiles = [TILE, TILE | {"address": 0x4000}]
    run = Run(four_pes(), tiles, stalls=0.6)
    count = len(bursts(run.config, TILE))
    assert run.dones == [run.port.responses[count - 1] + 1, run.port.responses[-1] + 1]


def test_a_bus_wider_than_a_register_file_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^bus_bytes must divide row_bytes 16, not 32$"):
        most_vector_beats(four_pes(simd_units=4, io_bandwidth_gbps=6.4))


@pytest.mark.parametrize("order", WriteOrder)
@pytest.mark.parametrize("stalls", sampled([0.0, 0.4], bool))
def test_a_memory_may_take_addresses_and_data_in_any_order(
    order: WriteOrder, stalls: float
) -> None:
    tiles = [TILE, TILE | {"address": 0x4000, "pe_y": 1}, TILE | {"address": 0x6000, "rows": 1}]
    for gbps in (0.8, 0.75, 0.2):
        config = four_pes(io_bandwidth_gbps=gbps)
        run = Run(config, tiles, stalls=stalls, order=order)
        assert run.port.data == stored(config, tiles)
        assert len(run.port.responses) == len(run.port.writes)
        assert run.faults == []


@pytest.mark.parametrize(
    "index", sampled([0, 1, 8, 9, 17, 18, 25], lambda index: index in (0, 9, 18, 25))
)
@pytest.mark.parametrize("stalls", sampled([0.0, 0.4], bool))
def test_error_response_stops_with_its_burst_s_address(index: int, stalls: float) -> None:
    tiles = [TILE, TILE | {"address": 0x4000}, TILE | {"address": 0x6000}]
    config = four_pes()
    addresses = [address for d in tiles for address, _ in bursts(config, d)]
    run = Run(config, tiles, stalls=stalls, error_address=addresses[index])
    assert [(cause, response) for _, cause, response, _ in run.faults] == [(StopCause.RESPONSE, 2)]
    assert run.faults[0][0] == run.port.responses[index]
    assert run.located == addresses[index]
    # Every address that was offered has its data and its response
    assert len(run.port.writes) == len(run.port.last_write_beats) == len(run.port.responses)
    assert run.quiet[-1] > run.port.responses[-1]


@pytest.mark.parametrize(
    ("order", "step"),
    sampled(
        itertools.product(WriteOrder, (9, 27)),
        lambda case: case[0] in (min(WriteOrder), max(WriteOrder)) and case[1] == 27,
        fields=True,
    ),
)
def test_stop_at_any_time_ends_quietly(order: WriteOrder, step: int) -> None:
    tiles = [TILE, TILE | {"address": 0x4000}]
    config = four_pes()
    counts = set()
    for cycle in range(4, 184, step):
        run = Run(config, tiles, stalls=0.2, order=order, stop_at=cycle)
        writes = run.port.writes
        assert len(writes) == len(run.port.last_write_beats) == len(run.port.responses)
        assert run.quiet[-1] - run.quiet[-500] == 499
        # At most the burst that was offered is taken after the stop
        assert sum(burst.cycle > cycle for burst in writes) <= 1
        counts.add(len(writes))
    assert min(counts) < 2
    assert len(counts) > 5


ILLEGAL = {
    "no groups": {"groups": 0},
    "no rows": {"rows": 0},
    "no columns": {"columns": 0},
    "no beats": {"vector_beats": 0},
    "more beats than a vector has": {"vector_beats": 3},
    "most beats": {"vector_beats": 255, "columns": 4095},
    "no such PE row": {"pe_y": 2},
    "no such PE column": {"pe_x": 15},
    "not aligned": {"address": 0x1002},
}


@pytest.mark.parametrize("fields", ILLEGAL.values(), ids=ILLEGAL.keys())
def test_illegal_descriptor_is_not_begun(fields: dict[str, int]) -> None:
    good = TILE | {"rows": 1}
    run = Run(four_pes(), [good, TILE | {"address": 0x4000} | fields])
    address = BASE + fields.get("address", 0x4000)
    assert run.faults[0][1:] == (StopCause.DESCRIPTOR, 0, address)
    assert [(b.address, b.beats) for b in run.port.writes] == bursts(run.config, good)
    assert len(run.port.responses) == len(run.port.writes)
    assert run.dones == [run.port.responses[-1] + 1]


@pytest.mark.parametrize("field", ["row_stride", "group_stride"])
def test_stride_that_is_not_aligned_stops_at_its_first_burst(field: str) -> None:
    tile = TILE | {"address": 0x4000, "rows": 2, "groups": 2} | {field: 0x101}
    run = Run(four_pes(), [tile])
    before = 1 if field == "row_stride" else 2
    assert run.faults[0][1:] == (StopCause.DESCRIPTOR, 0, BASE + 0x4101)
    assert len(run.port.writes) == len(run.port.responses) == before


def test_nothing_outside_of_the_window_is_addressed() -> None:
    tile = TILE | {"address": 0x4F00, "rows": 1, "groups": 3, "columns": 80, "group_stride": 0x1000}
    first = (BASE + 0x4F00) >> 12
    whole = bursts(four_pes(), tile)
    for pages in ((first, first + 3), (0, 0xFFFFF)):
        run = Run(four_pes(), [tile], pages=pages)
        assert run.faults == []
        assert len(run.port.writes) == len(whole)
    for pages in ((first, first), (first, first + 1), (first + 1, first + 9), (0, first - 1)):
        run = Run(four_pes(), [tile], pages=pages)
        inside = [pages[0] <= address >> 12 <= pages[1] for address, _ in whole]
        count = inside.index(False)
        assert [(b.address, b.beats) for b in run.port.writes] == whole[:count]
        assert run.faults[0][1:] == (StopCause.WINDOW, 0, whole[count][0])
        assert len(run.port.responses) == count


@pytest.mark.parametrize("responses", [1, 3, 7])
def test_no_more_bursts_than_allowed_wait_for_their_responses(responses: int) -> None:
    tiles = [TILE, TILE | {"address": 0x4000}]
    run = Run(four_pes(), tiles, responses=responses, latency=50)
    assert run.port.data == stored(run.config, tiles)
    addressed = [burst.cycle for burst in run.port.writes]
    most = 0
    for number, cycle in enumerate(addressed):
        waiting = number + 1 - sum(answer < cycle for answer in run.port.responses)
        most = max(most, waiting)
    assert most == responses


@pytest.mark.parametrize("responses", [0, 2, 6])
def test_responses_that_cannot_be_counted_are_refused(responses: int) -> None:
    message = rf"^responses must be a power of two less one, not {responses}$"
    with pytest.raises(ValueError, match=message):
        StoreUnit(four_pes(), responses)


def test_late_responses_of_a_reset_in_mid_run_have_no_effect() -> None:
    unit = kept_unit(StoreUnit, four_pes())

    async def drive(ctx: Any) -> None:
        ctx.set(unit.bvalid, 1)
        ctx.set(unit.bresp, 2)
        for _ in range(5):
            assert ctx.get(unit.bready)
            assert ctx.get(unit.quiet)
            assert not ctx.get(unit.fault.valid | unit.done)
            await ctx.tick()

    simulate(unit, drive)


def test_long_row_is_cut_at_256_beats_and_4_kib() -> None:
    config = four_pes(simd_units=8, io_bandwidth_gbps=0.2)
    fields = {"address": 0x0F00, "groups": 1, "rows": 1, "columns": 150, "vector_beats": 8}
    run = Run(config, [TILE | fields])
    check(run, [TILE | fields])
    assert [burst.beats for burst in run.port.writes] == [256, 256, 256, 256, 176]


BURSTS = 12


def outstanding(unit: StoreUnit, answer_at: int) -> tuple[list[int], list[int], int]:
    """Run two descriptors of bursts of one beat on a memory that answers from a cycle on.

    Returns the bursts without response in every cycle, the cycles of done, and the first cycle with
    all responses.
    """
    waiting, dones, answered = [0], [], 0
    last_answer = -1
    descriptor = {
        "groups": 1,
        "rows": BURSTS // 2,
        "columns": 1,
        "local_plane": 8,
        "local_row": 1,
        "group_stride": 0x400,
        "row_stride": 0x40,
        "vector_beats": 1,
        "post": 1,
    }

    async def drive(ctx: Any) -> None:
        nonlocal answered, last_answer
        commands = [descriptor, descriptor | {"address": 0x1000}]
        addressed = sent = 0
        ctx.set(unit.pages, {"first": 0, "last": (1 << 20) - 1})
        ctx.set(unit.awready, 1)
        ctx.set(unit.wready, 1)
        for cycle in range(answer_at + 400):
            ctx.set(unit.command.valid, bool(commands))
            if commands:
                ctx.set(unit.command.payload, commands[0])
            answers = cycle >= answer_at and cycle % 2 == 0 and sent > answered
            ctx.set(unit.bvalid, answers)
            *_, taken, aw, w, done = await ctx.tick().sample(
                unit.command.valid & unit.command.ready,
                unit.awvalid & unit.awready,
                unit.wvalid & unit.wready & unit.wlast,
                unit.done,
            )
            if taken:
                commands.pop(0)
            addressed, sent, answered = addressed + aw, sent + w, answered + answers
            if answers:
                last_answer = cycle
            waiting.append(addressed - answered)
            if done:
                dones.append(cycle)

    simulate(unit, drive)
    assert answered == BURSTS
    return waiting, dones, last_answer


@pytest.mark.parametrize("answer_at", [0, 60, 200])
def test_no_more_responses_lack_than_can_be_told_apart(answer_at: int) -> None:
    waiting, dones, last = outstanding(kept_unit(StoreUnit, SMALLEST, 3), answer_at)
    assert max(waiting) == 3
    assert len(dones) == 2
    assert dones[-1] == last + 1


def test_a_memory_that_answers_late_holds_up_nothing_within_the_limit() -> None:
    waiting, dones, last = outstanding(kept_unit(StoreUnit, SMALLEST, 15), 200)
    assert max(waiting) == BURSTS
    assert len(dones) == 2
    assert dones[-1] == last + 1
