"""Modules of the emitted memories: arrays that synthesis infers, flip-flops, and stubs of macros."""

import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from hwgen.gateware.primitives.single_port_ram import SINGLE_PORT_MODULE
from hwgen.gateware.primitives.unique import MODULE_PREFIX
from hwgen.module_names import ModuleNames

__all__ = ["FLIP_FLOP_ROWS", "MEMORY_PRIMITIVES", "MemoryModule", "MemoryStyle", "memory_module"]

FLIP_FLOP_ROWS = 16
"""Rows up to which a memory is better made of flip-flops than of a macro."""

MEMORY_PRIMITIVES = (f"{MODULE_PREFIX}ram", SINGLE_PORT_MODULE)
"""Modules that the gateware instantiates as memories."""

_RTL = Path(__file__).parent / "rtl"
_PARTS = re.compile(
    r"(?P<comment>(?://[^\n]*\n)+)module \w+ (?P<ports>#\(.*?\n\);\n)(?P<body>.*)endmodule\n",
    re.DOTALL,
)
_ARRAY = re.compile(r"^  (?:\(\*.*\*\) *\n? *)?(reg \[WIDTH-1:0\] memory)", re.MULTILINE)


class MemoryStyle(StrEnum):
    """Modules that stand for the memories in emitted Verilog."""

    FPGA = "fpga"
    """Every memory is an array that synthesis maps to block or distributed RAM."""
    FLIP_FLOP = "flip_flop"
    """Memories of few rows are arrays of flip-flops, all others as for an FPGA."""
    MACRO = "macro"
    """Memories of few rows are flip-flops, all others modules to fill with a macro, one per size."""


class MemoryModule(NamedTuple):
    """Module of a memory, Verilog-2005; its text depends on nothing but its name."""

    name: str
    text: str


_ATTRIBUTES = {
    "fpga": "(* no_rw_check *)",
    "flip_flop": '(* ram_style = "registers", ramstyle = "logic", syn_ramstyle = "registers" *)',
}
_REMARKS = {
    "fpga": "An array that synthesis infers. Whether a row that is read in the cycle of its write\n"
    "// gives the former or the latter value does not matter, which `no_rw_check` says.",
    "flip_flop": "An array of few rows, to be built of flip-flops.",
}


def memory_module(
    primitive: str, width: int, depth: int, style: MemoryStyle, names: ModuleNames
) -> MemoryModule:
    """Return the module that an instance of a memory primitive uses.

    Parameters
    ----------
    primitive : str
        One of :data:`MEMORY_PRIMITIVES`.
    width, depth : int
        Bits of a row, and rows.
    style : MemoryStyle
    names : ModuleNames
    """
    kind = primitive.removeprefix(MODULE_PREFIX)
    text = (_RTL / f"{kind}.v").read_text(encoding="utf-8")
    parts = _PARTS.fullmatch(text)
    assert parts is not None, primitive
    if style is MemoryStyle.MACRO and depth > FLIP_FLOP_ROWS:
        name = names.shared(f"{kind}_macro_{depth}x{width}")
        return MemoryModule(name, _guarded(name, _stub(name, parts, width, depth)))
    shallow = style is not MemoryStyle.FPGA and depth <= FLIP_FLOP_ROWS
    chosen = "flip_flop" if shallow else "fpga"
    name = names.shared(f"{kind}_{chosen}")
    body = _ARRAY.sub(rf"  {_ATTRIBUTES[chosen]}\n  \1", parts["body"], count=1)
    text = (
        f"{parts['comment']}// {_REMARKS[chosen]}\nmodule {name} {parts['ports']}{body}endmodule\n"
    )
    return MemoryModule(name, _guarded(name, text))


def _stub(name: str, parts: re.Match[str], width: int, depth: int) -> str:
    ports = parts["ports"]
    for parameter, value in (
        ("WIDTH", width),
        ("DEPTH", depth),
        ("ADDRESS_BITS", max(1, (depth - 1).bit_length())),
    ):
        ports = re.sub(rf"parameter {parameter} = \d+", f"parameter {parameter} = {value}", ports)
    return (
        f"{parts['comment']}"
        f"// {depth} rows of {width} bits. For synthesis put an instance of a macro of the target process\n"
        "// between `ifdef and `else; what follows is its behaviour, for simulation.\n"
        "`ifdef SYNTHESIS\n(* blackbox *)\n`endif\n"
        f"module {name} {ports}`ifdef SYNTHESIS\n`else\n{parts['body']}`endif\nendmodule\n"
    )


def _guarded(name: str, text: str) -> str:
    """Return a text that may be read twice, as the accelerators of a chip share it."""
    guard = f"{name.upper()}_V"
    return f"`ifndef {guard}\n`define {guard}\n{text}`endif\n"
