"""Calibration and fits in force, and whether they belong to the present gateware."""

from pathlib import Path

from hwgen.gateware_hash import gateware_hash
from sim.cost import energy_fit, silicon_fit
from sim.cost.silicon_fit import SiliconFits
from sim.timing import calibration
from sim.timing.calibration import Calibration

__all__ = ["current_calibration", "current_silicon_fits"]


def current_calibration(path: Path | None = None) -> Calibration:
    """Timing constants from a file, or those shipped; every command that predicts asks here.

    The silicon and energy that are shipped, from which areas and energies are predicted, must be this gateware's, too.

    Raises
    ------
    DesignFileError
        If the file cannot be read, or a fit is not shipped.
    StaleCalibrationError
        If they were measured on another gateware, or silicon or energy was fitted to another.
    """
    current = calibration.default() if path is None else calibration.load(path)
    current.require_hash(gateware_hash())
    for fits in (silicon_fit.shipped(), energy_fit.shipped()):
        fits.require_hash(gateware_hash())
    return current


def current_silicon_fits(path: Path | None = None) -> SiliconFits:
    """Silicon of modules from a file, or as it is shipped.

    Raises
    ------
    DesignFileError
        If the file cannot be read.
    StaleCalibrationError
        If it was fitted to another gateware.
    """
    current = silicon_fit.shipped() if path is None else silicon_fit.load(path)
    current.require_hash(gateware_hash())
    return current
