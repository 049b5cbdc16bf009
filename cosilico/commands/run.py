"""The ``run`` command: all stages of a run."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import (
    Force,
    OutFolder,
    Resume,
    SearchSeed,
    memory_names,
    network_names,
    space_names,
)
from cosilico.extras import require_extra
from sim.spec.errors import CosilicoError

__all__ = ["run"]


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
            autocompletion=network_names,
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            help="with --network: tiny, edge, nahas or a TOML file",
            show_default="tiny",
            autocompletion=space_names,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="M",
            help="with --network: a memory of fixed latency, as for predict",
            show_default="deterministic",
            autocompletion=memory_names,
        ),
    ] = None,
    resume: Resume = False,
    force: Force = False,
    seed: SearchSeed = 0,
) -> None:
    """Run every stage: search, generate, simulate, check the calibration, report."""
    require_extra("cosilico run", "search", "rtl", "report")
    from cosilico.flow import run_flow, run_network_flow
    from cosilico.summary import print_summary
    from sim.spec.memories import require_fixed
    from sim.spec.memory_record import parse_memory

    if experiment is not None and network is None and space is None and memory is None:
        results = run_flow(experiment, out, resume=resume, force=force, seed=seed)
    elif experiment is None and network is not None:
        results = run_network_flow(
            network,
            space or "tiny",
            out,
            resume=resume,
            force=force,
            seed=seed,
            memory=require_fixed(parse_memory(memory or "deterministic")),
        )
    else:
        raise CosilicoError(
            "run must be given either EXPERIMENT, which names its space and memory, or --network"
        )
    print_summary(results, out)
