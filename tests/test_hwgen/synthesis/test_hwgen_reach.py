"""Names under which modules' delays are kept, and the part of an accelerator below a module."""

import pytest

from hwgen import yosys
from hwgen.emit import emit_modules
from hwgen.gateware_hash import gateware_hash
from hwgen.module_names import ModuleNames
from hwgen.subprocesses import run_program
from hwgen.synthesis.reach import module_below, module_delays
from hwgen.synthesis.report import TimingReport, TimingRow
from hwgen.synthesis.timing import Path, PathKind
from sim.spec.spaces import TINY
from sim.timing.clock_reach import shipped_table

WITHIN, ENTERING = PathKind("register", "register"), PathKind("input", "register")
NAMES = ModuleNames(suffix="_0000beef")


def row(module: str, delay: float, kind: PathKind = WITHIN) -> TimingRow:
    return TimingRow(NAMES.own(module), kind, Path(delay, "a", "b"), 0.0, True)


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
    assert module_delays(report, NAMES) == {"fifo": 0.75, "load": 1.0, "top": 0.5}


def test_a_part_has_a_module_and_all_that_is_below_it() -> None:
    emission = emit_modules(TINY.default)
    names = ModuleNames.of(TINY.default)
    part = module_below(emission, names.own("lane"))
    assert part.top == names.own("lane")
    own = {module.name for module in part.modules}
    assert {names.own("lane"), names.own("simd_unit")} <= own
    assert not own & {names.own("pe"), names.own("load"), names.top}
    assert module_below(emission, names.top).modules == emission.modules


def test_the_shipped_table_is_of_this_gateware() -> None:
    assert shipped_table().gateware_hash == gateware_hash()


def test_progress_counts_the_commands_that_are_done() -> None:
    seen: list[int] = []
    log = yosys.run(["design -reset", "stat"], seen.append)
    assert seen == [1, 2]
    assert "Printing statistics" in log
    with pytest.raises(yosys.YosysError, match="No such command: nothing") as caught:
        yosys.run(["design -reset", "nothing"], seen.append)
    assert "\x06" not in str(caught.value)
    assert seen == [1, 2, 1]


def test_a_watched_program_gives_the_same_as_another() -> None:
    command = ["sh", "-c", "cat; echo 1 >&2; echo 2 >&2; exit 3"]
    lines: list[str] = []
    watched = run_program(command, text="in", watch=lines.append)
    assert lines == ["1\n", "2\n"]
    plain = run_program(command, text="in")
    assert (watched.returncode, watched.stdout, watched.stderr) == (3, "in", "1\n2\n")
    assert (plain.returncode, plain.stdout, plain.stderr) == (3, "in", "1\n2\n")
