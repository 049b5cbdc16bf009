"""The calibration in force, and whether it belongs to the present gateware."""

from pathlib import Path

from hwgen.gateware_hash import gateware_hash
from sim.timing import calibration
from sim.timing.calibration import Calibration

__all__ = ["current_calibration"]


def current_calibration(path: Path | None = None) -> Calibration:
    """Timing constants from a file, or those shipped; every command that predicts asks here.

    Raises
    ------
    DesignFileError
        If the file cannot be read.
    StaleCalibrationError
        If they were measured on another gateware.
    """
    current = calibration.default() if path is None else calibration.load(path)
    current.require_hash(gateware_hash())
    return current
