"""Registers, doorbell, interrupt, refusal, error responses, and a layer under random stalls."""

import itertools
import os
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from testbench.cocotb.axi_memory import MemoryTiming
from testbench.cocotb.bench import Bench
from testbench.cocotb.description import Description
from testbench.cocotb.memory_behavior import SLVERR, Fault, Silence
from testbench.cocotb.write_memory import ORDERS

__all__ = ["CASE_VARIABLE"]

CASE_VARIABLE = "COSILICO_CASE"
"""Environment variable that names the folder of the description."""

STALL_SEEDS = 5
QUIET_CYCLES = 200


class Handshakes:
    """Cycles of the handshakes of a port to the memory, channel by channel.

    Attributes
    ----------
    cycles : dict
        Of the channels ``ar``, ``r``, ``aw``, ``w`` and ``b`` that the port has.
    most : int
        Most read bursts that were outstanding.
    """

    def __init__(self, dut: Any, port: str) -> None:
        """Watch from now on."""
        self.cycles: dict[str, list[int]] = {}
        self.most = 0
        self._pairs = {}
        for channel in ("ar", "r", "aw", "w", "b"):
            signals = (getattr(dut, f"{port}_{channel}{end}", None) for end in ("valid", "ready"))
            valid, ready = signals
            if valid is not None and ready is not None:
                self._pairs[channel], self.cycles[channel] = (valid, ready), []
        self._last = getattr(dut, f"{port}_rlast")
        cocotb.start_soon(self._watch(RisingEdge(dut.clk)))

    async def _watch(self, edge: RisingEdge) -> None:
        outstanding = 0
        for cycle in itertools.count():
            await edge
            taken = {
                name: bool(valid.value and ready.value)
                for name, (valid, ready) in self._pairs.items()
            }
            for name in self.cycles:
                if taken[name]:
                    self.cycles[name].append(cycle)
            outstanding += taken["ar"]
            self.most = max(self.most, outstanding)
            outstanding -= taken["r"] and bool(self._last.value)

    def least_gap(self, channel: str) -> int:
        """Return the fewest cycles from a handshake of a channel to the next."""
        return min(after - before for before, after in itertools.pairwise(self.cycles[channel]))


async def bench_of(dut: Any, **options: Any) -> Bench:
    """Return a reset bench with the case in memory."""
    bench = Bench(dut, Description.load(os.environ[CASE_VARIABLE]), **options)
    await bench.reset()
    await bench.write_memory(0, bench.description.program.image)
    await bench.load_inputs()
    return bench


async def begin(bench: Bench) -> None:
    """Load the program with its inputs and ring the doorbell."""
    await bench.load_program()
    await bench.load_inputs()
    await bench.start()


async def assert_right(bench: Bench) -> None:
    """Assert that the program is done and its outputs are the reference's."""
    assert await bench.status() == {"done"}
    bench.scoreboard.compare_outputs(0, await bench.outputs())
    bench.scoreboard.assert_passed()


@cocotb.test()
async def reset_values(dut: Any) -> None:
    """Identity, fingerprint, capabilities and the whole window are there, everything else is 0."""
    bench = await bench_of(dut)
    expected = bench.description.reset_values
    for name in bench.description.registers:
        assert await bench.read(name) == expected.get(name, 0), name
    assert not dut.irq.value


@cocotb.test()
async def read_write_registers_keep_their_bits(dut: Any) -> None:
    """Addresses are aligned, byte strobes are honoured, read-only registers stay."""
    bench = await bench_of(dut)
    await bench.write("PROGRAM", 0xFFFFFFFF)
    assert await bench.read("PROGRAM") == 0xFFFFFFC0
    await bench.write("MEMORY_BASE", 0xFFFFFFFF)
    assert await bench.read("MEMORY_BASE") == 0xFFFFF000
    await bench.registers.axi_lite.write(bench.description.registers["PROGRAM"] + 1, b"\x12")
    assert await bench.read("PROGRAM") == 0xFFFF12C0
    await bench.write("IRQ_ENABLE", 1)
    assert await bench.read("IRQ_ENABLE") == 1
    for name in ("ID", "FINGERPRINT", "STATUS", "CYCLES"):
        before = await bench.read(name)
        await bench.write(name, 0xFFFFFFFF)
        assert await bench.read(name) == before, name


