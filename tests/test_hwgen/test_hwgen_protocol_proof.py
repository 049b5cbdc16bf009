"""The emitted accelerator keeps the AXI rules, proved; designs that do not are told apart."""

import functools

import pytest

from accelerators import NARROW_BUS, small_accelerator
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from hwgen.kept_emissions import emit_once
from hwgen.module_names import ModuleNames
from protocol_invariants import PORTS
from protocol_proof import combinational_valids, prove, reaches, translate
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import cache_root
from verilog_edits import edited_module

PACED = small_accelerator(1, 2, simd_units=8, io_bandwidth_gbps=1.1)
NARROW = small_accelerator(simd_units=16, io_bandwidth_gbps=0.1, clock_mhz=100)
WIDE = small_accelerator(simd_units=16, io_bandwidth_gbps=6.4)
"""Wider than a vector, and so wide that a page ends before 256 beats do."""

CONFIGS = {
    "bus of 2 bytes": NARROW_BUS,
    "paced bus of 8 bytes": PACED,
    "bus of 1 byte": NARROW,
    "bus of 32 bytes": WIDE,
}
NAMES = [
    pytest.param(name, marks=[pytest.mark.long] if config is not NARROW_BUS else [])
    for name, config in CONFIGS.items()
]
TOP = ModuleNames.of(NARROW_BUS).top
START = 3
"""Cycles from the first, which is a reset, to the first command."""


@functools.cache
def verilog(config: AcceleratorConfig) -> str:
    """Verilog of an accelerator."""
    return emit_once(config, cache_root())


def changed(module: str, old: str, new: str) -> str:
    """Return the small design with a text of a module replaced, which it has once."""
    return edited_module(verilog(NARROW_BUS), module, old, new)


@pytest.mark.parametrize(
    ("name", "port"),
    [
        pytest.param(
            name,
            port,
            marks=[] if CONFIGS[name] is NARROW_BUS else [pytest.mark.long],
        )
        for name in CONFIGS
        for port in PORTS
    ],
)
def test_rules_are_proved(name: str, port: str) -> None:
    """Whatever the partner does within its rules, and whatever a program's bytes are."""
    config = CONFIGS[name]
    assert prove(translate(config, verilog(config), port)) == []


@pytest.mark.parametrize(
    ("port", "valid", "cycles"),
    [
        ("s_axil", "s_axil_bvalid", 5),
        ("s_axil", "s_axil_rvalid", 5),
        pytest.param(
            *("m_axi_ar", "m_axi_arvalid", START + LoadUnit.FIRST_REQUEST + 1),
            marks=pytest.mark.long,
        ),
        ("m_axi_aw", "m_axi_awvalid", START + StoreUnit.FIRST_ADDRESS + 1),
        pytest.param(
            *("m_axi_aw", "m_axi_wvalid && m_axi_wlast", START + StoreUnit.FIRST_BEAT + 1),
            marks=pytest.mark.long,
        ),
        pytest.param("m_axi_desc_ar", "m_axi_desc_arvalid", 6, marks=pytest.mark.long),
    ],
)
def test_assumptions_leave_the_ports_their_traffic(port: str, valid: str, cycles: int) -> None:
    """Otherwise a proof would say nothing."""
    never = [f"always @* if (started) assert (!({valid}));"]
    assert reaches(translate(NARROW_BUS, verilog(NARROW_BUS), port, additions=never), cycles)


BROKEN = {
    "address falls": ("m_axi_aw", "store", r"waits <= awvalid[^;]+;", "waits <= 1'b0;"),
    "address changes": (
        "m_axi_ar",
        "load_bursts",
        r"bursts__payload <= (\{[^;]+);",
        r"bursts__payload <= \1 ^ 43'h100000000;",
    ),
    "burst across a page": (
        "m_axi_ar",
        "load_bursts",
        r"ends \? cut_less\[7:0\]",
        "ends ? cut_less[7:0] + 8'd1",
    ),
    "too many reads": (
        "m_axi_ar",
        "load",
        r"\(in_flight == 4'd7\) & bursts__ready",
        "(in_flight == 4'd8) & bursts__ready",
    ),
    "unaligned descriptors": ("m_axi_desc_ar", "fetch", r"araddr \+ 32'd64", "araddr + 32'd68"),
    "last beat unmarked": (
        "m_axi_aw",
        "store",
        r"assign wlast = (position == [^;]+);",
        r"assign wlast = !(\1);",
    ),
    "data ahead of the address": (
        "m_axi_aw",
        "store",
        r"assign wvalid = [^&]+&",
        "assign wvalid =",
    ),
    "response falls": ("s_axil", "csr", r"bvalid <= (\(bready[^;]+);", r"bvalid <= (\1) & bready;"),
    "value changes": (
        "s_axil",
        "csr",
        r"else if \(rvalid_and\) rdata",
        "else if (rvalid_and | rvalid) rdata",
    ),
}
"""Ports, and what is changed of which module."""


