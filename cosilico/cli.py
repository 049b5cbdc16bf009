"""The ``cosilico`` command: files in, files out; bad input is one line and exit status 2."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer

from cosilico import __version__
from sim.spec.errors import CosilicoError

__all__ = ["app", "main"]

EXIT_DIFFERENCE = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

_UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
"""Base of the errors in a command line itself; typer does not export it by name."""

app = typer.Typer(
    name="cosilico",
    help="Search a quantized network and its accelerator, emit the Verilog, and run it in RTL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class MemoryTier(StrEnum):
    """Memory behind the accelerator, as :class:`sim.model.Memory`; that module loads slowly."""

    DETERMINISTIC = "deterministic"
    DRAM = "dram"


class View(StrEnum):
    """Form of the SIMD datapath that is simulated; both are one design (docs/hardware.md)."""

    SYNTHESIS = "synthesis"
    SIMULATION = "simulation"


DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="a design.json")]
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="a search specification (TOML)")]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the results")]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="file to write")]
Resume = Annotated[bool, typer.Option("--resume", help="go on with what an earlier run left")]
SearchSeed = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="decides every random choice")
]
WeightSeed = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="weights of a named network")
]
ViewName = Annotated[View, typer.Option("--view", help="form of the datapath that is simulated")]
Batch = Annotated[
    int, typer.Option("--batch", metavar="B", min=1, help="images that one program computes")
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="processes [one per core]")]
SpaceName = Annotated[str, typer.Option("--space", help="hardware space: tiny or edge")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cosilico {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="show an error's traceback")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Options of all commands; :func:`main` reads them."""


@app.command()
def run(
    out: OutFolder,
    spec: Annotated[
        Path | None, typer.Argument(metavar="[SPEC]", help="a search specification (TOML)")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="instead of SPEC: search only the accelerator, for an imported folder, a "
            "design.json or a named network",
        ),
    ] = None,
    space: Annotated[
        str | None, typer.Option("--space", help="with --network: tiny or edge [tiny]")
    ] = None,
    resume: Resume = False,
    seed: SearchSeed = 0,
) -> None:
    """Run every stage: search, generate, simulate, check the calibration, report."""
    from cosilico.flow import run_flow, run_network_flow
    from cosilico.summary import print_summary

    if spec is not None and network is None and space is None:
        results = run_flow(spec, out, resume=resume, seed=seed)
    elif spec is None and network is not None:
        results = run_network_flow(network, space or "tiny", out, resume=resume, seed=seed)
    else:
        raise CosilicoError("run must be given either SPEC, which names its space, or --network")
    print_summary(results, out)


@app.command()
def search(spec: SpecFile, out: OutFolder, resume: Resume = False, seed: SearchSeed = 0) -> None:
    """Search a network and its accelerator; writes design.json and weights.npz."""
    from cosilico.flow import search_to_folder

    found = search_to_folder(spec, out, resume=resume, seed=seed)
    typer.echo(f"{out / 'design.json'}: {found}")


@app.command(name="import")
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
) -> None:
    """Import a network made elsewhere; writes network.json and weights.npz."""
    from cosilico.imports import import_to_folder

    typer.echo(import_to_folder(model, out, calibration))


@app.command()
def generate(design: DesignFile, out: OutFolder, batch: Batch = 1) -> None:
    """Emit a design's Verilog, its program and a manifest."""
    from cosilico.generation import generate_to_folder

    for path in generate_to_folder(design, out, batch):
        typer.echo(str(path))


@app.command()
def simulate(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="a design.json, an imported folder, mobilenet_v2, efficientnet_lite0, resnet8, "
            "mobilenet_v1_025, ds_cnn or autoencoder",
        ),
    ],
    accelerator: Annotated[
        str | None,
        typer.Option(metavar="A", help="tiny, edge or a JSON file [the design's own]"),
    ] = None,
    view: ViewName = View.SIMULATION,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="a picture [named networks of pictures: china.jpg]"),
    ] = None,
    seed: WeightSeed = 0,
    images: Annotated[int | None, typer.Option(min=1, help="images to run [all]")] = None,
    batch: Batch = 1,
    input_file: Annotated[
        Path | None, typer.Option("--input", metavar="X.npz", help="x: inputs, y: labels")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", metavar="Y.npz", help="where outputs go")
    ] = None,
    memory: Annotated[
        MemoryTier,
        typer.Option(
            help="a fixed latency, or an LPDDR4 memory: its cycles are predicted within 5 %"
        ),
    ] = MemoryTier.DETERMINISTIC,
    stalls: Annotated[
        str | None,
        typer.Option(metavar="SEEDS", help="a run with random stalls for each of these, as 1,2,3"),
    ] = None,
    waves: Annotated[
        bool, typer.Option("--waves", help="write waves.vcd beside the design")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the figures as JSON; - prints them")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="timing constants [those shipped]")
    ] = None,
) -> None:
    """Run a network in RTL and compare every activation and cycle count; exit 1 if they differ."""
    from cosilico.measurements import print_results, write_json
    from cosilico.simulation import parse_stalls, simulate_argument
    from sim.model import Memory

    with _stopped_runs():
        design, results = simulate_argument(
            network,
            accelerator=accelerator,
            view=view.value,
            seed=seed,
            images=images,
            batch=batch,
            input_file=input_file,
            photograph=image,
            output_file=output_file,
            memory=Memory(memory),
            stalls=parse_stalls(stalls),
            waves=waves,
            calibration_file=calibration,
        )
    if json is not None:
        write_json(json, design, results)
    if json != Path("-"):
        print_results(design, results)
    if not all(result.passed for result in results):
        raise typer.Exit(EXIT_DIFFERENCE)


