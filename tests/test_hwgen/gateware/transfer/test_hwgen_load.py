"""LOAD unit: bytes, destinations, bursts and cycles."""

import dataclasses
import itertools
import random
from typing import Any

import pytest

from axi_memory import MemoryPort, read_side
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.tile_transfer import most_vector_beats
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind
from sim.spec.stops import StopCause
from transfer_bench import ALL_PAGES, CONFIGS, TransferRun, cuts, four_pes, tile_bursts
from weight_streams import beats_of_rows, with_beats

BASE = 0x1000


class Run(TransferRun):
    """A run on a LOAD unit, with what it writes."""

    def __init__(
        self,
        config: AcceleratorConfig,
        descriptors: list[dict[str, int]],
        stalls: float = 0.0,
        error_address: int = -1,
        latency: int = 24,
        pages: tuple[int, int] = ALL_PAGES,
        stop_at: int | None = None,
    ) -> None:
        unit = kept_unit(LoadUnit, config)
        super().__init__(unit, BASE, pages, stop_at)
        self.config = config
        data = bytearray(random.Random(1).randbytes(1 << 18))
        self.port = MemoryPort(
            data,
            config.bus_bytes,
            latency=latency,
            stalls=stalls,
            seed=7,
            error_address=error_address,
        )
        self.tiles: list[tuple[int, ...]] = []
        self.rows: list[tuple[int, ...]] = []
        self.row_halves: list[int] = []
        self.waiting = 0
        self.run(descriptors, read_side(self.port, unit), self._keep, settle=4, stopped=200)

    async def _keep(self, ctx: Any) -> None:
        """Keep what is written, and count the cycles of waiting."""
        unit = self.unit
        async for _, _, tile, row, half, waiting in ctx.tick().sample(
            unit.tile_write, unit.row_write, unit.row_half, unit.waiting
        ):
            if tile.enable:
                place = (tile.pe_y, tile.pe_x, tile.all_columns, tile.bank, tile.address)
                self.tiles.append((*place, tile.data))
            if row.enable:
                self.rows.append(
                    (row.columns, row.lanes, row.parameter, row.address, int(row.data[0]))
                )
                self.row_halves.append(half)
            self.waiting += waiting

    def word(self, address: int, count: int) -> int:
        """Return memory content as the bus gives it."""
        return int.from_bytes(self.port.data[BASE + address : BASE + address + count], "little")

    def expected_tiles(self, *descriptors: dict[str, int]) -> list[tuple[int, ...]]:
        """Return the writes of tiles by definition."""
        lanes = self.config.compute_lanes
        return [
            (
                d["pe_y"],
                d["pe_x"],
                d.get("all_columns", 0),
                g % lanes,
                d["local_address"] + g // lanes * d["local_plane"] + r * d["local_row"] + c,
                self.vector(d, g * d["group_stride"] + r * d["row_stride"], c),
            )
            for d in descriptors
            for g in range(d["groups"])
            for r in range(d["rows"])
            for c in range(d["columns"])
        ]

    def vector(self, d: dict[str, int], row: int, column: int) -> int:
        """Return a vector: the low bytes of its beats, then zeros."""
        size = d["vector_beats"] * self.config.bus_bytes
        used = min(size, self.config.vector_bytes)
        return self.word(d["address"] + row + column * size, used)

    def expected_rows(self, d: dict[str, int]) -> list[tuple[int, ...]]:
        """Return the writes of a weight stream by definition."""
        lanes = self.config.compute_lanes
        # blocks by lane, of each the blocks of all columns
        turns = [[(1 << self.config.pes_x) - 1]] * d["lanes"]
        if own := d.get("column_lanes", 0):
            turns = [
                [1 << block // own for block in range(lane, d["lanes"], own)]
                for lane in range(min(own, d["lanes"]))
            ]
        order = [
            (columns, (d["lane_mask"] << block) % (1 << lanes), parameter, d["half"] * depth + row)
            for block, mine in enumerate(turns)
            for parameter, depth, rows in (
                (1, 4, d["parameter_rows"]),
                (0, self.config.weight_rows, d["weight_rows"]),
            )
            for row in range(rows)
            for columns in mine
        ]
        channels = d.get("channels", self.config.simd_units)
        sizes = [b * self.config.bus_bytes for b in beats_of_rows(self.config, d, channels)]
        places = itertools.accumulate(sizes, initial=d["address"])
        return [
            (*to, self.word(place, min(size, self.config.row_bytes)))
            for to, place, size in zip(order, places, sizes, strict=False)
        ]


def bursts(config: AcceleratorConfig, d: dict[str, int]) -> list[tuple[int, int]]:
    """Bursts of a descriptor by definition: (address, beats)."""
    at = BASE + d["address"]
    if d["kind"] == LoadKind.WEIGHTS:
        return cuts(at, d["stream_beats"] * config.bus_bytes, config.bus_bytes)
    return tile_bursts(config, BASE, d)


def predicted(run: Run, descriptors: list[dict[str, int]]) -> tuple[list[int], ...]:
    """Start, request and done cycles of the documented recurrence, from the first start on.

    Credit is counted cycle by cycle.
    """
    earn, cost = run.config.pacing
    credit, now = 2 * cost - 1, 0
    starts: list[int] = []
    requests: list[int] = []
    last: list[int] = []
    dones: list[int] = []
    for d in descriptors:
        start = requests[-1] + 1 if requests else run.starts[0]
        if len(dones) >= LoadUnit.HELD:
            start = max(start, dones[-LoadUnit.HELD] + 1)
        starts.append(start)
        for k, (_, beats) in enumerate(bursts(run.config, d)):
            request = requests[-1] + 1 if k else start + LoadUnit.FIRST_REQUEST
            if len(last) >= LoadUnit.OUTSTANDING:
                request = max(request, last[-LoadUnit.OUTSTANDING] + 1)
            requests.append(request)
            for _ in range(beats):
                while now < request + run.port.latency or credit < cost:
                    now, credit = now + 1, min(2 * cost - 1, credit + earn)
                now, credit = now + 1, credit + earn - cost
            last.append(now - 1)
        dones.append(last[-1] + LoadUnit.DONE_DELAY)
    return starts, requests, dones


def check_cycles(run: Run, descriptors: list[dict[str, int]]) -> None:
    """Compare bursts and cycles with the definition."""
    expected = [burst for d in descriptors for burst in bursts(run.config, d)]
    assert [(burst.address, burst.beats) for burst in run.port.reads] == expected
    starts, requests, dones = predicted(run, descriptors)
    assert run.starts == starts
    assert [burst.cycle for burst in run.port.reads] == requests
    assert run.dones == dones


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
    "vector_beats": 2,
    "post": 0b010,
}


