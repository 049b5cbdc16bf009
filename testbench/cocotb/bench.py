"""The accelerator with clock, registers, memory, trace and scoreboard around it."""

from typing import Any

from cocotb.triggers import First, RisingEdge, Timer

from .axi_memory import AxiMemory, MemoryTiming
from .bench_core import PERIOD, BenchCore
from .description import Description
from .local_memories import LocalMemories
from .registers import AxiLiteRegisters
from .scoreboard import Scoreboard
from .trace import Trace, TraceMonitor

__all__ = ["Bench"]


class Bench(BenchCore):
    """Emitted accelerator among bus models of cocotbext-axi.

    Every handshake passes through Python, about 0.2 ms of it for a cycle: right for single layers and
    for what goes on at the ports. :class:`.fast_bench.FastBench` is for whole networks.

    Parameters
    ----------
    dut
        The accelerator, ``cosilico_top``.
    description : Description
    timing : MemoryTiming, optional
        Of the memory; if not given, that for which the cycles are predicted.
    base : int
        Address of the memory's first byte, a multiple of 4096.
    size_bytes : int, optional
        Of the memory; the program's if not given.
    write_order : str, optional
        See :class:`.axi_memory.AxiMemory`.
    stop : bool
        Whether the scoreboard ends the test at the first mismatch.
    activations : bool
        Whether it compares the activations of every layer, which must be visible
        (:class:`.local_memories.LocalMemories`).
    period : int
        Of the clock, in steps of the simulator's precision.

    Attributes
    ----------
    registers : AxiLiteRegisters
    memory : AxiMemory
    monitor : TraceMonitor
    scoreboard : Scoreboard
        Compares cycles where the memory is that of the prediction; set ``scoreboard.cycles`` to False
        where a test disturbs it.
    """

    def __init__(
        self,
        dut: Any,
        description: Description,
        *,
        timing: MemoryTiming | None = None,
        base: int = 0,
        size_bytes: int | None = None,
        write_order: str | None = None,
        stop: bool = True,
        activations: bool = True,
        period: int = PERIOD,
    ) -> None:
        """Connect everything and start the clock."""
        predicted = MemoryTiming(latency=description.memory_latency)
        exact = write_order is None and timing in (None, predicted)
        scoreboard = Scoreboard(description, cycles=exact, stop=stop)
        self.registers = AxiLiteRegisters(dut)
        super().__init__(dut, description, self.registers, scoreboard, base=base, period=period)
        image = description.program.image
        self.memory = AxiMemory(
            dut,
            size_bytes=len(image) if size_bytes is None else size_bytes,
            timing=timing or predicted,
            period=period,
            base=base,
            write_order=write_order,
        )
        self._local = LocalMemories(dut, description) if activations else None
        self.monitor = TraceMonitor(dut, description, self._notice)

    async def write_memory(self, address: int, data: bytes) -> None:
        """Put bytes into the memory, past the bus; addresses are relative to the memory's base."""
        self.memory.bytes[address : address + len(data)] = data

    async def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Return bytes of the memory, past the bus; addresses are relative to the memory's base."""
        return bytes(self.memory.bytes[address : address + size_bytes])

    async def interrupt(self, timeout_cycles: int | None = None) -> None:
        """Wait for the interrupt.

        Parameters
        ----------
        timeout_cycles : int, optional
            Ten times the predicted cycles, and 100,000 more, if not given.

        Raises
        ------
        TimeoutError
            If it does not come.
        """
        if self.dut.irq.value:
            return
        if timeout_cycles is None:
            timeout_cycles = 10 * self.description.program.predicted.cycles + 100_000
        irq = RisingEdge(self.dut.irq)
        if await First(irq, Timer(timeout_cycles * self.period, "step")) is not irq:
            raise TimeoutError(f"the interrupt must come within {timeout_cycles} cycles")

    def stall(self, seed: int, percent: int = 25) -> None:
        """Let all channels of the memory pause at random; cycles are not compared from now on."""
        self.scoreboard.cycles = False
        self.memory.stall(seed, percent)

    def assert_quiet(self) -> None:
        """Assert that no transfer is under way or left over on the ports to the memory."""
        self.memory.assert_quiet()

    def _begin_trace(self) -> Trace:
        """Begin the trace of the run that a doorbell is about to start."""
        return self.monitor.begin()

    def _complete_trace(self) -> None:
        """Do nothing: the monitor has seen all that came before the interrupt."""

    def _notice(self, event: str, queue: int, descriptor: int | None, cycle: int) -> None:
        """Compare an event of the trace, and at the end of an EXECUTE the activations it leaves."""
        trace = self.monitor.trace
        start = trace.start[descriptor] if descriptor is not None else -1
        self.scoreboard.compare_event(self.running, event, descriptor, cycle, start)
        if self._local is None or event != "end" or descriptor is None:
            return
        if queue != self.description.execute_queue:
            return
        index = trace.count("end", queue) - 1
        for number, probe in enumerate(self.description.program.probes):
            if probe.execute_index == index:
                data = self._local.read(probe)
                self.scoreboard.compare_probe(self.running, number, data, descriptor)
