"""The ``cache`` command: what is kept of builds and kernels."""

from typing import Annotated

import typer

__all__ = ["cache"]


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