def tile_for(config: AcceleratorConfig, vector_beats: int, **fields: int) -> dict[str, int]:
    """Return a tile whose rows do not overlap, aligned to the bus."""
    size = 10 * vector_beats * config.bus_bytes
    values = {"address": 0x1000 - 4 * config.bus_bytes, "row_stride": size}
    return TILE | values | {"vector_beats": vector_beats} | fields


@pytest.mark.parametrize("latency", sampled([1, 24], lambda latency: latency == 24))
@pytest.mark.parametrize(("config", "vector_beats"), CONFIGS.values(), ids=CONFIGS.keys())
def test_tiles_reach_their_banks_in_the_predicted_cycles(
    config: AcceleratorConfig, vector_beats: int, latency: int
) -> None:
    if config.pacing == (1, 200):
        tiles = [tile_for(config, vector_beats, groups=1, rows=1)]
    else:
        tiles = [
            tile_for(config, vector_beats),
            tile_for(config, vector_beats, columns=1, rows=9, pe_y=0, pe_x=1, post=0b100),
            tile_for(config, vector_beats, groups=1, rows=1, columns=1, local_address=40),
            tile_for(config, vector_beats, groups=4, rows=1, columns=2, post=0b110),
        ]
    run = Run(config, tiles, latency=latency)
    assert run.tiles == run.expected_tiles(*tiles)
    assert run.rows == []
    check_cycles(run, tiles)
    assert run.posts == [tile["post"] for tile in tiles]
    assert run.busy == run.dones[-1] - run.starts[0]


