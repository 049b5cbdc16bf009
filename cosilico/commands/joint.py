"""The ``joint`` command: every network of a benchmark on every accelerator of a space."""

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
            metavar="BENCHMARK", help="nas_bench_201, or a file of accuracies as its package has"
        ),
    ],
    space: SpaceName,
    out: OutFolder,
    accuracy: Annotated[
        AccuracyKind, typer.Option("--accuracy", help="accuracy of the front")
    ] = AccuracyKind.QUANTIZATION_AWARE,
    memory: MemoryName = "deterministic",
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
        jobs=jobs,
        scheduler=scheduler,
        resume=resume,
        force=force,
        memory=parse_memory(memory),
    )
