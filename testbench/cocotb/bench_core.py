"""Operations that every bench has: registers by name, the program, its runs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from .description import Description
from .registers import RegisterPort, Stop
from .scoreboard import Scoreboard
from .trace import Trace

__all__ = ["PERIOD", "BenchCore", "Run"]

PERIOD = 10
"""Steps of the simulator's precision in a clock cycle, unless a bench is given another number."""

DOORBELL, ABORT = "doorbell", "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Results of one run of the program.

    Parameters
    ----------
    index : int
        Of its inputs.
    status : frozenset of str
        Bits of STATUS that are set.
    counters : dict
        Performance counters by register name, with CYCLES.
    outputs : bytes
        Output tensors of all its images, as they lie in memory.
    trace : Trace
        Start and end of every descriptor.
    stop : Stop or None
        Why it stopped early.
    """

    index: int
    status: frozenset[str]
    counters: dict[str, int]
    outputs: bytes
    trace: Trace
    stop: Stop | None

    @property
    def cycles(self) -> int:
        """Cycles from doorbell to done."""
        return self.counters["CYCLES"]


class BenchCore(ABC):
    """Registers by name, the program and its runs, on whatever memory a bench has.

    Parameters
    ----------
    dut
        Top module, with the ports ``clk``, ``aresetn`` and ``irq``.
    description : Description
    registers : RegisterPort
    scoreboard : Scoreboard
    base : int
        Address of the memory's first byte, a multiple of 4096.
    period : int
        Of the clock, in steps of the simulator's precision.
    """

    def __init__(
        self,
        dut: Any,
        description: Description,
        registers: RegisterPort,
        scoreboard: Scoreboard,
        *,
        base: int,
        period: int,
    ) -> None:
        """Start the clock, which is low first."""
        self.dut, self.description, self.base, self.period = dut, description, base, period
        self.register_port, self.scoreboard = registers, scoreboard
        self.running = 0
        self._warm = False
        Clock(dut.clk, period, unit="step", impl="gpi").start(start_high=False)

    async def reset(self, cycles: int = 4) -> None:
        """Hold reset for some cycles, and wait for as many."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.clk, cycles)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.clk, cycles)

    async def write(self, register: str, value: int) -> None:
        """Write a register by its name."""
        await self.register_port.write(self.description.registers[register], value)

    async def read(self, register: str) -> int:
        """Read a register by its name."""
        return await self.register_port.read(self.description.registers[register])

    async def write_bits(self, register: str, *bits: str) -> None:
        """Write a register with only the named bits of CONTROL, or of the interrupts, set."""
        names = (
            self.description.control_bits if register == "CONTROL" else self.description.interrupts
        )
        await self.write(register, sum(1 << names.index(bit) for bit in bits))

    async def status(self) -> frozenset[str]:
        """Return the names of the bits of STATUS that are set."""
        value = await self.read("STATUS")
        bits = self.description.status_bits
        return frozenset(bit for place, bit in enumerate(bits) if value >> place & 1)

    async def counters(self) -> dict[str, int]:
        """Read all performance counters, by register name."""
        return {name: await self.read(name) for name in self.description.counters}

    async def stop_reason(self) -> Stop | None:
        """Read why the program stopped before its end; None if it did not."""
        error = await self.read("ERROR")
        address = await self.read("ERROR_ADDRESS")
        return Stop(self.description, error, address) if error else None

    async def load_program(self) -> None:
        """Put the memory image in place; name program and memory in the registers; enable interrupts."""
        program = self.description.program
        await self.write_memory(0, program.image)
        await self.write("PROGRAM", self.base + program.header_address)
        self.scoreboard.predicted, self._warm = program.predicted, False
        await self.write("MEMORY_BASE", self.base)
        await self.write_bits("IRQ_ENABLE", *self.description.interrupts)

    async def load_inputs(self, run: int = 0) -> None:
        """Put the inputs of a run into the memory."""
        inputs = self.description.program.inputs
        await self.write_memory(inputs.address, inputs.runs[run])

    async def abort(self) -> None:
        """Write CONTROL.abort, which stops the program."""
        await self.write_bits("CONTROL", ABORT)

    async def clear_interrupt(self) -> None:
        """Clear all pending interrupts."""
        await self.write_bits("IRQ_PENDING", *self.description.interrupts)

    async def outputs(self) -> bytes:
        """Return the output tensors of all images of a run, as they lie in memory."""
        place = self.description.program.outputs
        return await self.read_memory(place.address, place.size_bytes)

    async def run(self, index: int = 0, *, warm: bool = False) -> Run:
        """Load inputs, ring the doorbell, wait for the end, and compare all there is to compare.

        The program must be loaded.

        Parameters
        ----------
        index : int
            Of the inputs.
        warm : bool
            As of :meth:`start`.
        """
        await self.load_inputs(index)
        trace = await self.start(index, warm=warm)
        await self.interrupt()
        result = await self.finish(trace, index)
        if result.stop is None:
            self.scoreboard.compare_counters(index, result.counters)
            self.scoreboard.compare_outputs(index, result.outputs)
        return result

    async def finish(self, trace: Trace, index: int = 0) -> Run:
        """Read registers and outputs after the interrupt, and clear it."""
        status = await self.status()
        counters = await self.counters()
        stop = await self.stop_reason()
        await self.clear_interrupt()
        self._complete_trace()
        outputs = await self.outputs()
        return Run(
            index=index,
            status=status,
            counters=counters,
            outputs=outputs,
            trace=trace,
            stop=stop,
        )

    @abstractmethod
    async def write_memory(self, address: int, data: bytes) -> None:
        """Put bytes into the memory, past the bus; addresses are relative to the memory's base."""

    @abstractmethod
    async def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Return bytes of the memory, past the bus; addresses are relative to the memory's base."""

    async def start(self, run: int = 0, *, warm: bool = False) -> Trace:
        """Ring the doorbell; return the run's trace, which fills as it goes.

        Parameters
        ----------
        run : int
            Whose inputs are in the memory: the scoreboard compares with its activations.
        warm : bool
            Whether the run reads the weights that the last run has left in the weight store. That must
            have been a whole run of the program: after a reset, an abort or any other stop a run is
            cold. Without effect where nothing stays in the store.
        """
        self.running = run
        await self._choose_entry(warm)
        trace = self._begin_trace()
        await self.write_bits("CONTROL", DOORBELL)
        return trace

    async def _choose_entry(self, warm: bool) -> None:
        """Name the cold or the warm header in PROGRAM, if the run before had the other."""
        program = self.description.program
        if program.warm is None or warm == self._warm:
            return
        entry = program.warm if warm else program
        await self.write("PROGRAM", self.base + entry.header_address)
        self.scoreboard.predicted = entry.predicted
        self._warm = warm

    @abstractmethod
    def _begin_trace(self) -> Trace:
        """Begin the trace of the run that a doorbell is about to start."""

    @abstractmethod
    def _complete_trace(self) -> None:
        """Bring into the trace what was seen last; nothing where it fills by itself."""

    @abstractmethod
    async def interrupt(self, timeout_cycles: int | None = None) -> None:
        """Wait for the interrupt; see the bench's own."""
