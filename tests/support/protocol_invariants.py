"""Facts of the design's inside that the induction of :mod:`protocol_proof` needs.

An invariant is Verilog over the wires of module ``watched``: ``<design.load.in_flight>`` is one of the
emitted design, ``<m_axi_read_rules.outstanding>`` one of the rules. Each is proved together with
the rules: a wrong invariant makes a proof fail, and never succeed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hwgen.gateware.host.fetch import FetchUnit
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES, PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES

__all__ = ["PORTS", "ProvedPort"]

IDLE, REQUEST_HEADER, READ_HEADER, RUN, REFUSED = range(5)
"""States of the fetch unit, in the order in which it names them."""

HEADER_LENGTH = DESCRIPTOR_BYTES // DESCRIPTOR_PORT_BYTES - 1
"""ARLEN of a header or descriptor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedPort:
    """How the rules of one port are proved.

    Parameters
    ----------
    cut : tuple of str
        Modules to take away, without their prefix. What they would drive is anything.
    invariants : callable
        Returns the invariants for a configuration.
    """

    cut: tuple[str, ...]
    invariants: Callable[[AcceleratorConfig], list[str]]


def _registers(config: AcceleratorConfig) -> list[str]:
    """Register accesses that are begun are those that the port holds or answers."""
    rules = "s_axil_lite_rules"
    return [
        f"<{rules}.addresses> == !s_axil_awready + s_axil_bvalid",
        f"<{rules}.words> == !s_axil_wready + s_axil_bvalid",
        f"<{rules}.reads> == s_axil_rvalid",
    ]


def _no_program(nothing: str) -> list[str]:
    """While no program runs, `nothing` holds."""
    return ["<design.life.state> != 3", f"<design.life.state> != 0 || ({nothing})"]


def _bursts(unit: str, beat: int) -> list[str]:
    """A burst that is not barred lies in a page; a burst that is offered stays."""
    burst, valid = (f"<design.{unit}.generator.bursts__{name}>" for name in ("payload", "valid"))
    aligned = f"{burst}[{beat.bit_length() - 2}:0] == 0 && " if beat > 1 else ""
    end = f"{burst}[11:0] + ({burst}[39:32] + 20'd1) * 20'd{beat}"
    return [
        f"!{valid} || {burst}[41] || ({aligned}{end} <= {PAGE_BYTES})",
        f"!<design.{unit}.waits> || {valid}",
    ]


def _fifo(path: str, depth: int) -> list[str]:
    """Pointers and counts of a FIFO agree."""
    inside, unread = f"<{path}.inside_value>", f"<{path}.unread>"
    pointers = f"<{path}.write_address> - <{path}.read_address>"
    return [
        f"{inside} <= {depth}",
        f"{unread} + 8'd0 + <{path}.leave__valid> == {inside}",
        f"({pointers} - {unread}) % {depth} == 0",
    ]


def _line(rules: str, count: str, depth: int) -> list[str]:
    """Pointers and counts of the rules' line of lengths agree."""
    return [
        f"<{rules}.{count}> <= {depth}",
        f"(<{rules}.newest> - <{rules}.oldest> - <{rules}.{count}>) % {depth} == 0",
        f"<{rules}.late> == 0",
    ]


def _load(config: AcceleratorConfig) -> list[str]:
    unit, rules, depth = "design.load", "m_axi_read_rules", LoadUnit.OUTSTANDING
    return [
        *_line(rules, "outstanding", depth),
        *_bursts("load", config.bus_bytes),
        f"<{unit}.in_flight> == <{rules}.outstanding>",
        f"<{unit}.waits> == <{rules}.address_waits>",
        f"<{unit}.awaited> == (<{unit}.in_flight> != 0)",
        f"<{unit}.full> == (<{unit}.in_flight> == {depth})",
        f"!<{unit}.waits> || <{unit}.in_flight> != {depth}",
        *_no_program(
            f"!<{unit}.waits> && <{unit}.in_flight> == 0 && !<{unit}.generator.bursts__valid>"
        ),
    ]


