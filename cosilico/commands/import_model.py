"""The ``import`` command: a network made elsewhere."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import Force, OutFolder
from cosilico.extras import require_extra
from sim.importers.errors import CalibrationWarning
from sim.importers.range_method import RangeMethod

__all__ = ["import_model"]


def import_model(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="a quantized .tflite or .onnx file, or a .pt2 file"),
    ],
    out: OutFolder,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="X.npz",
            help="with a .pt2 file of real numbers: x, float [N, C, H, W]; x.1 and so on for further inputs",
        ),
    ] = None,
    ranges: Annotated[
        RangeMethod | None,
        typer.Option(help="with --calibration: how activations get their ranges from x"),
    ] = None,
    force: Force = False,
) -> None:
    """Import a network made elsewhere; writes network.json and weights.npz."""
    if model.suffix == ".pt2":
        require_extra("cosilico import MODEL.pt2", "search")
    from cosilico.imports import import_to_folder

    with warnings.catch_warnings(record=True, category=CalibrationWarning, action="always") as told:
        summary = import_to_folder(model, out, calibration, ranges=ranges, force=force)
    for item in told:
        if issubclass(item.category, CalibrationWarning):
            typer.echo(f"cosilico: warning: {item.message}", err=True)
        else:
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    typer.echo(summary)
