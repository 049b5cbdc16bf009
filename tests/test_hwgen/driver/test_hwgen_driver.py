"""The driver in C on this machine, against an accelerator in Python behind its registers."""

import ctypes
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelerators import small_accelerator
from c_driver import (
    OFFSETS,
    STRICT,
    Counters,
    FakeAccelerator,
    Fault,
    Memory,
    ProgramData,
    driver_library,
    program_data,
)
from hwgen.driver.sources import capability_values, driver_sources
from hwgen.gateware.host.csr import COUNTERS
from hwgen.placement import TensorPlacement
from hwgen.subprocesses import run_program
from sim.spec.stops import Port, StopCause

CONFIG = small_accelerator(2, 3, simd_units=8, compute_lanes=4, weight_store_kb=16)
BUS = 0x40000000
PATIENCE = 1000
ENOUGH = 16384

(
    OK, NOT_THERE, OTHER_VERSION, OTHER_ACCELERATOR, SMALL_MEMORY, MISALIGNED, NOTHING_LOADED,
    OUT_OF_RANGE, RUNNING, NOT_RUNNING, TIMED_OUT, STOPPED, UNRESPONSIVE, HAZARD,
) = range(14)  # fmt: skip
IMAGES, FIRST, STEADY = range(3)


def place(address: int, shape: tuple[int, int, int], vector: int, pixel: int) -> TensorPlacement:
    height, width, channels = shape
    return TensorPlacement(
        address=address,
        height=height,
        width=width,
        channels=channels,
        vector_bytes=vector,
        pixel_bytes=pixel,
    )


INPUT = place(64, (5, 4, 3), 8, 3)
OUTPUT = place(1024, (2, 1, 11), 8, 8)


class Driver:
    """A device of the driver with a memory of its own, and the driver's functions by short names."""

    def __init__(
        self,
        accelerator: FakeAccelerator,
        program: ProgramData | None = None,
        size: int = ENOUGH,
        **options: bool,
    ) -> None:
        self.library = driver_library()
        self.accelerator = accelerator
        self.device = ctypes.create_string_buffer(self.library.device_bytes())
        self.program = program or program_data(CONFIG, INPUT, OUTPUT)
        self.bytes = (ctypes.c_uint8 * size)(*random.Random(1).randbytes(size))
        self.memory = Memory(ctypes.addressof(self.bytes), BUS, size)
        self.opened = self("open", ctypes.byref(accelerator.platform(**options)))

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Call a function of the driver."""
        return getattr(self.library, f"cosilico_{name}")(self.device, *arguments)

    def load(self) -> int:
        """Load the program into the memory."""
        return int(self("load", ctypes.byref(self.program), ctypes.byref(self.memory)))

    def give(self, x: Any, where: int = 0, image: int = 0) -> int:
        """Write an image into a place for inputs."""
        return int(self("write_input", where, image, x.tobytes()))

    def taken(self, shape: tuple[int, ...], image: int = 0) -> Any:
        """Read an image's output, int8 of that shape."""
        values = (ctypes.c_int8 * int(np.prod(shape)))()
        assert self("read_output", image, values) == OK
        return np.frombuffer(bytes(values), np.int8).reshape(shape)


def loaded(accelerator: FakeAccelerator | None = None, **arguments: Any) -> Driver:
    driver = Driver(accelerator or FakeAccelerator(CONFIG), **arguments)
    assert (driver.opened, driver.load()) == (OK, OK)
    return driver


def test_it_compiles_alone_and_needs_nothing(tmp_path: Path) -> None:
    for name, text in driver_sources().items():
        (tmp_path / name).write_text(text)
    source, target = str(tmp_path / "cosilico.c"), str(tmp_path / "cosilico.o")
    for optimized in ("-O0", "-O2"):
        command = ["gcc", *STRICT, "-ffreestanding", optimized, "-c", source, "-o", target]
        built = run_program(command)
        assert (built.returncode, built.stderr) == (0, "")
        wanted = run_program(["nm", "--undefined-only", "--format=posix", target]).stdout.split()
        assert set(wanted) - {"U"} <= {"memcpy", "memset"}
    (tmp_path / "user.cpp").write_text(
        '#include "cosilico.h"\nint main() { return COSILICO_OK; }\n'
    )
    flags = ("-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only")
    assert run_program(["g++", *flags, str(tmp_path / "user.cpp")]).returncode == 0


