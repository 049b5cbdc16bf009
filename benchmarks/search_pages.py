"""Tables of the pages on searches: proofs, regret, and co-searches of the examples."""

from collections.abc import Mapping
from typing import Any

from page_tables import table_lines

__all__ = ["certified", "co_searches", "learned_costs", "regret"]

Results = Mapping[str, Any]


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


def _quantiles(row: Results | None) -> str:
    """Median / 90th percentile (cases in which 9 of 10 seeds are within 1 %)."""
    if row is None:
        return ""
    figures = [row["median"], row["p90"]]
    text = " / ".join("none" if figure is None else f"{figure:.1f}" for figure in figures)
    return f"{text} ({row['cases_within']}/{row['cases']})"
