"""Emitted Verilog in Icarus: four-state, without initial values, X on what is not valid."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.file_names import SINGLE_FILE
from icarus import needs_icarus, run_in_icarus, without_initial_values
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.descriptor import Queue
from sim.spec.views import View
from standalone_folders import DESIGNS, STORED, generated_folder
from testbench.faults.recovery import CONFIGS, small_network
from testbench.rtl.harness import build
from testbench.standalone.file_names import EXPECTED_OUTPUT_FILE, EXPECTED_TRACE_FILE
from testbench.standalone.subject import Subject
from verilog_edits import edited_module

pytestmark = [pytest.mark.rtl, needs_icarus]

TRACE_FILE = "trace.txt"


def strip(folder: Path) -> None:
    """Take the initial values out of a folder's Verilog."""
    path = folder / SINGLE_FILE
    path.write_text(without_initial_values(path.read_text()))


def mapped(name: str, batch: int = 1) -> Mapped:
    config, network = DESIGNS[name]
    return map_realizable(config, network, batch)


@pytest.mark.parametrize("name", DESIGNS)
def test_runs_without_initial_values(name: str, tmp_path: Path) -> None:
    config, network = DESIGNS[name]
    folder = generated_folder(tmp_path / "design", config, network)
    strip(folder)
    subject = Subject.of(mapped(name))
    cycles, descriptors = subject.prediction.total_cycles, len(subject.program.descriptors)
    values = sum(x.size for x in subject.outputs.values())
    wanted = f"PASS: {cycles} cycles, {values} output values, {descriptors} descriptors"
    assert (subject.warm is not None) == (name == STORED)
    if subject.warm is not None:
        wanted = (
            f"PASS: {cycles} cycles cold and {subject.warm.total_cycles} warm, {2 * values} output "
            f"values, {2 * descriptors} descriptors"
        )
    assert run_in_icarus(folder) == wanted
    assert (folder / TRACE_FILE).read_text() == subject.trace


def test_runs_under_stalls_without_initial_values(tmp_path: Path) -> None:
    name, *_ = DESIGNS
    folder = generated_folder(tmp_path / "design", *DESIGNS[name])
    strip(folder)
    lines = {run_in_icarus(folder, f"STALLS={seed}") for seed in (1, 2, 3)}
    assert len(lines) == 3
    assert all(line.startswith("PASS") for line in lines)


def test_runs_a_batch(tmp_path: Path) -> None:
    name, *_ = DESIGNS
    folder = generated_folder(tmp_path / "design", *DESIGNS[name], batch=3)
    subject = Subject.of(mapped(name, 3))
    line = run_in_icarus(folder)
    assert f" {sum(x.size for x in subject.outputs.values())} output values" in line
    assert line.startswith("PASS")


def test_events_are_those_of_the_harness(tmp_path: Path) -> None:
    config, network = CONFIGS[0], small_network()
    folder = generated_folder(tmp_path / "design", config, network)
    assert run_in_icarus(folder).startswith("PASS")
    subject = Subject.of(map_realizable(config, network, 1))
    run = build(config, view=View.SIMULATION).run(subject.program, subject.inputs)
    executes = np.array([queue == Queue.EXECUTE for queue, _ in subject.program.descriptors])
    issued = np.where(executes, run.issue_end[0], run.end[0])
    rows = [line.split()[3:] for line in (folder / TRACE_FILE).read_text().splitlines()[1:]]
    measured = np.array(rows, np.int64).T
    assert np.array_equal(measured, [run.start[0], issued, run.end[0]])


def test_a_difference_is_named(tmp_path: Path) -> None:
    name, *_ = DESIGNS
    folder = generated_folder(tmp_path / "design", *DESIGNS[name])
    trace, output = folder / EXPECTED_TRACE_FILE, folder / EXPECTED_OUTPUT_FILE
    lines = trace.read_text().splitlines()
    queue, number, layer, start, issued, end = lines[-1].split()
    trace.write_text("\n".join([*lines[:-1], " ".join([*lines[-1].split()[:-1], "7"])]) + "\n")
    assert run_in_icarus(folder) == (
        f"FAIL: {queue} descriptor {number} (layer {layer}) must have cycles {start}, {issued}, 7, "
        f"not {start}, {issued}, {end}"
    )
    trace.write_text("\n".join(lines) + "\n")
    right = output.read_bytes()
    output.write_bytes(bytes([right[0] ^ 1]) + right[1:])
    signed = np.frombuffer(right, np.int8)[0]
    assert run_in_icarus(folder) == (f"FAIL: output byte 0 must be {signed ^ 1}, not {signed}")


def test_a_register_that_is_not_reset_is_noticed(tmp_path: Path) -> None:
    name, *_ = DESIGNS
    folder = generated_folder(tmp_path / "design", *DESIGNS[name])
    path = folder / SINGLE_FILE
    broken = edited_module(
        path.read_text(),
        "csr",
        r"if \(write \| rst\) held_data <= 1'b0;",
        "if (write) held_data <= 1'b0;",
    )
    path.write_text(broken)
    assert run_in_icarus(folder).startswith("PASS")  # the initial value hides it
    strip(folder)
    assert run_in_icarus(folder).startswith("FAIL: the register port must answer")
