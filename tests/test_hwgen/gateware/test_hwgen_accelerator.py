"""The whole accelerator: LOAD and STORE programs through the ports, flags and counters."""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from accelerators import small_accelerator
from axi_memory import MemoryPort, read_side, write_side
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.accelerator import Accelerator
from hwgen.gateware.host.csr import REGISTERS
from sampled import sampled
from sim.arrays.tables import accelerator_row
from sim.arrays.weight_stream import stream_beats, tail_beats
from sim.spec.accelerator import TABLE_ROWS, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadKind, LoadTable, Queue, encode
from sim.spec.header import seal
from sim.spec.stops import Port, StopCause

OFFSET = {register.name: register.offset for register in REGISTERS}
CONFIG = small_accelerator(1, 2, compute_lanes=2)
TABLED = replace(CONFIG, activation_table=1)
PROGRAM, BASE, INPUT, OUTPUT = 0x400, 0x4000, 0x200, 0x1800


@dataclass
class Result:
    """Record of the ports; cycles count from the first clock edge."""

    memory: bytearray
    csr: dict[str, int] = field(default_factory=dict)
    traces: dict[str, list[int]] = field(default_factory=dict)


def channels(top: Accelerator, prefix: str) -> Any:
    """Return the signals of one bus without its prefix."""
    names = [name for name in top.signature.members if name.startswith(prefix)]
    return SimpleNamespace(**{name.removeprefix(prefix): getattr(top, name) for name in names})


def run(
    descriptors: list[bytes],
    stalls: float = 0.0,
    fingerprint: int | None = None,
    config: AcceleratorConfig = CONFIG,
) -> Result:
    top = kept_unit(Accelerator, config)
    own = config.fingerprint if fingerprint is None else fingerprint
    image = seal(own, b"".join(descriptors))
    memory = bytearray(random.Random(9).randbytes(1 << 15))
    memory[PROGRAM : PROGRAM + len(image)] = image
    result = Result(memory)
    reads = MemoryPort(memory, CONFIG.bus_bytes, stalls=stalls, seed=1)
    program = MemoryPort(memory, 8, stalls=stalls, seed=2)
    csr = channels(top, "s_axil_")
    traces = [name for name in top.signature.members if name.startswith("trace_")]

    async def write(ctx: Any, name: str, value: int) -> None:
        ctx.set(csr.awaddr, OFFSET[name])
        ctx.set(csr.wdata, value)
        ctx.set(csr.wstrb, 15)
        ctx.set(csr.awvalid, 1)
        ctx.set(csr.wvalid, 1)
        ctx.set(csr.bready, 1)
        await ctx.tick()
        ctx.set(csr.awvalid, 0)
        ctx.set(csr.wvalid, 0)
        await ctx.tick().until(csr.bvalid)

    async def read(ctx: Any, name: str) -> int:
        ctx.set(csr.araddr, OFFSET[name])
        ctx.set(csr.arvalid, 1)
        ctx.set(csr.rready, 1)
        await ctx.tick()
        ctx.set(csr.arvalid, 0)
        (data,) = await ctx.tick().sample(csr.rdata).until(csr.rvalid)
        return int(data)

    async def drive(ctx: Any) -> None:
        await write(ctx, "PROGRAM", PROGRAM)
        await write(ctx, "MEMORY_BASE", BASE)
        await write(ctx, "IRQ_ENABLE", 7)
        await write(ctx, "CONTROL", 1)
        for _ in range(5000):
            if ctx.get(top.irq):
                break
            await ctx.tick()
        assert ctx.get(top.irq), "no interrupt"
        for register in REGISTERS:
            result.csr[register.name] = await read(ctx, register.name)
        await write(ctx, "IRQ_PENDING", 7)
        assert not ctx.get(top.irq)

    async def watch(ctx: Any) -> None:
        cycle = -1
        async for _, _, *values in ctx.tick().sample(*(getattr(top, name) for name in traces)):
            cycle += 1
            for name, value in zip(traces, values, strict=True):
                if value:
                    result.traces.setdefault(name.removeprefix("trace_"), []).append(cycle)

    simulate(
        top,
        drive,
        read_side(reads, channels(top, "m_axi_")),
        write_side(reads, channels(top, "m_axi_")),
        read_side(program, channels(top, "m_axi_desc_")),
        watch,
    )
    return result


TILE = {
    "groups": 3,
    "rows": 4,
    "columns": 5,
    "local_address": 2,
    "local_plane": 40,
    "local_row": 6,
    "group_stride": 0x400,
    "row_stride": 0x60,
    "vector_beats": CONFIG.vector_bytes // CONFIG.bus_bytes,
}
TOKEN = {"load": 0b001, "execute": 0b010, "store": 0b100}


def load(pe_x: int, **fields: int) -> bytes:
    values = {"kind": LoadKind.TILE, "pe_x": pe_x, "address": INPUT + 0x1000 * pe_x}
    return encode(Queue.LOAD, TILE | values | fields)


