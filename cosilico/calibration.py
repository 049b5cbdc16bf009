"""Measuring the timing constants from the command line."""

from dataclasses import replace
from pathlib import Path

from cosilico.folder import check_file
from cosilico.progress import progress_bar
from sim.timing import calibration
from testbench.calibration.dram import calibrate_dram
from testbench.calibration.microbenchmarks import calibrate

__all__ = ["calibrate_to_file"]


def calibrate_to_file(out: Path, *, dram: bool = False) -> None:
    """Run the microbenchmarks and write the constants.

    Parameters
    ----------
    out : Path
    dram : bool
        Fit the DRAM of tier T3 as well.

    Raises
    ------
    CosilicoError
        If no constants explain the measurements; nothing is written then.
    """
    check_file(out, "--out")
    begun: list[str] = []
    with progress_bar() as report:

        def progress(name: str) -> None:
            begun.append(name)
            # How many there will be is known only at the end.
            report("microbenchmarks", len(begun) - 1, len(begun))

        measured = calibrate(progress)
        fitted = measured.calibration
        if dram:
            behind = calibrate_dram(fitted, progress)
            fitted = replace(fitted, dram=behind.calibration)
    calibration.save(fitted, out)
    print(
        f"{out}: {len(measured.calibration.constants)} constants from {measured.microbenchmarks} "
        f"microbenchmarks, exact on {measured.held_out} held-out descriptors"
    )
    if fitted.dram is not None:
        print(
            f"dram: {len(fitted.dram.parameters)} parameters, mean error {fitted.dram.mean:.3%} and worst "
            f"{fitted.dram.worst:.3%} on {fitted.dram.layers} held-out layers"
        )
