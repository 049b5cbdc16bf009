"""The ``generate`` command: a design's Verilog and program."""

import typer

from cosilico.commands.options import Batch, DesignFile, Force, OutFolder
from cosilico.extras import require_extra

__all__ = ["generate"]


def generate(design: DesignFile, out: OutFolder, batch: Batch = 1, force: Force = False) -> None:
    """Emit a design's Verilog, its program and a manifest."""
    require_extra("cosilico generate", "rtl")
    from cosilico.generation import generate_to_folder

    for path in generate_to_folder(design, out, batch, force=force):
        typer.echo(str(path))
