"""The ``validate`` command: model against RTL."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import (
    Jobs,
    MemoryName,
    MemorySet,
    Scheduler,
    SpaceName,
    ViewName,
    network_names,
    space_names,
)
from cosilico.exits import ExitStatus
from cosilico.extras import require_extra
from sim.spec.errors import CosilicoError
from sim.spec.views import View

__all__ = ["validate"]


def validate(
    network: Annotated[
        str | None,
        typer.Argument(
            metavar="NETWORK",
            help="a design.json, an imported folder or a named network",
            autocompletion=network_names,
        ),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(
            metavar="A",
            help="of NETWORK: tiny, edge or a JSON file",
            show_default="the design's own",
            autocompletion=space_names,
        ),
    ] = None,
    memory: MemoryName = "deterministic",
    random: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="random (configuration, layer) pairs")
    ] = None,
    stalls: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="N random pairs behind a memory that stalls at random: bits and EXECUTE durations "
            "compared, totals not",
        ),
    ] = None,
    graphs: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="random networks with several outputs and concatenations"
        ),
    ] = None,
    tables: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="random networks and TensorFlow Lite models with activation tables, the interpreter "
            "judging the models too",
        ),
    ] = None,
    states: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="random networks and TensorFlow Lite models that run step by step, the interpreter "
            "judging the models too",
        ),
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
        typer.Option(
            help="all: each random pair behind every memory that AXI allows as well; random: N "
            "pairs of each space, each behind deterministic memories that are drawn for it as well, "
            "journalled and written as by --full"
        ),
    ] = MemorySet.SINGLE,
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
        typer.Option(
            "--full",
            help="thousands of pairs and all layers of the ImageNet networks; then random stalls, "
            "imported models, graphs, activation tables, states and realizability",
        ),
    ] = False,
    percent: Annotated[
        int | None,
        typer.Option(
            metavar="P",
            min=1,
            max=100,
            help="--full: so much of the random pairs of every kind; the results say how many there were",
            show_default="100",
        ),
    ] = None,
    space: SpaceName = "tiny",
    seed: Annotated[int, typer.Option(min=0, help="draws the pairs")] = 1,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    view: ViewName = View.SIMULATION,
    max_macs: Annotated[
        int | None, typer.Option(metavar="N", min=16, help="pass over larger random accelerators")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="--full: what is done; a killed run goes on here",
            show_default="build/validation.jsonl or build/memories.jsonl",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="--full: folder of the results file")
    ] = Path("benchmarks"),
    force: Annotated[
        bool,
        typer.Option("--force", help="--full: replace the results, and a journal of other sources"),
    ] = False,
) -> None:
    """Compare model and RTL for a network or random pairs, or try damaged files and programs.

    Exit 1 if anything differs.
    """
    require_extra("cosilico validate", "rtl")
    from cosilico.validation import validate_design, validate_everything, validate_pairs
    from sim.spec.memories import DETERMINISTIC
    from sim.spec.memory_record import parse_memory

    asked = {
        "pairs": random,
        "stalls": stalls,
        "graphs": graphs,
        "tables": tables,
        "states": states,
        "imported": imported,
        "realizability": realizability,
        "fuzz": fuzz,
    }
    counts = {kind: count for kind, count in asked.items() if count is not None}
    if len(counts) + (network is not None) + (corrupted is not None) + full != 1:
        raise CosilicoError(
            "validate must be given one of NETWORK, --random N, --stalls N, --graphs N, --tables N, "
            "--states N, --imported N, --realizability N, --fuzz N, --corrupted N or --full"
        )
    if accelerator is not None and network is None:
        raise CosilicoError("--accelerator must be given with NETWORK, and only with it")
    if percent is not None and not full:
        raise CosilicoError("--percent must be given with --full alone")
    if scheduler is not None and not (full or memories is MemorySet.RANDOM):
        raise CosilicoError("--scheduler must be given with --full or --memories random alone")
    behind = parse_memory(memory)
    if behind != DETERMINISTIC and network is None:
        raise CosilicoError("--memory must be given with NETWORK; --memories is for random pairs")
    if memories is MemorySet.ALL and not counts.keys() - {"stalls", "fuzz"}:
        raise CosilicoError(
            "--memories must be given with --random, --graphs, --tables, --states, --imported or --realizability "
            "alone; --full runs its random pairs behind all of them"
        )
    if memories is MemorySet.RANDOM and counts.keys() != {"pairs"}:
        raise CosilicoError("--memories random must be given with --random alone")
    if network is not None:
        differences = validate_design(network, accelerator=accelerator, memory=behind, view=view)
    elif corrupted is not None:
        from cosilico.recovery import validate_recovery

        differences = validate_recovery(corrupted, seed, jobs=jobs)
    elif fuzz is not None:
        from cosilico.fuzz_summary import fuzz_files

        differences = fuzz_files(fuzz, seed, jobs=jobs)
    elif full:
        from testbench.validation.campaign import Campaign

        campaign = Campaign(seed=seed, view=view, max_macs=max_macs)
        if percent is not None:
            campaign = campaign.scaled(percent / 100)
        kept = journal or Path("build/validation.jsonl")
        differences = validate_everything(
            campaign, kept, out, jobs=jobs, scheduler=scheduler, force=force
        )
    elif memories is MemorySet.RANDOM:
        from cosilico.validation_summary import MEMORY_RESULTS
        from testbench.validation.campaign import Campaign

        campaign = Campaign(
            pairs=0,
            stalled=0,
            layers=False,
            imported=0,
            graphs=0,
            tables=0,
            states=0,
            points=0,
            behind_drawn=counts["pairs"],
            seed=seed,
            view=view,
            max_macs=max_macs,
        )
        kept = journal or Path("build/memories.jsonl")
        differences = validate_everything(
            campaign,
            kept,
            out,
            files=MEMORY_RESULTS,
            jobs=jobs,
            scheduler=scheduler,
            force=force,
        )
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
