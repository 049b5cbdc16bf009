"""The ``import`` command: a network made elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import Force, OutFolder
from cosilico.extras import require_extra

__all__ = ["import_model"]


def import_model(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="a quantized .tflite or .onnx file, or a .pt2 file"),
    ],
    out: OutFolder,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="X.npz", help="with a .pt2 file: x, float [N, C, H, W]"),
    ] = None,
    force: Force = False,
) -> None:
    """Import a network made elsewhere; writes network.json and weights.npz."""
    if model.suffix == ".pt2":
        require_extra("cosilico import MODEL.pt2", "search")
    from cosilico.imports import import_to_folder

    typer.echo(import_to_folder(model, out, calibration, force=force))
