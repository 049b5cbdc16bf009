"""External memory behind both AXI4 ports, of bus models of cocotbext-axi."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import Timer, ValueChange
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiReadBus, AxiWriteBus
from cocotbext.axi.axi_channels import (
    AxiARSink,
    AxiAWSink,
    AxiBSource,
    AxiRMonitor,
    AxiRSource,
    AxiWSink,
)

from .memory_behavior import DECERR, OKAY, PORTS, Fault, Silence, paced, random_stalls
from .write_memory import WriteMemory

__all__ = ["AxiMemory", "MemoryTiming"]

LEAST_LATENCY = 2
"""A bus model drives in the cycle after it was told to, and is told a cycle after the handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTiming:
    """Speed of a memory whose bursts are served in order.

    Parameters
    ----------
    latency : int
        Cycles from the handshake of a read address to the burst's first beat, where no burst before it
        is under way, and from the last beat of a write burst to its response: at least 2.
    outstanding : int, optional
        Bursts that each port takes before the first of them is over; any number if not given. ARREADY
        is low while a port has as many, and for a cycle more.
    read_pace, write_pace : tuple of (int, int), optional
        (beats, cycles): so many beats in so many cycles go through R or W of ``m_axi``; a beat in
        every cycle if not given.
    """

    latency: int = 24
    outstanding: int | None = None
    read_pace: tuple[int, int] | None = None
    write_pace: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.latency < LEAST_LATENCY:
            raise ValueError(f"latency must be at least {LEAST_LATENCY}, not {self.latency!r}")
        if self.outstanding is not None and self.outstanding < 1:
            raise ValueError(f"outstanding must be positive, not {self.outstanding!r}")


class AxiMemory:
    """Memory at ``base`` behind ``m_axi`` and ``m_axi_desc``; other addresses answer DECERR.

    Parameters
    ----------
    dut
        With the ports ``clk``, ``aresetn``, ``m_axi_*`` and ``m_axi_desc_*``.
    size_bytes : int
    timing : MemoryTiming
    period : int
        Clock period in steps of the simulator's precision, even.
    base : int
        Address of the first byte.
    write_order : str, optional
        One of :data:`.write_memory.ORDERS`: how addresses and data of writes are taken. It has a
        latency of its own, and neither limit nor pace.

    Attributes
    ----------
    bytes : bytearray
        What the memory holds; it may be read and changed at any time.
    faults : list of Fault
        Responses that are errors.
    silence : Silence or None
        From when on a port does not answer.
    """

    def __init__(
        self,
        dut: Any,
        *,
        size_bytes: int,
        timing: MemoryTiming,
        period: int,
        base: int = 0,
        write_order: str | None = None,
    ) -> None:
        """Connect the bus models."""
        self.bytes = bytearray(size_bytes)
        self.base = base
        self.faults: list[Fault] = []
        self.silence: Silence | None = None
        self._read = _ReadPort(dut, "m_axi", PORTS[0], self, timing, period)
        self._descriptors = _ReadPort(dut, "m_axi_desc", PORTS[2], self, timing, period)
        self.writes: WriteMemory | None = None
        self._write: _WritePort | None = None
        if write_order is None:
            self._write = _WritePort(dut, "m_axi", PORTS[1], self, timing, period)
            if timing.write_pace is not None:
                self._write.data.set_pause_generator(paced(*timing.write_pace))
        else:
            self.writes = WriteMemory(dut, self._store, write_order)
        if timing.read_pace is not None:
            self._read.source.set_pause_generator(paced(*timing.read_pace))

    @property
    def channels(self) -> dict[str, Any]:
        """Bus models of cocotbext-axi by channel, for further pause generators."""
        channels = {
            "AR": self._read.addresses,
            "R": self._read.source,
            "descriptor AR": self._descriptors.addresses,
            "descriptor R": self._descriptors.source,
        }
        if self._write is not None:
            channels |= {
                "AW": self._write.addresses,
                "W": self._write.data,
                "B": self._write.source,
            }
        return channels

    def stall(self, seed: int, percent: int = 25) -> None:
        """Let every channel of both ports pause at random, each in its own way.

        Parameters
        ----------
        seed : int
        percent : int
            Share of the cycles in which a channel pauses, about.
        """
        channels = self.channels.values()
        for number, channel in enumerate(channels):
            channel.set_pause_generator(random_stalls(seed * len(channels) + number, percent))

    def assert_quiet(self) -> None:
        """Assert that nothing was asked for and not fetched, and nothing is left to be answered."""
        for name, channel in self.channels.items():
            assert channel.empty(), f"{name} must be empty, not hold {channel.count()}"
        for port in (self._read, self._descriptors, self._write):
            if port is not None:
                assert not port.outstanding, f"{port.name} must have no burst outstanding"
        assert self.writes is None or self.writes.empty()

    def _response(self, port: str, index: int, address: int, size_bytes: int) -> int:
        """Return the response of a beat or burst at an address of the bus."""
        place = address - self.base
        for fault in self.faults:
            if fault.hits(port, index, place, size_bytes):
                return fault.response
        return OKAY if 0 <= place <= len(self.bytes) - size_bytes else DECERR

    def _silent(self, port: str, burst: int) -> bool:
        """Tell whether a burst of that number is not answered."""
        silence = self.silence
        return silence is not None and silence.port == port and burst >= silence.index

    def _load(self, address: int, size_bytes: int) -> bytes:
        """Return bytes at an address of the bus, 0 outside of the memory."""
        place = address - self.base
        if not 0 <= place <= len(self.bytes) - size_bytes:
            return bytes(size_bytes)
        return bytes(self.bytes[place : place + size_bytes])

    def _store(self, address: int, data: bytes, strobes: int | None = None) -> None:
        """Put bytes at an address of the bus where their strobe is 1; nothing outside of the memory."""
        place = address - self.base
        if not 0 <= place <= len(self.bytes) - len(data):
            return
        if strobes is not None:
            old = self.bytes[place : place + len(data)]
            data = bytes(
                after if strobes >> lane & 1 else before
                for lane, (before, after) in enumerate(zip(old, data, strict=True))
            )
        self.bytes[place : place + len(data)] = data


