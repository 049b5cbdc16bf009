"""The accelerator with a memory beside it in the simulation: nothing waits for Python in any cycle."""

from array import array
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import First, RisingEdge, Timer, ValueChange, with_timeout

from .bench_core import PERIOD, BenchCore
from .description import Description
from .scoreboard import Scoreboard
from .trace import Trace

__all__ = ["FastBench", "HostPort", "StuckError"]

TRACE_FILE, ACTIVATIONS_FILE, PROBES_FILE = "trace.bin", "probes.bin", "probes.txt"
BACKDOOR_IN, BACKDOOR_OUT = "backdoor.in", "backdoor.out"
"""Files in the simulation's folder; fast_memory.sv and trace_recorder.sv say what they hold."""

KINDS = (
    ("start", "load"),
    ("end", "load"),
    ("start", "execute"),
    ("issue_end", "execute"),
    ("end", "execute"),
    ("start", "store"),
    ("end", "store"),
)
"""Event and queue of every kind of record in the trace."""

RECORD_WORDS = 2
PATIENCE_CYCLES = 10_000
"""Cycles in which a register access must be answered."""


class StuckError(Exception):
    """No descriptor starts or ends, and nothing moves on the ports to the memory.

    Parameters
    ----------
    cycle : int
        Of the run, -1 if it has not begun.
    trace : Trace
        What was seen until then.
    """

    def __init__(self, cycle: int, trace: Trace) -> None:
        """Keep cycle and trace."""
        super().__init__(f"nothing moves any more at cycle {cycle}")
        self.cycle, self.trace = cycle, trace


class HostPort:
    """Register port of ``host_port.sv``: an access takes as few cycles as the accelerator allows.

    Parameters
    ----------
    dut
        ``accelerator_bench``.
    period : int
        Clock period in steps.
    """

    def __init__(self, dut: Any, period: int) -> None:
        """Begin without an access."""
        self._request, self._writes = dut.host_request, dut.host_writes
        self._offset, self._data = dut.host_offset, dut.host_data
        self._answered, self._result = dut.host_answered, dut.host_result
        self._patience = PATIENCE_CYCLES * period
        self._count = 0
        self._request.value = 0

    async def write(self, offset: int, value: int) -> None:
        """Write a register; return when the write is answered."""
        self._data.value = value
        await self._access(offset, True)

    async def read(self, offset: int) -> int:
        """Read a register."""
        await self._access(offset, False)
        return int(self._result.value)

    async def _access(self, offset: int, writes: bool) -> None:
        self._count = (self._count + 1) % (1 << 32)
        self._offset.value = offset
        self._writes.value = writes
        self._request.value = self._count
        try:
            await with_timeout(ValueChange(self._answered), self._patience, "step")
        except TimeoutError:
            words = f"the AXI4-Lite port did not answer within {PATIENCE_CYCLES} cycles"
            raise TimeoutError(words) from None


