"""Gates of an accelerator with memories kept: outputs, cycles and events of its Verilog."""

import shutil
from pathlib import Path

import pytest

from accelerators import SMALLEST
from hwgen.file_names import SINGLE_FILE
from hwgen.module_names import ModuleNames
from icarus import needs_icarus, run_in_icarus, without_initial_values
from netlist import gate_netlist
from standalone_folders import generated_folder, one_layer, run_in_verilator

pytestmark = [pytest.mark.rtl, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated folder with the gates in the place of the Verilog."""
    folder = generated_folder(tmp_path_factory.mktemp("netlist") / "design", SMALLEST, one_layer())
    cells = gate_netlist(folder / SINGLE_FILE, folder / "gates.v", ModuleNames.of(SMALLEST).top)
    assert cells.keys() >= {"$_AND_", "$_OR_", "$_XOR_", "$_MUX_", "$_NOT_", "$mem_v2"}
    # Nothing but gates, flip-flops and memories
    assert all(name.startswith("$_") or name == "$mem_v2" for name in cells)
    (folder / "gates.v").replace(folder / SINGLE_FILE)
    return folder


def trace(folder: Path) -> str:
    return (folder / "trace.txt").read_text()


@needs_icarus
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_gates_run_in_icarus_without_initial_values(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / SINGLE_FILE
    path.write_text(without_initial_values(path.read_text()))
    assert run_in_icarus(copy).startswith("PASS")
    assert trace(copy) == (folder / "expected_trace.txt").read_text()


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_gates_run_in_verilator(folder: Path) -> None:
    assert run_in_verilator(folder).startswith("PASS: ")
    assert trace(folder) == (folder / "expected_trace.txt").read_text()
