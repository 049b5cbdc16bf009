"""The ``compare`` command: searches side by side."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import (
    Force,
    Jobs,
    OutFolder,
    Resume,
    Scheduler,
    chosen_metric,
    network_names,
    space_names,
)
from cosilico.extras import require_extra
from sim.cost.objective import METRICS
from sim.spec.errors import CosilicoError

__all__ = ["compare"]

_NETWORK_STRATEGIES = "random,local-search,evolution,hardware,hardware+polish,certified"


def compare(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK|EXPERIMENT|JOINT",
            help="a network, for which accelerators are searched: a name, a design.json, an imported "
            "folder or a network alone as JSON; an experiment (TOML), for co-searches; or a folder of "
            "cosilico joint, nas_bench_201 or fashion, for co-searches that are judged by the best of all pairs",
            autocompletion=network_names,
        ),
    ],
    out: OutFolder,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            help="with NETWORK: tiny, edge, nahas or a TOML file",
            show_default="tiny",
            autocompletion=space_names,
        ),
    ] = None,
    strategies: Annotated[
        str | None,
        typer.Option(
            metavar="S,S,…",
            help="names; with NETWORK, +polish for a local descent at the end of a search",
            show_default=f"{_NETWORK_STRATEGIES}; else all co-searches",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="searches of each strategy")
    ] = 10,
    budget: Annotated[
        int, typer.Option(metavar="N", min=2, max=10_000_000, help="evaluations of a search")
    ] = 300,
    metric: Annotated[
        str | None,
        typer.Option(help=f"not with EXPERIMENT: {' or '.join(METRICS)}", show_default="latency"),
    ] = None,
    area_budget: Annotated[
        float | None,
        typer.Option(
            metavar="MM2",
            min=0,
            help="not with EXPERIMENT",
            show_default="area of the space's default",
        ),
    ] = None,
    tuned: Annotated[
        Path | None,
        typer.Option(
            "--tuned",
            metavar="FILE",
            help="with JOINT: settings that benchmarks/tune_strategies.py has chosen on another joint space",
            show_default="default settings",
        ),
    ] = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Run many strategies and seeds, on a network, an experiment or all pairs; writes a table and curves."""
    require_extra("cosilico compare", "search")
    from cosilico.console import output_console
    from cosilico.joint.source import is_joint

    console = output_console()
    names = None if strategies is None else tuple(name.strip() for name in strategies.split(","))
    on_all_pairs = is_joint(subject)
    if tuned is not None and not on_all_pairs:
        raise CosilicoError(
            "--tuned must be given with JOINT alone, a folder of cosilico joint or a benchmark"
        )
    if Path(subject).suffix == ".toml":
        for option, value in (("space", space), ("metric", metric), ("area-budget", area_budget)):
            if value is not None:
                raise CosilicoError(
                    f"--{option} must not be given with EXPERIMENT, which states it"
                )
        from cosilico.comparison_experiment import CoSearchComparisonSettings, compare_co_searches
        from cosilico.comparison_experiment_summary import results_table as co_search_table
        from search.strategies import CO_SEARCHES

        co_searches = compare_co_searches(
            Path(subject),
            out,
            CoSearchComparisonSettings(
                strategies=names or tuple(CO_SEARCHES), seeds=seeds, budget=budget
            ),
            jobs=jobs,
            scheduler=scheduler,
            resume=resume,
            force=force,
        )
        table, count = co_search_table(co_searches, console.width), len(co_searches.runs)
    elif on_all_pairs:
        if space is not None:
            raise CosilicoError("--space must not be given with JOINT, which has its own")
        from cosilico.comparison_joint import JointComparisonSettings, compare_on_joint
        from cosilico.comparison_joint_table import joint_table
        from cosilico.tuned_strategies import read_tuned
        from search.strategies import CO_SEARCHES

        on_joint = compare_on_joint(
            subject,
            out,
            JointComparisonSettings(
                strategies=names or tuple(CO_SEARCHES),
                seeds=seeds,
                budget=budget,
                metric=chosen_metric(metric or "latency"),
                area_budget=area_budget,
                tuned=None if tuned is None else read_tuned(tuned),
            ),
            jobs=jobs,
            scheduler=scheduler,
            resume=resume,
            force=force,
        )
        table, count = joint_table(on_joint, console.width), len(on_joint.runs)
    else:
        from cosilico.comparison import ComparisonSettings, compare_to_folder
        from cosilico.comparison_summary import results_table

        comparison = compare_to_folder(
            subject,
            space or "tiny",
            out,
            ComparisonSettings(
                strategies=names or tuple(_NETWORK_STRATEGIES.split(",")),
                seeds=seeds,
                budget=budget,
                metric=chosen_metric(metric or "latency"),
                area_budget=area_budget,
            ),
            jobs=jobs,
            scheduler=scheduler,
            resume=resume,
            force=force,
        )
        table, count = results_table(comparison, console.width), len(comparison.runs)
    console.print(table)
    typer.echo(f"{out / 'comparison.json'}: {count} searches")
