"""The plain Verilog testbench in Verilator: it passes, and each difference fails by its name."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from accelerators import SMALLEST
from hwgen.subprocesses import run_program
from standalone_folders import generated_folder, one_layer, run_in_verilator
from testbench.standalone.file_names import (
    EXPECTED_OUTPUT_FILE,
    EXPECTED_TRACE_FILE,
    INPUT_FILE,
    TESTBENCH_FILE,
)

pytestmark = [pytest.mark.rtl, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated folder in which the testbench was built and has passed."""
    folder = generated_folder(tmp_path_factory.mktemp("verilog") / "design", SMALLEST, one_layer())
    assert run_in_verilator(folder).startswith("PASS: ")
    return folder


def ends_with(folder: Path, *arguments: str) -> str:
    """Run what was built once more; return the line of PASS or FAIL."""
    within = 'cd "$1" && shift && exec build/Vtestbench "$@"'
    result = run_program(["sh", "-c", within, "sh", str(folder), *arguments])
    lines = result.stdout.splitlines()
    assert lines, result.stderr
    return lines[0]


def test_the_trace_is_that_of_the_model(folder: Path) -> None:
    expected = (folder / EXPECTED_TRACE_FILE).read_text()
    assert (folder / "trace.txt").read_text() == expected


@pytest.mark.parametrize("seed", [1, 2])
def test_stalls_change_times_and_no_bit(folder: Path, seed: int) -> None:
    """Seeds stall differently, and times are not compared."""
    plain, stalled = ends_with(folder), ends_with(folder, f"+stalls={seed}")
    assert stalled.startswith("PASS: ")
    assert stalled != plain
    assert stalled != ends_with(folder, f"+stalls={seed + 10}")


@pytest.mark.parametrize("column", [3, 4, 5])
def test_a_wrong_cycle_is_named(folder: Path, tmp_path: Path, column: int) -> None:
    copy = copy_of(folder, tmp_path)
    lines = (copy / EXPECTED_TRACE_FILE).read_text().splitlines()
    words = lines[2].split()
    right = ", ".join(words[3:])
    words[column] = str(int(words[column]) + 1)
    lines[2] = " ".join(words)
    (copy / EXPECTED_TRACE_FILE).write_text("\n".join(lines) + "\n")
    assert ends_with(copy) == (
        f"FAIL: {words[0]} descriptor {words[1]} (layer {words[2]}) must have cycles "
        f"{', '.join(words[3:])}, not {right}"
    )


@pytest.mark.parametrize("place", [0, -1])
def test_a_wrong_output_is_named(folder: Path, tmp_path: Path, place: int) -> None:
    copy = copy_of(folder, tmp_path)
    data = bytearray((copy / EXPECTED_OUTPUT_FILE).read_bytes())
    data[place] ^= 0x80
    (copy / EXPECTED_OUTPUT_FILE).write_bytes(data)
    wanted, given = np.frombuffer(bytes([data[place], data[place] ^ 0x80]), np.int8)
    index = place % len(data)
    assert ends_with(copy).startswith(f"FAIL: output byte {index} must be ")
    assert ends_with(copy).endswith(f" must be {wanted}, not {given}")


def test_inputs_matter(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    (copy / INPUT_FILE).write_bytes(bytes((copy / INPUT_FILE).stat().st_size))
    assert ends_with(copy).startswith("FAIL: output byte ")


def test_a_short_file_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    (copy / INPUT_FILE).write_bytes((copy / INPUT_FILE).read_bytes()[:-1])
    line = "FAIL: program.bin, input.bin, expected_output.bin, output_mask.bin must be complete"
    assert ends_with(copy) == line


def test_wrong_total_cycles_are_named(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    shutil.rmtree(copy / "build")
    bench = copy / TESTBENCH_FILE
    before, after = bench.read_text().split("localparam EXPECTED_CYCLES = ", 1)
    number, rest = after.split(";", 1)
    wrong = int(number) + 1
    bench.write_text(f"{before}localparam EXPECTED_CYCLES = {wrong};{rest}")
    assert run_in_verilator(copy) == f"FAIL: CYCLES must be {wrong}, not {number}"


def copy_of(folder: Path, tmp_path: Path) -> Path:
    """Copy a folder with what was built in it."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))
