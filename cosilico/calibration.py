"""Measuring the timing constants from the command line."""

from pathlib import Path

from cosilico.progress import progress_bar
from sim import calibration
from testbench.calibrate import calibrate

__all__ = ["calibrate_to_file"]


def calibrate_to_file(out: Path) -> None:
    """Run the microbenchmarks and write the constants.

    Raises
    ------
    CosilicoError
        If no constants explain the measurements; nothing is written then.
    """
    with progress_bar() as report:
        measured = calibrate(lambda name: report(name, 0, 1))
    calibration.save(measured.calibration, out)
    print(
        f"{out}: {len(measured.calibration.constants)} constants from {measured.microbenchmarks} "
        f"microbenchmarks, exact on {measured.held_out} held-out descriptors"
    )
