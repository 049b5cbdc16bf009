"""Different programs one after another on one accelerator: nothing of a program stays for the next."""

import functools
import random
from types import SimpleNamespace
from typing import Any

import pytest

from accelerators import small_accelerator
from axi_memory import MemoryPort, read_side, write_side
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.accelerator import Accelerator
from hwgen.gateware.host.csr import REGISTERS
from sampled import sampled
from sim.spec.descriptor import LoadKind, Queue, encode
from sim.spec.header import seal

OFFSET = {register.name: register.offset for register in REGISTERS}
CONFIG = small_accelerator(local_memory_kb=1)
BASE, PROGRAMS, INPUT, OUTPUT = 0x4000, 0x400, 0x200, 0x1800
DONE = 0b10
LOAD, EXECUTE, STORE = (1 << queue for queue in Queue)

Program = list[bytes]


def channels(top: Accelerator, prefix: str) -> Any:
    """Return the signals of one bus without its prefix."""
    names = [name for name in top.signature.members if name.startswith(prefix)]
    return SimpleNamespace(**{name.removeprefix(prefix): getattr(top, name) for name in names})


class Machine:
    """Runs programs one after another without a reset; notes what each left behind."""

    def __init__(self, programs: list[Program]) -> None:
        self.status: list[int] = []
        self.cycles: list[int] = []
        self.starts: list[dict[str, list[int]]] = []
        memory = bytearray(random.Random(3).randbytes(1 << 15))
        self.memory = memory
        places = []
        for number, program in enumerate(programs):
            image = seal(CONFIG.fingerprint, b"".join(program))
            places.append(PROGRAMS + 0x800 * number)
            memory[places[-1] : places[-1] + len(image)] = image
        top = kept_unit(Accelerator, CONFIG)
        csr = channels(top, "s_axil_")
        data, program_port = MemoryPort(memory, CONFIG.bus_bytes), MemoryPort(memory, 8)

        async def write(ctx: Any, name: str, value: int) -> None:
            for signal, level in (
                (csr.awaddr, OFFSET[name]), (csr.wdata, value), (csr.wstrb, 15),
                (csr.awvalid, 1), (csr.wvalid, 1), (csr.bready, 1),
            ):  # fmt: skip
                ctx.set(signal, level)
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
            (value,) = await ctx.tick().sample(csr.rdata).until(csr.rvalid)
            return int(value)

        async def drive(ctx: Any) -> None:
            await write(ctx, "MEMORY_BASE", BASE)
            await write(ctx, "IRQ_ENABLE", 0xFFFFFFFF)
            for place in places:
                self.starts.append({})
                await write(ctx, "PROGRAM", place)
                await write(ctx, "CONTROL", 1)
                for _ in range(3000):
                    if ctx.get(top.irq):
                        break
                    await ctx.tick()
                assert ctx.get(top.irq), "no interrupt"
                self.status.append(await read(ctx, "STATUS"))
                self.cycles.append(await read(ctx, "CYCLES"))
                await write(ctx, "IRQ_PENDING", 0xFFFFFFFF)

        async def watch(ctx: Any) -> None:
            names = [f"trace_{queue.name.lower()}_start" for queue in Queue]
            began, cycle, before = 0, -1, 0
            watched = (top.trace_busy, *(getattr(top, name) for name in names))
            async for _, _, busy, *values in ctx.tick().sample(*watched):
                cycle += 1
                if busy and not before:
                    began = cycle
                before = busy
                for name, value in zip(names, values, strict=True):
                    if value:
                        self.starts[-1].setdefault(name.split("_")[1], []).append(cycle - began)

        simulate(
            top,
            drive,
            read_side(data, channels(top, "m_axi_")),
            write_side(data, channels(top, "m_axi_")),
            read_side(program_port, channels(top, "m_axi_desc_")),
            watch,
        )

    def stored(self, address: int, count: int) -> bytes:
        """Bytes of external memory, from MEMORY_BASE on."""
        return bytes(self.memory[BASE + address : BASE + address + count])


TILE = {
    "groups": 1,
    "rows": 2,
    "columns": 6,
    "local_plane": 16,
    "local_row": 8,
    "group_stride": 0x400,
    "row_stride": 0x40,
    "vector_beats": 1,
}


def load(address: int = INPUT, *, wait: int = 0, post: int = 0) -> bytes:
    return encode(
        Queue.LOAD, TILE | {"kind": LoadKind.TILE, "address": address, "wait": wait, "post": post}
    )


def store(address: int = OUTPUT, *, wait: int = 0, post: int = 0) -> bytes:
    return encode(Queue.STORE, TILE | {"address": address, "wait": wait, "post": post})


COPY = [load(post=STORE), store(wait=LOAD)]
MOVED = [load(INPUT + 0x100, post=STORE), store(OUTPUT + 0x200, wait=LOAD)]
GENEROUS = [load(post=EXECUTE | STORE) for _ in range(3)] + [store(post=LOAD | EXECUTE)]
"""Gives four queues' worth of tokens and takes none."""


@functools.cache
def copy_alone() -> Machine:
    return Machine([COPY])


def test_tokens_that_a_program_leaves_start_nothing_of_the_next() -> None:
    """With a token left, STORE would start before the LOAD that it waits for."""
    alone, after = copy_alone(), Machine([GENEROUS, COPY, COPY])
    assert after.status == [DONE] * 3
    for run in (1, 2):
        assert after.starts[run] == alone.starts[0]
        assert after.cycles[run] == alone.cycles[0]


@pytest.mark.parametrize(
    "order",
    sampled(
        [[COPY, MOVED], [MOVED, COPY], [COPY, MOVED, MOVED, COPY]], lambda order: len(order) > 2
    ),
)
def test_different_programs_one_after_another_run_as_each_alone(order: list[Program]) -> None:
    machine = Machine(order)
    each = [(COPY, copy_alone()), (MOVED, Machine([MOVED]))]
    for number, program in enumerate(order):
        (alone,) = (single for own, single in each if own is program)
        assert machine.status[number] == DONE
        assert machine.cycles[number] == alone.cycles[0]
        assert machine.starts[number] == alone.starts[0]
    for row in (0, 0x40):
        assert machine.stored(OUTPUT + row, 24) == machine.stored(INPUT + row, 24)
        assert machine.stored(OUTPUT + 0x200 + row, 24) == machine.stored(INPUT + 0x100 + row, 24)