@cocotb.test()
async def doorbell_runs_the_layer_and_interrupts(dut: Any) -> None:
    """Outputs, activations and all cycles are as expected; the interrupt is cleared by writing 1."""
    bench = await bench_of(dut)
    await begin(bench)
    assert await bench.status() == {"busy"}
    await bench.interrupt()
    await assert_right(bench)
    counters = await bench.counters()
    bench.scoreboard.compare_counters(0, counters)
    assert counters["CYCLES"] > 0
    events = bench.scoreboard.compared["events"]
    descriptors = bench.description.program.queues
    assert events == 2 * len(descriptors) + descriptors.count(bench.description.execute_queue)
    assert bench.scoreboard.compared["activations"] > 0
    assert await bench.read("IRQ_PENDING") == 1
    await bench.write("IRQ_PENDING", 0)
    assert await bench.read("IRQ_PENDING") == 1
    await bench.write("IRQ_PENDING", 1)
    assert await bench.read("IRQ_PENDING") == 0
    assert not dut.irq.value
    bench.assert_quiet()


@cocotb.test()
async def disabled_interrupt_stays_low(dut: Any) -> None:
    """The end shows in STATUS and IRQ_PENDING; enabling later raises the line."""
    bench = await bench_of(dut)
    await bench.write("PROGRAM", bench.description.program.header_address)
    await bench.start()
    while "busy" in await bench.status():
        assert not dut.irq.value
    assert await bench.read("IRQ_PENDING") == 1
    assert not dut.irq.value
    await bench.write_bits("IRQ_ENABLE", "done")
    await ClockCycles(dut.clk, 2)
    assert dut.irq.value


@cocotb.test()
async def second_doorbell_runs_again(dut: Any) -> None:
    """A doorbell while busy is ignored; one after the end starts anew, in as many cycles."""
    bench = await bench_of(dut)
    await begin(bench)
    await bench.write_bits("CONTROL", "doorbell")
    await bench.interrupt()
    first = await bench.read("READ_BEATS")
    place = bench.description.program.outputs
    await bench.write_memory(place.address, bytes(place.size_bytes))
    await bench.clear_interrupt()
    result = await bench.run()
    assert result.counters["READ_BEATS"] == first
    assert result.status == {"done"}
    bench.scoreboard.assert_passed()


@cocotb.test()
async def memory_base_moves_the_program(dut: Any) -> None:
    """An image at another address gives the same output."""
    bench = await bench_of(dut, base=0x8765_4000)
    await begin(bench)
    await bench.interrupt()
    await assert_right(bench)


@cocotb.test()
async def program_for_another_configuration_is_refused(dut: Any) -> None:
    """It ends at once, says so, and touches nothing; a good program runs afterwards."""
    bench = await bench_of(dut)
    await bench.load_program()
    await bench.load_inputs()
    address = bench.description.program.header_address + 4
    bench.memory.bytes[address] ^= 1
    await bench.start()
    await bench.interrupt()
    assert await bench.status() == {"refused"}
    refused = 1 << bench.description.interrupts.index("refused")
    assert await bench.read("IRQ_PENDING") == refused
    assert await bench.read("READ_BEATS") == 0
    assert await bench.read("WRITE_BEATS") == 0
    bench.memory.bytes[address] ^= 1
    await bench.write("IRQ_PENDING", refused)
    await bench.start()
    await bench.interrupt()
    await assert_right(bench)


@cocotb.test()
async def text_that_is_no_program_is_refused(dut: Any) -> None:
    """The magic word is checked as well."""
    bench = await bench_of(dut)
    await bench.load_program()
    header = bench.description.program.header_address
    bench.memory.bytes[header] ^= 0x80
    await bench.start()
    await bench.interrupt()
    assert await bench.status() == {"refused"}
    stop = await bench.stop_reason()
    assert stop is not None
    assert str(stop) == f"REFUSED on port DESCRIPTOR at address {header:#x}"


