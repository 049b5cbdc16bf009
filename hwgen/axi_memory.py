"""AXI4 memory for Amaranth's simulator: fixed latency, or random stalls by seed."""

import random
from dataclasses import dataclass, field
from typing import Any

from sim.spec.bus import PAGE_BYTES

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
    probability.
    """

    data: bytearray
    bus_bytes: int
    latency: int = 24
    stalls: float = 0.0
    seed: int = 0
    error_address: int = -1
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
        waiting: list[list[int]] = []  # address, beats left
        due: list[int] = []
        aw_ready, w_ready, b_out = port.chance(generator), port.chance(generator), False
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
                waiting.append([awaddr, awlen + 1])
            if wvalid and w_ready:
                address, left = waiting[0]
                port.data[address : address + port.bus_bytes] = wdata.to_bytes(
                    port.bus_bytes, "little"
                )
                if bool(wlast) != (left == 1):
                    raise ValueError(f"wlast must come with the last beat, not with {left} left")
                waiting[0] = [address + port.bus_bytes, left - 1]
                if wlast:
                    waiting.pop(0)
                    port.last_write_beats.append(cycle)
                    due.append(cycle + port.latency)
            if b_out:
                due.pop(0)
                port.responses.append(cycle)
                b_out = False
            aw_ready, w_ready = port.chance(generator), port.chance(generator)
            ctx.set(unit.awready, aw_ready)
            ctx.set(unit.wready, w_ready)
            b_out = bool(due) and due[0] <= cycle + 1 and port.chance(generator)
            ctx.set(unit.bvalid, b_out)
            ctx.set(unit.bresp, 2 if port.error_address >= 0 else 0)

    return process
