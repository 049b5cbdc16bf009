"""A package as its user has it: its testbenches pass, notice what is wrong, and nothing names this machine."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from accelerators import SMALLEST, small_accelerator
from cosilico.generation import generate_package
from hwgen import verilator
from hwgen.emit import VerilogOptions
from hwgen.subprocesses import run_program
from project_root import ROOT
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.network import Network
from standalone_folders import STREAMED, one_layer, several_ends
from testbench.cases.tflite_models import import_random
from testbench.cases.tflite_streams import stream_model
from testbench.standalone.file_names import PACKAGE_MANIFEST

UNOPTIMIZED = ("OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")


def packaged(
    folder: Path,
    config: AcceleratorConfig,
    network: Network,
    *,
    batch: int = 1,
    traces: bool = True,
) -> Path:
    """Write a package into a folder, and return it."""
    folder.mkdir()
    design = Design(network=network, accelerator=config)
    generate_package(design, batch, VerilogOptions(trace=traces)).write(folder)
    return folder


def made(folder: Path, target: str) -> tuple[int, str]:
    """Run a target of the testbenches; return the exit status and the line of PASS or FAIL."""
    command = ["make", "-C", str(folder / "sim"), target, *UNOPTIMIZED]
    result = run_program(command, environment=verilator.environment())
    lines = [line for line in result.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert len(lines) == 1, result.stdout + result.stderr
    return result.returncode, lines[0]


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with cold, warm and streamed runs, whose driver has run."""
    folder = packaged(tmp_path_factory.mktemp("package") / "ip", *STREAMED)
    status, line = made(folder, "driver")
    assert re.fullmatch(r"PASS: \d+ cycles cold and \d+ warm, \d+ output values, \d+ checks", line)
    assert status == 0
    return folder


def ends_with(folder: Path) -> tuple[int, str]:
    """Run the driver's testbench that was built."""
    within = 'cd "$1/sim" && exec build_driver/driver_bench'
    result = run_program(["sh", "-c", within, "sh", str(folder)])
    return result.returncode, result.stdout.strip()