def test_the_memory_is_accessed_byte_by_byte(tmp_path: Path) -> None:
    """Whatever a compiler does with loops: memory that is mapped as a device's allows nothing else."""
    for name, text in driver_sources().items():
        (tmp_path / name).write_text(text)
    whole = (tmp_path / "cosilico.c").read_text()

    def wide_accesses(text: str) -> int:
        """Accesses to bytes of several at once, and calls for copies, in the form that the optimizer ends with."""
        (tmp_path / "tried.c").write_text(text)
        command = ["gcc", "-std=c99", "-ffreestanding", "-O3", "-fdump-tree-optimized", "-c"]
        run = run_program([*command, "tried.c", "-o", "tried.o"], folder=tmp_path)
        assert run.returncode == 0, run.stderr
        (dump,) = tmp_path.glob("*tried.c.*optimized")
        return len(
            re.findall(
                r"vector\(\d+\)[^>;]*> \[\((?:const )?u?int8_t \*\)|memcpy", dump.read_text()
            )
        )

    assert wide_accesses(whole) == 0
    assert wide_accesses(whole.replace("volatile uint8_t *", "uint8_t *")) > 0


def test_it_meets_its_accelerator_only() -> None:
    assert Driver(FakeAccelerator(CONFIG)).opened == OK
    assert Driver(FakeAccelerator(CONFIG, registers={"ID": 0})).opened == NOT_THERE
    for version in (0x00040003, 0x00030004):
        assert (
            Driver(FakeAccelerator(CONFIG, registers={"VERSION": version})).opened == OTHER_VERSION
        )


def test_it_reads_what_has_been_built() -> None:
    driver = Driver(FakeAccelerator(CONFIG))
    values = list(capability_values(CONFIG).values())
    behind = ctypes.sizeof(type(driver.accelerator.platform()))
    read = (ctypes.c_uint32 * len(values)).from_buffer(driver.device, behind)
    assert list(read) == values
    assert values[:4] == [CONFIG.pes_y, CONFIG.pes_x, CONFIG.compute_lanes, CONFIG.simd_units]


def test_a_program_that_runs_is_stopped_when_the_accelerator_is_opened() -> None:
    accelerator = FakeAccelerator(CONFIG, behave=lambda _: None)
    first = loaded(accelerator)
    assert first("start", IMAGES) == OK
    second = Driver(accelerator)
    assert (second.opened, second.load()) == (OK, OK)
    assert accelerator.registers["ERROR"] == StopCause.ABORT


def test_loading_copies_segments_and_nothing_else() -> None:
    segments = ((0, b"weights"), (4096, bytes(range(200))))
    driver = Driver(FakeAccelerator(CONFIG), program_data(CONFIG, INPUT, OUTPUT, segments=segments))
    wanted = bytearray(driver.bytes)
    for offset, data in segments:
        wanted[offset : offset + len(data)] = data
    assert driver.load() == OK
    assert bytes(driver.bytes) == wanted
    base = ctypes.addressof(driver.bytes)
    flushed = [(data - base, size) for kind, data, size in driver.accelerator.caches]
    assert flushed == [(offset, len(data)) for offset, data in segments]
    registers = driver.accelerator.registers
    assert registers["MEMORY_BASE"] == registers["WINDOW_BASE"] == BUS
    assert registers["WINDOW_LIMIT"] == BUS + ENOUGH - 4096


def test_states_are_loaded_and_brought_back() -> None:
    states = ((512, b"first"), (640, bytes(range(9))))
    driver = Driver(FakeAccelerator(CONFIG), program_data(CONFIG, INPUT, OUTPUT, states=states))
    assert driver("reset_states") == NOTHING_LOADED
    assert driver.load() == OK
    first = bytes(driver.bytes)
    assert (first[512:517], first[640:649]) == (b"first", bytes(range(9)))
    driver.bytes[512], driver.bytes[517], driver.bytes[640] = 1, 2, 3
    driver.accelerator.caches.clear()
    assert driver("reset_states") == OK
    assert [i for i in range(len(first)) if driver.bytes[i] != first[i]] == [517]
    base = ctypes.addressof(driver.bytes)
    flushed = [(data - base, size) for kind, data, size in driver.accelerator.caches]
    assert flushed == [(512, 5), (640, 9)]
    assert (driver("start", IMAGES), driver("reset_states")) == (OK, RUNNING)


