"""The page of the program's layout: its header and descriptors, made from the tables that encode them."""

from enum import IntEnum

from cosilico.pages.table import markdown_table
from sim.spec.descriptor import (
    COMMON_FIELDS,
    DESCRIPTOR_BYTES,
    FIELDS,
    ExecuteOp,
    Field,
    LoadKind,
    LoadStore,
    LoadTable,
    Queue,
)
from sim.spec.header import CHECK_OFFSET, HEADER_BYTES, HEADER_MAGIC, HEADER_VERSION

__all__ = ["DESCRIPTORS_PAGE", "HEADER_WORDS", "descriptors_page"]

DESCRIPTORS_PAGE = "docs/reference/descriptors.md"

HEADER_WORDS = (
    ("0", f"0x{HEADER_MAGIC:08X}, which register ID reads too"),
    ("1", "the configuration's fingerprint, which register FINGERPRINT reads too"),
    ("2", "number of descriptors that follow"),
    (
        "3",
        f"version of this format, {HEADER_VERSION}, which bits 15:0 of register VERSION read too",
    ),
    ("4", f"CRC-32 of the first descriptor's {DESCRIPTOR_BYTES} bytes; 0 without descriptors"),
    (f"5 … {CHECK_OFFSET // 4 - 1}", "0"),
    (f"{CHECK_OFFSET // 4}", f"CRC-32 of the {CHECK_OFFSET} bytes before"),
)
"""Words of a program's header, and what they hold."""

_ENUMS: dict[str, type[IntEnum]] = {
    "queue": Queue,
    "kind": LoadKind,
    "store": LoadStore,
    "table": LoadTable,
    "op": ExecuteOp,
}
"""Values of fields that have names."""

_HEAD = f"""\
# Program: header and descriptors

A program lies in external memory: a header of {HEADER_BYTES} bytes, followed by its descriptors of {DESCRIPTOR_BYTES} bytes each, in the order in which they
are fetched. The compiler writes it (`program.bin`), and `program.json` says where it lies. All words have 32 bits and are little endian; a check word is the CRC-32 of zlib. `sim/spec/header.py` and `sim/spec/descriptor.py` are the source of both tables and of this page. [Hardware](../explanation/hardware.md) says what the units do with every field.

## Header

The address of a header is a multiple of {HEADER_BYTES}. A header that is damaged or belongs to another configuration or version is refused: STATUS says `refused`,
and no descriptor is read. If weights stay in the weight store, or images come as a stream, a program has several headers ([cold and warm](../explanation/hardware.md#cold-and-warm), [streams](../explanation/hardware.md#streams-of-images)).

"""

_CHECKS = f"""
The last word of a descriptor is the CRC-32 of the *next* descriptor's {DESCRIPTOR_BYTES} bytes, 0 in the last descriptor. So the header's word 4
depends on every bit of every descriptor ([check words](../explanation/hardware.md#header-and-check-words)). Weights and activations are not in it.

## Descriptors

Fields are packed without gaps from bit 0 up, in the order of the tables. Bit 0 is the lowest bit of the first byte. Bits between the last field and the check
word are 0. Addresses of external memory are relative to register MEMORY_BASE, those of LOADs with `gather` to the sum of MEMORY_BASE and
INPUT_OFFSET.
"""

_TEXTS = {
    Queue.LOAD: "Brings weights or a tile of activations onto the chip.",
    Queue.EXECUTE: "Computes windows of a tile in all PEs.",
    Queue.STORE: "Writes a tile of activations to external memory.",
}


def descriptors_page() -> str:
    """Markdown of the page."""
    parts = [_HEAD, markdown_table(["word", "content"], HEADER_WORDS), _CHECKS]
    parts += [
        "\n### Every descriptor\n\nBegins with these fields.\n\n",
        _table(COMMON_FIELDS, 0),
    ]
    start = sum(field.bits for field in COMMON_FIELDS)
    for queue, text in _TEXTS.items():
        parts.append(f"\n### {queue.name}\n\n{text}\n\n")
        parts.append(_table(FIELDS[queue][len(COMMON_FIELDS) :], start))
    return "".join(parts)


def _table(fields: tuple[Field, ...], start: int) -> str:
    rows, low = [], start
    for field in fields:
        high = low + field.bits - 1
        bits = str(low) if field.bits == 1 else f"{high}:{low}"
        width = f"{field.bits}, signed" if field.signed else str(field.bits)
        rows.append([f"`{field.name}`", bits, width, field.doc + _named(field.name)])
        low = high + 1
    return markdown_table(["field", "bits", "width", "meaning"], rows)


def _named(name: str) -> str:
    """Values of a field and their names, where it has any."""
    if name not in _ENUMS:
        return ""
    return "; " + ", ".join(f"{int(value)} {value.name}" for value in _ENUMS[name])
