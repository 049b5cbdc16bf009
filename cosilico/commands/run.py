"""The ``run`` command: all stages of a run."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import (
    Force,
    OutFolder,
    Resume,
    Scheduler,
    SearchSeed,
    chosen_metric,
    memory_names,
    network_names,
    space_names,
)
from cosilico.extras import require_extra
from sim.cost.objective import METRICS
from sim.spec.errors import CosilicoError

__all__ = ["run"]


def run(
    out: OutFolder,
    experiment: Annotated[
        Path | None,
        typer.Argument(metavar="EXPERIMENT", help="experiment that describes the search (TOML)"),
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
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="with --network: name of a hardware search; NAME+polish adds a local descent at its end",
            show_default="certified; evolution in a large space",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help=f"with --network: {' or '.join(METRICS)}", show_default="latency"),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            max=10_000_000,
            help="with --network: evaluations of the search",
            show_default="the strategy's own",
        ),
    ] = None,
    scheduler: Scheduler = None,
    resume: Resume = False,
    force: Force = False,
    seed: SearchSeed = 0,
) -> None:
    """Run every stage: search, generate, simulate, check the calibration, report."""
    require_extra("cosilico run", "search", "rtl", "report")
    from cosilico.accelerators import named_space
    from cosilico.flow import run_flow, run_network_flow
    from cosilico.hardware_strategies import default_strategy, hardware_strategy
    from cosilico.summary import print_summary
    from sim.spec.memories import require_fixed
    from sim.spec.memory_record import parse_memory

    given = (network, space, memory, strategy, metric, budget)
    if experiment is not None and all(option is None for option in given):
        results = run_flow(
            experiment, out, resume=resume, force=force, seed=seed, scheduler=scheduler
        )
    elif experiment is None and network is not None:
        settings = hardware_strategy(
            strategy or default_strategy(named_space(space or "tiny")),
            metric=chosen_metric(metric or "latency"),
            budget=budget,
            wanted_by="cosilico run",
        )
        results = run_network_flow(
            network,
            space or "tiny",
            out,
            resume=resume,
            force=force,
            seed=seed,
            settings=settings,
            memory=require_fixed(parse_memory(memory or "deterministic")),
            scheduler=scheduler,
        )
    else:
        raise CosilicoError(
            "run must be given either EXPERIMENT, which names its space and memory, or --network"
        )
    print_summary(results, out)