@pytest.mark.parametrize(
    ("simd_units", "gbps", "most"),
    sampled(
        [(8, 0.8, 2), (8, 0.4, 4), (8, 0.2, 8), (16, 0.8, 4)],
        lambda case: case[1:] in ((0.8, 2), (0.8, 4)),
        fields=True,
    ),
)
def test_bytes_that_a_vector_lacks_are_zero_whatever_came_before(
    simd_units: int, gbps: float, most: int
) -> None:
    """Vectors of few beats follow whole vectors, and rows of weights, through the same register."""
    config = four_pes(simd_units, io_bandwidth_gbps=gbps)
    sequence = []
    for before, after in itertools.product(range(1, most + 1), repeat=2):
        less = tile_for(config, after, groups=1, rows=2, pe_y=0)
        whole = tile_for(config, before, groups=1, rows=2)
        sequence += [whole, less, weights(config, 1, 1, 2, 0), less]
    run = Run(config, sequence)
    tiles = [d for d in sequence if d["kind"] == LoadKind.TILE]
    assert run.tiles == run.expected_tiles(*tiles)
    unused = [data >> 8 * config.bus_bytes for *_, data in run.tiles]
    assert 0 in unused
    assert max(unused) > 0


def test_random_stalls_give_the_same_vectors() -> None:
    tiles = [TILE, TILE | {"address": 0x40}]
    for gbps in (0.8, 0.75):
        config = four_pes(io_bandwidth_gbps=gbps)
        calm, stalled = Run(config, tiles), Run(config, tiles, stalls=0.5)
        assert stalled.tiles == calm.tiles == calm.expected_tiles(*tiles)
        assert stalled.dones[-1] > calm.dones[-1]


def test_a_fifth_descriptor_waits_for_the_first_to_be_done() -> None:
    tiles = [TILE | {"groups": 1, "rows": 1, "columns": columns} for columns in (3, 1, 1, 2, 1, 1)]
    run = Run(four_pes(), tiles, latency=60)
    assert run.starts[4] == run.dones[0] + 1
    assert run.busy == run.dones[-1] - run.starts[0]
    check_cycles(run, tiles)


def weights(
    config: AcceleratorConfig,
    lane_mask: int,
    parameter_rows: int,
    weight_rows: int,
    half: int,
    lanes: int = 2,
    channels: int | None = None,
) -> dict[str, int]:
    """Stream whose last block has so many channels, all if not given."""
    stream = {
        "kind": LoadKind.WEIGHTS,
        "address": 0x7C0,
        "lanes": lanes,
        "lane_mask": lane_mask,
        "half": half,
        "parameter_rows": parameter_rows,
        "weight_rows": weight_rows,
    }
    return with_beats(config, stream, channels)


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize(("parameter_rows", "weight_rows"), [(4, 5), (0, 3), (2, 0), (1, 1)])
@pytest.mark.parametrize("stalls", sampled([0.0, 0.4], bool))
def test_weights_go_lane_after_lane(
    half: int, parameter_rows: int, weight_rows: int, stalls: float
) -> None:
    config = four_pes(compute_lanes=3)
    stream = weights(config, 1, parameter_rows, weight_rows, half)
    run = Run(config, [stream], stalls=stalls)
    assert run.rows == run.expected_rows(stream)
    assert run.tiles == []
    if not stalls:
        check_cycles(run, [stream])


