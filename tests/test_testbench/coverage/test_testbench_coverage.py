"""Coverage of the emitted Verilog: counts that Verilator writes, shares by module, a small sample."""

import re
from pathlib import Path

import pytest

from accelerators import NARROW_BUS
from hwgen.kept_emissions import emit_once
from hwgen.module_names import ModuleNames
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError, MachineError
from sim.spec.files import cache_root
from sim.spec.views import View
from testbench.coverage import sample as samples
from testbench.coverage import summary as summaries
from testbench.coverage.sample import Sample, run_sample
from testbench.coverage.summary import (
    CONSTANT_OUTPUTS,
    DATAPATH,
    Hole,
    control_shares,
    module_name,
    open_points,
    summarize_coverage,
)
from testbench.faults.recovery import CONFIGS, Subject
from testbench.rtl.coverage import Coverage, Point
from testbench.rtl.harness import build


def line_of(kind: str, module: str, number: int, name: str, count: int) -> str:
    fields = {
        "f": "top.v",
        "l": number,
        "n": 3,
        "page": f"v_{kind}/{module}",
        "o": name,
        "h": "TOP",
    }
    key = "".join(f"\1{field}\2{value}" for field, value in fields.items())
    return f"C '{key}' {count}\n"


def written(path: Path, *lines: str) -> Path:
    path.write_text("# SystemC::Coverage-3\n" + "".join(lines))
    return path


def nothing(folder: Path) -> Path:
    """Nothing happens at power-up."""
    return written(folder / "nothing.dat")


def covered(folder: Path) -> Coverage:
    """Two instances of a control module, and a lane."""
    coverage = Coverage()
    coverage.add(
        written(
            folder / "a.dat",
            line_of("toggle", "cosilico_csr", 7, "count[0]:0->1", 2),
            line_of("toggle", "cosilico_csr", 7, "count[0]:1->0", 0),
            line_of("toggle", "cosilico_csr", 7, "count[31]:0->1", 0),
            line_of("branch", "cosilico_csr", 9, "if", 0),
            line_of("line", "cosilico_fifo_16x4", 4, "block", 1),
            line_of("line", "cosilico_fifo_32x8", 5, "block", 1),
            line_of("toggle", "cosilico_lane", 4, "a:0->1", 0),
            line_of("toggle", "axi_read_rules__B2", 4, "a:0->1", 0),
        ),
        nothing(folder),
    )
    return coverage


def test_counts_of_instances_and_runs_add_up(tmp_path: Path) -> None:
    coverage = covered(tmp_path)
    assert coverage.counts[Point("toggle", "cosilico_csr", 7, "count[0]:0->1")] == 2
    again = line_of("toggle", "cosilico_csr", 7, "count[0]:0->1", 3)
    coverage.add(written(tmp_path / "b.dat", again, again), nothing(tmp_path))
    assert coverage.counts[Point("toggle", "cosilico_csr", 7, "count[0]:0->1")] == 8


def test_of_power_up_blocks_count_only(tmp_path: Path) -> None:
    """A block that no run comes to again sets an initial value."""
    toggle = ("toggle", "cosilico_csr", 7, "count[0]:0->1")
    branch = ("branch", "cosilico_csr", 9, "if")
    block = ("line", "cosilico_csr", 4, "block")
    points = (toggle, branch, block)
    before = written(tmp_path / "before.dat", *(line_of(*point, 2) for point in points))
    coverage = Coverage()
    coverage.add(written(tmp_path / "a.dat", *(line_of(*point, 2) for point in points)), before)
    assert coverage.counts == {Point(*toggle): 0, Point(*branch): 0, Point(*block): 2}
    coverage.add(written(tmp_path / "b.dat", *(line_of(*point, 5) for point in points)), before)
    assert coverage.counts == {Point(*toggle): 3, Point(*branch): 3, Point(*block): 7}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dat", "count 3\n")
    line = f"^coverage file {path} must hold counts, not 'count 3'$"
    with pytest.raises(MachineError, match=line):
        Coverage().add(path, nothing(tmp_path))
    absent = tmp_path / "absent.dat"
    line = f"^coverage file {absent} cannot be read: No such file or directory$"
    with pytest.raises(MachineError, match=line):
        Coverage().add(absent, nothing(tmp_path))
    with pytest.raises(MachineError, match=line):
        Coverage().add(nothing(tmp_path), absent)