def copy_of(folder: Path, tmp_path: Path) -> Path:
    """Copy a package with what was built in it."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.mark.rtl
@pytest.mark.slow
def test_the_driver_runs_cold_warm_and_a_stream(streamed: Path) -> None:
    """The testbench has what each kind of run takes, and they differ."""
    main = (streamed / "sim" / "driver_bench.cpp").read_text()
    cycles = dict(re.findall(r"EXPECTED_(\w+) = (\d+)", main))
    assert int(cycles["WARM"]) < int(cycles["COLD"])
    assert 0 < int(cycles["FIRST"]) < int(cycles["STEADY"])
    assert ends_with(streamed)[0] == 0


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("place", [0, -1])
def test_a_wrong_byte_is_noticed(streamed: Path, tmp_path: Path, place: int) -> None:
    folder = copy_of(streamed, tmp_path)
    expected = folder / "sim" / "expected_images.bin"
    right = expected.read_bytes()
    data = bytearray(right)
    data[place] ^= 1
    expected.write_bytes(data)
    status, line = ends_with(folder)
    assert status == 1
    assert re.fullmatch(r"FAIL: output value \d+ of image \d+ must be -?\d+, not -?\d+", line)
    if place == 0:  # where it was built, which make does not do again
        shutil.copy(expected, streamed / "sim" / expected.name)
        assert made(streamed, "driver") == (2, line)
        (streamed / "sim" / expected.name).write_bytes(right)


@pytest.mark.rtl
@pytest.mark.slow
def test_inputs_matter_and_must_be_whole(streamed: Path, tmp_path: Path) -> None:
    folder = copy_of(streamed, tmp_path)
    inputs = folder / "sim" / "images.bin"
    size = inputs.stat().st_size
    inputs.write_bytes(bytes(size))
    assert ends_with(folder)[1].startswith("FAIL: output value ")
    inputs.write_bytes(bytes(size - 1))
    assert ends_with(folder) == (1, f"FAIL: images.bin must have {size} bytes")


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_several_inputs_and_outputs_are_given_and_judged_each(tmp_path: Path) -> None:
    """Long: the same driver gives a network of several inputs to a system, and all its outputs are compared."""
    folder = packaged(tmp_path / "ip", SMALLEST, several_ends(), batch=2)
    status, line = made(folder, "driver")
    assert (status, line[:6]) == (0, "PASS: ")
    expected = folder / "sim" / "expected_images.bin"
    right = expected.read_bytes()
    per_image = [9, 3 * 2 * 6, 3 * 2 * 9]
    images = len(right) // sum(per_image)
    assert images > 2
    for name, at in (("mean", 0), ("b_seen", images * 9), ("both", len(right) - 1)):
        expected.write_bytes(right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :])
        line = rf"FAIL: output {name}, value \d+ of image \d+ must be -?\d+, not -?\d+"
        assert re.fullmatch(line, ends_with(folder)[1])
    expected.write_bytes(right)
    inputs = folder / "sim" / "images.bin"
    given = bytearray(inputs.read_bytes())
    given[3 * 2 * 3 :: 3 * 2 * 8] = bytes(byte ^ 0x7F for byte in given[3 * 2 * 3 :: 3 * 2 * 8])
    inputs.write_bytes(given)
    assert ends_with(folder)[1].startswith("FAIL: output ")


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("targets", [("verilog",), ("verilog", "driver")])
def test_the_testbenches_pass(tmp_path: Path, targets: tuple[str, ...]) -> None:
    """The Verilog testbench, alone and beside the driver's."""
    folder = packaged(tmp_path / "ip", SMALLEST, one_layer(), batch=2)
    for target in targets:
        status, line = made(folder, target)
        assert (status, line[:6]) == (0, "PASS: ")


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("seed", "inputs", "targets"),
    [(3, 1, ("driver",)), (3, 1, ("driver", "verilog")), (9, 2, ("driver", "verilog"))],
)
def test_the_testbenches_run_step_by_step(
    tmp_path: Path, seed: int, inputs: int, targets: tuple[str, ...]
) -> None:
    """Cold and warm runs find what the run before has left, and a reset of the states is the first step again.

    Long: the same driver runs a network with states in a system, step by step.
    """
    network = import_random(stream_model(seed, inputs=inputs), seed).network
    assert len(network.states) > 2
    assert len(network.inputs) == inputs
    config = small_accelerator(
        simd_units=8, compute_lanes=2, local_memory_kb=16, register_file_kb=4, weight_store_kb=16,
        activation_table=1,
    )  # fmt: skip
    folder = packaged(tmp_path / "ip", config, network)
    for target in targets:
        status, line = made(folder, target)
        assert (status, line[:6]) == (0, "PASS: "), line
    source = folder / "sw" / "program.c"
    text = source.read_text()
    assert f".state_count = {len(network.states)}u" in text
    source.write_text(re.sub(r"\.state_count = \d+u", ".state_count = 0u", text))
    status, line = made(folder, "driver")
    assert line.startswith("FAIL: output value ")
    page = (folder / "docs" / "memory_map.md").read_text()
    assert page.count("| state |") == len(network.states)


@pytest.mark.parametrize("traces", sampled([False, True], bool))
def test_a_package_is_the_same_each_time_and_names_no_place(tmp_path: Path, traces: bool) -> None:
    first, second = (
        packaged(tmp_path / name, SMALLEST, one_layer(), traces=traces) for name in "ab"
    )
    files = {
        path.relative_to(first).as_posix(): path.read_bytes()
        for path in first.rglob("*")
        if path.is_file()
    }
    assert files == {name: (second / name).read_bytes() for name in files}
    assert len(files) == sum(path.is_file() for path in second.rglob("*"))
    for name, data in files.items():
        assert str(tmp_path).encode() not in data, name
        assert str(ROOT).encode() not in data, name
        assert str(Path.home()).encode() + b"/" not in data, name
    manifest = json.loads(files.pop(PACKAGE_MANIFEST))
    assert manifest["files"] == {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in sorted(files.items())
    }
    assert ("sim/testbench.v" in files) == traces
    assert (b"output trace_busy" in files[f"rtl/{manifest['top']}.v"]) == traces


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("target", sampled(["lint", "sim"], lambda target: target == "lint"))
def test_fusesoc_lints_and_simulates(tmp_path: Path, target: str) -> None:
    pytest.importorskip("fusesoc", reason="fusesoc must be installed to run its targets")
    folder = packaged(tmp_path / "ip", SMALLEST, one_layer(), traces=False)
    name = f"cosilico:accelerators:accelerator_{SMALLEST.fingerprint:08x}"
    environment = verilator.environment() | {
        "MAKEFLAGS": " ".join(UNOPTIMIZED),  # nothing else: a user's has no settings for a wheel
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
    }

    program = ["python", "-m", "fusesoc.main", "--cores-root", str(folder), "run"]
    options = ["--build-root", str(tmp_path / target), "--target", target, name]
    result = run_program([*program, *options], environment=environment)
    text = result.stdout + result.stderr
    assert result.returncode == 0, text
    assert "%Warning" not in text
    assert ("PASS: " in text) == (target == "sim")
