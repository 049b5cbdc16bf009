"""The ``soc`` command: a processor whose firmware runs a design."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import Accelerator, DesignFile, Force, OutFolder

__all__ = ["soc"]


def soc(
    design: DesignFile,
    out: OutFolder,
    accelerator: Accelerator = None,
    images: Annotated[
        int, typer.Option(min=1, max=10_000, help="images that the firmware classifies")
    ] = 20,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="X.npz",
            help="x: inputs, y: labels",
            show_default="test.npz beside the design",
        ),
    ] = None,
    clock_mhz: Annotated[
        float | None,
        typer.Option(
            "--clock-mhz",
            min=0.1,
            max=10_000,
            help="clock of the whole system",
            show_default="the board's, 25",
        ),
    ] = None,
    baud: Annotated[
        int, typer.Option(min=1, help="bits per second on the serial line")
    ] = 1_000_000,
    board: Annotated[
        str | None,
        typer.Option(
            metavar="BOARD", help="place and route it, too, and write a bitstream: ulx3s_85f"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=1, help="of placement")] = 1,
    force: Force = False,
) -> None:
    """Put a design into a system on a chip, and run it: firmware prints classes by a serial line.

    Exits 1 if they differ from the integer reference, or the board's clock is not reached.
    """
    from cosilico.extras import require_extra, require_module

    require_extra("cosilico soc", "rtl")
    # GCC is as good as the other package of the extra
    require_module("cosilico soc", "pythondata_cpu_picorv32")
    from cosilico.exits import ExitStatus
    from cosilico.systems import system_argument

    result = system_argument(
        design,
        out,
        accelerator=accelerator,
        input_file=input_file,
        count=images,
        clock_hz=None if clock_mhz is None else round(clock_mhz * 1e6),
        baud=baud,
        board=board,
        seed=seed,
        force=force,
    )
    for line in result.lines:
        typer.echo(line)
    if result.differences or result.too_slow:
        raise typer.Exit(ExitStatus.DIFFERENCE)
