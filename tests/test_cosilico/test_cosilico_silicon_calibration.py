"""``calibrate --area`` writes a file of fits, and a device is a budget of ``check`` and of spaces."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cosilico
from cosilico.cli import main
from cosilico.gateware import current_calibration, current_silicon_fits
from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis import silicon_fitting
from hwgen.synthesis.samples import DesignSample
from hwgen.synthesis.targets import FpgaFlow
from search.space_settings import HardwareSpaceSettings
from silicon_fits import made_up_fit, made_up_fits, sampled
from sim.cost import silicon_fit
from sim.cost.costs import accelerator_violations, evaluate_many
from sim.cost.fpga_resources import resources
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError, StaleCalibrationError
from sim.spec.fpga_devices import FPGA_DEVICES
from sim.spec.spaces import TINY


def line_of(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run a command that must be refused; return its one line."""
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"cosilico: [^\n]+\n", captured.err)
    return captured.err.removeprefix("cosilico: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--area", "--memory", "sram"], "--memory must not be given with --area"),
        (["--area", "--trace", "t.json"], "--trace must not be given with --area"),
        (["tiny"], "SPACE must be given with --area or --energy"),
        (["--samples", "9"], "--samples must be given with --area or --energy"),
        (["--target", "ecp5"], "--target must be given with --area or --energy"),
        (
            ["--area", "--target", "ecp5", "--liberty", "c.lib"],
            "--liberty must be given with one target of standard cells",
        ),
        (
            ["--area", "--target", "nangate45", "--target", "osu018"],
            "--target must be given with at most one target of standard cells, not nangate45 and osu018",
        ),
        (
            ["--area", "tiny", "--samples", "5"],
            "--samples must leave an accelerator of 200 MHz to judge by, which 5 do not",
        ),
        (["--area", "moon"], "SPACE must be one of tiny, edge, nahas, not 'moon'"),
    ],
)
def test_what_does_not_go_together_is_refused(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fits.json"
    assert line_of(capsys, "calibrate", "--out", out, *words) == line
    assert not out.exists()


@pytest.fixture
def synthesis(monkeypatch: pytest.MonkeyPatch) -> list[AcceleratorConfig]:
    """Synthesis by made-up fits; the list has what was asked."""
    asked = []

    def sample(config: AcceleratorConfig, flow: Any, **_: Any) -> DesignSample:
        asked.append(config)
        fpga = isinstance(flow, FpgaFlow)
        fit = made_up_fit(3, "ecp5", 0) if fpga else made_up_fit(1, clock_mhz=flow.clock_mhz)
        (made,) = sampled([config], fit, fpga=fpga)
        return made

    monkeypatch.setattr(silicon_fitting, "sample_design", sample)
    return asked


def test_one_command_fits_and_writes(
    synthesis: list[AcceleratorConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fits.json"
    words = ["calibrate", "--area", "tiny", "edge", "--target", "nangate45", "--target", "ecp5"]
    assert main([*words, "--samples", "60", "--seed", "3", "--out", str(out)]) == 0
    fits = current_silicon_fits(out)
    assert (fits.gateware_hash, fits.spaces, fits.seed) == (gateware_hash(), ["tiny", "edge"], 3)
    assert [fit.clock_mhz for fit in fits.fits] == [200, 800, 0]
    assert len(synthesis) == 2 * (60 + 1)  # the last of a plan has a paced bus
    # Samples without noise come back, but where those of a clock do not tell features apart
    for fit in fits.fits:
        assert all(error.mean < 1e-4 for error in fit.fitted.values())
        assert all(error.samples > 5 for error in fit.held_out.values())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(
        r".*fits\.json: ecp5, mean errors on \d+ accelerators that were held out: lut \d.*; .*",
        lines[2],
    )


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Ship made-up fits of a gateware."""

    def ship(gateware: str) -> None:
        fits = replace(made_up_fits(), gateware_hash=gateware)
        monkeypatch.setattr(silicon_fit, "shipped", lambda: fits)

    return ship


def test_a_device_is_a_budget_of_check(
    shipped: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    shipped(gateware_hash())
    taken = resources(TINY.default, "xilinx")
    device = FPGA_DEVICES["xc7z010"]
    verdict = cosilico.check(accelerator="tiny", device="xc7z010")
    expected = {
        code
        for figure, code, most in (
            ("lut", "PHYS_LUT", device.luts),
            ("flip_flop", "PHYS_FF", device.ffs),
            ("dsp", "PHYS_DSP", device.dsps),
            ("block_ram", "PHYS_BRAM", device.brams),
        )
        if getattr(taken, figure) > most
    }
    assert {violation.code for violation in verdict.violations} == expected != set()
    assert main(["check", "ds_cnn", "--accelerator", "tiny", "--device", "xc7z010"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert {line.split(":")[0] for line in lines[1:]} == expected
    assert main(["check", "ds_cnn", "--accelerator", "tiny"]) == 0
    message = r"^device must be one of ecp5-25, .*, xc7a200t, not 'abacus'$"
    with pytest.raises(CosilicoError, match=message):
        cosilico.check(accelerator="tiny", device="abacus")


def test_no_device_without_a_fit_of_this_gateware(
    shipped: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["check", "ds_cnn", "--accelerator", "tiny", "--device", "ecp5-85"]
    assert line_of(capsys, *words) == (
        "silicon fits must have target ecp5, not NangateOpenCellLibrary: "
        "run cosilico calibrate --area --target ecp5"
    )
    shipped("1" * 64)
    assert line_of(capsys, *words) == (
        "silicon was fitted to gateware 111111111111, but the gateware is "
        f"{gateware_hash()[:12]}: run cosilico calibrate --area"
    )


def test_no_command_predicts_with_silicon_of_another_gateware(
    shipped: Callable[[str], None],
) -> None:
    current_calibration()
    shipped(gateware_hash())
    current_calibration()
    shipped("1" * 64)
    message = r"^silicon was fitted to gateware 111111111111, but the gateware is [0-9a-f]{12}: "
    with pytest.raises(StaleCalibrationError, match=message):
        current_calibration()


def test_a_device_is_a_budget_of_a_space(shipped: Callable[[str], None]) -> None:
    shipped(gateware_hash())
    space = HardwareSpaceSettings(device="xc7a200t", dsps=100).hardware_space()
    fpga = space.limits.fpga
    assert fpga is not None
    assert (fpga.name, fpga.dsps, fpga.luts) == ("xc7a200t", 100, 134_600)
    assert space.to_json()["fpga"] == fpga.to_json()
    assert HardwareSpaceSettings(device="ecp5-25", fixed=True).hardware_space().limits
    configs = [TINY.default, TINY.at(0), TINY.at(len(TINY) - 1)]
    table = evaluate_many(configs, named_network("ds_cnn"), limits=space.limits)
    for config, codes in zip(configs, table.violations, strict=True):
        own = [violation.code for violation in accelerator_violations(config, space.limits)]
        assert list(codes) == own or not own
    assert any("PHYS_DSP" in codes for codes in table.violations)
    with pytest.raises(ValueError, match=r"^device must be given with dsps$"):
        HardwareSpaceSettings(dsps=100).hardware_space()
