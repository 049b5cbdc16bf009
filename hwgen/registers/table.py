"""Fields of the registers: places, access, values after a reset, and meanings."""

from dataclasses import dataclass

from hwgen.gateware.bus.faults import CAUSE_BITS, RESPONSE_BITS
from hwgen.gateware.host.csr import (
    CAPABILITIES,
    COUNTERS,
    CSR_ADDRESS_BITS,
    INTERRUPTS,
    REGISTERS,
    REGISTERS_VERSION,
    STATUS_BITS,
    Register,
    capabilities,
)
from hwgen.gateware.host.life import PORT_BITS
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import ADDRESS_BITS, PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES
from sim.spec.header import HEADER_MAGIC, HEADER_VERSION
from sim.spec.stops import Port, StopCause

__all__ = [
    "CONTROL_BITS",
    "MAP_BYTES",
    "WORD_BITS",
    "Field",
    "RegisterFields",
    "register_table",
    "versions",
]

WORD_BITS = 32
"""Width of every register."""

MAP_BYTES = 1 << CSR_ADDRESS_BITS
"""Size of the register map, whose other offsets read 0."""

CONTROL_BITS = ("doorbell", "abort")
"""Bits of CONTROL, from bit 0 up."""

_RESPONSES = (("OKAY", 0), ("SLVERR", 2), ("DECERR", 3))
"""Responses of an AXI bus that ERROR can show."""

_CONTROL = {
    "doorbell": "starts the program at PROGRAM; ignored while one runs",
    "abort": "stops the program that runs, in order",
}

_STATUS = {
    "busy": "a program runs, or its bursts are not all answered",
    "done": "the last program has ended with all of its descriptors done",
    "refused": "the last program's header was refused",
    "hazard": "two units met in a memory: a fault of the compiler",
    "error": "the last program was stopped; ERROR says why",
    "unresponsive": "the bus does not answer, and the stop waits for it",
    "stopping": "a stop is on its way",
}

_EVENTS = {
    "done": "a program has ended",
    "error": "a program was stopped",
    "refused": "a program was refused",
}

_CAPABILITIES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "VERSION": (
        ("header", 16, "version of the program's header"),
        ("registers", 16, "version of this register map"),
    ),
    "GRID": (
        ("pes_y", 8, "rows of the PE grid"),
        ("pes_x", 8, "columns of the PE grid"),
        ("compute_lanes", 8, "lanes of a PE, and its banks"),
        ("simd_units", 8, "SIMD units of a lane, and bytes of a vector"),
    ),
    "REGISTER_FILE": (
        ("weight_rows", 24, "weight rows of a half of a lane's register file"),
        ("accumulator_rows", 8, "accumulator rows of a lane"),
    ),
    "BANK_DEPTH": (("bank_vectors", WORD_BITS, "vectors of a bank of local memory"),),
    "BUS": (
        ("data_bytes", 8, "bytes of a beat of the data port"),
        ("descriptor_bytes", 8, "bytes of a beat of the program's port"),
        ("address_bits", 8, "bits of an address"),
    ),
    "WEIGHT_STORE": (("store_rows", WORD_BITS, "rows of the weight store, 0 without"),),
}
"""Fields of the capability registers from bit 0 up: name, bits, meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a register.

    Parameters
    ----------
    name : str
        In lower case.
    low, bits : int
        Lowest bit and width.
    access : {"R", "W", "RW", "W1C"}
        W1C reads the field and clears the bits that are written with 1.
    reset : int
        Value after a reset, of the field alone.
    meaning : str
        A phrase.
    values : tuple of (str, int)
        Names of values, where they have any.
    constant : bool
        Whether it always reads ``reset``.
    """

    name: str
    low: int
    bits: int
    access: str
    reset: int
    meaning: str
    values: tuple[tuple[str, int], ...] = ()
    constant: bool = False

    @property
    def high(self) -> int:
        """Highest bit."""
        return self.low + self.bits - 1

    @property
    def mask(self) -> int:
        """Bits of the register that belong to the field."""
        return ((1 << self.bits) - 1) << self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterFields:
    """A register of the gateware's table with its fields, from bit 0 up.

    Parameters
    ----------
    register : Register
    fields : tuple of Field
        Bits that belong to none read 0 and ignore writes.
    """

    register: Register
    fields: tuple[Field, ...]

    @property
    def reset(self) -> int:
        """Value that the register reads after a reset."""
        return sum(field.reset << field.low for field in self.fields if field.access != "W")