def test_loading_refuses_what_does_not_fit() -> None:
    other = program_data(small_accelerator(1, 2), INPUT, OUTPUT)
    assert Driver(FakeAccelerator(CONFIG), other).load() == OTHER_ACCELERATOR
    assert Driver(FakeAccelerator(CONFIG), size=8191).load() == SMALL_MEMORY
    for address, wanted in ((BUS + 64, MISALIGNED), (0xFFFFF000, OUT_OF_RANGE), (0xFFFFC000, OK)):
        driver = Driver(FakeAccelerator(CONFIG))
        driver.memory.bus_address = address
        assert driver.load() == wanted
    driver = Driver(FakeAccelerator(CONFIG))
    for name, arguments in (
        ("start", (IMAGES,)),
        ("use_input", (0,)),
        ("write_input", (0, 0, b"")),
        ("read_output", (0, b"")),
    ):
        assert driver(name, *arguments) == NOTHING_LOADED
    assert driver("wait", 1) == driver("abort") == NOT_RUNNING


LAYOUTS = [
    (place(64, (5, 4, 3), 8, 3), place(1024, (2, 1, 11), 8, 8)),
    (place(64, (5, 4, 8), 8, 8), place(1024, (3, 2, 20), 8, 16)),
    (place(64, (2, 3, 17), 4, 4), place(1024, (1, 1, 3), 8, 4)),
    (place(64, (1, 1, 1), 4, 1), place(1024, (4, 3, 5), 4, 8)),
]


@pytest.mark.parametrize("number", range(len(LAYOUTS)))
@pytest.mark.parametrize("images", [1, 3])
def test_tensors_lie_as_the_compiler_has_it(number: int, images: int) -> None:
    """Inputs byte by byte, and outputs whatever stands where no channel is."""
    source, result = LAYOUTS[number]
    draw = np.random.default_rng(number)
    x = draw.integers(-128, 128, (images, *source.shape), np.int8)
    y = draw.integers(-128, 128, (images, *result.shape), np.int8)
    driver = loaded(program=program_data(CONFIG, source, result, images=images))
    for image in range(images):
        assert driver.give(x[image], image=image) == OK
    end = source.address + images * source.size_bytes
    assert bytes(driver.bytes)[source.address : end] == b"".join(map(source.pack, x))
    for image in range(images):
        at = result.address + image * result.size_bytes
        packed = np.frombuffer(result.pack(y[image]), np.uint8)
        specified = np.frombuffer(result.pack(np.full(result.shape, -1, np.int8)), np.uint8)
        noise = np.frombuffer(draw.bytes(len(packed)), np.uint8)
        driver.bytes[at : at + len(packed)] = list(np.where(specified, packed, noise))
        assert np.array_equal(driver.taken(result.shape, image), y[image])
    assert driver.give(x[0], image=images) == OUT_OF_RANGE
    assert driver("read_output", images, b"") == OUT_OF_RANGE


def test_further_tensors_lie_as_the_compiler_has_it() -> None:
    """Channels of outputs with gaps, and images whose tensors lie further apart than they are long."""
    spans = ((0, 3), (8, 9))
    gaps = replace(place(2048, (2, 3, 12), 8, 8), segments=spans, image_bytes=400)
    assert gaps.groups == 3
    given = place(4096, (2, 2, 9), 4, 4)
    program = program_data(
        CONFIG, INPUT, OUTPUT, images=2, input_moves=False, further=((given,), (OUTPUT, gaps))
    )
    driver, draw = loaded(program=program), np.random.default_rng(3)
    x = draw.integers(-128, 128, (2, *given.shape), np.int8)
    y = draw.integers(-128, 128, (2, *gaps.shape), np.int8)
    for image in range(2):
        assert driver("write_further", 0, image, x[image].tobytes()) == OK
        at = gaps.address + image * gaps.image_bytes
        driver.bytes[at : at + gaps.size_bytes] = list(gaps.pack(y[image]))
    end = given.address + 2 * given.size_bytes
    assert bytes(driver.bytes)[given.address : end] == b"".join(map(given.pack, x))
    for image in range(2):
        values = (ctypes.c_int8 * int(np.prod(gaps.shape)))()
        assert driver("read_further", 1, image, values) == OK
        assert np.array_equal(np.frombuffer(bytes(values), np.int8), y[image].reshape(-1))
    for name, wrong in (
        ("write_further", (1, 0)),
        ("write_further", (0, 2)),
        ("read_further", (2, 0)),
        ("read_further", (0, 2)),
    ):
        assert driver(name, *wrong, b"") == OUT_OF_RANGE
    unloaded = Driver(FakeAccelerator(CONFIG))
    assert unloaded("write_further", 0, 0, b"") == NOTHING_LOADED
    assert unloaded("read_further", 0, 0, b"") == NOTHING_LOADED
    assert driver("start", IMAGES) == OK
    assert driver("write_further", 0, 0, x[0].tobytes()) == RUNNING
    assert driver("read_further", 0, 0, b"") == RUNNING


