"""The ``compare`` command: hardware searches side by side."""

from typing import Annotated

import typer

from cosilico.commands.options import Force, Jobs, NetworkName, OutFolder, Resume, SpaceName
from cosilico.extras import require_extra
from sim.cost.objective import METRICS
from sim.spec.errors import CosilicoError

__all__ = ["compare"]


def compare(
    network: NetworkName,
    out: OutFolder,
    space: SpaceName = "tiny",
    strategies: Annotated[
        str,
        typer.Option(
            metavar="S,S,…", help="names, with +polish for a local descent at the end of a search"
        ),
    ] = "random,local-search,evolution,hardware,hardware+polish,certified",
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="searches of each strategy")
    ] = 10,
    budget: Annotated[
        int, typer.Option(metavar="N", min=2, max=10_000_000, help="evaluations of a search")
    ] = 300,
    metric: Annotated[str, typer.Option(help=" or ".join(METRICS))] = "latency",
    area_budget: Annotated[
        float | None,
        typer.Option(metavar="MM2", min=0, show_default="area of the space's default"),
    ] = None,
    jobs: Jobs = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Search a network's accelerator by many strategies and seeds; writes a table and curves."""
    require_extra("cosilico compare", "search")
    from cosilico.comparison import ComparisonSettings, compare_to_folder
    from cosilico.comparison_summary import results_table
    from cosilico.console import output_console

    chosen = next((known for known in METRICS if known == metric), None)
    if chosen is None:
        raise CosilicoError(f"--metric must be one of {', '.join(METRICS)}, not {metric!r}")
    settings = ComparisonSettings(
        strategies=tuple(name.strip() for name in strategies.split(",")),
        seeds=seeds,
        budget=budget,
        metric=chosen,
        area_budget=area_budget,
    )
    comparison = compare_to_folder(
        network, space, out, settings, jobs=jobs, resume=resume, force=force
    )
    console = output_console()
    console.print(results_table(comparison, console.width))
    typer.echo(f"{out / 'comparison.json'}: {len(comparison.runs)} searches")