@pytest.mark.parametrize("gbps", sampled([0.8, 0.2, 3.2, 6.4, 1.25], lambda gbps: gbps > 1.6))
@pytest.mark.parametrize(("lane_mask", "lanes"), [(0b1111, 1), (0b0011, 2), (0b0101, 2), (2, 3)])
def test_every_block_goes_to_its_mask_of_lanes(lane_mask: int, lanes: int, gbps: float) -> None:
    config = four_pes(compute_lanes=4, io_bandwidth_gbps=gbps)
    stream = weights(config, lane_mask, 2, 3, 1, lanes)
    run = Run(config, [stream])
    assert run.rows == run.expected_rows(stream)
    check_cycles(run, [stream])


@pytest.mark.parametrize(
    ("simd_units", "gbps"),
    sampled(
        [(4, 0.8), (4, 0.2), (8, 3.2), (16, 0.8), (16, 6.4), (16, 1.25)],
        lambda case: case[0] < 16 or case[1] == 6.4,
        fields=True,
    ),
)
def test_the_last_block_has_the_beats_of_its_channels(simd_units: int, gbps: float) -> None:
    """The rest of its rows is zero, whatever came before."""
    config = four_pes(simd_units, io_bandwidth_gbps=gbps)
    sequence = []
    for channels, lanes in itertools.product(range(1, simd_units + 1), (1, 2)):
        for parameter_rows, weight_rows in ((4, 2), (0, 1), (3, 0)):
            stream = weights(config, 1, parameter_rows, weight_rows, 0, lanes, channels)
            sequence.append(stream | {"channels": channels})
    random.Random(simd_units).shuffle(sequence)
    streams = [{k: v for k, v in d.items() if k != "channels"} for d in sequence]
    run = Run(config, streams)
    assert run.rows == [row for d in sequence for row in run.expected_rows(d)]
    assert len({d["stream_beats"] for d in streams}) > 4
    check_cycles(run, streams)


@pytest.mark.parametrize("stalls", sampled([0.0, 0.4], bool))
@pytest.mark.parametrize(
    ("own", "blocks"),
    sampled(
        [(1, 3), (1, 1), (2, 5), (2, 2), (2, 6), (4, 9), (4, 3)],
        lambda case: case in ((1, 3), (2, 5), (4, 3)),
        fields=True,
    ),
)
def test_columns_of_pes_take_blocks_of_their_own(own: int, blocks: int, stalls: float) -> None:
    """Rows of equal lanes by turns; the last column may have fewer blocks, or none is left for it.

    Rows of the last block, which are short, come between whole rows.
    """
    config = dataclasses.replace(four_pes(16, compute_lanes=4, io_bandwidth_gbps=0.8), pes_x=3)
    mask = {1: 0b1111, 2: 0b0101, 4: 0b0001}[own]
    for channels in (1, 7, 16):
        stream = weights(config, mask, 3, 3, 1, blocks, channels) | {"column_lanes": own}
        after = weights(config, 1, 1, 1, 0, 1)
        run = Run(config, [stream, after], stalls=stalls)
        expected = run.expected_rows(stream | {"channels": channels}) + run.expected_rows(after)
        assert run.rows == expected
        if not stalls:
            check_cycles(run, [stream, after])


def test_a_tile_may_go_to_all_pes_of_a_row() -> None:
    tiles = [TILE | {"all_columns": 1, "pe_x": 0}, TILE]
    run = Run(four_pes(), tiles)
    assert run.tiles == run.expected_tiles(*tiles)


@pytest.mark.parametrize(
    "change", [{"column_lanes": 3}, {"column_lanes": 1, "lanes": 3}, {"lanes": 3}]
)
def test_blocks_that_no_column_has_are_refused(change: dict[str, int]) -> None:
    config = four_pes()
    run = Run(config, [weights(config, 1, 1, 1, 0) | change])
    assert {fault[1] for fault in run.faults} == {StopCause.DESCRIPTOR}
    assert run.rows == []