@pytest.mark.parametrize("interrupt", [False, True])
def test_runs_are_warm_after_a_whole_run(interrupt: bool) -> None:
    endings: list[tuple[str, ...]] = [("done",), ("done",), ("error",), ("done",), ("refused",)]
    endings += [("done",)] * 4
    accelerator = FakeAccelerator(CONFIG, behave=lambda there: endings[len(there.rung) - 1])
    driver = loaded(accelerator, interrupt=interrupt)
    results = [driver("run", PATIENCE) for _ in range(7)]
    assert results == [OK, OK, STOPPED, OK, STOPPED, OK, OK]
    driver("forget")
    assert driver("run", PATIENCE) == OK
    assert driver.load() == OK
    assert driver("run", PATIENCE) == OK
    cold, warm = BUS + driver.program.cold_header, BUS + driver.program.warm_header
    wanted = [cold, warm, warm, cold, warm, cold, warm, cold, cold]
    assert [header for header, _ in accelerator.rung] == wanted
    assert bool(accelerator.waits) == interrupt
    assert accelerator.registers["IRQ_PENDING"] == 0


def test_a_run_that_does_not_end_in_time_goes_on() -> None:
    ending: list[tuple[str, ...]] = []
    accelerator = FakeAccelerator(CONFIG, behave=lambda _: ending[0] if ending else None)
    driver = loaded(accelerator)
    accelerator.clock = 0xFFFFFFF0  # it wraps meanwhile
    assert driver("run", 100) == TIMED_OUT
    assert driver("start", IMAGES) == driver.load() == driver("set_timeout", 5) == RUNNING
    assert driver("use_input", 0) == driver("read_output", 0, b"") == RUNNING
    assert not driver("is_over")
    ending.append(("done",))
    assert driver("wait", 100) == OK
    assert driver("set_timeout", 5) == OK
    assert accelerator.registers["TIMEOUT"] == 5


def test_without_a_clock_polls_are_counted() -> None:
    accelerator = FakeAccelerator(CONFIG, behave=lambda _: None)
    driver = loaded(accelerator, clock=False)
    reads = accelerator.clock
    assert driver("run", 50) == TIMED_OUT
    assert 50 <= accelerator.clock - reads < 60


def test_an_abort_stops_the_run() -> None:
    driver = loaded(FakeAccelerator(CONFIG, behave=lambda _: None))
    assert (driver("start", IMAGES), driver("abort"), driver("wait", 10)) == (OK, OK, STOPPED)
    fault = Fault()
    driver("read_fault", ctypes.byref(fault))
    assert fault.cause == StopCause.ABORT


def test_every_fault_is_told_apart() -> None:
    driver = loaded()
    for cause in StopCause:
        for port in Port:
            for response in (0, 2, 3):
                driver.accelerator.end("error", cause=cause, port=port, response=response)
                driver.accelerator.registers["ERROR_ADDRESS"] = 0x89ABCDEF
                fault = Fault()
                driver("read_fault", ctypes.byref(fault))
                told = (fault.cause, fault.port, fault.response, fault.address)
                assert told == (cause, port, response, 0x89ABCDEF)
                library = driver.library
                assert library.cosilico_cause_text(fault.cause) == cause.name.encode()
                assert library.cosilico_port_text(fault.port) == port.name.encode()
    assert driver.library.cosilico_cause_text(99) == b"unknown"
    texts = {driver.library.cosilico_result_text(result) for result in range(15)}
    assert len(texts) == 15
    assert b"unknown" in texts


def test_a_silent_bus_and_a_hazard_have_results_of_their_own() -> None:
    flags: list[tuple[str, ...]] = [("error", "unresponsive", "busy"), ("done", "hazard")]
    accelerator = FakeAccelerator(CONFIG, behave=lambda _: flags[0])
    driver = loaded(accelerator)
    assert driver("run", PATIENCE) == UNRESPONSIVE
    assert driver("run", PATIENCE) == RUNNING
    accelerator.registers["STATUS"] = 0
    flags.pop(0)
    assert driver("run", PATIENCE) == HAZARD


