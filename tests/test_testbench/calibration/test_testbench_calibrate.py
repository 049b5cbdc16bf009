"""Calibration: the solved constants are the shipped constants, and a stale file is refused."""

import dataclasses
from pathlib import Path

import pytest

from hwgen.gateware_hash import gateware_hash
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.timing import calibration
from sim.timing.calibration import Calibration, Constant
from testbench.calibration.microbenchmarks import calibrate


@pytest.mark.long
@pytest.mark.rtl
def test_recalibrating_gives_the_shipped_constants() -> None:
    """Long: they are of this gateware (below), and every run in RTL is compared with them."""
    report = calibrate()
    assert report.calibration.constants == calibration.default().constants
    assert report.microbenchmarks >= 15
    assert report.held_out > 100


def test_the_shipped_calibration_was_measured_on_this_gateware() -> None:
    calibration.default().require_hash(gateware_hash())


def test_a_stale_calibration_is_refused_by_name() -> None:
    stale = dataclasses.replace(calibration.default(), gateware_hash="0" * 64)
    message = (
        rf"^calibration was measured on gateware 0{{12}}, but the gateware is "
        rf"{gateware_hash()[:12]}: run cosilico calibrate$"
    )
    with pytest.raises(StaleCalibrationError, match=message):
        stale.require_hash(gateware_hash())


def test_round_trip_and_faults_of_a_calibration_file(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    calibration.save(calibration.default(), path)
    assert calibration.load(path) == calibration.default()
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DesignFileError, match=r"^calibration file \S+ is not JSON: .*$"):
        calibration.load(path)


def test_every_constant_must_be_there() -> None:
    with pytest.raises(ValueError, match=r"^calibration constant 'drain_add' must be given$"):
        Calibration(
            gateware_hash="",
            simulator="",
            constants={c.name.lower(): 0 for c in Constant if c is not Constant.DRAIN_ADD},
        )
