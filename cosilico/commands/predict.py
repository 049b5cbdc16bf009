"""The ``predict`` command: the performance model's answer for a pair."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import (
    Accelerator,
    MemoryName,
    NetworkName,
    TraceFormat,
    TraceFormatName,
    WeightSeed,
)

__all__ = ["predict"]


def predict(
    network: NetworkName,
    accelerator: Accelerator = None,
    images: Annotated[
        int, typer.Option(metavar="N", min=1, help="images that the program computes")
    ] = 1,
    memory: MemoryName = "deterministic",
    seed: WeightSeed = 0,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="write when each descriptor is predicted to start and end"
        ),
    ] = None,
    trace_format: TraceFormatName = TraceFormat.DESCRIPTORS,
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
    from cosilico.folder import check_apart, check_file
    from cosilico.inputs import input_files
    from cosilico.predictions import check_json_file, print_prediction, write_json

    check_json_file(json, network, accelerator, calibration)
    if trace is not None:
        check_file(trace, "--trace", input_files(network, accelerator, calibration))
        if json is not None:
            check_apart(json, trace, "--trace")
    run = predict_run(
        network, accelerator, images=images, memory=memory, calibration=calibration, seed=seed
    )
    if json is not None:
        write_json(json, run.to_json())
    if trace is not None:
        from cosilico.trace_files import predicted_run, write_run_trace

        program = predicted_run(run.mapped, run.prediction)
        write_run_trace(trace, trace_format, program, network, seed)
    if json != Path("-"):
        print_prediction(run)
