"""The ``cosilico`` command: files in, files out; bad input is one line and exit status 2."""

import sys
import traceback
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cosilico import __version__
from cosilico.exits import ExitStatus, error_line, status_of
from cosilico.process import interrupted, run_process
from sim.spec.errors import CosilicoError
from sim.spec.memories import Memory
from sim.spec.views import View

__all__ = ["app", "main"]

app = typer.Typer(
    name="cosilico",
    help="Search a quantized network and its accelerator, emit the Verilog, and run it in RTL.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


class MemorySet(StrEnum):
    """Memories behind which validated pairs run."""

    ONE = "one"
    ALL = "all"


def _network_names(incomplete: str) -> list[str]:
    from sim.networks.named import NAMED_NETWORKS

    return [name for name in NAMED_NETWORKS if name.startswith(incomplete)]


def _space_names(incomplete: str) -> list[str]:
    from sim.spec.spaces import HARDWARE_SPACES

    return [name for name in HARDWARE_SPACES if name.startswith(incomplete)]


DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="a design.json")]
ExperimentFile = Annotated[
    Path, typer.Argument(metavar="EXPERIMENT", help="an experiment to search by (TOML)")
]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the results")]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="file to write")]
Resume = Annotated[bool, typer.Option("--resume", help="go on with what an earlier run left")]
Force = Annotated[
    bool, typer.Option("--force", help="replace what an earlier command made there, nothing else")
]
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
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="processes", show_default="one per core"),
]
SpaceName = Annotated[
    str,
    typer.Option("--space", help="hardware space: tiny or edge", autocompletion=_space_names),
]


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
    experiment: Annotated[
        Path | None, typer.Argument(metavar="EXPERIMENT", help="an experiment to search by (TOML)")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="instead of EXPERIMENT: search only the accelerator, for an imported folder, a "
            "design.json or a named network",
            autocompletion=_network_names,
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            help="with --network: tiny or edge",
            show_default="tiny",
            autocompletion=_space_names,
        ),
    ] = None,
    resume: Resume = False,
    force: Force = False,
    seed: SearchSeed = 0,
) -> None:
    """Run every stage: search, generate, simulate, check the calibration, report."""
    from cosilico.flow import run_flow, run_network_flow
    from cosilico.summary import print_summary

    if experiment is not None and network is None and space is None:
        results = run_flow(experiment, out, resume=resume, force=force, seed=seed)
    elif experiment is None and network is not None:
        results = run_network_flow(
            network, space or "tiny", out, resume=resume, force=force, seed=seed
        )
    else:
        raise CosilicoError(
            "run must be given either EXPERIMENT, which names its space, or --network"
        )
    print_summary(results, out)


@app.command()
def search(
    experiment: ExperimentFile,
    out: OutFolder,
    resume: Resume = False,
    force: Force = False,
    seed: SearchSeed = 0,
) -> None:
    """Search a network and its accelerator; writes design.json and weights.npz."""
    from cosilico.flow import search_to_folder

    found = search_to_folder(experiment, out, resume=resume, force=force, seed=seed)
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
    force: Force = False,
) -> None:
    """Import a network made elsewhere; writes network.json and weights.npz."""
    from cosilico.imports import import_to_folder

    typer.echo(import_to_folder(model, out, calibration, force=force))


@app.command()
def generate(design: DesignFile, out: OutFolder, batch: Batch = 1, force: Force = False) -> None:
    """Emit a design's Verilog, its program and a manifest."""
    from cosilico.generation import generate_to_folder

    for path in generate_to_folder(design, out, batch, force=force):
        typer.echo(str(path))


@app.command()
def simulate(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="a design.json, an imported folder, mobilenet_v2, efficientnet_lite0, resnet8, "
            "mobilenet_v1_025, ds_cnn or autoencoder",
            autocompletion=_network_names,
        ),
    ],
    accelerator: Annotated[
        str | None,
        typer.Option(
            metavar="A",
            help="tiny, edge or a JSON file",
            show_default="the design's own",
            autocompletion=_space_names,
        ),
    ] = None,
    view: ViewName = View.SIMULATION,
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
    memory: Annotated[
        Memory,
        typer.Option(
            help="a fixed latency, or an LPDDR4 memory: its cycles are predicted within 5 %"
        ),
    ] = Memory.DETERMINISTIC,
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
        Path | None,
        typer.Option(metavar="FILE", help="timing constants", show_default="those shipped"),
    ] = None,
) -> None:
    """Run a network in RTL and compare every activation and cycle count; exit 1 if they differ."""
    from cosilico.measurements import print_results, write_json
    from cosilico.simulation import parse_stalls, simulate_argument

    design, results = simulate_argument(
        network,
        accelerator=accelerator,
        view=view,
        seed=seed,
        images=images,
        batch=batch,
        input_file=input_file,
        photograph=image,
        output_file=output_file,
        memory=memory,
        stalls=parse_stalls(stalls),
        waves=waves,
        json_file=None if json == Path("-") else json,
        calibration_file=calibration,
    )
    if json is not None:
        write_json(json, design, results)
    if json != Path("-"):
        print_results(design, results)
    if not all(result.passed for result in results):
        raise typer.Exit(ExitStatus.DIFFERENCE)


