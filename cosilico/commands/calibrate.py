"""The ``calibrate`` command: the model's timing constants."""

from typing import Annotated

import typer

from cosilico.commands.options import OutFile
from cosilico.extras import require_extra
from sim.spec.memories import Memory

__all__ = ["calibrate"]


def calibrate(
    out: OutFile,
    memory: Annotated[
        Memory, typer.Option(help="dram: fit the LPDDR4 memory of tier T3 as well")
    ] = Memory.DETERMINISTIC,
) -> None:
    """Measure the model's timing constants in RTL."""
    require_extra("cosilico calibrate", "rtl")
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out, dram=memory is Memory.DRAM)
