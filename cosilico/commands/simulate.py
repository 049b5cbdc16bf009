"""The ``simulate`` command: a network in RTL."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import (
    Accelerator,
    Batch,
    EngineName,
    Jobs,
    MemoryName,
    TraceFormat,
    TraceFormatName,
    ViewName,
    WeightSeed,
    network_names,
)
from cosilico.exits import ExitStatus
from cosilico.extras import require_extra
from sim.spec.engines import Engine
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat

__all__ = ["simulate"]


def simulate(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="a design.json, an imported folder, mobilenet_v2, efficientnet_lite0, resnet8, "
            "mobilenet_v1_025, ds_cnn or autoencoder",
            autocompletion=network_names,
        ),
    ],
    accelerator: Accelerator = None,
    view: ViewName = View.SIMULATION,
    engine: EngineName = Engine.VERILATOR,
    image: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="a picture",
            show_default="china.jpg for named networks of pictures",
        ),
    ] = None,
    seed: WeightSeed = 0,
    images: Annotated[
        int | None, typer.Option(min=1, help="images to run", show_default="all")
    ] = None,
    batch: Batch = 1,
    input_file: Annotated[
        Path | None, typer.Option("--input", metavar="X.npz", help="x: inputs, y: labels")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", metavar="Y.npz", help="where outputs go")
    ] = None,
    memory: MemoryName = "deterministic",
    stalls: Annotated[
        str | None,
        typer.Option(
            metavar="SEEDS",
            help="instead of a run without stalls, a run with random stalls for each seed, as 1,2,3",
        ),
    ] = None,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="compute the images as a stream, too"),
    ] = False,
    waves: Annotated[
        bool,
        typer.Option(
            "--waves",
            help="write waves.vcd beside the design, with views of it for GTKWave and Surfer",
        ),
    ] = False,
    waves_format: Annotated[
        WaveFormat | None,
        typer.Option(
            help="write waves in this format, as waves.vcd or as waves.fst, which is much smaller",
            show_default="vcd",
        ),
    ] = None,
    waves_layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="write waves of a layer alone, of the first warm run"),
    ] = None,
    waves_descriptor: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="write waves of a descriptor alone, from 0"),
    ] = None,
    waves_cycles: Annotated[
        str | None,
        typer.Option(metavar="FIRST:END", help="write waves of these cycles alone"),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="write when each descriptor of the first run started and ended",
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
    jobs: Jobs = None,
) -> None:
    """Run a network in RTL and compare every activation and cycle count; exit 1 if they differ."""
    require_extra("cosilico simulate", "rtl")
    from cosilico.measurements import print_results, write_json
    from cosilico.simulation import parse_stalls, simulate_argument
    from cosilico.wave_files import wave_options
    from sim.spec.memory_record import parse_memory

    design, mapped, results = simulate_argument(
        network,
        accelerator=accelerator,
        view=view,
        engine=engine,
        seed=seed,
        images=images,
        batch=batch,
        input_file=input_file,
        photograph=image,
        output_file=output_file,
        memory=parse_memory(memory),
        stalls=parse_stalls(stalls),
        waves=wave_options(waves, waves_format, waves_layer, waves_descriptor, waves_cycles),
        json_file=None if json == Path("-") else json,
        trace_file=trace,
        calibration_file=calibration,
        stream=stream,
        jobs=jobs,
    )
    if json is not None:
        write_json(json, design, results)
    if trace is not None:
        from cosilico.trace_files import measured_run, write_run_trace

        write_run_trace(trace, trace_format, measured_run(mapped, results[0]), network, seed)
    if json != Path("-"):
        print_results(design, mapped, results)
    if not all(result.passed for result in results):
        raise typer.Exit(ExitStatus.DIFFERENCE)
