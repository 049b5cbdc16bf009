"""The ``joint`` command: every network of a benchmark on every accelerator of a space."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import (
    Force,
    Jobs,
    MemoryName,
    OutFolder,
    Resume,
    Scheduler,
    SpaceName,
)
from cosilico.joint.accuracy_kind import AccuracyKind

__all__ = ["joint"]


def joint(
    benchmark: Annotated[
        str,
        typer.Argument(
            metavar="BENCHMARK",
            help="nas_bench_201; fashion, whose networks this project trained; or a file of accuracies: as the package "
            "of nas_bench_201 has, or a JSON table of trained networks",
        ),
    ],
    space: SpaceName,
    out: OutFolder,
    accuracy: Annotated[
        AccuracyKind | None,
        typer.Option(
            "--accuracy",
            help="accuracy of the front",
            show_default="quantization_aware; of trained networks post_training",
        ),
    ] = None,
    memory: MemoryName = "deterministic",
    counts: Annotated[
        Path | None,
        typer.Option(
            "--counts",
            metavar="DIR",
            help="enumeration of the same pairs, made with other prices of area or energy: its cycles and counts are priced "
            "anew, and some pairs of every network predicted again",
        ),
    ] = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Evaluate every network of a benchmark on every accelerator of a space; writes Parquet parts and the front."""
    from cosilico.joint.enumeration import enumerate_jointly
    from sim.spec.memory_record import parse_memory

    enumerate_jointly(
        benchmark,
        space,
        out,
        accuracy=accuracy,
        counts=counts,
        jobs=jobs,
        scheduler=scheduler,
        resume=resume,
        force=force,
        memory=parse_memory(memory),
    )
