"""The ``timing`` command: every module's slowest paths in standard cells."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["timing"]


def timing(
    accelerator: Annotated[
        str,
        typer.Option("--accelerator", metavar="A", help="tiny, edge, nahas or a JSON file"),
    ] = "tiny",
    clock_mhz: Annotated[
        float | None,
        typer.Option("--clock-mhz", min=1, help="clock", show_default="the accelerator's"),
    ] = None,
    liberty: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="standard cells with delay tables",
            show_default="Nangate 45 nm of the extra synthesis",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="also the parts of paths in the modules they cross")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the table as JSON; - prints it")
    ] = None,
) -> None:
    """Synthesize an accelerator to standard cells and time its modules; exit 2 if any is too slow."""
    from cosilico.extras import require_extra

    require_extra("cosilico timing", "rtl", *(["synthesis"] if liberty is None else []))
    from cosilico.timing import time_accelerator

    if not time_accelerator(accelerator, clock_mhz, liberty, json=json, every=every):
        from cosilico.exits import ExitStatus

        raise typer.Exit(ExitStatus.BAD_INPUT)
