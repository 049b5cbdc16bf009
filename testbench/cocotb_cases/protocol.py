"""Registers, doorbell, interrupt, refusal, error responses, and a layer under random stalls."""

import itertools
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from hwgen.gateware.host.csr import STATUS_BITS
from testbench.cocotb_cases.bench import IRQ_ERROR, IRQ_REFUSED, REGISTERS, Bench, load_case
from testbench.cocotb_cases.write_memory import ORDERS

STATUS_BUSY, STATUS_DONE, STATUS_REFUSED, STATUS_ERROR = (
    1 << STATUS_BITS.index(name) for name in ("busy", "done", "refused", "error")
)
CAUSE_RESPONSE, CAUSE_REFUSED = 1, 4
PORT_DESCRIPTORS, PORT_READ, PORT_WRITE = (port << 4 for port in (1, 2, 3))
RESPONSE_SLVERR = 2 << 8
STALL_SEEDS = 5
QUIET_CYCLES = 200


async def bench_of(dut: Any, **options: Any) -> Bench:
    """Return a reset bench with the case in memory."""
    bench = Bench(dut, load_case(), **options)
    await bench.reset()
    return bench


@cocotb.test()
async def reset_values(dut: Any) -> None:
    """Identity, fingerprint, capabilities and the whole window are there, everything else is 0."""
    bench = await bench_of(dut)
    expected = {
        "ID": 0x4C49534F,
        "FINGERPRINT": bench.case.fingerprint,
        "WINDOW_LIMIT": 0xFFFFF000,
        **bench.case.capabilities,
    }
    for name in REGISTERS:
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
    await bench.csr.write(REGISTERS["PROGRAM"] + 1, b"\x12")
    assert await bench.read("PROGRAM") == 0xFFFF12C0
    await bench.write("IRQ_ENABLE", 1)
    assert await bench.read("IRQ_ENABLE") == 1
    for name in ("ID", "FINGERPRINT", "STATUS", "CYCLES"):
        before = await bench.read(name)
        await bench.write(name, 0xFFFFFFFF)
        assert await bench.read(name) == before, name


@cocotb.test()
async def doorbell_runs_the_layer_and_interrupts(dut: Any) -> None:
    """The output is the reference's, the counters count, the interrupt is cleared by writing 1."""
    bench = await bench_of(dut)
    await bench.start()
    assert await bench.read("STATUS") == STATUS_BUSY
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_DONE
    assert bench.output() == bench.case.expected
    assert await bench.read("READ_BEATS") == bench.case.read_beats
    assert await bench.read("WRITE_BEATS") == bench.case.write_beats
    assert await bench.read("CYCLES") > 0
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
    await bench.write("PROGRAM", bench.case.header_address)
    await bench.write("CONTROL", 1)
    while await bench.read("STATUS") & STATUS_BUSY:
        assert not dut.irq.value
    assert await bench.read("IRQ_PENDING") == 1
    assert not dut.irq.value
    await bench.write("IRQ_ENABLE", 1)
    await ClockCycles(dut.clk, 2)
    assert dut.irq.value


@cocotb.test()
async def second_doorbell_runs_again(dut: Any) -> None:
    """A doorbell while busy is ignored; one after the end starts anew, in as many cycles."""
    bench = await bench_of(dut)
    await bench.start()
    await bench.write("CONTROL", 1)
    await bench.interrupt()
    first = await bench.read("READ_BEATS")
    output = bench.case.output_address
    bench.region.mem[output : output + len(bench.case.expected)] = bytes(len(bench.case.expected))
    await bench.write("IRQ_PENDING", 1)
    await bench.write("CONTROL", 1)
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_DONE
    assert await bench.read("READ_BEATS") == first
    assert bench.output() == bench.case.expected


@cocotb.test()
async def memory_base_moves_the_program(dut: Any) -> None:
    """An image at another address gives the same output."""
    bench = await bench_of(dut, base=0x8765_4000)
    await bench.start()
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_DONE
    assert bench.output() == bench.case.expected