def register_table(config: AcceleratorConfig) -> tuple[RegisterFields, ...]:
    """Return all registers of an accelerator with their fields, by rising offset."""
    fields = {
        "ID": (_constant("magic", HEADER_MAGIC, "identifies the register map: 'OSIL'"),),
        "FINGERPRINT": (
            _constant("hash", config.fingerprint, "hash of the configuration, as in its programs"),
        ),
        "CONTROL": _bits(CONTROL_BITS, "W", _CONTROL),
        "STATUS": _bits(STATUS_BITS, "R", _STATUS),
        "IRQ_ENABLE": _bits(
            INTERRUPTS, "RW", {k: f"interrupt when {v}" for k, v in _EVENTS.items()}
        ),
        "IRQ_PENDING": _bits(INTERRUPTS, "W1C", _EVENTS),
        "PROGRAM": (_address(DESCRIPTOR_BYTES, "byte address of the program's header"),),
        "MEMORY_BASE": (_address(PAGE_BYTES, "added to every address of a program"),),
        "CYCLES": (_count("cycles from the doorbell to the end"),),
        "ERROR": _error(),
        "ERROR_ADDRESS": (_count("byte address of the burst, header or descriptor", "address"),),
        "TIMEOUT": (
            Field(
                name="cycles",
                low=0,
                bits=WORD_BITS,
                access="RW",
                reset=0,
                meaning="cycles without progress that stop a program, 0 for any number",
            ),
        ),
        "WINDOW_BASE": (_address(PAGE_BYTES, "first page that may be accessed"),),
        "WINDOW_LIMIT": (
            _address(PAGE_BYTES, "last page that may be accessed", -PAGE_BYTES & 0xFFFFFFFF),
        ),
        "INPUT_OFFSET": (_address(PAGE_BYTES, "added to the address of every gathering LOAD"),),
        **{register.name: (_count(register.doc),) for register in COUNTERS},
        **_capability_fields(config),
    }
    assert fields.keys() == {register.name for register in REGISTERS}
    ordered = sorted(REGISTERS, key=lambda register: register.offset)
    return tuple(
        RegisterFields(register=register, fields=fields[register.name]) for register in ordered
    )


def versions() -> dict[str, int]:
    """Return what a driver must meet, by the name of VERSION's field."""
    return {"header": HEADER_VERSION, "registers": REGISTERS_VERSION}


def _constant(name: str, value: int, meaning: str) -> Field:
    return Field(
        name=name,
        low=0,
        bits=WORD_BITS,
        access="R",
        reset=value,
        meaning=meaning,
        constant=True,
    )


def _count(meaning: str, name: str = "count") -> Field:
    return Field(name=name, low=0, bits=WORD_BITS, access="R", reset=0, meaning=meaning)


def _address(alignment: int, meaning: str, reset: int = 0) -> Field:
    """Return the upper bits of a register that holds a multiple of ``alignment``."""
    low = alignment.bit_length() - 1
    return Field(
        name="page" if alignment == PAGE_BYTES else "block",
        low=low,
        bits=ADDRESS_BITS - low,
        access="RW",
        reset=reset >> low,
        meaning=f"{meaning}, a multiple of {alignment}",
    )


def _bits(names: tuple[str, ...], access: str, meanings: dict[str, str]) -> tuple[Field, ...]:
    return tuple(
        Field(name=name, low=low, bits=1, access=access, reset=0, meaning=meanings[name])
        for low, name in enumerate(names)
    )


def _error() -> tuple[Field, ...]:
    fields = (
        ("cause", 0, CAUSE_BITS, "why the program was stopped", _members(StopCause)),
        ("port", 4, PORT_BITS, "where the cause has shown", _members(Port)),
        ("response", 8, RESPONSE_BITS, "what the bus answered", _RESPONSES),
    )
    return tuple(
        Field(name=name, low=low, bits=bits, access="R", reset=0, meaning=meaning, values=values)
        for name, low, bits, meaning, values in fields
    )


def _members(kind: type[StopCause] | type[Port]) -> tuple[tuple[str, int], ...]:
    return tuple((member.name, int(member)) for member in kind)


def _capability_fields(config: AcceleratorConfig) -> dict[str, tuple[Field, ...]]:
    """Return the fields of the registers that tell what has been built."""
    values = capabilities(config)
    table = {}
    for register in CAPABILITIES:
        fields, low = [], 0
        for name, bits, meaning in _CAPABILITIES[register.name]:
            fields.append(
                Field(
                    name=name,
                    low=low,
                    bits=bits,
                    access="R",
                    reset=values[register.name] >> low & ((1 << bits) - 1),
                    meaning=meaning,
                    constant=True,
                )
            )
            low += bits
        table[register.name] = tuple(fields)
    return table
