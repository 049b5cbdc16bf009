"""The ``generate`` command: a design's Verilog and program."""

from typing import Annotated

import typer

from cosilico.commands.options import Batch, DesignFile, Force, OutFolder
from cosilico.extras import require_extra
from testbench.standalone.file_names import StandaloneTestbench

__all__ = ["generate"]


def generate(
    design: DesignFile,
    out: OutFolder,
    batch: Batch = 1,
    testbench: Annotated[
        StandaloneTestbench,
        typer.Option(help="what runs the program in a simulator, with `make`, without cosilico"),
    ] = StandaloneTestbench.NONE,
    force: Force = False,
) -> None:
    """Emit a design's Verilog, its program, manifests and, if asked for, a testbench."""
    require_extra("cosilico generate", "rtl")
    from cosilico.generation import generate_to_folder

    for path in generate_to_folder(design, out, batch, testbench=testbench, force=force):
        typer.echo(str(path))