@pytest.mark.parametrize(
    "name",
    sampled(
        BROKEN,
        lambda name: name in ("address changes", "data ahead of the address", "value changes"),
    ),
)
def test_broken_designs_are_not_proved(name: str) -> None:
    """With the very invariants with which the design is."""
    port, module, old, new = BROKEN[name]
    assert prove(translate(NARROW_BUS, changed(module, old, new), port)) != []


@pytest.mark.parametrize(
    ("name", "cycles"),
    sampled(
        [
            ("address falls", START + StoreUnit.FIRST_ADDRESS + 2),
            ("address changes", START + LoadUnit.FIRST_REQUEST + 2),
            ("burst across a page", START + LoadUnit.FIRST_REQUEST + 1),
            ("last beat unmarked", START + StoreUnit.FIRST_BEAT + 1),
            ("response falls", 6),
            ("value changes", 6),
        ],
        lambda case: case[0] in ("address falls", "response falls"),
        fields=True,
    ),
)
def test_broken_designs_break_a_rule_after_a_reset(name: str, cycles: int) -> None:
    """Not only in some state that nothing leads to; nothing but the rules is asserted."""
    port, module, old, new = BROKEN[name]
    assert reaches(translate(NARROW_BUS, changed(module, old, new), port, additions=[]), cycles)


WAITING = StoreUnit.FIRST_BEAT - StoreUnit.FIRST_ADDRESS
UNANSWERED_ADDRESS = [
    "reg sent; reg [7:0] waited;",
    "always @(posedge clk) sent <= aresetn && m_axi_awvalid && (sent || m_axi_wvalid);",
    "always @(posedge clk) waited <= !aresetn || !m_axi_awvalid ? 0 : waited + 1;",
    "always @* assume (!m_axi_awready && m_axi_wready);",
    f"always @* if (started && aresetn) assert (waited < {WAITING} || sent || m_axi_wvalid);",
]


@pytest.mark.long
def test_data_does_not_wait_for_the_address_to_be_taken() -> None:
    """With AWREADY low for ever the first beat comes when it would come without.

    Long: damaged programs and their followers run behind a memory that takes addresses after data.
    """
    model = translate(NARROW_BUS, verilog(NARROW_BUS), "m_axi_aw", additions=UNANSWERED_ADDRESS)
    assert not reaches(model, START + StoreUnit.FIRST_BEAT + 2)


@pytest.mark.long
def test_data_that_waits_for_its_address_is_found() -> None:
    """A burst that is put in line when its address is taken, as a deadlock needs it."""
    waiting = changed(
        "store",
        r"(cosilico_fifo_16x8_\w+ bursts \([^;]*\.enter__valid\()[^)]+\)",
        r"\1bursts__ready)",
    )
    model = translate(NARROW_BUS, waiting, "m_axi_aw", additions=UNANSWERED_ADDRESS)
    assert reaches(model, START + StoreUnit.FIRST_BEAT + 2)


@pytest.mark.parametrize("name", NAMES)
def test_no_valid_depends_on_an_input(name: str) -> None:
    """Through logic without a register: neither on a READY nor on anything else of a port."""
    config = CONFIGS[name]
    assert combinational_valids(verilog(config), ModuleNames.of(config).top) == ""


def test_valid_that_depends_on_ready_is_found() -> None:
    """By the name of the input."""
    broken = changed("store", r"assign wvalid = ", "assign wvalid = wready & ")
    assert combinational_valids(broken, TOP) == f"{TOP}/m_axi_wready\n"