def store(pe_x: int, **fields: int) -> bytes:
    return encode(Queue.STORE, TILE | {"pe_x": pe_x, "address": OUTPUT + 0x1000 * pe_x} | fields)


def weights(half: int) -> bytes:
    """LOAD descriptor of all weights of a half, without parameters."""
    hw, rows = accelerator_row(CONFIG), CONFIG.weight_rows
    fields = {"half": half, "lanes": 2, "lane_mask": 1, "weight_rows": rows}
    fields |= {
        "tail_beats": tail_beats(hw.simd, hw),
        "stream_beats": stream_beats(2, 0, rows, hw.simd, hw),
    }
    return encode(Queue.LOAD, {"kind": LoadKind.WEIGHTS, "address": INPUT} | fields)


def parameters(half: int, table: LoadTable, **fields: int) -> bytes:
    """LOAD descriptor of a parameter row of a half."""
    beats = stream_beats(2, 1, 0, CONFIG.simd_units, accelerator_row(CONFIG))
    fields = {
        "half": half,
        "lanes": 2,
        "lane_mask": 1,
        "parameter_rows": 1,
        "tail_rows": 1,
    } | fields
    fields |= {"tail_beats": 1, "stream_beats": beats, "table": table}
    return encode(Queue.LOAD, {"kind": LoadKind.WEIGHTS, "address": INPUT} | fields)


def table(rows: int = TABLE_ROWS, **fields: int) -> bytes:
    """LOAD descriptor of so many rows of the activation table."""
    fields = {"lanes": 1, "weight_rows": rows, "tail_beats": 1, "stream_beats": rows} | fields
    fields = {"table": LoadTable.FILL} | fields
    return encode(Queue.LOAD, {"kind": LoadKind.WEIGHTS, "address": INPUT} | fields)


def execute(half: int, post: int = 0, lanes: int = 0, wait: int = 0) -> bytes:
    """EXECUTE descriptor of a 1x1 convolution of 512 cycles that stores to so many banks."""
    fields = {"op": ExecuteOp.CONV, "half": half, "pixels": 1, "groups": 1, "last_quads": 1}
    fields |= dict.fromkeys(("kernel_rows", "kernel_columns", "stride_y", "stride_x"), 1)
    fields |= {"lanes": lanes, "out_address": 100, "out_row": 8}
    fields |= {
        "post": post,
        "wait": wait,
        "initiation_interval": 64,
        "window_rows": 1,
        "window_columns": 8,
    }
    return encode(Queue.EXECUTE, fields | {"tile_rows": 1, "tile_columns": 8})


ROUND_TRIP = [
    load(0, post=TOKEN["store"]),
    load(1, post=TOKEN["store"]),
    store(0, wait=TOKEN["load"]),
    store(1, wait=TOKEN["load"]),
]


def moved(memory: bytearray) -> bool:
    """Whether both tiles have gone from input to output."""
    for pe_x in range(2):
        for group in range(TILE["groups"]):
            for row in range(TILE["rows"]):
                offset = 0x1000 * pe_x + group * TILE["group_stride"] + row * TILE["row_stride"]
                size = TILE["columns"] * CONFIG.vector_bytes
                source, target = BASE + INPUT + offset, BASE + OUTPUT + offset
                if memory[source : source + size] != memory[target : target + size]:
                    return False
    return True


@functools.cache
def round_trip() -> Result:
    """Record of both tiles' way without stalls."""
    return run(ROUND_TRIP)


def test_tiles_go_to_the_local_memories_and_back() -> None:
    result = round_trip()
    assert moved(result.memory)
    assert result.csr["STATUS"] == 0b00010
    beats = 2 * 3 * 4 * 5 * CONFIG.vector_bytes // CONFIG.bus_bytes
    assert result.csr["READ_BEATS"] == beats
    assert result.csr["WRITE_BEATS"] == beats
    assert result.csr["WRITE_STALLS"] == 0
    assert "hazard" not in result.traces


def test_traces_agree_with_the_counters() -> None:
    result = round_trip()
    traces = result.traces
    for queue, register in (("load", "LOAD_ACTIVE"), ("store", "STORE_ACTIVE")):
        starts, dones = traces[f"{queue}_start"], traces[f"{queue}_done"]
        assert len(starts) == len(dones) == 2
        # The second is taken while the first still runs, so they share cycles.
        assert starts[1] < dones[0]
        assert result.csr[register] == dones[1] - starts[0]
    # Each STORE takes one token: it starts a cycle after the LOAD that gives it.
    assert traces["store_start"][0] == traces["load_done"][0] + 1
    # The program is busy from the doorbell to one cycle after the last descriptor's end.
    assert traces["busy"][-1] == traces["store_done"][-1] + 1
    assert result.csr["CYCLES"] == len(traces["busy"])


def test_random_stalls_move_the_same_bytes() -> None:
    result = run(ROUND_TRIP, stalls=0.4)
    assert moved(result.memory)
    assert result.csr["STATUS"] == 0b00010
    assert result.csr["WRITE_STALLS"] > 0


