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
    begun: list[str] = []
    with progress_bar() as report:

        def progress(name: str) -> None:
            begun.append(name)
            # How many there will be is known only at the end.
            report("microbenchmarks", len(begun) - 1, len(begun))

        measured = calibrate(progress)
    calibration.save(measured.calibration, out)
    print(
        f"{out}: {len(measured.calibration.constants)} constants from {measured.microbenchmarks} "
        f"microbenchmarks, exact on {measured.held_out} held-out descriptors"
    )
