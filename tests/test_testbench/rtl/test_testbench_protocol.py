"""The AXI rules in a simulation: traffic that keeps them, and each rule broken by itself."""

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from amaranth.hdl import Shape

import testbench
from accelerators import SMALLEST
from hwgen.gateware.accelerator import accelerator_signature
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from hwgen.module_names import ModuleNames
from sim.spec.views import View
from testbench.rtl.protocol import bound_rules
from testbench.rtl.verilate import build_executable

pytestmark = pytest.mark.rtl

TEMPLATES = Path(testbench.__file__).parent / "rtl" / "templates"
BEAT = 4

MAIN = r"""
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include "TOP_CLASS.h"
#include "verilated.h"
#include "axi_report.h"
// Reads "NAME VALUE" lines, which hold until they are changed; "." ends a cycle.
int main(int argc, char** argv) {
    VerilatedContext context;
    cosilico::reset_clears_bus = argc == 1;
    auto top = std::make_unique<TOP_CLASS>(&context, "TOP");
    char name[64];
    unsigned long long value;
    while (std::scanf("%63s", name) == 1) {
        if (!std::strcmp(name, ".")) {
            top->clk = 0;
            top->eval();
            top->clk = 1;
            top->eval();
            continue;
        }
        if (std::scanf("%llu", &value) != 1) return 2;
        FIELDS
        return 2;
    }
    return 0;
}
"""
"""FIELDS: an assignment by name for every port."""