class _Timed:
    """Adds the time of its handshake to a transaction."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time = int(get_sim_time("step"))


class _TimedRead(_Timed, AxiARSink._transaction_obj):  # type: ignore[misc]  # cocotbext-axi has no types
    pass


class _TimedWrite(_Timed, AxiAWSink._transaction_obj):  # type: ignore[misc]  # cocotbext-axi has no types
    pass


class _TimedData(_Timed, AxiWSink._transaction_obj):  # type: ignore[misc]  # cocotbext-axi has no types
    pass


class _ReadAddresses(AxiARSink):  # type: ignore[misc]  # cocotbext-axi has no types
    _transaction_obj = _TimedRead
    port: Any = None

    def full(self) -> bool:
        return self.port is not None and self.port.full(self.count())


class _WriteAddresses(AxiAWSink):  # type: ignore[misc]  # cocotbext-axi has no types
    _transaction_obj = _TimedWrite
    port: Any = None

    def full(self) -> bool:
        return self.port is not None and self.port.full(self.count())


class _WriteData(AxiWSink):  # type: ignore[misc]  # cocotbext-axi has no types
    _transaction_obj = _TimedData


class _Port(ABC):
    """One direction of a port: bursts in order, each answered a latency after it was complete."""

    addresses: Any
    source: Any

    def __init__(
        self, dut: Any, name: str, memory: AxiMemory, timing: MemoryTiming, period: int
    ) -> None:
        self.name, self.memory, self.timing, self.period = name, memory, timing, period
        self.bursts = self.responses = self.outstanding = 0
        self._task: Any = cocotb.start_soon(self._serve())
        cocotb.start_soon(self._follow_reset(dut.aresetn))

    def full(self, waiting: int) -> bool:
        """Whether no address may be taken; `waiting` were not looked at yet."""
        limit = self.timing.outstanding
        return limit is not None and self.outstanding + waiting >= limit

    async def _follow_reset(self, reset: Any) -> None:
        """Forget what is under way when the reset rises or falls: it is the memory's as well."""
        while True:
            await ValueChange(reset)
            self._task.cancel()
            self.outstanding = 0
            for channel in self._channels():
                channel.clear()
            self._task = cocotb.start_soon(self._serve())

    @abstractmethod
    def _channels(self) -> list[Any]:
        """Return the channels that a reset empties."""

    @abstractmethod
    async def _answer(self, request: Any, number: int) -> None:
        """Answer the burst of that number, unless the port is silent from it on."""

    async def _serve(self) -> None:
        """Answer the bursts in order, for ever."""
        while True:
            request = await self.addresses.recv()
            self.outstanding += 1
            number = self.bursts
            self.bursts += 1
            await self._answer(request, number)

    async def _wait(self, since: int) -> None:
        """Wait until the bus model must be told to drive in the cycle `latency` after a handshake."""
        due = since + (self.timing.latency - 1) * self.period - self.period // 2
        now = int(get_sim_time("step"))
        if due > now:
            await Timer(due - now, "step")

    def _answered(self) -> None:
        self.outstanding -= 1
        self.addresses.wake_event.set()


