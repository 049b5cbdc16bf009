"""Tests of a whole network in the fast bench: the memory is in the simulation, Python only looks on."""

import os
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles

from testbench.cocotb.description import Description
from testbench.cocotb.fast_bench import ACTIVATIONS_FILE, FastBench, StuckError

DESCRIPTION = Description.load(os.environ["DESCRIPTION"])


@cocotb.test()
async def every_run(dut: Any) -> None:
    """Each descriptor and each layer's activations are compared when an EXECUTE descriptor is done."""
    bench = FastBench(dut, DESCRIPTION)
    await bench.reset()
    await bench.load_program()
    for index in range(DESCRIPTION.program.runs):
        result = await bench.run(index)
        dut._log.info("run %d: %d cycles, %d by now", index, result.cycles, bench.cycle)
    bench.scoreboard.assert_passed()
    for what, count in bench.scoreboard.compared.items():
        assert count > 0, what


@cocotb.test()
@cocotb.parametrize(latency=(4, 100))
async def other_latencies(dut: Any, latency: int) -> None:
    """Other times, and the same bits; nothing is compared before the end of a run."""
    bench = FastBench(dut, DESCRIPTION, latency=latency, follow=False)
    await bench.reset()
    await bench.load_program()
    bench.record_activations()  # into probes.bin, for whoever wants to look at them
    result = await bench.run()
    assert (bench.folder / ACTIVATIONS_FILE).stat().st_size == sum(
        DESCRIPTION.probe_bytes(probe) for probe in DESCRIPTION.program.probes
    )
    faster = result.cycles < DESCRIPTION.program.predicted.cycles
    assert faster == (latency < DESCRIPTION.memory_latency)
    bench.scoreboard.assert_passed()


@cocotb.test()
async def wrong_weight_ends_the_test_at_the_layer(dut: Any) -> None:
    """The scoreboard tells while the network still runs."""
    bench = FastBench(dut, DESCRIPTION, stop=False)
    await bench.reset()
    await bench.load_program()
    place = next(index for index, byte in enumerate(DESCRIPTION.program.image) if byte)
    (byte,) = await bench.read_memory(place, 1)
    await bench.write_memory(place, bytes([byte ^ 0x40]))
    await bench.load_inputs()
    await bench.start()
    while not bench.scoreboard.mismatches:
        await ClockCycles(dut.clk, 100)
    dut._log.info("%s", bench.scoreboard.mismatches[0])
    assert "busy" in await bench.status()


@cocotb.test()
async def stuck(dut: Any) -> None:
    """A run in which nothing moves for as long as the watchdog says ends, and the trace tells where."""
    bench = FastBench(dut, DESCRIPTION, stop=False)
    await bench.reset()
    await bench.load_program()
    dut.watchdog.value = 3  # far less than any memory takes
    await bench.load_inputs()
    trace = await bench.start()
    with pytest.raises(StuckError, match=r"^nothing moves any more at cycle \d+$") as stopped:
        await bench.interrupt()
    assert stopped.value.trace is trace