def test_inputs_have_further_places_which_do_not_overlap() -> None:
    source = place(64, (7, 40, 3), 8, 3)
    program = program_data(CONFIG, source, OUTPUT, images=2)
    library = driver_library()
    library_bytes = [library.cosilico_memory_bytes(ctypes.byref(program), n) for n in range(5)]
    assert library_bytes[:2] == [0, program.memory_bytes]
    driver = loaded(program=program, size=library_bytes[4])
    x = np.random.default_rng(1).integers(-128, 128, (8, *source.shape), np.int8)
    for number in range(8):
        assert driver.give(x[number], number // 2, number % 2) == OK
    assert driver.give(x[0], 4) == OUT_OF_RANGE
    offsets = []
    for number in range(4):
        assert driver("use_input", number) == OK
        offset = driver.accelerator.registers["INPUT_OFFSET"]
        offsets.append(offset)
        at = source.address + offset
        packed = b"".join(map(source.pack, x[2 * number : 2 * number + 2]))
        assert bytes(driver.bytes)[at : at + len(packed)] == packed
        # the last beat may reach beyond an input, of any width of the bus
        assert at + len(packed) + (127 if number else 0) <= library_bytes[max(number + 1, 1)]
    assert offsets[0] == 0
    assert all(offset % 4096 == 0 for offset in offsets)
    assert source.address + offsets[1] >= program.memory_bytes
    assert driver("use_input", 4) == OUT_OF_RANGE
    assert (driver("use_input", 1), driver("start", IMAGES)) == (OK, OK)
    assert (driver.give(x[0], 1), driver.give(x[0], 0)) == (RUNNING, OK)
    assert driver("wait", PATIENCE) == OK
    assert driver.accelerator.rung[-1][1] == offsets[1]


def test_places_beyond_what_32_bits_address_are_none() -> None:
    driver = loaded()
    library, program = driver.library, ctypes.byref(driver.program)
    each = library.cosilico_memory_bytes(program, 3) - library.cosilico_memory_bytes(program, 2)
    most = ((1 << 32) - 1 - library.cosilico_memory_bytes(program, 2)) // each + 2
    assert library.cosilico_memory_bytes(program, most) > (1 << 32) - 1 - each
    for places in (most + 1, 0x80000000, 0xFFFFFFFF):
        assert library.cosilico_memory_bytes(program, places) == 0
        assert driver("use_input", places - 1) == OUT_OF_RANGE
    assert driver("use_input", 0xFFFFFFFF) == OUT_OF_RANGE


def test_inputs_that_cannot_move_have_a_single_place() -> None:
    driver = loaded(program=program_data(CONFIG, INPUT, OUTPUT, input_moves=False))
    assert driver.library.cosilico_memory_bytes(ctypes.byref(driver.program), 2) == 0
    assert driver("use_input", 1) == OUT_OF_RANGE
    assert not driver("input", 1, 0)


def test_a_stream_begins_with_weights_and_a_first_run() -> None:
    driver = loaded()
    assert driver("start", FIRST) == driver("start", STEADY) == OUT_OF_RANGE
    runs = [IMAGES, FIRST, STEADY, STEADY, IMAGES]
    for kind in runs:
        assert (driver("start", kind), driver("wait", PATIENCE)) == (OK, OK)
    assert driver("start", STEADY) == OUT_OF_RANGE
    program = driver.program
    headers = [program.cold_header, program.first_header, *[program.steady_header] * 2]
    headers.append(program.warm_header)
    assert [header - BUS for header, _ in driver.accelerator.rung] == headers
    without = loaded(program=program_data(CONFIG, INPUT, OUTPUT, headers=(4096, 4096, 0, 0)))
    assert without("start", FIRST) == OUT_OF_RANGE
    unstored = loaded(program=program_data(CONFIG, INPUT, OUTPUT, headers=(4096, 4096, 5120, 6144)))
    assert (unstored("start", FIRST), unstored("wait", PATIENCE)) == (OK, OK)
    assert unstored("start", STEADY) == OK


def test_caches_are_written_back_and_dropped() -> None:
    driver = loaded()
    base = ctypes.addressof(driver.bytes)
    driver.accelerator.caches.clear()
    assert driver.give(np.zeros(INPUT.shape, np.int8)) == OK
    driver.taken(OUTPUT.shape)
    assert driver.accelerator.caches == [
        ("flush", base + INPUT.address, INPUT.size_bytes),
        ("invalidate", base + OUTPUT.address, OUTPUT.size_bytes),
    ]


def test_counters_are_read_by_name() -> None:
    driver = loaded()
    for number, register in enumerate(COUNTERS):
        driver.accelerator.registers[register.name] = 100 + number
    driver.accelerator.registers["CYCLES"] = 99
    counters = Counters()
    driver("read_counters", ctypes.byref(counters))
    assert (counters.cycles, counters.execute_busy) == (99, 100)
    others = [100 + number for number in range(1, len(COUNTERS))]
    assert list(counters.others[: len(others) + 1]) == [*others, 0]
    assert OFFSETS["CYCLES"] == 0x20
