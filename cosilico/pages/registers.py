"""The page of the registers, made from the table that the gateware and all other forms of the map have."""

from cosilico.pages.table import markdown_table
from hwgen.gateware.host.csr import CAPABILITIES
from hwgen.registers.table import MAP_BYTES, Field, RegisterFields, register_table
from sim.spec.spaces import TINY

__all__ = ["REGISTERS_PAGE", "registers_page"]

REGISTERS_PAGE = "docs/reference/registers.md"

_HEAD = f"""\
# Registers

The port `s_axil` is an AXI4-Lite subordinate with {MAP_BYTES} bytes of registers, 32 bits each. Other offsets read 0 and ignore writes, and a
response is always OKAY. To start a program, write the address of its header to PROGRAM and then 1 to CONTROL.
[Hardware](../explanation/hardware.md#control) describes how a program runs, [stops](../explanation/hardware.md#stops) what ERROR means, and the [package](package.md#registers) has this map as SystemRDL, IP-XACT and a C header.

The doorbell clears counters, `done`, `refused`, `hazard`, `error`, `unresponsive` and ERROR. Only the host clears IRQ_PENDING; an event in the
cycle of the clearing stays. PROGRAM is read at the doorbell. MEMORY_BASE, INPUT_OFFSET, TIMEOUT and the window act at once: if a host changes them while a program runs, bursts may use either value.

Access is R (read), W (write), RW, or W1C: reads, and clears the bits that are written with 1. *As built* marks a value that follows from
the configuration of the accelerator.

"""


_BUILT = {"FINGERPRINT", *(register.name for register in CAPABILITIES)} - {"VERSION"}
"""Registers whose values follow from the configuration."""


def registers_page() -> str:
    """Markdown of the page."""
    rows = [row for register in register_table(TINY.default) for row in _rows(register)]
    titles = ["offset", "register", "bits", "field", "access", "after reset", "meaning"]
    return _HEAD + markdown_table(titles, rows)


def _rows(described: RegisterFields) -> list[list[str]]:
    """Rows of a register: its fields, from bit 0 up."""
    register = described.register
    rows: list[list[str]] = []
    for field in described.fields:
        bits = str(field.low) if field.bits == 1 else f"{field.high}:{field.low}"
        place = [f"0x{register.offset:02X}", f"`{register.name}`"] if not rows else ["", ""]
        reset = "as built" if register.name in _BUILT else _reset(field)
        meaning = field.meaning
        if field.values:
            meaning += ": " + ", ".join(f"{value} {name}" for name, value in field.values)
        rows.append([*place, bits, f"`{field.name}`", field.access, reset, meaning])
    return rows


def _reset(field: Field) -> str:
    return str(field.reset) if field.reset < 10 else f"0x{field.reset:X}"