def test_streams_and_tiles_follow_each_other_without_a_gap() -> None:
    config = four_pes()
    sequence = [
        weights(config, 1, 4, 3, 0),
        weights(config, 3, 0, 1, 1, 1) | {"address": 0x2000, "post": 1},
        TILE | {"groups": 1, "columns": 9, "rows": 4, "address": 0x3000, "post": 2},
        TILE | {"groups": 1, "columns": 9, "rows": 3, "address": 0x2800, "post": 4},
        weights(config, 2, 1, 2, 1, 1) | {"address": 0x1000, "post": 7},
        weights(config, 1, 0, 9, 0, 1) | {"address": 0x1400, "post": 2},
    ]
    run = Run(config, sequence, latency=8)
    streams = [d for d in sequence if d["kind"] == LoadKind.WEIGHTS]
    assert run.tiles == run.expected_tiles(*sequence[2:4])
    assert run.rows == [row for d in streams for row in run.expected_rows(d)]
    assert run.row_halves == [d["half"] for d in streams for _ in run.expected_rows(d)]
    assert run.posts == [d.get("post", 0) for d in sequence]
    check_cycles(run, sequence)
    beats = sum(beats for d in sequence for _, beats in bursts(run.config, d))
    first = run.starts[0] + LoadUnit.FIRST_REQUEST + run.port.latency
    assert run.dones[-1] == first + beats - 1 + LoadUnit.DONE_DELAY
    assert run.waiting == run.port.latency - 1


def test_long_stream_is_cut_at_256_beats_and_4_kib() -> None:
    config = four_pes(simd_units=16)
    stream = weights(config, 1, 4, 15, 0) | {"address": 0xE00}
    run = Run(config, [stream])
    assert [b.beats for b in run.port.reads] == [128, 256, 176]
    check_cycles(run, [stream])
    # Every cycle without a beat before the end is one of waiting for the first.
    assert run.waiting == run.port.latency - 1


def test_a_bus_wider_than_a_register_file_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^bus_bytes must divide row_bytes 16, not 32$"):
        most_vector_beats(four_pes(simd_units=4, io_bandwidth_gbps=6.4))


@pytest.mark.parametrize("stalls", sampled([0.0, 0.4], bool))
def test_error_response_stops_with_its_burst_s_address(stalls: float) -> None:
    tiles = [TILE, TILE | {"address": 0x4000}]
    addresses = [b for d in tiles for b in bursts(four_pes(), d)]
    for index in (0, 3, 12, 13, 20):
        address, beats = addresses[index]
        run = Run(four_pes(), tiles, stalls, error_address=address + 4 * (beats - 1))
        cycle, cause, response, reported = run.faults[0]
        assert (cause, response, reported) == (StopCause.RESPONSE, 2, address)
        assert cycle == run.port.last_read_beats[index]
        # All that was requested is taken; at most what was offered is requested afterwards
        assert len(run.port.reads) == len(run.port.last_read_beats)
        assert sum(burst.cycle > cycle for burst in run.port.reads) <= 1
        assert run.quiet[-1] - run.quiet[-200] == 199


@pytest.mark.parametrize("step", sampled([6, 18], lambda step: step == 18))
def test_stop_at_any_time_ends_quietly(step: int) -> None:
    tiles = [TILE, TILE | {"address": 0x4000}]
    counts = set()
    for cycle in range(4, 150, step):
        run = Run(four_pes(), tiles, stalls=0.3, stop_at=cycle)
        assert len(run.port.reads) == len(run.port.last_read_beats)
        assert sum(burst.cycle > cycle for burst in run.port.reads) <= 1
        assert run.quiet[-1] - run.quiet[-200] == 199
        counts.add(len(run.port.reads))
    assert min(counts) < 2
    assert len(counts) > 5


