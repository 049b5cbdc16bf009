"""The ``compare`` command: searches side by side."""

from pathlib import Path
from typing import Annotated, Any

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
from search.objective_settings import ObjectiveSettings
from sim.cost.objective import COST_EXPONENT, METRICS
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
    latency_budget_ms: Annotated[
        float | None,
        typer.Option(
            metavar="MS", help="with JOINT: most milliseconds for an image", show_default="any"
        ),
    ] = None,
    energy_budget_uj: Annotated[
        float | None,
        typer.Option(
            metavar="UJ", help="with JOINT: most microjoules for an image", show_default="any"
        ),
    ] = None,
    cost_exponent: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="with JOINT: power of cost by which the score multiplies the accuracy; 0 for the most accurate pair "
            "within the budgets",
            show_default=f"{COST_EXPONENT:g}",
        ),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            "--pin",
            metavar="FIELD=VALUE",
            help="with JOINT, a folder: only accelerators with this value; may be repeated",
        ),
    ] = None,
    problems: Annotated[
        str | None,
        typer.Option(
            metavar="P,P,…",
            help="with JOINT: problems that are known by name, each with all strategies and seeds; all for those that co-searches are "
            "judged by; not with an objective of your own",
            show_default="trade, where no objective is given",
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
    names = None if strategies is None else _names(strategies)
    on_all_pairs = is_joint(subject)
    own = {
        "tuned": tuned,
        "latency-budget-ms": latency_budget_ms,
        "energy-budget-uj": energy_budget_uj,
        "cost-exponent": cost_exponent,
        "pin": pin or None,
        "problems": problems,
    }
    if not on_all_pairs:
        for option, value in own.items():
            if value is not None:
                raise CosilicoError(
                    f"--{option} must be given with JOINT alone, a folder of cosilico joint or a benchmark"
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
        tables, count = [co_search_table(co_searches, console.width)], len(co_searches.runs)
    elif on_all_pairs:
        if space is not None:
            raise CosilicoError("--space must not be given with JOINT, which has its own")
        from cosilico.comparison_joint import JointComparisonSettings, compare_on_joint
        from cosilico.comparison_joint_table import joint_tables
        from cosilico.joint.problem import StatedProblem
        from cosilico.joint.problems import JUDGED
        from cosilico.tuned_strategies import read_tuned
        from search.strategies import CO_SEARCHES

        given: dict[str, Any] = {
            "metric": None if metric is None else chosen_metric(metric),
            "latency_budget_ms": latency_budget_ms,
            "energy_budget_uj": energy_budget_uj,
            "cost_exponent": cost_exponent,
        }
        given = {name: value for name, value in given.items() if value is not None}
        pins = dict(_pin(text) for text in pin or ())
        stated = None
        if given or pins or area_budget is not None:
            if problems is not None:
                raise CosilicoError(
                    "--problems must not be given with an objective, budgets or pins, which state a problem of their own"
                )
            objective = _objective(given)
            stated = StatedProblem(objective=objective, area_budget=area_budget, pins=pins)
        on_joint = compare_on_joint(
            subject,
            out,
            JointComparisonSettings(
                strategies=names or tuple(CO_SEARCHES),
                seeds=seeds,
                budget=budget,
                problems=JUDGED if problems == "all" else _names(problems or "trade"),
                stated=stated,
                tuned=None if tuned is None else read_tuned(tuned),
            ),
            jobs=jobs,
            scheduler=scheduler,
            resume=resume,
            force=force,
        )
        tables = joint_tables(on_joint, console.width)
        count = sum(len(each.runs) for each in on_joint.problems)
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
        tables, count = [results_table(comparison, console.width)], len(comparison.runs)
    for table in tables:
        console.print(table)
    typer.echo(f"{out / 'comparison.json'}: {count} searches")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _objective(given: dict[str, Any]) -> ObjectiveSettings:
    """Objective of the options that are given, named as in an experiment."""
    try:
        return ObjectiveSettings(**given)
    except ValueError as error:
        field, _, rule = str(error).partition(" ")
        raise CosilicoError(f"--{field.replace('_', '-')} {rule}") from None


def _pin(text: str) -> tuple[str, float]:
    field, equal, value = text.partition("=")
    try:
        if not equal:
            raise ValueError
        return field.strip(), float(value)
    except ValueError:
        raise CosilicoError(f"--pin must be FIELD=VALUE with a number, not {text!r}") from None