class FastBench(BenchCore):
    """Emitted accelerator in ``accelerator_bench``, with memory, host and recorders of its own.

    It is for whole networks: Python is called for accesses to registers, at the end of a run, and at
    the end of every EXECUTE descriptor if `follow` is set.

    Parameters
    ----------
    dut
        ``accelerator_bench``.
    description : Description
    latency : int, optional
        Of ``fast_memory.sv``, at least 1; that of the description if not given.
    cycles : bool, optional
        Whether all cycles are compared; by default if the latency is the description's.
    stop : bool
        Whether the scoreboard ends the test at the first mismatch.
    follow : bool
        Whether descriptors and activations are compared as they come. If not, :meth:`run` compares
        descriptors, outputs and counters after every run.
    folder : Path, optional
        Where the simulation runs; the current folder if not given.
    period : int
        Of the clock, in steps of the simulator's precision.

    Attributes
    ----------
    registers : HostPort
    scoreboard : Scoreboard
    """

    def __init__(
        self,
        dut: Any,
        description: Description,
        *,
        latency: int | None = None,
        cycles: bool | None = None,
        stop: bool = True,
        follow: bool = True,
        folder: Path | None = None,
        period: int = PERIOD,
    ) -> None:
        """Set all inputs and start the clock."""
        if latency is not None and latency < 1:
            raise ValueError(f"latency must be positive, not {latency!r}")
        chosen = description.memory_latency if latency is None else latency
        exact = chosen == description.memory_latency if cycles is None else cycles
        self.folder = Path() if folder is None else folder
        self.registers = HostPort(dut, period)
        scoreboard = Scoreboard(description, cycles=exact, stop=stop)
        dut.aresetn.value = 0
        dut.memory_base.value = 0
        dut.memory_latency.value = chosen
        dut.watchdog.value = description.program.watchdog
        dut.follows.value = follow
        super().__init__(dut, description, self.registers, scoreboard, base=0, period=period)
        self._trace = Trace((), len(description.queues))
        self._kinds = [(event, description.queues.index(queue)) for event, queue in KINDS]
        self._words = self._activation_bytes = self._probes = 0
        self._begun = False
        if follow:
            self.record_activations()
            cocotb.start_soon(self._follow())

    @property
    def cycle(self) -> int:
        """Cycles since the simulation began."""
        return int(self.dut.cycle.value)

    async def reset(self, cycles: int = 4) -> None:
        """Hold reset for some cycles, and wait for as many. Every test begins with a reset."""
        self._activation_bytes = 0
        await super().reset(cycles)

    def record_activations(self) -> None:
        """Let the simulation write what the description's probes ask for, from the next run on."""
        lines = [
            f"{probe.execute_index} {probe.address} {probe.groups} {probe.rows} {probe.columns} "
            f"{probe.plane} {probe.row}\n"
            for probe in self.description.program.probes
        ]
        (self.folder / PROBES_FILE).write_text("".join(lines))

    async def write_memory(self, address: int, data: bytes) -> None:
        """Put bytes into the memory, past the bus, at an address relative to its base."""
        (self.folder / BACKDOOR_IN).write_bytes(data)
        await self._backdoor(address, len(data), True)

    async def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Return bytes of the memory, past the bus, from an address relative to its base."""
        await self._backdoor(address, size_bytes, False)
        return (self.folder / BACKDOOR_OUT).read_bytes()[:size_bytes]

    def _begin_trace(self) -> Trace:
        """Begin the trace of the run that a doorbell is about to start."""
        queues = self.description.program.queues
        self._trace = Trace(queues, len(self.description.queues))
        self._words = self._probes = 0
        self._begun = True
        return self._trace

    async def interrupt(self, timeout_cycles: int | None = None) -> None:
        """Wait for the interrupt.

        Parameters
        ----------
        timeout_cycles : int, optional
            Any number if not given.

        Raises
        ------
        StuckError
            If nothing moves for as many cycles as the description's watchdog says.
        TimeoutError
            If the interrupt does not come in time.
        """
        if not self.dut.irq.value:
            irq, stuck = RisingEdge(self.dut.irq), RisingEdge(self.dut.stuck)
            waits: list[Any] = [irq, stuck]
            if timeout_cycles is not None:
                waits.append(Timer(timeout_cycles * self.period, "step"))
            first = await First(*waits)
            if first is stuck:
                self._read_events()
                cycle = int(self.dut.run_cycle.value)
                raise StuckError(cycle - (cycle >> 31 << 32), self._trace)
            if first is not irq:
                raise TimeoutError(f"the interrupt must come within {timeout_cycles} cycles")

    def _complete_trace(self) -> None:
        """Read the rest of the trace; the recorder closes its file a cycle after the interrupt."""
        self._read_events()

    async def _backdoor(self, address: int, size_bytes: int, writes: bool) -> None:
        dut = self.dut
        answered = int(dut.backdoor_answered.value)  # of an earlier test, too
        dut.backdoor_address.value = address
        dut.backdoor_bytes.value = size_bytes
        dut.backdoor_writes.value = writes
        dut.backdoor_request.value = (answered + 1) % (1 << 32)
        await ValueChange(dut.backdoor_answered)

    async def _follow(self) -> None:
        """Compare events and activations whenever the recorder has written more."""
        followed = ValueChange(self.dut.followed)
        while True:
            await followed
            if self._begun:
                self._read_events()
                self._read_activations()

    def _read_events(self) -> None:
        """Bring what is new in the trace's file into the trace, and compare it."""
        with (self.folder / TRACE_FILE).open("rb") as file:
            file.seek(4 * self._words)
            data = file.read()
        words = array("I", data[: len(data) // 8 * 8])
        self._words += len(words)
        trace = self._trace
        for place in range(0, len(words), RECORD_WORDS):
            event, queue = self._kinds[words[place]]
            cycle = words[place + 1]
            descriptor = trace.record(event, queue, cycle)
            start = trace.start[descriptor] if descriptor is not None else -1
            self.scoreboard.compare_event(self.running, event, descriptor, cycle, start)

    def _read_activations(self) -> None:
        """Compare the activations that were written since the last time."""
        program, execute = self.description.program, self.description.execute_queue
        done = self._trace.count("end", execute)
        descriptors = [index for index, queue in enumerate(program.queues) if queue == execute]
        while self._probes < len(program.probes):
            probe = program.probes[self._probes]
            if probe.execute_index >= done:
                break
            size = self.description.probe_bytes(probe)
            with (self.folder / ACTIVATIONS_FILE).open("rb") as file:
                file.seek(self._activation_bytes)
                data = file.read(size)
            self._activation_bytes += size
            descriptor = descriptors[probe.execute_index]
            self.scoreboard.compare_probe(self.running, self._probes, data, descriptor)
            self._probes += 1
