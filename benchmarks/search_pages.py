"""Tables of the pages on searches: proofs, regret, and co-searches side by side."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from page_tables import table_lines

__all__ = [
    "amortized",
    "certified",
    "co_searches",
    "compared_co_searches",
    "fashion",
    "learned_costs",
    "regret",
]

Results = Mapping[str, Any]


def amortized(results: Results) -> str:
    """Regret of the amortized agent and of simpler answers on unseen networks, for each case."""
    names = list(next(iter(results.values()))["summary"])
    titles = ("case", "networks", *names)
    rows = []
    for case, row in results.items():
        judged = len(row["networks"]) - len(row["not_run_by_default"])
        cells = [
            f"{figures['median']:.1f} / {figures['p90']:.1f} ({100 * figures['within_3']:.0f} %)"
            for figures in row["summary"].values()
        ]
        rows.append([case.replace(":", ", "), f"{judged}", *cells])
    return "\n".join(table_lines(titles, rows, text=1))


def certified(results: Results) -> str:
    """Evaluations that a proof takes, for each network and space."""
    titles = ("network", "space", "pairs", "bounds above", "bound / cycles", "evaluations", "share")
    rows = []
    for pair, bounds in results["bounds"].items():
        proofs = [row for case, row in results["cases"].items() if case.startswith(f"{pair}:")]
        assert all(row["complete"] and row["optimum"] for row in proofs), pair
        spent = sorted(row["evaluations"] for row in proofs)
        rows.append(
            [
                *pair.split(":"),
                f"{bounds['pairs']:,}",
                f"{bounds['above']:,}",
                f"{bounds['median_ratio']:.2f}",
                f"{spent[0]} … {spent[-1]}",
                f"{100 * max(row['share'] for row in proofs):.2f} %",
            ]
        )
    return "\n".join(table_lines(titles, rows, text=2))


def fashion(results: Results) -> str:
    """Hypervolume of each mode by seed, and what it cost."""
    spent = results["spent"]
    seeds = len(next(iter(results["hypervolume"].values())))
    titles = ("searched", *(f"seed {i}" for i in range(seeds)), "evaluations", "images", "wall s")
    names = {"joint": "both", "network": "network alone", "hardware": "accelerator alone"}
    rows = [
        [
            names[mode],
            *(f"{volume:.4f}" for volume in volumes),
            *(f"{spent[mode][figure]:,}" for figure in ("evaluations", "trained_images", "wall_s")),
        ]
        for mode, volumes in results["hypervolume"].items()
    ]
    return "\n".join(table_lines(titles, rows, text=1))


def co_searches(results: Results) -> str:
    """Costs of each example's search, and the design that it ends with."""
    titles = (
        "experiment",
        "latency budget",
        "evaluations",
        "trained images",
        "processor",
        "default",
        "cycles",
        "int8 accuracy",
    )
    rows = []
    for name, row in results["experiments"].items():
        limit = row["latency_budget_ms"]
        rows.append(
            [
                f"`{name}`",
                "none" if limit is None else f"{limit:g} ms",
                f"{row['evaluations']:,}",
                f"{row['trained_images']:,}",
                f"{row['cpu_s']:,.0f} s",
                f"{row['default_cycles']:,}",
                f"{row['cycles']:,}",
                f"{100 * row['int8_accuracy']:.1f} %",
            ]
        )
    return "\n".join(table_lines(titles, rows, text=1))


def learned_costs(results: Results) -> str:
    """Error of the cost models that the examples' searches learned."""
    titles = ("experiment", "pairs", "error of cost", "rank", "error of area", "rank")
    rows = []
    for name, row in results["experiments"].items():
        if row["cost_model"] is not None:
            cost, area = row["cost_model"]["cost"], row["cost_model"]["area"]
            cells = [f"`{name}`", f"{row['cost_model']['pairs']:,}"]
            for part in (cost, area):
                cells += [f"{100 * part['error']:.1f} %", f"{part['rank_correlation']:.3f}"]
            rows.append(cells)
    return "\n".join(table_lines(titles, rows, text=1))


def regret(results: Results) -> str:
    """Median and 90th percentile of each strategy's regret by evaluations, in percent; cases reached."""
    strategies = results["strategies"]
    budgets = sorted({int(budget) for row in strategies.values() for budget in row})
    titles = ("strategy", "runs", *(f"{budget:,}" for budget in budgets))
    rows = []
    for name, by_budget in strategies.items():
        cells = [_quantiles(by_budget.get(str(budget))) for budget in budgets]
        most = max(row["runs"] for row in by_budget.values())
        rows.append([name, f"{most:,}", *cells])
    return "\n".join(table_lines(titles, rows, text=1))


def compared_co_searches(results: Results) -> str:
    """Medians over the seeds of a comparison of co-searches, and wins against random."""
    titles = (
        *("strategy", "int8 accuracy", f"{results['metric']} / target", "soft score"),
        *("hypervolume", "images", "CPU s", "better than random by score", "by hypervolume"),
    )
    rows = []
    for name, entry in results["strategies"].items():
        searches = entry["searches"]
        designs = [search["design"] for search in searches if search["design"] is not None]
        middle = {key: median(design[key] for design in designs) for key in _DESIGN_FIGURES}
        wins = entry["wins_against_random"]
        rows.append(
            [
                name,
                f"{middle['int8_accuracy']:.4f}",
                f"{middle['cost'] / results['target_cost']:.3f}",
                f"{middle['score']:.4f}",
                f"{median(search['hypervolume'] for search in searches):.4f}",
                f"{middle['trained_images']:,.0f}",
                f"{middle['cpu_s']:.0f}",
                *(
                    "" if won is None else f"{won['better']} of {won['seeds']}"
                    for won in (wins["score"], wins["hypervolume"])
                ),
            ]
        )
    return "\n".join(table_lines(titles, rows, text=1))


_DESIGN_FIGURES = ("int8_accuracy", "cost", "score", "trained_images", "cpu_s")


def _quantiles(row: Results | None) -> str:
    """Median / 90th percentile (cases in which 9 of 10 seeds are within 1 %)."""
    if row is None:
        return ""
    figures = [row["median"], row["p90"]]
    text = " / ".join("none" if figure is None else f"{figure:.1f}" for figure in figures)
    return f"{text} ({row['cases_within']}/{row['cases']})"
