"""Random accesses to every register, and programs at random addresses, against a model of the registers."""

import os
import random
from typing import Any

import cocotb

from testbench.cocotb.bench import Bench
from testbench.cocotb.description import Description
from testbench.cocotb.memory_behavior import Silence

__all__ = ["DESCRIPTION_VARIABLE"]

DESCRIPTION_VARIABLE = "COSILICO_DESCRIPTION"
"""Environment variable that names the folder of the description."""

ALIGNMENT = {
    "PROGRAM": 64,
    "MEMORY_BASE": 4096,
    "INPUT_OFFSET": 4096,
    "TIMEOUT": 1,
    "WINDOW_BASE": 4096,
    "WINDOW_LIMIT": 4096,
}
"""Registers that keep what is written to them, by the bits that read 0."""

ACCESSES = 200
DOORBELLS = 40
PATIENCE_CYCLES = 500
SEED = 1


async def idle_bench(dut: Any) -> Bench:
    """Return a reset bench whose memory is empty."""
    bench = Bench(dut, Description.load(os.environ[DESCRIPTION_VARIABLE]), activations=False)
    await bench.reset()
    return bench


@cocotb.test()
async def power_up(dut: Any) -> None:
    """Power up and reset, nothing else."""
    await idle_bench(dut)


@cocotb.test()
async def registers_keep_what_is_written(dut: Any) -> None:
    """Words and single bytes; what may not be written stays; unknown offsets read 0."""
    bench = await idle_bench(dut)
    draw = random.Random(SEED)
    offsets = bench.description.registers
    names = {offset: name for name, offset in offsets.items()}
    values = {name: bench.description.reset_values.get(name, 0) for name in offsets}
    for _ in range(ACCESSES):
        offset = draw.randrange(0, 1 << 8, 4)
        name = names.get(offset, "")
        lanes = draw.choice([(0, 4), (0, 1), (1, 1), (2, 1), (3, 1), (0, 2), (2, 2)])
        data = draw.randbytes(lanes[1])
        if name not in ("CONTROL", "IRQ_ENABLE"):
            await bench.registers.axi_lite.write(offset + lanes[0], data)
            if name in ALIGNMENT:
                before = bytearray(values[name].to_bytes(4, "little"))
                before[lanes[0] : sum(lanes)] = data
                values[name] = int.from_bytes(before, "little") & -ALIGNMENT[name]
        read = int(await bench.registers.axi_lite.read_dword(offset))
        assert read == values.get(name, 0), (name, offset)
    for value in (7, 0, 5, 2):
        await bench.write("IRQ_ENABLE", value)
        assert await bench.read("IRQ_ENABLE") == value


@cocotb.test()
async def programs_outside_of_the_memory_are_named(dut: Any) -> None:
    """The header cannot be read at any address: the program stops there."""
    bench = await idle_bench(dut)
    draw = random.Random(SEED)
    size = len(bench.description.program.image)
    await bench.write_bits("IRQ_ENABLE", *bench.description.interrupts)
    for _ in range(DOORBELLS):
        address = draw.randrange(size + 4096, 1 << 32, 64)
        await bench.write("PROGRAM", address)
        trace = await bench.start()
        await bench.interrupt()
        stop = (await bench.finish(trace)).stop
        assert stop is not None
        assert (stop.cause, stop.port, stop.address) == ("RESPONSE", "DESCRIPTOR", address)


@cocotb.test()
async def a_reset_ends_the_wait_for_a_silent_memory(dut: Any) -> None:
    """The time-out stops the program, its bursts stay without an answer, and a reset forgets them."""
    bench = await idle_bench(dut)
    for _ in range(2):
        bench.memory.silence = Silence(port="read", index=0)
        await bench.load_program()
        await bench.load_inputs()
        await bench.write("TIMEOUT", PATIENCE_CYCLES)
        trace = await bench.start()
        bench.scoreboard.cycles = False
        await bench.interrupt()
        run = await bench.finish(trace)
        assert run.stop is not None
        assert run.stop.cause == "TIMEOUT"
        assert "unresponsive" in run.status
        bench.memory.silence = None
        await bench.reset()
        assert await bench.status() == frozenset()
    await bench.load_program()
    assert (await bench.run()).status == {"done"}
    bench.scoreboard.assert_passed()