@app.command()
def validate(
    design: Annotated[
        str | None,
        typer.Argument(metavar="DESIGN", help="a design.json or an imported folder"),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(
            metavar="A",
            help="of DESIGN: tiny, edge or a JSON file",
            show_default="the design's own",
            autocompletion=_space_names,
        ),
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
    memories: Annotated[
        MemorySet,
        typer.Option(help="all: each random pair behind every memory that AXI allows as well"),
    ] = MemorySet.ONE,
    fuzz: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="changed files of every format: refused in one line, or accepted and right?",
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
    force: Annotated[
        bool,
        typer.Option("--force", help="--full: replace the results, and a journal of other sources"),
    ] = False,
) -> None:
    """Compare model and RTL, for a design or for random pairs; exit 1 if they differ."""
    from cosilico.validation import validate_design, validate_everything, validate_pairs

    asked = {
        "pairs": random,
        "stalls": stalls,
        "imported": imported,
        "realizability": realizability,
        "fuzz": fuzz,
    }
    counts = {kind: count for kind, count in asked.items() if count is not None}
    if len(counts) + (design is not None) + (corrupted is not None) + full != 1:
        raise CosilicoError(
            "validate must be given one of a design file, --random N, --stalls N, --imported N, "
            "--realizability N, --fuzz N, --corrupted N or --full"
        )
    if accelerator is not None and design is None:
        raise CosilicoError("--accelerator must be given with a design file, and only with one")
    if memories is MemorySet.ALL and not counts.keys() - {"stalls", "fuzz"}:
        raise CosilicoError(
            "--memories must be given with --random, --imported or --realizability alone; "
            "--full runs its random pairs behind all of them"
        )
    if design is not None:
        differences = validate_design(design, accelerator=accelerator, view=view)
    elif corrupted is not None:
        from cosilico.recovery import validate_recovery

        differences = validate_recovery(corrupted, seed, jobs=jobs)
    elif fuzz is not None:
        from cosilico.fuzz_summary import fuzz_files

        differences = fuzz_files(fuzz, seed, jobs=jobs)
    elif full:
        from testbench.validation.campaign import Campaign

        campaign = Campaign(seed=seed, view=view, max_macs=max_macs)
        differences = validate_everything(campaign, journal, out, jobs=jobs, force=force)
    else:
        [(kind, count)] = counts.items()
        differences = validate_pairs(
            count,
            space,
            seed,
            jobs=jobs,
            kind="pairs" if stalls else kind,
            stalls=stalls is not None,
            memories=memories is MemorySet.ALL,
            view=view,
            max_macs=max_macs,
        )
    if differences:
        raise typer.Exit(ExitStatus.DIFFERENCE)


@app.command()
def calibrate(
    out: OutFile,
    memory: Annotated[
        Memory, typer.Option(help="dram: fit the LPDDR4 memory of tier T3 as well")
    ] = Memory.DETERMINISTIC,
) -> None:
    """Measure the model's timing constants in RTL."""
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out, dram=memory is Memory.DRAM)


@app.command(name="enumerate")
def enumerate_space(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="a named network, a design.json, an imported folder or a network alone as JSON",
            autocompletion=_network_names,
        ),
    ],
    out: OutFile,
    space: SpaceName = "tiny",
    area_budget: Annotated[
        float | None,
        typer.Option(
            metavar="MM2",
            min=0,
            help="for the optimum",
            show_default="area of the space's default",
        ),
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
    from cosilico.report import report_to_folder

    typer.echo(str(report_to_folder(directory)))


@app.command()
def cache(
    prune: Annotated[
        bool, typer.Option("--prune", help="remove entries; without more, those of 30 days")
    ] = False,
    days: Annotated[
        float | None,
        typer.Option(metavar="D", min=0, help="--prune: those that were not used for D days"),
    ] = None,
    keep_mb: Annotated[
        float | None,
        typer.Option(metavar="M", min=0, help="--prune: the longest unused beyond M megabytes"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="--prune: all")] = False,
) -> None:
    """Show the cache of builds, kernels and networks, or make it smaller."""
    from cosilico.build_store import print_store

    print_store(pruned=prune, days=days, keep_mb=keep_mb, everything=everything)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Without arguments those of the process are taken, which then ends as
    :func:`cosilico.process.run_process` says. An error is one line on stderr, or the traceback
    with ``--debug`` anywhere on the line.
    """
    if arguments is None:
        return run_process(lambda: _status(sys.argv[1:]))
    return _status(arguments)


def _status(arguments: Sequence[str]) -> int:
    words = [word for word in arguments if word != "--debug"]
    try:
        status = app(words, prog_name="cosilico", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        if interrupted():
            return ExitStatus.INTERRUPTED
        code = status_of(error)
        if code is ExitStatus.INTERRUPTED:
            return code
        if len(words) < len(arguments):
            traceback.print_exception(error)
        elif line := error_line(error):
            print(f"cosilico: {line}", file=sys.stderr)
        return code
    return status if isinstance(status, int) else ExitStatus.DONE
