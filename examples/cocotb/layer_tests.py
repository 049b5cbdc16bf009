"""Tests of an accelerator at its ports: registers, interrupts, memories that are slow or fail."""

import os
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from testbench.cocotb.axi_memory import MemoryTiming
from testbench.cocotb.bench import Bench
from testbench.cocotb.description import Description
from testbench.cocotb.local_memories import LocalMemories
from testbench.cocotb.memory_behavior import DECERR, Fault, Silence, paced, random_stalls
from testbench.cocotb.scoreboard import Scoreboard
from testbench.cocotb.trace import Trace, TraceMonitor

DESCRIPTION = Description.load(os.environ["DESCRIPTION"])


async def loaded(dut: Any, **options: Any) -> Bench:
    """Return a bench that is out of reset, with the program and its first inputs in memory."""
    bench = Bench(dut, DESCRIPTION, **options)
    await bench.reset()
    await bench.load_program()
    return bench


@cocotb.test()
async def a_run(dut: Any) -> None:
    """Outputs, activations and the cycles of every descriptor are compared as they come."""
    bench = await loaded(dut)
    for index in range(DESCRIPTION.program.runs):
        result = await bench.run(index)
        assert result.status == {"done"}
        assert result.cycles == DESCRIPTION.program.predicted.cycles
    bench.scoreboard.assert_passed()
    bench.assert_quiet()


@cocotb.test()
async def step_by_step(dut: Any) -> None:
    """Everything that ``run`` does, by hand."""
    bench = await loaded(dut)
    assert await bench.read("ID") == DESCRIPTION.reset_values["ID"]
    await bench.write("TIMEOUT", 100_000)
    await bench.load_inputs(0)
    trace = await bench.start(0)
    assert "busy" in await bench.status()
    assert bench.monitor.cycle >= 0
    await bench.interrupt()
    assert await bench.stop_reason() is None
    counters = await bench.counters()
    assert counters["CYCLES"] > trace.end[-1]
    await bench.clear_interrupt()
    bench.scoreboard.compare_counters(0, counters)
    bench.scoreboard.compare_outputs(0, await bench.outputs())
    start, issue_end, end = trace.times(0)
    assert start < end
    assert issue_end == -1  # the first descriptor is a LOAD
    assert trace.count("end", DESCRIPTION.execute_queue) > 0
    dut._log.info("descriptor 0: %d to %d", start, end)


@cocotb.test()
async def monitors_beside(dut: Any) -> None:
    """A second monitor, trace and scoreboard, which counts what is wrong and goes on."""
    bench = await loaded(dut, activations=False)
    events: list[tuple[str, int, int | None, int]] = []
    monitor = TraceMonitor(dut, DESCRIPTION, lambda *event: events.append(event))
    monitor.begin()
    await bench.run()
    assert len(events) == bench.scoreboard.compared["events"]
    other = Trace(DESCRIPTION.program.queues, len(DESCRIPTION.queues))
    board = Scoreboard(DESCRIPTION, stop=False)
    for event, queue, descriptor, cycle in events:
        assert other.record(event, queue, cycle + 1) == descriptor
        board.compare_event(0, event, descriptor, cycle + 1, start=-1)
    assert other.start == [cycle + 1 for cycle in monitor.trace.start]
    assert len(board.mismatches) == len(events)
    last = len(DESCRIPTION.program.probes) - 1
    probe = DESCRIPTION.program.probes[last]
    data = LocalMemories(dut, DESCRIPTION).read(probe)
    assert len(data) == DESCRIPTION.probe_bytes(probe)
    board.compare_probe(0, last, bytes([data[0] ^ 1]) + data[1:], descriptor=0)
    dut._log.info("%s", board.mismatches[-1])
    assert len(board.mismatches) == len(events) + 1


@cocotb.test()
async def slow_memory(dut: Any) -> None:
    """Another latency, one burst at a time, and two beats in three cycles: the same bits."""
    timing = MemoryTiming(latency=60, outstanding=1, read_pace=(2, 3), write_pace=(2, 3))
    bench = await loaded(dut, timing=timing)
    result = await bench.run()
    assert result.cycles > DESCRIPTION.program.predicted.cycles
    bench.scoreboard.assert_passed()