def _fetch(config: AcceleratorConfig) -> list[str]:
    unit, rules, depth = "design.fetch", "m_axi_desc_read_rules", FetchUnit.DEPTH
    state, outstanding, waits = (f"<{unit}.{x}>" for x in ("fsm_state", "outstanding", "waits"))
    reserved, inside = f"<{unit}.reserved>", f"<{unit}.buffer.inside_value>"
    # The register has the next request, too
    requested, dispatched = f"(<{unit}.requested> - 32'd1)", f"<{unit}.dispatched>"
    count, more = f"<{unit}.count>", f"<{unit}.more>"

    def where(states: tuple[int, ...], held: str) -> str:
        return f"({' && '.join(f'{state} != {number}' for number in states)}) || ({held})"

    return [
        *_line(rules, "outstanding", depth),
        *_fifo(f"{unit}.buffer", depth),
        f"{outstanding} == <{rules}.outstanding>",
        f"<{unit}.awaited> == ({outstanding} != 0)",
        f"{waits} == <{rules}.address_waits>",
        f"<{unit}.index> == <{rules}.position>",
        f"{outstanding} != 0 || <{rules}.position> == 0",
        # Every burst has the length of a descriptor
        *(
            f"<{rules}.lengths[{slot}]> == {HEADER_LENGTH} || "
            f"(8'd{depth + slot} - <{rules}.oldest>) % {depth} >= {outstanding}"
            for slot in range(depth)
        ),
        f"<{unit}.araddr> % {DESCRIPTOR_BYTES} == 0",
        f"<design.csr.program_value> % {DESCRIPTOR_BYTES} == 0",
        f"{state} <= {REFUSED}",
        *_no_program(f"{state} == {IDLE} && !{waits} && {outstanding} == 0"),
        where((IDLE, REFUSED), f"{outstanding} == 0 && !{waits}"),
        where((REQUEST_HEADER,), f"{outstanding} == 0"),
        where((READ_HEADER,), f"{outstanding} == 1 && !{waits}"),
        where((REQUEST_HEADER, READ_HEADER), f"{requested} == 0 && {dispatched} == 0"),
        where((IDLE, REQUEST_HEADER, READ_HEADER, REFUSED), f"{reserved} == 0 && {inside} == 0"),
        # A place in the buffer is for a burst that is outstanding or is there already
        where((RUN,), f"{reserved} == 8'd0 + {outstanding} + {inside} && {reserved} <= {depth}"),
        where((RUN,), f"{requested} <= {count} && {dispatched} <= {requested}"),
        where((RUN,), f"{requested} - {dispatched} == {reserved}"),
        where((RUN,), f"{more} == ({requested} != {count})"),
        where((RUN,), f"!{waits} || ({reserved} != {depth} && {more})"),
    ]


def _store(config: AcceleratorConfig) -> list[str]:
    unit, rules, depth = "design.store", "m_axi_write_rules", StoreUnit.OUTSTANDING
    waits, addressed, early = f"<{unit}.waits>", f"<{rules}.addressed>", f"<{rules}.early>"
    line = f"{unit}.bursts"
    offered = f"<{unit}.generator.bursts__payload>[39:32]"
    counts = max(StoreUnit.RESPONSES.bit_length(), 8) + 1
    return [
        *_line(rules, "addressed", depth),
        *_fifo(line, depth),
        *_bursts("store", config.bus_bytes),
        f"{waits} == <{rules}.address_waits>",
        # The burst that is offered counts from its first cycle on
        f"<{unit}.waiting> == <{rules}.pending> + {waits}",
        f"!{waits} || <{rules}.pending> != {StoreUnit.RESPONSES}",
        f"<{rules}.pending> + {counts}'d0 == {counts}'d0 + <{rules}.complete> + {addressed}",
        f"!{early} || ({waits} && {addressed} == 0)",
        f"<{line}.inside_value> == 8'd0 + {addressed} + ({waits} && !{early})",
        f"<{unit}.position> == <{rules}.position>",
        f"<{line}.inside_value> != 0 || <{rules}.position> == 0",
        *(
            f"{addressed} <= {place} || {_entry(line, place, depth)} == "
            f"{_chosen(f'{rules}.lengths', place, f'{rules}.oldest', depth)}"
            for place in range(depth)
        ),
        *(
            f"!({waits} && !{early} && {addressed} == {place}) || "
            f"{_entry(line, place, depth)} == {offered}"
            for place in range(depth)
        ),
        *_no_program(
            f"!{waits} && <{unit}.waiting> == 0 && <{line}.inside_value> == 0 && "
            f"!<{unit}.generator.bursts__valid>"
        ),
    ]


def _entry(line: str, place: int, depth: int) -> str:
    """Length of a FIFO's entry; place 0 is the oldest, which may be in the output register."""
    memory, pointer = f"{line}.storage.memory", f"{line}.read_address"
    unread = _chosen(memory, place, pointer, depth, "[7:0]")
    behind = _chosen(memory, place - 1, pointer, depth, "[7:0]")
    head = f"<{line}.storage.read_data>[7:0]" if place == 0 else behind
    return f"(<{line}.leave__valid> ? {head} : {unread})"


def _chosen(array: str, offset: int, pointer: str, depth: int, part: str = "") -> str:
    """Element of an array, `offset` after the element that a pointer names."""
    bits = depth.bit_length() - 1
    term = f"<{array}[{depth - 1}]>{part}"
    for index in reversed(range(depth - 1)):
        wanted = f"{bits}'d{(index - offset) % depth}"
        term = f"(<{pointer}> == {wanted} ? <{array}[{index}]>{part} : {term})"
    return term


PORTS: Mapping[str, ProvedPort] = MappingProxyType(
    {
        "s_axil": ProvedPort(
            cut=("grid", "execute", "sequencer", "load", "store", "fetch", "life"),
            invariants=_registers,
        ),
        "m_axi_ar": ProvedPort(
            cut=("grid", "execute", "sequencer", "store", "fetch", "csr"), invariants=_load
        ),
        "m_axi_aw": ProvedPort(
            cut=("grid", "execute", "sequencer", "load", "fetch", "csr"), invariants=_store
        ),
        "m_axi_desc_ar": ProvedPort(
            cut=("grid", "execute", "sequencer", "load", "store"), invariants=_fetch
        ),
    }
)
"""The ports by what :func:`testbench.rtl.protocol.rule_instances` calls them."""