STREAM = with_beats(four_pes(), {"lanes": 2, "lane_mask": 1, "parameter_rows": 1, "weight_rows": 1})
ILLEGAL_TILES = {
    "no groups": {"groups": 0},
    "no rows": {"rows": 0},
    "no columns": {"columns": 0},
    "no beats": {"vector_beats": 0},
    "more beats than a vector has": {"vector_beats": 3},
    "no such PE row": {"pe_y": 2},
    "no such PE column": {"pe_x": 9},
    "not aligned": {"address": 0x4001},
}
ILLEGAL_STREAMS = {
    "no lanes": {"lanes": 0},
    "more lanes than there are": {"lanes": 3},
    "more parameter rows than there are": {"parameter_rows": 5},
    "more weight rows than there are": {"weight_rows": four_pes().weight_rows + 1},
    "most weight rows": {"weight_rows": 0xFFFF, "lanes": 15},
    "no rows": {"parameter_rows": 0, "weight_rows": 0, "tail_rows": 0},
    "no beats": {"stream_beats": 0},
    "more beats than all rows have": {"stream_beats": 4 * (4 * 5 + 8 * four_pes().weight_rows) + 1},
    "most beats": {"stream_beats": (1 << 28) - 1},
    "no beats of a row": {"tail_beats": 0},
    "more beats of a row than there are": {"tail_beats": 9},
    "more parameter rows with records than parameter rows": {"tail_rows": 2},
    "not aligned": {"address": 0x4002},
}
ILLEGAL = [
    *((TILE | fields, f"tile: {name}") for name, fields in ILLEGAL_TILES.items()),
    *(
        (STREAM | {"kind": LoadKind.WEIGHTS} | fields, f"weights: {name}")
        for name, fields in ILLEGAL_STREAMS.items()
    ),
]


@pytest.mark.parametrize(
    "fields", [fields for fields, _ in ILLEGAL], ids=[name for _, name in ILLEGAL]
)
def test_illegal_descriptor_is_not_begun(fields: dict[str, int]) -> None:
    address = fields["address"] if fields.get("address", 0) % 4 else 0x4000
    run = Run(four_pes(), [TILE, fields | {"address": address}])
    assert run.faults[0][1:] == (StopCause.DESCRIPTOR, 0, BASE + address)
    assert [(b.address, b.beats) for b in run.port.reads] == bursts(run.config, TILE)
    assert run.tiles == run.expected_tiles(TILE)
    assert run.rows == []


def test_largest_weight_stream_is_legal() -> None:
    config = four_pes()
    stream = weights(config, 1, 4, config.weight_rows, 1) | {"address": 0}
    run = Run(config, [stream])
    assert run.faults == []
    assert run.rows == run.expected_rows(stream)


def test_nothing_outside_of_the_window_is_requested() -> None:
    tile = TILE | {"address": 0x4F00, "rows": 1, "groups": 3, "columns": 80, "group_stride": 0x1000}
    first = (BASE + 0x4F00) >> 12
    whole = bursts(four_pes(), tile)
    assert Run(four_pes(), [tile], pages=(first, first + 3)).faults == []
    for pages in ((first, first), (first, first + 1), (first + 1, first + 9), (0, first - 1)):
        run = Run(four_pes(), [tile], pages=pages)
        inside = [pages[0] <= address >> 12 <= pages[1] for address, _ in whole]
        count = inside.index(False)
        assert [(b.address, b.beats) for b in run.port.reads] == whole[:count]
        assert run.faults[0][1:] == (StopCause.WINDOW, 0, whole[count][0])


def test_late_beats_of_a_reset_in_mid_run_have_no_effect_without_a_program() -> None:
    unit = kept_unit(LoadUnit, four_pes())

    async def drive(ctx: Any) -> None:
        ctx.set(unit.drop, 1)
        ctx.set(unit.rvalid, 1)
        ctx.set(unit.rlast, 1)
        ctx.set(unit.rresp, 2)
        for _ in range(5):
            assert ctx.get(unit.rready & unit.quiet)
            assert not ctx.get(unit.fault.valid | unit.done | unit.tile_write.enable)
            await ctx.tick()
        ctx.set(unit.drop, 0)
        assert not ctx.get(unit.rready)

    simulate(unit, drive)
