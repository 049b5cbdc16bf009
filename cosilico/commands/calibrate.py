"""The ``calibrate`` command: the model's timing constants."""

from typing import Annotated

import typer

from cosilico.commands.options import MemoryTier, OutFile
from cosilico.extras import require_extra

__all__ = ["calibrate"]


def calibrate(
    out: OutFile,
    memory: Annotated[
        MemoryTier, typer.Option(help="dram: fit the LPDDR4 memory of tier T3 as well")
    ] = MemoryTier.DETERMINISTIC,
) -> None:
    """Measure the model's timing constants in RTL."""
    require_extra("cosilico calibrate", "rtl")
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out, dram=memory is MemoryTier.DRAM)
