"""Names under which modules' delays are kept, and the part of an accelerator below a module."""

from accelerators import SMALLEST
from hwgen.emit import VerilogOptions
from hwgen.gateware_hash import gateware_hash
from hwgen.kept_emissions import kept_emission
from hwgen.memory_modules import MemoryStyle
from hwgen.synthesis.report import TimingReport, TimingRow
from hwgen.synthesis.sources import module_sources
from hwgen.synthesis.timing import Path, PathKind
from module_delays import module_delays, sources_below
from sim.timing.clock_reach import shipped_table

WITHIN, ENTERING = PathKind("register", "register"), PathKind("input", "register")


def row(module: str, delay: float, kind: PathKind = WITHIN) -> TimingRow:
    return TimingRow(f"cosilico_{module}", kind, Path(delay, "a", "b"), 0.0, True, 0.0)


def test_the_slowest_whole_path_of_a_module_counts_whatever_its_size() -> None:
    rows = [
        row("fifo_16x4", 0.5),
        row("fifo_457x4", 0.75),
        row("load", 1.0),
        row("load", 2.0, ENTERING),
        row("top", 0.25),
        row("top", 0.5, ENTERING),
    ]
    report = TimingReport(800, "none", rows, {}, {})
    assert module_delays(report) == {"fifo": 0.75, "load": 1.0, "top": 0.5}


def test_a_part_has_a_module_and_all_that_is_below_it() -> None:
    options = VerilogOptions(memories=MemoryStyle.MACRO, trace=False)
    sources = module_sources(kept_emission(SMALLEST, options), MemoryStyle.MACRO)
    part = sources_below(sources, "lane")
    own = {source.name for source in part}
    assert part[-1].name == "cosilico_lane"
    assert "cosilico_simd_unit" in own
    assert not own & {"cosilico_pe", "cosilico_load", "cosilico_top"}
    for source in part:
        assert own >= source.children.keys()
    assert sources_below(sources, "top") == sources


def test_the_shipped_table_is_of_this_gateware() -> None:
    assert shipped_table().gateware_hash == gateware_hash()
