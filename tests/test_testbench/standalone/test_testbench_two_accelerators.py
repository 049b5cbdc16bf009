"""Two accelerators in one design: both are elaborated side by side, and both run their programs at once."""

import re
import shutil
from pathlib import Path

import pytest

from accelerators import SMALLEST, small_accelerator
from hwgen import verilator
from hwgen.file_names import FILE_LIST, MANIFEST_FILE
from hwgen.subprocesses import run_program
from icarus import needs_icarus
from sim.spec.accelerator import AcceleratorConfig
from standalone_folders import UNOPTIMIZED, generated_folder, one_layer
from testbench.standalone.file_names import MAKEFILE, PORTS_FILE, TESTBENCH_FILE

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

CONFIGS = (
    SMALLEST,
    small_accelerator(2, 1, simd_units=8, compute_lanes=2, io_bandwidth_gbps=0.6),
)
TOP = """
module testbench;
  bench_0 bench_0 ();
  bench_1 bench_1 ();
  wire finished = bench_0.finished && bench_1.finished;
  always @(posedge finished) $finish;
endmodule
"""


def numbered(text: str, number: int) -> str:
    """Return a testbench, or its ports, under names of its own, with files in a folder of its own."""
    text = re.sub(r"\btestbench\b(?=[.;])", f"bench_{number}", text)
    text = re.sub(r"\b(read|write)_port\b", rf"\1_port_{number}", text)
    text = re.sub(r'"(\w+\.(?:bin|txt))"', rf'"folder_{number}/\1"', text)
    text = text.replace('"PASS: ', f'"PASS {number}: ').replace('"FAIL: ', f'"FAIL {number}: ')
    text = text.replace("  reg failed = 1'b0;", "  reg finished = 1'b0;\n  reg failed = 1'b0;")
    return text.replace("    $finish;\n  end\nendmodule", "    finished = 1'b1;\n  end\nendmodule")


def both(folder: Path, configs: tuple[AcceleratorConfig, ...] = CONFIGS) -> Path:
    """Return a folder with a testbench around two accelerators, the files of both side by side."""
    folder.mkdir()
    benches, ports, listed = [], [], list[str]()
    for number, config in enumerate(configs):
        own = generated_folder(folder / f"folder_{number}", config, one_layer(), single_file=False)
        benches.append(numbered((own / TESTBENCH_FILE).read_text(), number))
        ports.append(numbered((own / PORTS_FILE).read_text(), number))
        for name in (own / FILE_LIST).read_text().split():
            text = (own / name).read_text()
            assert name not in listed or (folder / name).read_text() == text
            (folder / name).write_text(text)
            listed += [] if name in listed else [name]
        shutil.copy(own / MAKEFILE, folder / MAKEFILE)
    (folder / TESTBENCH_FILE).write_text("\n".join([*benches, TOP]))
    (folder / PORTS_FILE).write_text("\n".join(ports))
    (folder / FILE_LIST).write_text("".join(f"{name}\n" for name in listed))
    return folder


def lines_of(folder: Path, tool: str) -> set[str]:
    """Run both programs; return the beginnings of the lines of PASS and FAIL."""
    command = ["make", "-C", str(folder), tool, *UNOPTIMIZED]
    result = run_program(command, environment=verilator.environment())
    ends = set(re.findall(r"^(?:PASS|FAIL) \d", result.stdout, re.MULTILINE))
    assert ends, result.stdout + result.stderr
    return ends


@pytest.mark.long
def test_two_accelerators_share_only_memories(tmp_path: Path) -> None:
    folders = [
        generated_folder(tmp_path / str(number), config, one_layer(), single_file=False)
        for number, config in enumerate(CONFIGS)
    ]
    first, second = (set((folder / FILE_LIST).read_text().split()) for folder in folders)
    assert first & second == {"cosilico_ram_fpga.v", "cosilico_single_port_ram_fpga.v"}
    assert len({(folder / MANIFEST_FILE).read_text() for folder in folders}) == 2


@pytest.mark.long
def test_both_run_in_verilator(tmp_path: Path) -> None:
    assert lines_of(both(tmp_path / "both"), "verilator") == {"PASS 0", "PASS 1"}


@needs_icarus
def test_both_run_in_icarus(tmp_path: Path) -> None:
    assert lines_of(both(tmp_path / "both"), "icarus") == {"PASS 0", "PASS 1"}
