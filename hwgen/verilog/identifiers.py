"""Names of nets in Verilog: plain identifiers, none of which is a word of a language that reads them."""

import re

__all__ = ["RESERVED", "Identifiers", "plain"]

_VERILOG = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default
defparam design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive
endspecify endtable endtask event for force forever fork function generate genvar highz0 highz1 if ifnone
incdir include initial inout input instance integer join large liblist library localparam macromodule
medium module nand negedge nmos nor noshowcancelled not notif0 notif1 or output parameter pmos posedge
primitive pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg
release repeat rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam
strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg
unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor
"""
_SYSTEM_VERILOG = """
accept_on alias always_comb always_ff always_latch assert assume before bind bins binsof bit break byte
chandle checker class clocking const constraint context continue cover covergroup coverpoint cross dist do
endchecker endclass endclocking endgroup endinterface endpackage endprogram endproperty endsequence enum
eventually expect export extends extern final first_match foreach forkjoin global iff ignore_bins
illegal_bins implements implies import inside int interconnect interface intersect join_any join_none let
local logic longint matches modport nettype new nexttime null package packed priority program property
protected pure rand randc randcase randsequence ref reject_on restrict return s_always s_eventually
s_nexttime s_until s_until_with sequence shortint shortreal soft solve static string strong struct super
sync_accept_on sync_reject_on tagged this throughout timeprecision timeunit type typedef union unique
unique0 until until_with untyped var virtual void wait_order weak wildcard with within
"""
_CPP = """
alignas alignof and_eq asm auto bitand bitor bool catch char char16_t char32_t compl concept const_cast
constexpr continue decltype delete double dynamic_cast explicit false float friend goto inline long
mutable namespace noexcept not_eq nullptr operator or_eq private public register reinterpret_cast requires
short sizeof static_assert static_cast switch template thread_local throw true try typeid typename using
volatile wchar_t xor_eq
"""
RESERVED = frozenset((_VERILOG + _SYSTEM_VERILOG + _CPP).split())
"""Words of Verilog, SystemVerilog, and of the C++ that simulators write."""


def plain(name: str) -> str:
    """Return a name as an identifier; a reserved word is followed by ``_value``."""
    # A number behind a dollar only tells apart what the netlist had under the same name.
    identifier = re.sub(r"\W", "_", re.sub(r"\$\d+(?=\$|$)", "", name)).strip("_") or "net"
    if identifier[0].isdigit():
        identifier = f"net_{identifier}"
    return f"{identifier}_value" if identifier in RESERVED else identifier


class Identifiers:
    """Identifiers of one module, each given once."""

    def __init__(self) -> None:
        """Start with none."""
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """Return an identifier for a name, with a number where another has it already."""
        identifier = plain(name)
        number = 1
        candidate = identifier
        while candidate in self._taken:
            number += 1
            candidate = f"{identifier}_{number}"
        self._taken.add(candidate)
        return candidate
