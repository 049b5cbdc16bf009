"""The ``calibrate`` command: the model's timing constants."""

from typing import Annotated

import typer

from cosilico.commands.options import OutFile
from cosilico.extras import require_extra
from sim.spec.dram import DRAM_PRESETS, DramSystem
from sim.spec.errors import CosilicoError
from sim.spec.memory_record import parse_memory

__all__ = ["calibrate"]


def calibrate(
    out: OutFile,
    memory: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DRAM|FILE.toml",
            help="fit this DRAM of tier T3 as well, or each of several: "
            f"{', '.join(DRAM_PRESETS)}, or a file",
        ),
    ] = None,
) -> None:
    """Measure the model's timing constants in RTL."""
    drams = [_dram(text) for text in memory or []]
    require_extra("cosilico calibrate", "rtl")
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out, drams=drams)


def _dram(text: str) -> DramSystem:
    system = parse_memory(text)
    if not isinstance(system, DramSystem):
        raise CosilicoError(f"--memory must be a DRAM, not {text!r}")
    return system