@pytest.mark.parametrize("half", sampled([0, 1], bool))
def test_weights_may_come_into_the_half_that_does_not_compute(half: int) -> None:
    result = run([execute(half), weights(1 - half)])
    assert result.csr["STATUS"] == 0b00010
    assert "hazard" not in result.traces
    assert result.traces["load_done"][0] < result.traces["execute_done"][0]


@pytest.mark.parametrize("half", sampled([0, 1], bool))
def test_weights_for_the_half_that_computes_are_a_hazard(half: int) -> None:
    result = run([execute(half), weights(half)])
    assert result.csr["STATUS"] == 0b01010
    assert len(result.traces["hazard"]) == 2 * CONFIG.weight_rows  # in each cycle that writes a row


@pytest.mark.parametrize("half", sampled([0, 1], bool))
def test_a_table_is_written_while_no_execute_uses_it(half: int) -> None:
    """Else it is a hazard, in each cycle that writes a row. Parameters of the other half change nothing."""
    for own, other in ((LoadTable.USE, LoadTable.NONE), (LoadTable.NONE, LoadTable.USE)):
        loads = [parameters(1 - half, other), parameters(half, own, post=TOKEN["execute"])]
        result = run(
            [
                *loads,
                execute(half, wait=TOKEN["load"]),
                table(half=half),
            ],
            config=TABLED,
        )
        assert result.traces["load_done"][-1] < result.traces["execute_done"][0]
        hazards = result.traces.get("hazard", [])
        assert len(hazards) == (TABLE_ROWS if own is LoadTable.USE else 0)
        assert result.csr["STATUS"] == (0b01010 if hazards else 0b00010)


WRONG_TABLES = {
    "more rows": table(TABLE_ROWS + 1),
    "a third use": table(table=3),
    "more weight rows": parameters(0, LoadTable.NONE, weight_rows=65),
}


@pytest.mark.parametrize("name", sampled(WRONG_TABLES, lambda name: name == "a third use"))
def test_tables_that_do_not_exist_stop_the_program(name: str) -> None:
    result = run([WRONG_TABLES[name]], config=TABLED)
    assert result.csr["STATUS"] & 0b10010 == 0b10000
    assert result.csr["ERROR"] & 7 == StopCause.DESCRIPTOR


def test_a_table_that_exists_is_loaded() -> None:
    assert run([table()], config=TABLED).csr["STATUS"] == 0b00010


def test_an_accelerator_without_tables_passes_over_their_field() -> None:
    rows = CONFIG.weight_rows
    result = run([table(rows, table=3)])
    assert result.csr["STATUS"] == 0b00010
    assert result.csr["READ_BEATS"] == rows


@pytest.mark.parametrize(
    "transfer", sampled([load(1), store(1)], lambda own: own == load(1)), ids=["load", "store"]
)
def test_access_to_local_memory_while_execute_runs_is_a_hazard(transfer: bytes) -> None:
    result = run([execute(0, lanes=2), transfer])
    assert result.csr["STATUS"] == 0b01010
    vectors = TILE["groups"] * TILE["rows"] * TILE["columns"]
    assert len(result.traces["hazard"]) == vectors


def test_tile_may_come_into_banks_that_execute_does_not_use() -> None:
    result = run([execute(0, lanes=1), load(1, groups=1, bank=1)])
    assert result.csr["STATUS"] == 0b00010
    assert "hazard" not in result.traces
    assert result.traces["load_done"][0] < result.traces["execute_done"][0]


@pytest.mark.long
def test_tile_in_a_bank_that_execute_reads_is_a_hazard() -> None:
    result = run([execute(0, lanes=0), load(1, groups=1, bank=0)])  # it reads bank 0
    assert result.csr["STATUS"] == 0b01010
    result = run([execute(0, lanes=1), load(1, bank=1)])  # banks 1, 0 and 1
    assert result.csr["STATUS"] == 0b01010
    assert len(result.traces["hazard"]) == TILE["rows"] * TILE["columns"]


@pytest.mark.parametrize(
    "transfer", sampled([load, store], lambda own: own is store), ids=["load", "store"]
)
def test_transfer_that_waits_for_execute_is_no_hazard(transfer: Callable[..., bytes]) -> None:
    name = transfer.__name__
    result = run([execute(0, post=TOKEN[name]), transfer(1, wait=TOKEN["execute"])])
    assert result.csr["STATUS"] == 0b00010
    assert result.traces[f"{name}_start"][0] == result.traces["execute_done"][0] + 1


def test_program_of_another_configuration_is_refused_with_an_interrupt() -> None:
    result = run(ROUND_TRIP, fingerprint=CONFIG.fingerprint ^ 1)
    assert result.csr["STATUS"] == 0b00100
    assert result.csr["IRQ_PENDING"] == 0b100
    assert result.csr["ERROR"] == StopCause.REFUSED | Port.DESCRIPTOR << 4
    assert result.csr["ERROR_ADDRESS"] == PROGRAM
    assert "load_start" not in result.traces


def test_empty_program_is_done() -> None:
    assert run([]).csr["STATUS"] == 0b00010
