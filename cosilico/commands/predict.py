"""The ``predict`` command: the performance model's answer for a pair."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import Accelerator, MemoryName, NetworkName, WeightSeed

__all__ = ["predict"]


def predict(
    network: NetworkName,
    accelerator: Accelerator = None,
    images: Annotated[
        int, typer.Option(metavar="N", min=1, help="images that the program computes")
    ] = 1,
    memory: MemoryName = "deterministic",
    seed: WeightSeed = 0,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the figures as JSON; - prints them")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="timing constants", show_default="those shipped"),
    ] = None,
) -> None:
    """Predict a network's cycles, traffic and energy on an accelerator, layer by layer."""
    from cosilico.api.prediction import predict as predict_run
    from cosilico.predictions import check_json_file, print_prediction, write_json

    check_json_file(json, network, accelerator, calibration)
    run = predict_run(
        network, accelerator, images=images, memory=memory, calibration=calibration, seed=seed
    )
    if json is not None:
        write_json(json, run.to_json())
    if json != Path("-"):
        print_prediction(run)