@cocotb.test()
@cocotb.parametrize(port=("read", "write"))
async def error_responses_stop_the_program(dut: Any, port: str) -> None:
    """All that was under way is drained, nothing more is begun, and a later program is right."""
    bench = await bench_of(dut)
    bench.scoreboard.cycles = False
    bench.memory.faults.append(Fault(port=port, index=0))
    await begin(bench)
    await bench.interrupt()
    assert await bench.status() == {"error"}
    assert await bench.read("IRQ_PENDING") == 1 << bench.description.interrupts.index("error")
    stop = await bench.stop_reason()
    assert stop is not None
    assert (stop.cause, stop.port, stop.response) == ("RESPONSE", port.upper(), SLVERR)
    await bench.clear_interrupt()
    await ClockCycles(dut.clk, QUIET_CYCLES)
    bench.assert_quiet()
    bench.memory.faults.clear()
    await bench.start()
    await bench.interrupt()
    assert await bench.stop_reason() is None
    await assert_right(bench)


@cocotb.test()
async def limits_of_the_memory_hold(dut: Any) -> None:
    """No port has more bursts outstanding, nor a channel more beats, than the memory takes; and as many."""
    timing = MemoryTiming(latency=60, outstanding=2, read_pace=(1, 3), write_pace=(1, 2))
    bench = await bench_of(dut, timing=timing)
    data, descriptors = (Handshakes(dut, port) for port in ("m_axi", "m_axi_desc"))
    await begin(bench)
    await bench.interrupt()
    await assert_right(bench)
    assert (data.most, descriptors.most) == (2, 2)
    assert (data.least_gap("r"), descriptors.least_gap("r")) == (3, 1)
    assert data.least_gap("w") == 2
    bench.assert_quiet()


@cocotb.test()
@cocotb.parametrize(index=(0, 1))
async def silence_begins_with_its_burst(dut: Any, index: int) -> None:
    """Bursts before it are answered, and none from it on."""
    bench = await bench_of(dut)
    data = Handshakes(dut, "m_axi")
    bench.memory.silence = Silence(port="read", index=index)
    await begin(bench)
    await ClockCycles(dut.clk, 10 * QUIET_CYCLES)
    assert await bench.status() == {"busy"}
    assert len(data.cycles["ar"]) > index
    assert (data.cycles["r"] == []) == (index == 0)
    await bench.abort()
    await ClockCycles(dut.clk, QUIET_CYCLES)
    assert "stopping" in await bench.status()
    bench.memory.silence = None
    await bench.reset()
    await begin(bench)
    await bench.interrupt()
    await assert_right(bench)


@cocotb.test()
@cocotb.parametrize(seed=range(STALL_SEEDS))
async def random_stalls_change_no_bit(dut: Any, seed: int) -> None:
    """Every channel pauses at random; beats, flags and output stay."""
    bench = await bench_of(dut)
    bench.stall(seed)
    await begin(bench)
    await bench.interrupt()
    await assert_right(bench)
    predicted = bench.description.program.predicted
    for name in ("READ_BEATS", "WRITE_BEATS"):
        assert await bench.read(name) == predicted.counters[name]
    assert await bench.read("CYCLES") > predicted.cycles
    await ClockCycles(dut.clk, QUIET_CYCLES)
    bench.assert_quiet()


@cocotb.test()
@cocotb.parametrize(order=ORDERS)
async def any_order_of_writes_changes_no_bit(dut: Any, order: str) -> None:
    """Addresses and data are taken in the order that the memory wants, and nothing waits for ever."""
    bench = await bench_of(dut, write_order=order)
    if order == "alternating":
        channels = bench.memory.channels
        channels["AR"].set_pause_generator(itertools.cycle((True, True, False)))
        channels["descriptor AR"].set_pause_generator(itertools.cycle((True, False, True)))
    await begin(bench)
    await bench.interrupt()
    await assert_right(bench)
    expected = bench.description.program.predicted.counters["WRITE_BEATS"]
    assert await bench.read("WRITE_BEATS") == expected
    sequence = bench.memory.writes.sequence if bench.memory.writes else []
    assert sequence.count("address") == sequence.count("data") > 1
    if order == "address after data":
        assert sequence == ["data", "address"] * (len(sequence) // 2)
    if order in ("address after valid", "data after address"):
        ahead = [1 if what == "address" else -1 for what in sequence]
        assert min(itertools.accumulate(ahead)) >= 0
    await ClockCycles(dut.clk, QUIET_CYCLES)
    bench.assert_quiet()


@cocotb.test()
async def response_to_no_burst_ends_the_simulation(dut: Any) -> None:
    """The rules watch the bus models as well: this case does not come to its end."""
    await bench_of(dut, write_order="independent")
    dut.m_axi_bvalid.value = 1
    await ClockCycles(dut.clk, 4)
