"""The driver in C as a library for tests, and an accelerator in Python behind its registers."""

import ctypes
import functools
import tempfile
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_bool, c_char_p, c_int, c_size_t, c_uint32
from ctypes import c_void_p as pointer
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwgen.driver.sources import driver_sources
from hwgen.gateware.host.csr import INTERRUPTS, REGISTERS, STATUS_BITS
from hwgen.placement import TensorPlacement
from hwgen.registers.table import register_table
from hwgen.subprocesses import run_program
from sim.spec.accelerator import AcceleratorConfig

__all__ = [
    "OFFSETS",
    "STRICT",
    "TENSOR_NUMBERS",
    "Counters",
    "FakeAccelerator",
    "Fault",
    "Memory",
    "Platform",
    "ProgramData",
    "Segment",
    "Tensor",
    "build_library",
    "driver_library",
    "program_data",
]

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
"""Flags under which the driver has no warning."""

OFFSETS = {register.name: register.offset for register in REGISTERS}
NAMES = {offset: name for name, offset in OFFSETS.items()}
ALL_INTERRUPTS = (1 << len(INTERRUPTS)) - 1

READ = CFUNCTYPE(c_uint32, pointer, c_uint32)
WRITE = CFUNCTYPE(None, pointer, c_uint32, c_uint32)
WAIT = CFUNCTYPE(None, pointer, c_uint32)
NOW = CFUNCTYPE(c_uint32, pointer)
CACHE = CFUNCTYPE(None, pointer, pointer, c_size_t)


class Platform(Structure):
    """``struct cosilico_platform``."""

    _fields_ = (
        *(("context", pointer), ("read", READ), ("write", WRITE), ("wait", WAIT), ("now", NOW)),
        *(("flush", CACHE), ("invalidate", CACHE)),
    )


TENSOR_NUMBERS = (
    "address", "image_bytes", "height", "width", "channels", "vector_bytes", "pixel_bytes",
)  # fmt: skip
"""Numbers of a tensor, which a placement has, too."""


class Span(Structure):
    """``struct cosilico_span``."""

    _fields_ = (("first", c_uint32), ("count", c_uint32))


class Tensor(Structure):
    """``struct cosilico_tensor``."""

    _fields_ = (
        ("name", c_char_p),
        *((name, c_uint32) for name in TENSOR_NUMBERS),
        *(("span_count", c_uint32), ("spans", POINTER(Span))),
    )

    @classmethod
    def of(cls, name: str, place: TensorPlacement) -> "Tensor":
        """Return a tensor as the driver has it."""
        numbers = (getattr(place, number) for number in TENSOR_NUMBERS)
        spans = (Span * max(1, len(place.segments)))(*(Span(*pair) for pair in place.segments))
        return cls(name.encode(), *numbers, len(place.segments), spans)


class Segment(Structure):
    """``struct cosilico_segment``."""

    _fields_ = (("offset", c_uint32), ("bytes", c_uint32), ("data", pointer))


class ProgramData(Structure):
    """``struct cosilico_program``."""

    _fields_ = (
        *(("name", c_char_p), ("fingerprint", c_uint32), ("memory_bytes", c_uint32)),
        *(("cold_header", c_uint32), ("warm_header", c_uint32)),
        *(("first_header", c_uint32), ("steady_header", c_uint32)),
        *(("images", c_uint32), ("input_moves", c_bool), ("input", Tensor), ("output", Tensor)),
        *(("further_input_count", c_uint32), ("further_output_count", c_uint32)),
        *(("further_inputs", POINTER(Tensor)), ("further_outputs", POINTER(Tensor))),
        *(("segment_count", c_uint32), ("segments", POINTER(Segment))),
        *(("state_count", c_uint32), ("states", POINTER(Segment))),
    )


class Memory(Structure):
    """``struct cosilico_memory``."""

    _fields_ = (("data", pointer), ("bus_address", c_uint32), ("bytes", c_size_t))


class Fault(Structure):
    """``struct cosilico_fault``."""

    _fields_ = tuple((name, c_uint32) for name in ("cause", "port", "response", "address"))


class Counters(Structure):
    """The first members of ``struct cosilico_counters``, and room for the others."""

    _fields_ = (("cycles", c_uint32), ("execute_busy", c_uint32), ("others", c_uint32 * 32))


def build_library(folder: Path, *sources: Path) -> ctypes.CDLL:
    """Compile files of C, and the driver, into a library and load it."""
    for name, text in driver_sources().items():
        (folder / name).write_text(text)
    library = folder / "library.so"
    command = ["gcc", *STRICT, "-O1", "-fPIC", "-shared", f"-I{folder}", "-o", str(library)]
    built = run_program([*command, str(folder / "cosilico.c"), *map(str, sources)])
    assert built.returncode == 0, built.stderr
    return ctypes.CDLL(str(library))


