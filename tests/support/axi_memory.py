"""AXI4 memory for Amaranth's simulator: fixed latency, or random stalls by seed."""

import random
from dataclasses import dataclass, field
from typing import Any

from sim.spec.bus import PAGE_BYTES
from testbench.rtl.memory_model import WriteOrder

__all__ = ["Burst", "MemoryPort", "read_side", "write_side"]


@dataclass
class Burst:
    """One address handshake: the cycle, the byte address and the beats."""

    cycle: int
    address: int
    beats: int


@dataclass
class MemoryPort:
    """Bytes, latency and what has been seen on the bus; cycles count from the first clock edge.

    With ``stalls`` = 0 the port is always ready, gives the first beat of a burst ``latency`` cycles
    after its address handshake, bursts in order, one beat per cycle, and a write response
    ``latency`` cycles after the last beat. Otherwise every valid and ready is held back with that
    probability. The beat read at ``error_address``, and the response to a burst written there, are
    SLVERR.
    """

    data: bytearray
    bus_bytes: int
    latency: int = 24
    stalls: float = 0.0
    seed: int = 0
    error_address: int = -1
    order: WriteOrder = WriteOrder.INDEPENDENT
    reads: list[Burst] = field(default_factory=list)
    writes: list[Burst] = field(default_factory=list)
    last_read_beats: list[int] = field(default_factory=list)
    last_write_beats: list[int] = field(default_factory=list)
    responses: list[int] = field(default_factory=list)

    def chance(self, generator: random.Random) -> bool:
        """Whether to go on in this cycle."""
        return generator.random() >= self.stalls


def _check(burst: Burst, bus_bytes: int) -> None:
    """Refuse a burst that AXI4 does not allow."""
    last = burst.address + burst.beats * bus_bytes - 1
    if burst.address // PAGE_BYTES != last // PAGE_BYTES or burst.address % bus_bytes:
        raise ValueError(f"a burst must be aligned and not cross 4 KiB, not {burst!r}")


def read_side(port: MemoryPort, unit: Any) -> Any:
    """Return a process that answers `unit`'s AR and R channels."""

    async def process(ctx: Any) -> None:
        generator = random.Random(port.seed)
        cycle = -1
        waiting: list[tuple[int, int, int]] = []  # first beat's cycle, address, beats left
        ready, beat_out = port.chance(generator), False
        ctx.set(unit.arready, ready)
        async for _, _, arvalid, araddr, arlen, rready in ctx.tick().sample(
            unit.arvalid, unit.araddr, unit.arlen, unit.rready
        ):
            cycle += 1
            if arvalid and ready:
                burst = Burst(cycle, araddr, arlen + 1)
                _check(burst, port.bus_bytes)
                port.reads.append(burst)
                waiting.append((cycle + port.latency, araddr, arlen + 1))
            if beat_out and rready:
                first, address, left = waiting[0]
                if left == 1:
                    waiting.pop(0)
                    port.last_read_beats.append(cycle)
                else:
                    waiting[0] = (first, address + port.bus_bytes, left - 1)
                beat_out = False
            ready = port.chance(generator)
            ctx.set(unit.arready, ready)
            if not beat_out:
                beat_out = bool(waiting) and waiting[0][0] <= cycle + 1 and port.chance(generator)
            ctx.set(unit.rvalid, beat_out)
            if beat_out:
                _, address, left = waiting[0]
                word = port.data[address : address + port.bus_bytes]
                ctx.set(unit.rdata, int.from_bytes(word, "little"))
                ctx.set(unit.rlast, left == 1)
                ctx.set(unit.rresp, 2 if address == port.error_address else 0)

    return process


def write_side(port: MemoryPort, unit: Any) -> Any:
    """Return a process that answers `unit`'s AW, W and B channels."""

    async def process(ctx: Any) -> None:
        generator = random.Random(port.seed + 1)
        cycle = -1
        early: list[tuple[int, bool]] = []  # beats whose address has not come
        current: list[Burst] = []  # bursts whose data is not complete
        complete = 0  # bursts whose last beat has come, and whose address may not have
        position = 0
        due: list[tuple[int, bool]] = []
        aw_ready, w_ready, b_out = port.chance(generator), port.chance(generator), False
        if port.order is not WriteOrder.INDEPENDENT:
            aw_ready = w_ready = False
        ctx.set(unit.awready, aw_ready)
        ctx.set(unit.wready, w_ready)
        async for _, _, awvalid, awaddr, awlen, wvalid, wdata, wlast in ctx.tick().sample(
            unit.awvalid, unit.awaddr, unit.awlen, unit.wvalid, unit.wdata, unit.wlast
        ):
            cycle += 1
            if awvalid and aw_ready:
                burst = Burst(cycle, awaddr, awlen + 1)
                _check(burst, port.bus_bytes)
                port.writes.append(burst)
                current.append(burst)
            taken = wvalid and w_ready
            if taken:
                early.append((wdata, bool(wlast)))
                if wlast:
                    complete += 1
                    port.last_write_beats.append(cycle)
            while current and early:
                word, last = early.pop(0)
                burst = current[0]
                at = burst.address + position * port.bus_bytes
                port.data[at : at + port.bus_bytes] = word.to_bytes(port.bus_bytes, "little")
                position += 1
                if last != (position == burst.beats):
                    left = burst.beats - position
                    raise ValueError(f"wlast must come with the last beat, not with {left} left")
                if last:
                    size = burst.beats * port.bus_bytes
                    error = burst.address <= port.error_address < burst.address + size
                    due.append((cycle + port.latency, error))
                    current.pop(0)
                    complete -= 1
                    position = 0
            if b_out:
                due.pop(0)
                port.responses.append(cycle)
                b_out = False
            aw_ready, w_ready = port.chance(generator), port.chance(generator)
            if port.order is WriteOrder.ADDRESS_AFTER_VALID:
                aw_ready &= not current and bool(wvalid) and not taken
                w_ready &= bool(current)
            elif port.order is WriteOrder.ADDRESS_AFTER_DATA:
                aw_ready &= complete > 0
            elif port.order is WriteOrder.DATA_AFTER_ADDRESS:
                w_ready &= bool(current)
            ctx.set(unit.awready, aw_ready)
            ctx.set(unit.wready, w_ready)
            b_out = bool(due) and due[0][0] <= cycle + 1 and port.chance(generator)
            ctx.set(unit.bvalid, b_out)
            ctx.set(unit.bresp, 2 if b_out and due[0][1] else 0)

    return process