@app.command()
def validate(
    design: Annotated[
        str | None,
        typer.Argument(metavar="[DESIGN]", help="a design.json or an imported folder"),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(metavar="A", help="of DESIGN: tiny, edge or a JSON file [the design's own]"),
    ] = None,
    random: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="random (configuration, layer) pairs")
    ] = None,
    stalls: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="random pairs under random stalls on every channel"),
    ] = None,
    imported: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="random TensorFlow Lite models, the interpreter judging too"
        ),
    ] = None,
    realizability: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="random pairs, realizable or not: does what the check says hold?",
        ),
    ] = None,
    corrupted: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="damaged programs, each followed by a good one: does it run?"
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="over 2,000 pairs and all layers of the ImageNet networks"),
    ] = False,
    space: SpaceName = "tiny",
    seed: Annotated[int, typer.Option(min=0, help="draws the pairs")] = 1,
    jobs: Jobs = None,
    view: ViewName = View.SIMULATION,
    max_macs: Annotated[
        int | None, typer.Option(metavar="N", min=16, help="pass over larger random accelerators")
    ] = None,
    journal: Annotated[
        Path, typer.Option(metavar="FILE", help="--full: what is done; a killed run goes on here")
    ] = Path("build/validation.jsonl"),
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="--full: folder of the results file")
    ] = Path("benchmarks"),
) -> None:
    """Compare model and RTL, for a design or for random pairs; exit 1 if they differ."""
    from cosilico.validation import validate_design, validate_everything, validate_pairs

    asked = {
        "pairs": random,
        "stalls": stalls,
        "imported": imported,
        "realizability": realizability,
    }
    counts = {kind: count for kind, count in asked.items() if count is not None}
    if len(counts) + (design is not None) + (corrupted is not None) + full != 1:
        raise CosilicoError(
            "validate must be given one of a design file, --random N, --stalls N, --imported N, "
            "--realizability N, --corrupted N or --full"
        )
    with _stopped_runs():
        if corrupted is not None:
            from cosilico.recovery import validate_recovery

            differences = validate_recovery(corrupted, seed, jobs=jobs)
        elif design is not None:
            differences = validate_design(design, accelerator=accelerator, view=view.value)
        elif full:
            from testbench.campaign import Campaign

            campaign = Campaign(seed=seed, view=view.value, max_macs=max_macs)
            differences = validate_everything(campaign, journal, out, jobs=jobs)
        else:
            [(kind, count)] = counts.items()
            differences = validate_pairs(
                count,
                space,
                seed,
                jobs=jobs,
                kind="pairs" if stalls else kind,
                stalls=stalls is not None,
                view=view.value,
                max_macs=max_macs,
            )
    if differences:
        raise typer.Exit(EXIT_DIFFERENCE)


@app.command()
def calibrate(
    out: OutFile,
    memory: Annotated[
        MemoryTier, typer.Option(help="dram: fit the LPDDR4 memory of tier T3 as well")
    ] = MemoryTier.DETERMINISTIC,
) -> None:
    """Measure the model's timing constants in RTL."""
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out, dram=memory is MemoryTier.DRAM)


@app.command(name="enumerate")
def enumerate_space(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="a named network, a design.json, an imported folder or a network alone as JSON",
        ),
    ],
    out: OutFile,
    space: SpaceName = "tiny",
    area_budget: Annotated[
        float | None,
        typer.Option(metavar="MM2", min=0, help="for the optimum [area of the space's default]"),
    ] = None,
    seed: WeightSeed = 0,
    jobs: Jobs = None,
) -> None:
    """Evaluate a network on every accelerator of a space; writes CSV or Parquet."""
    from cosilico.enumeration import enumerate_to_file

    enumerate_to_file(network, space, out, area_budget=area_budget, seed=seed, jobs=jobs)


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="folder of a run")],
) -> None:
    """Write report.html from a run's results."""
    from cosilico.report import write_report

    typer.echo(str(write_report(directory)))


@contextmanager
def _stopped_runs() -> Iterator[None]:
    """A run that hangs or faults is a difference: one line that says which queue is blocked."""
    from testbench.harness import HarnessError

    try:
        yield
    except HarnessError as error:
        print(f"cosilico: {_one_line(error)}", file=sys.stderr)
        raise typer.Exit(EXIT_DIFFERENCE) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 is success, 1 a difference between model and RTL, 2 bad input (one line on stderr, or
    the traceback with ``--debug`` anywhere on the line), 130 an interrupt.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        status = app(words, prog_name="cosilico", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has left; nobody is there to be told.
        return EXIT_DIFFERENCE
    except (CosilicoError, OSError, _UsageError) as error:
        if debug:
            traceback.print_exc()
        elif _one_line(error):  # empty where the help was shown instead
            print(f"cosilico: {_one_line(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return status if isinstance(status, int) else 0


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    format_message = getattr(error, "format_message", error.__str__)
    text = str(format_message())
    return " ".join(text.split())
