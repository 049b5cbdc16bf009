"""The ``calibrate`` command: the model's timing constants, or a memory fitted to traces."""

from pathlib import Path
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
    trace: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN.json|RUN.csv",
            help="instead, fit a memory to this trace of a run on any system, or to each of several",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="with --trace: the memory's name", show_default="the file's"),
    ] = None,
    limit: Annotated[
        float,
        typer.Option(min=0, max=1, help="with --trace: largest mean error on what is held out"),
    ] = 0.1,
    propose: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="with --trace: write programs that would determine the rest"
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="with --trace: write the report as JSON")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="with --trace: the accelerator's timing constants",
            show_default="those shipped",
        ),
    ] = None,
) -> None:
    """Measure the model's timing constants in RTL, or fit a memory to traces of your own system."""
    if trace:
        if memory:
            raise CosilicoError("calibrate must be given either --trace or --memory, not both")
        from cosilico.traces import calibrate_traces_to_file

        calibrate_traces_to_file(
            trace,
            out,
            name=name,
            limit=limit,
            json_file=json,
            proposals=propose,
            calibration_file=calibration,
        )
        return
    for option, value in (
        ("--name", name),
        ("--propose", propose),
        ("--json", json),
        ("--calibration", calibration),
    ):
        if value is not None:
            raise CosilicoError(f"{option} must be given with --trace")
    drams = [_dram(text) for text in memory or []]
    require_extra("cosilico calibrate", "rtl")
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out, drams=drams)


def _dram(text: str) -> DramSystem:
    system = parse_memory(text)
    if not isinstance(system, DramSystem):
        raise CosilicoError(f"--memory must be a DRAM, not {text!r}")
    return system
