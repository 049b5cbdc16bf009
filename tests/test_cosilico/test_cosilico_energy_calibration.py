"""``calibrate --energy`` writes a file of fits, and no command predicts with energy of another gateware."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosilico import energy_calibration
from cosilico.cli import main
from cosilico.gateware import current_calibration
from cosilico.report.splits import (
    ENERGY_PARTS,
    energy_legend,
    energy_svg,
    energy_table,
    energy_text,
)
from energy_fits import made_up_energy_fits, made_up_run
from hwgen.gateware_hash import gateware_hash
from silicon_fits import made_up_fits
from sim.cost import energy_fit, silicon_fit
from sim.cost.energy_parts import EnergyBreakdown
from sim.model import predict
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import StaleCalibrationError
from sim.spec.network import Network
from sim.spec.spaces import EDGE, TINY
from testbench.power.plan import MOST_MACS, energy_plan
from testbench.power.samples import EnergySample
from testbench.power.workloads import FITTED, HELD_OUT, workload


def line_of(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run a command that must be refused; return its line."""
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"cosilico: [^\n]+\n", captured.err)
    return captured.err.removeprefix("cosilico: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--energy", "--area"],
            "calibrate must be given either --area or --energy, not both",
        ),
        (["--energy", "--memory", "sram"], "--memory must not be given with --energy"),
        (["--silicon", "s.json"], "--silicon must be given with --energy"),
        (["--area", "--silicon", "s.json"], "--silicon must be given with --energy"),
        (
            ["--energy", "--target", "ecp5"],
            "--target must be one target of standard cells with --energy",
        ),
        (["--energy", "moon"], "SPACE must be one of tiny, edge, nahas, not 'moon'"),
        (
            ["--energy", "tiny", "--silicon", "none.json"],
            "silicon fits none.json cannot be read: No such file or directory",
        ),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fits.json"
    assert line_of(capsys, "calibrate", "--out", out, *words) == line
    assert not out.exists()


def test_energy_of_another_gateware_than_the_silicon_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silicon = tmp_path / "silicon.json"
    silicon_fit.save(made_up_fits(), silicon)
    files = ("--silicon", silicon, "--out", tmp_path / "e.json")
    assert line_of(capsys, "calibrate", "--energy", "tiny", *files) == (
        f"silicon was fitted to gateware 000000000000, but the gateware is {gateware_hash()[:12]}: "
        "run cosilico calibrate --area"
    )


def test_one_command_runs_fits_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silicon = replace(made_up_fits(), gateware_hash=gateware_hash())
    made_up = made_up_energy_fits()
    asked: list[tuple[AcceleratorConfig, str]] = []

    def sample(
        config: AcceleratorConfig, networks: Sequence[Network], flow: Any, **_: Any
    ) -> list[EnergySample]:
        runs = []
        for network in networks:
            asked.append((config, network.name))
            run = predict(config, network)
            totals = {
                "cycle": run.total_cycles,
                "busy": run.execute_busy,
                "mac": network.macs,
                "result": network.results,
                "read": run.read_bytes,
                "write": run.write_bytes,
                "store": run.store_bytes,
                "descriptor": run.descriptor_bytes,
            }
            clock = config.clock_mhz
            made = made_up_run(config, totals, made_up.cells(clock), silicon.cells(clock))
            runs.append(replace(made, workload=network.name))
        return runs

    monkeypatch.setattr(energy_calibration, "sample_energy", sample)
    silicon_file, out = tmp_path / "silicon.json", tmp_path / "fits.json"
    silicon_fit.save(silicon, silicon_file)
    words = ["calibrate", "--energy", "tiny", "--samples", "6", "--silicon", str(silicon_file)]
    assert main([*words, "--out", str(out)]) == 0
    fits = energy_fit.load(out)
    assert (fits.gateware_hash, fits.accelerators) == (gateware_hash(), 4)
    assert fits.workloads == list(FITTED)
    (fit,) = fits.fits
    assert fit.clock_mhz == 200
    # All workloads on the two accelerators that are held out, and other workloads on the four others
    held_out = [
        (config, name) for config, name in asked if name in HELD_OUT or config in _held_out()
    ]
    assert fit.held_out["total"].samples == len(held_out) >= 2 * len(FITTED)
    assert fit.fitted["total"].samples == len(asked) - len(held_out) >= 12
    assert fit.fitted["total"].worst < 0.02
    assert re.fullmatch(
        r".*fits\.json: cells at 200 MHz, mean error on \d+ runs that were held out: \d+\.\d\d%, "
        r"at most \d+\.\d\d%; of it multiply_accumulate .*\n",
        capsys.readouterr().out,
    )


def _held_out() -> list[AcceleratorConfig]:
    return energy_plan([TINY], samples=6).held_out


def test_accelerators_are_drawn_apart_and_a_smaller_plan_is_part_of_a_larger() -> None:
    plan = energy_plan([TINY, EDGE], samples=9)
    assert (len(plan.fitted), len(plan.held_out)) == (12, 6)
    assert not set(plan.fitted) & set(plan.held_out)
    assert all(config.macs <= MOST_MACS for config in (*plan.fitted, *plan.held_out))
    for part in plan:
        assert {config.activation_table for config in part} == {0, 1}
    smaller = energy_plan([TINY], samples=6)
    assert set(smaller.fitted) <= set(plan.fitted)
    assert set(smaller.held_out) <= set(plan.held_out)


def test_workloads_are_networks_of_several_kinds() -> None:
    kinds = {layer.kind for name in FITTED for layer in workload(name).layers}
    judged = {layer.kind for name in HELD_OUT for layer in workload(name).layers}
    assert len(kinds) >= 5
    assert judged <= kinds
    for names in (FITTED, HELD_OUT):
        tables = [layer.table for name in names for layer in workload(name).layers]
        assert {table is None for table in tables} == {False, True}


def test_no_command_predicts_with_energy_of_another_gateware(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current_calibration()
    monkeypatch.setattr(energy_fit, "shipped", lambda: made_up_energy_fits(gateware_hash()))
    current_calibration()
    monkeypatch.setattr(energy_fit, "shipped", made_up_energy_fits)
    message = r"^energy was fitted to gateware 000000000000, but the gateware is [0-9a-f]{12}: "
    with pytest.raises(StaleCalibrationError, match=message):
        current_calibration()


def test_the_report_has_all_parts_of_the_energy() -> None:
    parts = dict.fromkeys(ENERGY_PARTS, 1.0)
    profiles: dict[str, Any] = {"default": _Split(parts), "found": _Split(parts | {"leakage": 4.0})}
    assert list(ENERGY_PARTS) == list(EnergyBreakdown.__dataclass_fields__)
    sides: dict[str, Any] = {"default": {}, "found": {}}
    rows = energy_table(sides, profiles).rows
    assert len(rows) == len(energy_legend(profiles)) == 10
    assert energy_svg(profiles).count("<rect") == 20
    assert energy_text(profiles["found"]) == "31 % of the energy goes to leakage"
    assert rows[-1][0] == "leakage"


class _Split:
    """Profile of which only the energy by part is asked."""

    def __init__(self, energy_pj: dict[str, float]) -> None:
        self.energy_pj = energy_pj
