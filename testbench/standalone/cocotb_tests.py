"""Tests of the accelerator in this folder, to be copied and changed."""

import logging
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from testbench.cocotb.axi_memory import MemoryTiming
from testbench.cocotb.bench import Bench
from testbench.cocotb.description import Description
from testbench.cocotb.memory_behavior import SLVERR, Fault

DESCRIPTION = Path(__file__).parent / "description"
"""Folder with accelerator, program, inputs, and all that is expected of a run."""


async def loaded_bench(dut: Any, **options: Any) -> Bench:
    """Return a bench around the accelerator, reset, with the program in its memory.

    It compares outputs, activations and, on the memory that they are predicted for, the cycles of every
    descriptor as they come, and ends the test at the first difference.
    """
    bench = Bench(dut, Description.load(DESCRIPTION), **options)
    logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)  # not each register access
    await bench.reset()
    await bench.load_program()
    return bench


@cocotb.test()
async def registers_name_the_accelerator(dut: Any) -> None:
    """The registers say which accelerator this is, and that nothing has run."""
    bench = await loaded_bench(dut)
    for name in (
        "ID",
        "FINGERPRINT",
        "VERSION",
        "GRID",
        "REGISTER_FILE",
        "BANK_DEPTH",
        "BUS",
        "WEIGHT_STORE",
    ):
        assert await bench.read(name) == bench.description.reset_values[name], name
    assert await bench.status() == frozenset()


@cocotb.test()
async def outputs_and_cycles_are_as_expected(dut: Any) -> None:
    """Every run has its outputs, and each descriptor starts and ends in its cycle.

    All runs but the first find in the weight store what the run before has left.
    """
    bench = await loaded_bench(dut)
    for index in range(len(bench.description.program.inputs.runs)):
        run = await bench.run(index, warm=index > 0)
        assert run.status == {"done"}
        cocotb.log.info("run %d: %d cycles", index, run.cycles)
    bench.scoreboard.assert_passed()
    bench.assert_quiet()


@cocotb.test()
async def slow_memory_changes_no_bit(dut: Any) -> None:
    """A memory that takes 100 cycles, a burst at a time, and half the beats: same outputs, later."""
    timing = MemoryTiming(latency=100, outstanding=1, read_pace=(1, 2), write_pace=(1, 2))
    bench = await loaded_bench(dut, timing=timing)
    run = await bench.run()
    assert run.cycles > bench.description.program.predicted.cycles
    bench.scoreboard.assert_passed()


@cocotb.test()
async def pauses_change_no_bit(dut: Any) -> None:
    """All channels of the memory pause at random: same outputs."""
    bench = await loaded_bench(dut)
    bench.stall(seed=1, percent=40)
    await bench.run()
    bench.scoreboard.assert_passed()


@cocotb.test()
async def bus_error_stops_the_program(dut: Any) -> None:
    """The third beat that is read fails: the program stops and says why; the next run, cold, is right."""
    bench = await loaded_bench(dut)
    bench.memory.faults.append(Fault(port="read", index=2, response=SLVERR))
    await bench.load_inputs()
    trace = await bench.start()
    await bench.interrupt()
    run = await bench.finish(trace)
    assert run.stop is not None
    assert (run.stop.cause, run.stop.response) == ("RESPONSE", SLVERR)
    bench.memory.faults.clear()
    await bench.load_program()  # states may have changed
    assert (await bench.run()).stop is None
    bench.scoreboard.assert_passed()


@cocotb.test()
async def abort_stops_the_program(dut: Any) -> None:
    """The host gives up in the middle of a run, and the next run, which is cold, is right."""
    bench = await loaded_bench(dut)
    await bench.load_inputs()
    trace = await bench.start()
    await ClockCycles(dut.clk, bench.description.program.predicted.cycles // 2)
    await bench.abort()
    await bench.interrupt()
    run = await bench.finish(trace)
    assert run.stop is not None
    assert run.stop.cause == "ABORT"
    await bench.load_program()  # states may have changed
    await bench.run()
    bench.scoreboard.assert_passed()