def test_shares_are_those_of_control_modules_without_explained_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hole = Hole(modules="csr", names=r"count\[31\]", what="upper bits", reason="long runs")
    monkeypatch.setattr(summaries, "HOLES", (hole,))
    coverage = covered(tmp_path)
    csr, fifo, lane = summarize_coverage([coverage])
    assert (csr.module, csr.control, csr.toggles, csr.toggles_met, csr.explained) == (
        *("csr", True),
        *(3, 1, 1),
    )
    assert (csr.lines, csr.lines_met) == (1, 0)
    assert (fifo.module, fifo.lines, fifo.lines_met) == ("fifo", 2, 2)
    assert (lane.module, lane.control) == ("lane", False)
    lines, toggles = control_shares([csr, fifo, lane])
    assert (round(lines, 1), toggles) == (66.7, 50)
    assert open_points([coverage]) == {"csr": {"count": 1, "line 9: if": 1}}


def test_names_are_without_prefix_and_sizes() -> None:
    names = {
        "cosilico_ram_fpga__A2_D4_W10": "ram",
        "cosilico_fifo_16x4_0123abcd": "fifo",
        "cosilico_top_0123abcd": "top",
        "cosilico_execute_issue_ring_0123abcd": "execute_issue_ring",
    }
    for module, name in names.items():
        assert module_name(Point("line", module, 1, "")) == name


def tied(text: str, module: str, name: str) -> bool:
    """Whether an output of a module is a constant, there or in the module below that drives it."""
    body = text[text.index(f"module {module} (") :].partition("endmodule")[0]
    if re.search(rf"assign {name} = \d+'[hbd][0-9a-f]+;", body):
        return True
    for driver in re.finditer(rf"\.(\w+)\({name}\)", body):
        below = re.findall(r"^  (cosilico_\w+) ", body[: driver.start()], re.MULTILINE)[-1]
        if tied(text, below, driver[1]):
            return True
    return False


@pytest.mark.parametrize("config", sampled(CONFIGS, lambda config: config is CONFIGS[0]))
def test_outputs_that_are_called_constant_are(config: AcceleratorConfig) -> None:
    text = emit_once(config, cache_root())
    names = ModuleNames.of(config)
    assert [name for name in CONSTANT_OUTPUTS if not tied(text, names.top, name)] == []
    assert tied(text, names.own("csr"), "bresp")
    assert tied(text, names.own("csr"), "rresp")
    assert tied(text, names.own("fetch"), "arlen")
    assert not tied(text, names.top, "m_axi_arlen")


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_a_small_sample_reaches_most_lines() -> None:
    """The simulation view builds faster; its control modules are the same."""
    coverage = Coverage()
    built = build(NARROW_BUS, view=View.SIMULATION, coverage=coverage)
    run_sample(built, Sample(networks=3, damaged=20, failures=samples.WAYS, seed=3))
    modules = {module.module: module for module in summarize_coverage([coverage])}
    assert not modules.keys() & set(DATAPATH) - {"grid", "ram"}
    lines, _ = control_shares(modules.values())
    assert lines > 90
    sequencer = modules["sequencer"]
    assert sequencer.lines_met == sequencer.lines > 0


@pytest.mark.rtl
@pytest.mark.slow
def test_a_difference_ends_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    built = build(NARROW_BUS, view=View.SIMULATION)  # it needs no counts
    monkeypatch.setattr(Subject, "differences", lambda subject, run: "output")
    with pytest.raises(
        CosilicoError, match=r"^damaged program 0: the good program behind it differs"
    ):
        run_sample(built, Sample(networks=0, damaged=1, failures=0))
