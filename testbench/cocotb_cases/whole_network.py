"""A program on all its inputs in the fast bench; everything that was measured goes to files.

The folder in which the simulation runs holds a description without expectations, and ``options.json``:
whether activations are recorded, which registers are written before and which are read after a run, and
the address of every run's header. It holds afterwards, as ``testbench/rtl/templates/job.h`` has them,
``counters.bin``, ``outputs.bin``, ``probes.bin``, and for every run the trace as ``trace0.bin`` …; and
``end.json``.
"""

import json
import shutil
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, Timer

from testbench.cocotb.description import Description
from testbench.cocotb.fast_bench import TRACE_FILE, FastBench, StuckError

__all__ = ["END_FILE", "OPTIONS_FILE"]

OPTIONS_FILE, END_FILE = "options.json", "end.json"
RESET_CYCLES, SETTLE_CYCLES = 8, 4
"""Cycles of the harness's reset: memories that depend on the cycle behave here as they do there."""

WATCH_CYCLES = 10_000
WATCH_S = 0.25
"""How often to look whether progress is to be reported, and how often it is."""


@cocotb.test()
async def whole_network(dut: Any) -> None:
    """Run every input, one run after the other; say on standard error what goes wrong."""
    try:
        await _run_all(dut)
    except Exception as error:
        print(str(error) or repr(error), file=sys.stderr, flush=True)
        raise


async def _run_all(dut: Any) -> None:
    folder = Path()
    options = json.loads((folder / OPTIONS_FILE).read_text())
    description = Description.load(folder)
    program, header = description.program, None
    bench = FastBench(dut, description, follow=False)
    if options["activations"]:
        bench.record_activations()
    state = {"run": 0}
    cocotb.start_soon(_report(bench, state))
    await ClockCycles(dut.clk, RESET_CYCLES)
    dut.aresetn.value = 1
    await ClockCycles(dut.clk, SETTLE_CYCLES)
    await bench.write_memory(0, program.image)
    end: dict[str, Any] = {"stuck": None}
    with (
        (folder / "counters.bin").open("wb") as counters,
        (folder / "outputs.bin").open("wb") as out,
    ):
        for run in range(program.runs):
            state["run"] = run
            if options["headers"][run] != header:
                header = options["headers"][run]
                await _set_up(bench, header, options["registers"])
            await bench.load_inputs(run)
            trace = await bench.start(run)
            try:
                await bench.interrupt()
            except StuckError as error:
                end["stuck"] = {
                    "run": run,
                    "cycle": error.cycle,
                    "started": [
                        trace.count("start", queue) for queue, _ in enumerate(description.queues)
                    ],
                    "finished": [
                        trace.count("end", queue) for queue, _ in enumerate(description.queues)
                    ],
                }
                break
            values = [await bench.read(name) for name in options["counters"]]
            await bench.clear_interrupt()
            counters.write(array("q", values).tobytes())
            out.write(await bench.outputs())
            shutil.move(folder / TRACE_FILE, folder / f"trace{run}.bin")
    end["cycles"] = bench.cycle
    (folder / END_FILE).write_text(json.dumps(end))


async def _set_up(bench: FastBench, header: int, registers: dict[str, int]) -> None:
    """Write all registers that a program begins with, in the order of the harness."""
    await bench.write("PROGRAM", bench.base + header)
    await bench.write("MEMORY_BASE", bench.base)
    await bench.write_bits("IRQ_ENABLE", *bench.description.interrupts)
    for register, value in registers.items():
        await bench.write(register, value)


async def _report(bench: FastBench, state: dict[str, int]) -> None:
    """Print the runs done and the cycles, about four times a second."""
    last = time.monotonic()
    while True:
        await Timer(WATCH_CYCLES * bench.period, "step")
        if time.monotonic() - last > WATCH_S:
            last = time.monotonic()
            print(f"progress {state['run']} {bench.cycle}", flush=True)
