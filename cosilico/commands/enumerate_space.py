"""The ``enumerate`` command: a network on every accelerator of a space."""

from typing import Annotated

import typer

from cosilico.commands.options import (
    Force,
    Jobs,
    MemoryName,
    NetworkName,
    OutFile,
    Resume,
    Scheduler,
    SpaceName,
    WeightSeed,
)

__all__ = ["enumerate_space"]


def enumerate_space(
    network: NetworkName,
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
    memory: MemoryName = "deterministic",
    seed: WeightSeed = 0,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Evaluate a network on every accelerator of a space; writes CSV or Parquet."""
    from cosilico.enumeration import enumerate_to_file
    from sim.spec.memory_record import parse_memory

    enumerate_to_file(
        network,
        space,
        out,
        area_budget=area_budget,
        seed=seed,
        jobs=jobs,
        scheduler=scheduler,
        resume=resume,
        force=force,
        memory=parse_memory(memory),
    )