@cocotb.test()
async def program_for_another_configuration_is_refused(dut: Any) -> None:
    """It ends at once, says so, and touches nothing; a good program runs afterwards."""
    bench = await bench_of(dut)
    address = bench.case.header_address + 4
    bench.region.mem[address] ^= 1
    await bench.start()
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_REFUSED
    assert await bench.read("IRQ_PENDING") == IRQ_REFUSED
    assert await bench.read("READ_BEATS") == 0
    assert await bench.read("WRITE_BEATS") == 0
    bench.region.mem[address] ^= 1
    await bench.write("IRQ_PENDING", IRQ_REFUSED)
    await bench.write("CONTROL", 1)
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_DONE
    assert bench.output() == bench.case.expected


@cocotb.test()
async def text_that_is_no_program_is_refused(dut: Any) -> None:
    """The magic word is checked as well."""
    bench = await bench_of(dut)
    bench.region.mem[bench.case.header_address] ^= 0x80
    await bench.start()
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_REFUSED
    assert await bench.read("ERROR") == CAUSE_REFUSED | PORT_DESCRIPTORS
    assert await bench.read("ERROR_ADDRESS") == bench.case.header_address


@cocotb.test()
@cocotb.parametrize(port=("read", "write"))
async def error_responses_stop_the_program(dut: Any, port: str) -> None:
    """All that was under way is drained, nothing more is begun, and a later program is right."""
    bench = await bench_of(dut)
    side = bench.data.read_if if port == "read" else bench.data.write_if
    memory, side.target = side.target, Failing()
    await bench.start()
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_ERROR
    assert await bench.read("IRQ_PENDING") == IRQ_ERROR
    where = PORT_READ if port == "read" else PORT_WRITE
    assert await bench.read("ERROR") == CAUSE_RESPONSE | where | RESPONSE_SLVERR
    await bench.write("IRQ_PENDING", IRQ_ERROR)
    await ClockCycles(dut.clk, QUIET_CYCLES)
    bench.assert_quiet()
    side.target = memory
    await bench.write("CONTROL", 1)
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_DONE
    assert await bench.read("ERROR") == 0
    assert bench.output() == bench.case.expected


@cocotb.test()
@cocotb.parametrize(seed=range(STALL_SEEDS))
async def random_stalls_change_no_bit(dut: Any, seed: int) -> None:
    """Every channel pauses at random; beats, flags and output stay."""
    bench = await bench_of(dut)
    bench.stall(seed)
    await bench.start()
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_DONE
    assert await bench.read("READ_BEATS") == bench.case.read_beats
    assert await bench.read("WRITE_BEATS") == bench.case.write_beats
    assert bench.output() == bench.case.expected
    await ClockCycles(dut.clk, QUIET_CYCLES)
    bench.assert_quiet()


@cocotb.test()
@cocotb.parametrize(order=ORDERS)
async def any_order_of_writes_changes_no_bit(dut: Any, order: str) -> None:
    """Addresses and data are taken in the order that the memory wants, and nothing waits for ever."""
    bench = await bench_of(dut, order=order)
    if order == "alternating":
        bench.data.read_if.ar_channel.set_pause_generator(itertools.cycle((True, True, False)))
        bench.descriptors.ar_channel.set_pause_generator(itertools.cycle((True, False, True)))
    await bench.start()
    await bench.interrupt()
    assert await bench.read("STATUS") == STATUS_DONE
    assert await bench.read("WRITE_BEATS") == bench.case.write_beats
    assert bench.output() == bench.case.expected
    sequence = bench.writes.sequence if bench.writes else []
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
    await bench_of(dut, order="independent")
    dut.m_axi_bvalid.value = 1
    await ClockCycles(dut.clk, 4)


class Failing:
    """A memory that answers nothing but errors."""

    async def read(self, address: int, length: int, **extra: Any) -> bytes:
        """Fail."""
        raise ValueError(f"no memory at {address:#x}")

    async def write(self, address: int, data: bytes, **extra: Any) -> None:
        """Fail."""
        raise ValueError(f"no memory at {address:#x}")