@cocotb.test()
@cocotb.parametrize(seed=(1, 2))
async def stalls(dut: Any, seed: int) -> None:
    """All channels pause at random, the write data in a pattern of its own."""
    bench = await loaded(dut)
    bench.stall(seed, percent=30)
    bench.memory.channels["W"].set_pause_generator(paced(1, 2))
    bench.registers.axi_lite.write_if.b_channel.set_pause_generator(random_stalls(seed))
    await bench.run()
    bench.scoreboard.assert_passed()


@cocotb.test()
async def any_order_of_writes(dut: Any) -> None:
    """The memory takes a burst's address once it has its data."""
    bench = await loaded(dut, write_order="address after data")
    await bench.run()
    bench.scoreboard.assert_passed()
    assert bench.memory.writes is not None
    assert bench.memory.writes.sequence[:2] == ["data", "address"]
    assert bench.memory.writes.empty()


@cocotb.test()
async def failing_beat(dut: Any) -> None:
    """The third beat that is read fails: the program stops and says where; the next run is right."""
    bench = await loaded(dut)
    fault = Fault(port="read", index=2, response=DECERR)
    assert fault.hits("read", 2, address=0, size_bytes=DESCRIPTION.bus_bytes)
    bench.memory.faults.append(fault)
    result = await bench.run()
    assert result.stop is not None
    assert (result.stop.cause, result.stop.port, result.stop.response) == ("RESPONSE", "READ", 3)
    bench.memory.faults.clear()
    assert (await bench.run()).stop is None
    bench.scoreboard.assert_passed()


@cocotb.test()
async def failing_address(dut: Any) -> None:
    """Whatever writes the first byte of the outputs fails."""
    bench = await loaded(dut)
    place = DESCRIPTION.program.outputs
    bench.memory.faults.append(Fault(port="write", address=place.address))
    result = await bench.run()
    assert result.stop is not None
    assert str(result.stop).startswith("RESPONSE on port WRITE at address 0x")


@cocotb.test()
async def silent_memory(dut: Any) -> None:
    """The second burst of reads is never answered: the host aborts, and only a reset ends the wait."""
    bench = await loaded(dut)
    bench.memory.silence = Silence(port="read", index=1)
    await bench.load_inputs()
    await bench.start()
    await ClockCycles(dut.clk, 2000)
    assert await bench.status() == {"busy"}
    await bench.abort()
    await ClockCycles(dut.clk, 2000)
    assert "stopping" in await bench.status()
    bench.memory.silence = None
    await bench.reset()
    await bench.load_program()
    await bench.run()
    bench.scoreboard.assert_passed()


@cocotb.test()
async def aborted(dut: Any) -> None:
    """The host stops a run that is under way, and the registers say so."""
    bench = await loaded(dut)
    await bench.load_inputs()
    trace = await bench.start()
    await ClockCycles(dut.clk, DESCRIPTION.program.predicted.cycles // 2)
    await bench.abort()
    await bench.interrupt()
    result = await bench.finish(trace)
    assert result.stop is not None
    assert result.stop.cause == "ABORT"


@cocotb.test()
async def wrong_weight(dut: Any) -> None:
    """A scoreboard that does not stop the test collects what differs: layer, descriptor, values."""
    bench = await loaded(dut, stop=False)
    image = DESCRIPTION.program.image
    place = next(index for index, byte in enumerate(image) if byte)
    (byte,) = await bench.read_memory(place, 1)
    await bench.write_memory(place, bytes([byte ^ 0x40]))
    await bench.run()
    assert bench.scoreboard.mismatches
    for mismatch in bench.scoreboard.mismatches[:3]:
        dut._log.info("%s", mismatch)


@cocotb.test()
async def interrupts(dut: Any) -> None:
    """Enabled by name, bit by bit."""
    bench = await loaded(dut)
    await bench.write_bits("IRQ_ENABLE", "error", "refused")
    await bench.load_inputs()
    await bench.start()
    while "busy" in await bench.status():
        assert not dut.irq.value
    await bench.write_bits("IRQ_ENABLE", "done")
    await bench.interrupt(timeout_cycles=10)