@functools.cache
def driver_library() -> Any:
    """Return the driver alone, with the types of what does not return a result."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = folder / "size.c"
        size.write_text(
            '#include "cosilico.h"\nsize_t device_bytes(void);\n'
            "size_t device_bytes(void) { return sizeof(struct cosilico_device); }\n"
        )
        library: Any = build_library(folder, size)
    library.device_bytes.restype = c_size_t
    library.cosilico_memory_bytes.restype = c_size_t
    library.cosilico_input.restype = pointer
    library.cosilico_is_over.restype = c_bool
    for words in ("result", "cause", "port"):
        getattr(library, f"cosilico_{words}_text").restype = c_char_p
    library.cosilico_result_text.argtypes = (c_int,)
    return library


def program_data(
    config: AcceleratorConfig,
    place_in: TensorPlacement,
    place_out: TensorPlacement,
    *,
    images: int = 1,
    memory_bytes: int = 8192,
    input_moves: bool = True,
    headers: tuple[int, int, int, int] = (4096, 4160, 4224, 4288),
    segments: tuple[tuple[int, bytes], ...] = (),
    further: tuple[tuple[TensorPlacement, ...], tuple[TensorPlacement, ...]] = ((), ()),
    states: tuple[tuple[int, bytes], ...] = (),
) -> ProgramData:
    """Return a program of any layout; its headers are of cold, warm, first and steady run.

    ``further`` are inputs and outputs beside the first of each.
    """
    tables = []
    for parts in (segments, states):
        tables.append((Segment * max(1, len(parts)))())
        for row, (offset, data) in zip(tables[-1], parts, strict=False):
            row.offset, row.bytes = offset, len(data)
            row.data = ctypes.cast(ctypes.create_string_buffer(data, len(data)), pointer)
    tensors = [Tensor.of("first", place) for place in (place_in, place_out)]
    others = [
        (Tensor * max(1, len(places)))(*(Tensor.of(f"t{i}", p) for i, p in enumerate(places)))
        for places in further
    ]
    made = ProgramData(
        b"test", config.fingerprint, memory_bytes, *headers, images, input_moves, *tensors,
        *map(len, further), *others, len(segments), tables[0], len(states), tables[1],
    )  # fmt: skip
    made.kept = (tables, [row.data for rows in tables for row in rows], others)
    return made


@dataclass
class FakeAccelerator:
    """Registers as the gateware has them, and runs that a test decides.

    Parameters
    ----------
    config : AcceleratorConfig
    behave : callable
        What a run does, called with this accelerator some polls after the doorbell; returns the names of
        the STATUS bits that the run ends with, or None where it does not end.
    delay : int
        Reads of IRQ_PENDING, or waits, before the run ends.
    """

    config: AcceleratorConfig
    behave: Callable[["FakeAccelerator"], tuple[str, ...] | None] = lambda accelerator: ("done",)
    delay: int = 2
    registers: dict[str, int] = field(default_factory=dict)
    rung: list[tuple[int, int]] = field(default_factory=list)
    """PROGRAM and INPUT_OFFSET of every doorbell."""
    waits: list[int] = field(default_factory=list)
    caches: list[tuple[str, int, int]] = field(default_factory=list)
    clock: int = 0
    left: int | None = None
    kept: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read every register at its value after a reset."""
        resets = {entry.register.name: entry.reset for entry in register_table(self.config)}
        self.registers = resets | self.registers

    def platform(self, *, interrupt: bool = False, clock: bool = True) -> Platform:
        """Return the platform that leads to these registers."""
        made = Platform(
            read=READ(lambda _, offset: self.read(NAMES[offset])),
            write=WRITE(lambda _, offset, value: self.write(NAMES[offset], value)),
            flush=CACHE(lambda _, data, size: self.caches.append(("flush", data, size))),
            invalidate=CACHE(lambda _, data, size: self.caches.append(("invalidate", data, size))),
        )
        if interrupt:
            made.wait = WAIT(lambda _, ticks: self.wait(ticks))
        if clock:
            made.now = NOW(lambda _: self.clock & 0xFFFFFFFF)
        self.kept.append(made)
        return made

    def read(self, name: str) -> int:
        """Read a register; time passes."""
        self.clock += 1
        if name == "IRQ_PENDING":
            self._step()
        return self.registers[name]

    def write(self, name: str, value: int) -> None:
        """Write a register as the gateware takes it."""
        if name == "IRQ_PENDING":
            self.registers[name] &= ~value
        elif name == "CONTROL" and value & 2 and self.left is not None:
            self.end("error", cause=7)
        elif name == "CONTROL" and value & 1:
            self.rung.append((self.registers["PROGRAM"], self.registers["INPUT_OFFSET"]))
            self.registers["STATUS"] = 1 << STATUS_BITS.index("busy")
            self.left = self.delay
        elif name != "CONTROL":
            self.registers[name] = value

    def wait(self, ticks: int) -> None:
        """Wait for the interrupt, which must be enabled."""
        assert self.registers["IRQ_ENABLE"] == ALL_INTERRUPTS
        self.waits.append(ticks)
        self.clock += ticks if self.left is None else min(ticks, 10)
        self._step()

    def end(self, *flags: str, cause: int = 0, port: int = 0, response: int = 0) -> None:
        """End a run with bits of STATUS and a value of ERROR."""
        self.left = None
        self.registers["STATUS"] = sum(1 << STATUS_BITS.index(flag) for flag in flags)
        self.registers["ERROR"] = cause | port << 4 | response << 8
        raised = [INTERRUPTS.index(flag) for flag in flags if flag in INTERRUPTS]
        self.registers["IRQ_PENDING"] |= sum(1 << bit for bit in raised)

    def _step(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            self.left = 1
            flags = self.behave(self)
            if flags is not None:
                self.end(*flags)
