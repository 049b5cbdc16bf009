"""Measuring the timing constants from the command line."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cosilico.folder import check_file
from cosilico.progress import progress_bar
from sim.spec.dram import DramSystem
from sim.timing import calibration
from testbench.calibration.dram import calibrate_dram
from testbench.calibration.microbenchmarks import calibrate

__all__ = ["calibrate_to_file"]


def calibrate_to_file(out: Path, *, drams: Sequence[DramSystem] = ()) -> None:
    """Run the microbenchmarks and write the constants.

    Parameters
    ----------
    out : Path
    drams : sequence of DramSystem
        Memories of tier T3 that are fitted as well.

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
        for system in drams:
            behind = calibrate_dram(system, fitted, progress)
            fitted = replace(fitted, drams={**fitted.drams, str(system): behind.calibration})
    calibration.save(fitted, out)
    print(
        f"{out}: {len(measured.calibration.constants)} constants from {measured.microbenchmarks} "
        f"microbenchmarks, exact on {measured.held_out} held-out descriptors"
    )
    for name, dram in fitted.drams.items():
        print(
            f"{name}: {len(dram.parameters)} parameters, mean error {dram.mean:.3%} and worst "
            f"{dram.worst:.3%} on {dram.layers} held-out layers"
        )