class _ReadPort(_Port):
    def __init__(
        self, dut: Any, prefix: str, name: str, memory: AxiMemory, timing: MemoryTiming, period: int
    ) -> None:
        bus = AxiReadBus.from_prefix(dut, prefix)
        self.addresses = _ReadAddresses(bus.ar, dut.clk, dut.aresetn, False)
        self.source = AxiRSource(bus.r, dut.clk, dut.aresetn, False)
        self._monitor = AxiRMonitor(bus.r, dut.clk, dut.aresetn, False)
        self.beat_bytes = len(bus.r.rdata) // 8
        super().__init__(dut, name, memory, timing, period)
        self.addresses.port = self
        cocotb.start_soon(self._watch())

    def _channels(self) -> list[Any]:
        return [self.addresses, self.source]

    async def _answer(self, request: Any, number: int) -> None:
        await self._wait(request.time)
        if self.memory._silent(self.name, number):
            return
        beats = int(request.arlen) + 1
        for beat in range(beats):
            address = int(request.araddr) + beat * self.beat_bytes
            response = self.memory._response(self.name, self.responses, address, self.beat_bytes)
            self.responses += 1
            data = self.memory._load(address, self.beat_bytes)
            self.source.send_nowait(
                self.source._transaction_obj(
                    rid=int(request.arid),
                    rdata=int.from_bytes(data, "little"),
                    rresp=response,
                    rlast=int(beat + 1 == beats),
                )
            )

    async def _watch(self) -> None:
        while True:
            beat = await self._monitor.recv()
            if beat.rlast and self.outstanding:
                self._answered()


class _WritePort(_Port):
    def __init__(
        self, dut: Any, prefix: str, name: str, memory: AxiMemory, timing: MemoryTiming, period: int
    ) -> None:
        bus = AxiWriteBus.from_prefix(dut, prefix)
        self.addresses = _WriteAddresses(bus.aw, dut.clk, dut.aresetn, False)
        self.data = _WriteData(bus.w, dut.clk, dut.aresetn, False)
        self.source = AxiBSource(bus.b, dut.clk, dut.aresetn, False)
        self.beat_bytes = len(bus.w.wdata) // 8
        super().__init__(dut, name, memory, timing, period)
        self.addresses.port = self

    def _channels(self) -> list[Any]:
        return [self.addresses, self.data, self.source]

    async def _answer(self, request: Any, number: int) -> None:
        first = address = int(request.awaddr)
        time, last = request.time, False
        while not last:
            beat = await self.data.recv()
            data = int(beat.wdata).to_bytes(self.beat_bytes, "little")
            self.memory._store(address, data, int(beat.wstrb))
            address += self.beat_bytes
            time, last = max(time, beat.time), bool(beat.wlast)
        await self._wait(time)
        if self.memory._silent(self.name, number):
            return
        response = self.memory._response(self.name, self.responses, first, address - first)
        self.responses += 1
        self.source.send_nowait(self.source._transaction_obj(bid=int(request.awid), bresp=response))
        self._answered()
