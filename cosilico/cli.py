"""The ``cosilico`` command: files in, files out; bad input is one line and exit status 2."""

import sys
import traceback
from collections.abc import Sequence
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

DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="a design.json")]
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="a search specification (TOML)")]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the results")]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="file to write")]
Resume = Annotated[bool, typer.Option("--resume", help="go on with what an earlier run left")]
SearchSeed = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="decides every random choice")
]
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
def run(spec: SpecFile, out: OutFolder, resume: Resume = False, seed: SearchSeed = 0) -> None:
    """Run every stage: search, generate, simulate, check the calibration, report."""
    from cosilico.flow import run_flow
    from cosilico.summary import print_summary

    print_summary(run_flow(spec, out, resume=resume, seed=seed), out)


@app.command()
def search(spec: SpecFile, out: OutFolder, resume: Resume = False, seed: SearchSeed = 0) -> None:
    """Search a network and its accelerator; writes design.json and weights.npz."""
    from cosilico.flow import search_to_folder

    found = search_to_folder(spec, out, resume=resume, seed=seed)
    typer.echo(f"{out / 'design.json'}: {found}")


@app.command()
def generate(design: DesignFile, out: OutFolder) -> None:
    """Emit a design's Verilog, its program and a manifest."""
    from cosilico.generation import generate_to_folder

    for path in generate_to_folder(design, out):
        typer.echo(str(path))


@app.command()
def simulate(
    design: DesignFile,
    images: Annotated[int | None, typer.Option(min=1, help="images to run [all]")] = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", metavar="X.npz", help="x: int8 images, y: labels")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", metavar="Y.npz", help="where outputs go")
    ] = None,
    stalls: Annotated[
        int | None, typer.Option(metavar="SEED", min=0, help="random stalls on every AXI channel")
    ] = None,
    waves: Annotated[
        bool, typer.Option("--waves", help="write waves.vcd beside the design")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="timing constants [those shipped]")
    ] = None,
) -> None:
    """Run a design's network in RTL and compare every activation and cycle count."""
    from cosilico.simulation import print_simulation, simulate_file

    result = simulate_file(
        design,
        images=images,
        input_file=input_file,
        output_file=output_file,
        stall_seed=stalls,
        waves=waves,
        calibration_file=calibration,
    )
    if print_simulation(result, as_json=json):
        raise typer.Exit(EXIT_DIFFERENCE)


@app.command()
def validate(
    design: Annotated[Path | None, typer.Argument(metavar="[DESIGN]", help="a design.json")] = None,
    random: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="random (configuration, layer) pairs")
    ] = None,
    space: SpaceName = "tiny",
    seed: Annotated[int, typer.Option(min=0, help="draws the pairs")] = 1,
) -> None:
    """Compare model and RTL, for a design or for random pairs; exit 1 if they differ."""
    from cosilico.validation import validate_design, validate_pairs

    if (design is None) == (random is None):
        raise CosilicoError("validate must be given either a design file or --random N")
    if design is not None:
        differences = validate_design(design)
    elif random is not None:
        differences = validate_pairs(random, space, seed)
    if differences:
        raise typer.Exit(EXIT_DIFFERENCE)


@app.command()
def calibrate(out: OutFile) -> None:
    """Measure the model's timing constants in RTL."""
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out)


@app.command(name="enumerate")
def enumerate_space(
    network: Annotated[
        Path, typer.Argument(metavar="NETWORK", help="a design.json, or a network alone as JSON")
    ],
    out: OutFile,
    space: SpaceName = "tiny",
) -> None:
    """Evaluate a network on every accelerator of a space; writes CSV or Parquet."""
    from cosilico.enumeration import enumerate_to_file

    enumerate_to_file(network, space, out)


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="folder of a run")],
) -> None:
    """Write report.html from a run's results."""
    from cosilico.report import write_report

    typer.echo(str(write_report(directory)))


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
