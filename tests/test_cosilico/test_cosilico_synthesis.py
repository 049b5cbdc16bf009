"""The command ``synthesize``: what it prints, and what it refuses."""

from pathlib import Path

import pytest

from accelerators import SMALLEST
from cosilico.cli import main
from cosilico.synthesis import print_routes, print_silicon, print_utilization
from hwgen.synthesis.nextpnr import Route
from hwgen.synthesis.report import TimingReport, TimingRow
from hwgen.synthesis.routing import RoutedModule, RoutingReport
from hwgen.synthesis.silicon import Block, SiliconReport
from hwgen.synthesis.targets import FpgaFamily
from hwgen.synthesis.timing import Path as TimedPath
from hwgen.synthesis.timing import PathKind
from hwgen.synthesis.utilization import FpgaBlock, UtilizationReport
from sim.cost.external_interface import ExternalInterface, interface_price
from sim.cost.fpga_resources import Resources
from sim.cost.memory_macros import memory_macros

WITHIN, TO_OUTPUT = PathKind("register", "register"), PathKind("register", "output")


def silicon(*faults: str) -> SiliconReport:
    """Two modules; the path that ends at a port of the inner is judged around it."""
    rows = [
        TimingRow("inner", WITHIN, TimedPath(0.5, "a", "b"), 4.5, True, 4.5),
        TimingRow("inner", TO_OUTPUT, TimedPath(2.0, "a", "out"), 3.0, False, 3.0),
        TimingRow("outer", WITHIN, TimedPath(1.0, "c", "inner/d"), 4.0, True, 4.0),
    ]
    areas, counts = {"inner": 1000.0, "outer": 500.0}, {"inner": 4, "outer": 1}
    blocks = [
        Block(module="inner", instances=4, cells=9, flip_flops=3, own_um2=1000, below_um2=0),
        Block(module="outer", instances=1, cells=5, flip_flops=1, own_um2=500, below_um2=4000),
    ]
    return SiliconReport(
        accelerator=SMALLEST,
        blocks=blocks,
        memories=memory_macros(SMALLEST),
        scale=4,
        timing=TimingReport(200, "five", rows, areas, counts, faults),
        interface=interface_price(ExternalInterface.HYPERBUS, 0.8),
    )


def test_area_and_clock_are_those_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    report = silicon()
    assert report.logic_mm2 == pytest.approx(0.0045)
    macros = sum(m.area_mm2 for kinds in report.memories.values() for m in kinds)
    assert report.memory_mm2 == pytest.approx(4 * macros)
    assert report.critical.path.start == "c"
    assert report.clock_mhz("inner") == pytest.approx(2000)
    print_silicon(report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "no latch, no loop, no net with several drivers or none"
    assert lines[-2] == "1000 MHz: outer, c → inner/d, 1.000 ns, wires without length"
    document = report.to_json()
    assert document["area_mm2"] == pytest.approx(report.area_mm2, abs=1e-6)
    assert document["fmax_mhz"] == 1000
    assert document["interface_mm2"] == pytest.approx(0.367, abs=1e-3)
    assert lines[-3] == "0.3672 mm² more: external interface of 2 channels"
    assert sum(memory["area_mm2"] for memory in document["memories"]) == pytest.approx(
        report.memory_mm2, abs=1e-5
    )


def test_faults_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_silicon(silicon("inner: a net is driven by x and y"))
    assert capsys.readouterr().out.splitlines()[-1] == "inner: a net is driven by x and y"


def test_resources_are_summed_over_instances(capsys: pytest.CaptureFixture[str]) -> None:
    report = UtilizationReport(
        accelerator=SMALLEST,
        family=FpgaFamily.XILINX,
        blocks=[
            FpgaBlock(module="inner", instances=3, own=Resources(lut=100, dsp=4)),
            FpgaBlock(module="outer", instances=1, own=Resources(lut=1000, block_ram=0.5)),
        ],
        faults=(),
    )
    assert report.total == Resources(lut=1300, dsp=12, block_ram=0.5)
    assert report.to_json()["dsp"] == 12
    print_utilization(report)
    assert "1,300 LUT, 0 FF, 12 DSP, 0.5 BRAM" in capsys.readouterr().out


def test_routes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    slow, fast = (
        Route(
            clock_mhz=mhz, delay_ns=8, wires_ns=6, path=("a", "b", "c"), used={"TRELLIS_COMB": 1200}
        )
        for mhz in (99.0, 125.04)
    )
    report = RoutingReport(
        accelerator=SMALLEST,
        gateware_hash="0" * 64,
        tool="nextpnr 1",
        modules=[
            RoutedModule(module="inner", routes={1: slow, 2: fast}),
            RoutedModule(module="outer", routes={}, lacking="320 of 156 DSP"),
        ],
    )
    print_routes(report)
    lines = capsys.readouterr().out.splitlines()
    (inner,) = (line.replace("│", " ").split() for line in lines if "inner" in line)
    assert inner[:5] == ["inner", "1,200", "0", "0", "0"]
    assert {"125.0", "75%"} <= set(inner)
    assert any("outer" in line and "320 of 156 DSP" in line for line in lines)


def test_what_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.lib"
    path.write_text("no liberty")
    for arguments, line in (
        (["tiny", "--liberty", str(path)], f"liberty {path} must be a liberty file"),
        (["none", "--target", "ecp5"], "accelerator must be one of "),
        (["tiny", "--target", "ecp5", "--liberty", str(path)], "--liberty must be left out with"),
        (["tiny", "--target", "xilinx", "--clock-mhz", "9"], "--clock-mhz must be left out with"),
        (["tiny", "--route", "top"], "--route must be left out with --target nangate45"),
        (["tiny", "--target", "ecp5", "--seeds", "2"], "--seeds must be left out without --route"),
    ):
        assert main(["synthesize", *arguments]) == 2
        assert capsys.readouterr().err.startswith(f"cosilico: {line}")