Cycle = dict[str, int]


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A design without logic, whose ports are all driven from outside, with the rules bound to it."""
    names = ["clk", "aresetn", *accelerator_signature(SMALLEST).members]
    widths = {name: len_of(name) for name in names}
    ports = ", ".join(f"input wire [{width - 1}:0] {name}" for name, width in widths.items())
    fields = [
        f'if (!std::strcmp(name, "{name}")) {{ top->{name} = value; continue; }}' for name in names
    ]
    directory = tmp_path_factory.mktemp("rules")
    top = ModuleNames.of(SMALLEST).top
    return build_executable(
        directory,
        top=top,
        grid="",
        verilog=f"module {top}({ports});\nendmodule\n{bound_rules(SMALLEST)}",
        main=MAIN.replace("FIELDS", "\n".join(fields)).replace("TOP_CLASS", f"V{top}"),
        headers={"axi_report.h": (TEMPLATES / "axi_report.h").read_text()},
        view=View.SYNTHESIS,
        optimize=False,
    )


@functools.cache
def len_of(name: str) -> int:
    """Width of a port in bits."""
    members = accelerator_signature(SMALLEST).members
    return Shape.cast(members[name].shape).width if name in members else 1


RESET = [{"aresetn": 0}, {}, {"aresetn": 1}]
FIXED = {
    f"{port}{channel}{name}": value
    for port, channel, beat in (
        ("m_axi_", "ar", BEAT),
        ("m_axi_", "aw", BEAT),
        ("m_axi_desc_", "ar", 8),
    )
    for name, value in {"burst": 1, "size": beat.bit_length() - 1, "cache": 3}.items()
} | {"m_axi_wstrb": 15}


def idle() -> Cycle:
    """All ports at rest."""
    names = accelerator_signature(SMALLEST).members
    return dict.fromkeys(names, 0) | FIXED


def run(simulation: Path, cycles: list[Cycle], *, late: bool = False) -> str:
    """Run cycles of changes after a reset; return what is said of a broken rule, or nothing."""
    lines = []
    for cycle in [idle() | RESET[0], *RESET[1:], *cycles]:
        lines += [f"{name} {value}" for name, value in cycle.items()] + ["."]
    result = subprocess.run(
        [str(simulation), *(["late"] if late else [])],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == (4 if result.stderr else 0)
    return result.stderr


def offered(channel: str, address: int = 0x1000, beats: int = 1, **more: int) -> Cycle:
    """Signals of an address that is offered."""
    signals = {f"{channel}valid": 1, f"{channel}addr": address, f"{channel}len": beats - 1}
    return signals | {f"{channel}{name}": value for name, value in more.items()}


def read_beats(port: str, *lasts: int) -> Iterator[Cycle]:
    """Cycles with the beats of a read, and then a cycle without."""
    for last in lasts:
        yield {f"{port}rvalid": 1, f"{port}rready": 1, f"{port}rlast": last}
    yield {f"{port}rvalid": 0}


def written(last: int, **more: int) -> Cycle:
    """A beat of a write that is taken."""
    return {"m_axi_wvalid": 1, "m_axi_wready": 1, "m_axi_wlast": last} | {
        f"m_axi_w{name}": value for name, value in more.items()
    }


AR, AW, DESCRIPTOR = "m_axi_ar", "m_axi_aw", "m_axi_desc_ar"
TAKEN = {f"{AR}ready": 1, f"{AW}ready": 1, f"{DESCRIPTOR}ready": 1}
NO_AW = {f"{AW}valid": 0}
NO_AR = {f"{AR}valid": 0}
NO_W = {"m_axi_wvalid": 0}

KEPT = {
    "reads in order": [
        TAKEN | offered(AR, beats=2),
        offered(AR, 0x1008, beats=1),
        NO_AR,
        *read_beats("m_axi_", 0, 1, 1),
    ],
    "a descriptor": [
        TAKEN | offered(DESCRIPTOR, beats=8),
        {f"{DESCRIPTOR}valid": 0},
        *read_beats("m_axi_desc_", *[0] * 7, 1),
    ],
    "the last burst of a page": [TAKEN | offered(AR, 0x2000 - 256 * BEAT, beats=256)],
    "all reads that may be outstanding": [TAKEN | offered(AR)]
    + [{}] * (LoadUnit.OUTSTANDING - 1)
    + [NO_AR],
    "address before data": [
        TAKEN | offered(AW, beats=2),
        NO_AW,
        {},
        written(0),
        written(1),
        NO_W | {"m_axi_bvalid": 1, "m_axi_bready": 1},
        {"m_axi_bvalid": 0},
    ],
    "data before address": [
        offered(AW, beats=2),
        written(0),
        written(1),
        NO_W,
        {f"{AW}ready": 1},
        NO_AW | {"m_axi_bvalid": 1, "m_axi_bready": 1},
        {"m_axi_bvalid": 0},
    ],
    "both at once": [
        TAKEN | offered(AW) | written(1),
        NO_W | NO_AW | {"m_axi_bvalid": 1, "m_axi_bready": 1},
        {"m_axi_bvalid": 0},
    ],
    "data a burst behind its address": [
        TAKEN | offered(AW, beats=2),
        offered(AW, 0x3000, beats=1) | written(0),
        NO_AW | written(1),
        written(1),
        NO_W,
    ],
    "registers": [
        {"s_axil_awvalid": 1, "s_axil_awready": 1},
        {"s_axil_awvalid": 0, "s_axil_awready": 0, "s_axil_wvalid": 1, "s_axil_wready": 1},
        {"s_axil_wvalid": 0, "s_axil_bvalid": 1, "s_axil_arvalid": 1},
        {"s_axil_bready": 1, "s_axil_arready": 1},
        {"s_axil_bvalid": 0, "s_axil_arvalid": 0, "s_axil_rvalid": 1, "s_axil_rdata": 7},
        {"s_axil_rready": 1},
        {"s_axil_rvalid": 0},
    ],
}


@pytest.mark.parametrize("name", KEPT)
def test_traffic_that_keeps_the_rules_is_let_be(simulation: Path, name: str) -> None:
    """In whatever order AXI allows."""
    assert run(simulation, [*KEPT[name], {}, {}]) == ""


READ = [TAKEN | offered(AR, beats=2), NO_AR]
WRITE = [TAKEN | offered(AW, beats=2), NO_AW]
REGISTER_WRITE = [
    {"s_axil_awvalid": 1, "s_axil_awready": 1, "s_axil_wvalid": 1, "s_axil_wready": 1},
    {"s_axil_awvalid": 0, "s_axil_wvalid": 0, "s_axil_bvalid": 1},
]
REGISTER_READ = [
    {"s_axil_arvalid": 1, "s_axil_arready": 1},
    {"s_axil_arvalid": 0, "s_axil_rvalid": 1},
]
BROKEN = {
    "ar falls": ([offered(AR), NO_AR], "AR at cycle 4: valid fell before ready"),
    "ar changes": (
        [offered(AR), offered(AR, 0x1004)],
        "AR at cycle 4: payload changed before ready",
    ),
    "ar wraps": ([offered(AR, burst=2)], "AR at cycle 3: burst is not INCR"),
    "ar narrow": ([offered(AR, size=0)], "AR at cycle 3: size is not the bus width"),
    "ar unaligned": ([offered(AR, 0x1002)], "AR at cycle 3: address is not aligned"),
    "ar crosses": ([offered(AR, 0x1FFC, beats=2)], "AR at cycle 3: burst crosses 4 KiB"),
    "ar id": ([offered(AR, id=1)], "AR at cycle 3: ID or lock is not 0"),
    "ar too many": (
        [TAKEN | offered(AR)] + [{}] * LoadUnit.OUTSTANDING,
        "AR at cycle 11: too many bursts are outstanding",
    ),
    "ar in reset": ([{"aresetn": 0}, offered(AR)], "AR at cycle 4: valid after reset"),
    "descriptor": (
        [offered(DESCRIPTOR, 0x1FF8, beats=8)],
        "descriptor AR at cycle 3: burst crosses 4 KiB",
    ),
    "descriptor ends early": (
        [
            TAKEN | offered(DESCRIPTOR, beats=8),
            {f"{DESCRIPTOR}valid": 0},
            *read_beats("m_axi_desc_", 1),
        ],
        "descriptor R at cycle 5: last does not agree with the burst's length",
    ),
    "aw in reset": ([{"aresetn": 0}, offered(AW)], "AW at cycle 4: valid after reset"),
    "w in reset": ([{"aresetn": 0}, {"m_axi_wvalid": 1}], "W at cycle 4: valid after reset"),
    "r from nothing": ([{"m_axi_rvalid": 1}], "R at cycle 3: data that was not asked for"),
    "r in the same cycle": (
        [TAKEN | offered(AR) | {"m_axi_rvalid": 1}],
        "R at cycle 3: data that was not asked for",
    ),
    "r ends early": (
        [*READ, *read_beats("m_axi_", 1)],
        "R at cycle 5: last does not agree with the burst's length",
    ),
    "r ends late": (
        [*READ, *read_beats("m_axi_", 0, 0)],
        "R at cycle 6: last does not agree with the burst's length",
    ),
    "r falls": (
        [*READ, {"m_axi_rvalid": 1}, {"m_axi_rvalid": 0}],
        "R at cycle 6: valid fell before ready",
    ),
    "r changes": (
        [*READ, {"m_axi_rvalid": 1}, {"m_axi_rdata": 1}],
        "R at cycle 6: payload changed before ready",
    ),
    "r exclusive": (
        [*READ, {"m_axi_rvalid": 1, "m_axi_rresp": 1}],
        "R at cycle 5: ID is not the address's, or response is EXOKAY",
    ),
    "aw falls": ([offered(AW), NO_AW], "AW at cycle 4: valid fell before ready"),
    "aw changes": (
        [offered(AW), offered(AW, beats=2)],
        "AW at cycle 4: payload changed before ready",
    ),
    "aw crosses": ([offered(AW, 0x1FFC, beats=2)], "AW at cycle 3: burst crosses 4 KiB"),
    "aw unaligned": ([offered(AW, 0x1001)], "AW at cycle 3: address is not aligned"),
    "aw narrow": ([offered(AW, size=1)], "AW at cycle 3: size is not the bus width"),
    "aw fixed": ([offered(AW, burst=0)], "AW at cycle 3: burst is not INCR"),
    "aw lock": ([offered(AW, lock=1)], "AW at cycle 3: ID or lock is not 0"),
    "aw too far ahead": (
        [TAKEN | offered(AW)] + [{}] * StoreUnit.OUTSTANDING,
        "AW at cycle 11: too many addresses are ahead of the data",
    ),
    "aw unanswered": (
        [TAKEN | offered(AW) | written(1)] + [{}] * StoreUnit.RESPONSES,
        f"AW at cycle {3 + StoreUnit.RESPONSES}: too many bursts are unanswered",
    ),
    "w without address": ([written(1)], "W at cycle 3: data whose address was not given"),
    "w ahead of the next address": (
        [offered(AW) | written(1), written(1)],
        "W at cycle 4: data whose address was not given",
    ),
    "w falls": (
        [*WRITE, {"m_axi_wvalid": 1}, NO_W],
        "W at cycle 6: valid fell before ready",
    ),
    "w changes": (
        [*WRITE, {"m_axi_wvalid": 1}, {"m_axi_wdata": 3}],
        "W at cycle 6: payload changed before ready",
    ),
    "w ends early": (
        [*WRITE, written(1)],
        "W at cycle 5: last does not agree with the burst's length",
    ),
    "w ends late": (
        [*WRITE, written(0), written(0)],
        "W at cycle 6: last does not agree with the burst's length",
    ),
    "w ends early before its address": (
        [offered(AW, beats=2) | written(1)],
        "W at cycle 3: last does not agree with the burst's length",
    ),
    "w strobes": ([*WRITE, written(0, strb=7)], "W at cycle 5: strobes are not all 1"),
    "b from nothing": ([*WRITE, {"m_axi_bvalid": 1}], "B at cycle 5: response to no burst"),
    "b before the address": (
        [offered(AW) | written(1), NO_W | {"m_axi_bvalid": 1}],
        "B at cycle 4: response to no burst",
    ),
    "b falls": (
        [*WRITE, written(0), written(1), NO_W | {"m_axi_bvalid": 1}, {"m_axi_bvalid": 0}],
        "B at cycle 8: valid fell before ready",
    ),
    "b changes": (
        [*WRITE, written(0), written(1), NO_W | {"m_axi_bvalid": 1}, {"m_axi_bresp": 2}],
        "B at cycle 8: payload changed before ready",
    ),
    "b exclusive": (
        [*WRITE, written(0), written(1), NO_W | {"m_axi_bvalid": 1, "m_axi_bresp": 1}],
        "B at cycle 7: ID is not the address's, or response is EXOKAY",
    ),
    "register b in reset": (
        [{"aresetn": 0}, {"s_axil_bvalid": 1}],
        "register B at cycle 4: valid after reset",
    ),
    "register r in reset": (
        [{"aresetn": 0}, {"s_axil_rvalid": 1}],
        "register R at cycle 4: valid after reset",
    ),
    "register host in reset": (
        [{"aresetn": 0}, {"aresetn": 1, "s_axil_awvalid": 1}],
        "register AW at cycle 4: valid after reset",
    ),
    "register writes too many": (
        [{"s_axil_awvalid": 1, "s_axil_awready": 1}] + [{}] * 2,
        "register AW at cycle 5: too many writes are unanswered",
    ),
    "register data too much": (
        [{"s_axil_wvalid": 1, "s_axil_wready": 1}] + [{}] * 2,
        "register W at cycle 5: too many writes are unanswered",
    ),
    "register reads too many": (
        [{"s_axil_arvalid": 1, "s_axil_arready": 1}] + [{}] * 2,
        "register AR at cycle 5: too many reads are unanswered",
    ),
    "register b falls": (
        [*REGISTER_WRITE, {"s_axil_bvalid": 0}],
        "register B at cycle 5: valid fell before ready",
    ),
    "register b changes": (
        [*REGISTER_WRITE, {"s_axil_bresp": 2}],
        "register B at cycle 5: payload changed before ready",
    ),
    "register b exclusive": (
        [REGISTER_WRITE[0], REGISTER_WRITE[1] | {"s_axil_bresp": 1}],
        "register B at cycle 4: response is EXOKAY",
    ),
    "register r falls": (
        [*REGISTER_READ, {"s_axil_rvalid": 0}],
        "register R at cycle 5: valid fell before ready",
    ),
    "register r exclusive": (
        [REGISTER_READ[0], REGISTER_READ[1] | {"s_axil_rresp": 1}],
        "register R at cycle 4: response is EXOKAY",
    ),
    "register b without data": (
        [{"s_axil_awvalid": 1, "s_axil_awready": 1}, {"s_axil_awvalid": 0, "s_axil_bvalid": 1}],
        "register B at cycle 4: response to no write",
    ),
    "register b without address": (
        [{"s_axil_wvalid": 1, "s_axil_wready": 1}, {"s_axil_wvalid": 0, "s_axil_bvalid": 1}],
        "register B at cycle 4: response to no write",
    ),
    "register r from nothing": (
        [{"s_axil_rvalid": 1}],
        "register R at cycle 3: data that was not asked for",
    ),
    "register r changes": (
        [
            *REGISTER_READ,
            {"s_axil_rdata": 1},
        ],
        "register R at cycle 5: payload changed before ready",
    ),
    "register host lets go": (
        [{"s_axil_awvalid": 1}, {"s_axil_awvalid": 0}],
        "register AW at cycle 4: valid fell before ready",
    ),
    "register host changes its mind": (
        [{"s_axil_wvalid": 1}, {"s_axil_wdata": 1}],
        "register W at cycle 4: payload changed before ready",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rule_is_named(simulation: Path, name: str) -> None:
    """With its channel and the cycle, counted from the first edge."""
    cycles, message = BROKEN[name]
    assert run(simulation, cycles) == f"AXI protocol violation on {message}\n"


def test_late_answers_are_let_be_where_the_bus_is_not_reset(simulation: Path) -> None:
    """Those to what was asked for before; what is asked for after the reset is judged as ever."""
    asked = [TAKEN | offered(AR, beats=2), offered(AW) | NO_AR | written(1), NO_AW | NO_W]
    late = [
        *read_beats("m_axi_", 0, 1),
        {"m_axi_bvalid": 1, "m_axi_bready": 1},
        {"m_axi_bvalid": 0},
    ]
    again = [{"aresetn": 0}, {}, {"aresetn": 1}]
    assert run(simulation, [*asked, *again, *late], late=True) == ""
    message = run(simulation, [*asked, *again, *late])
    assert message == "AXI protocol violation on R at cycle 9: data that was not asked for\n"
    more = [*READ, *late, *read_beats("m_axi_", 1)]
    message = run(simulation, [*asked, *again, *more], late=True)
    assert message.endswith("last does not agree with the burst's length\n")
