"""Hardware searches by the labels that users give: a strategy's name, with or without a polish."""

from pathlib import Path
from typing import Any

from cosilico.extras import require_module
from search.strategies import HARDWARE_SEARCHES
from search.strategies.budget_settings import BudgetSettings
from search.strategies.certified_settings import MOST_BOUNDED
from sim.cost.objective import Metric
from sim.spec.errors import CosilicoError
from sim.spec.spaces import HardwareSpace

__all__ = ["POLISHED", "default_strategy", "hardware_strategy", "strategy_options"]

POLISHED = "+polish"
"""End of the label of a search that is polished."""


def default_strategy(space: HardwareSpace) -> str:
    """Label of the search of a space where no strategy is named.

    That is the optimum with a proof where the space can be bounded within a minute, and else the search with the least
    regret (docs/explanation/search.md).
    """
    return "certified" if len(space) <= MOST_BOUNDED else "evolution"


def hardware_strategy(
    label: str, *, metric: Metric, budget: int | None = None, wanted_by: str
) -> BudgetSettings:
    """Settings of the hardware search that a label names.

    Parameters
    ----------
    label : str
        A name of :data:`search.strategies.HARDWARE_SEARCHES`, with ``+polish`` if a local descent is to follow.
        ``amortized:FILE`` names its agent's file.
    metric : Metric
    budget : int, optional
        Evaluations; the strategy's own if not given.
    wanted_by : str
        Command or function that asks for it, for errors.

    Raises
    ------
    CosilicoError
        If there is no strategy of the name, a package that it needs is not installed, or no agent is
        named that it needs.
    ValueError
        If the budget is none.
    """
    name, _, agent = label.removesuffix(POLISHED).partition(":")
    if name not in HARDWARE_SEARCHES or (agent and name != "amortized"):
        known = ", ".join(HARDWARE_SEARCHES)
        raise CosilicoError(
            f"strategy must be one of {known}, with {POLISHED} if polished, not {label!r}"
        )
    entry: Any = HARDWARE_SEARCHES[name]
    if isinstance(entry.implementation, str) and "optuna" in entry.implementation:
        require_module(f"{wanted_by} with {label}", "optuna")
    given: dict[str, Any] = {} if budget is None else {"budget": budget}
    if name == "amortized":
        if not Path(agent).is_file():
            raise CosilicoError(
                f"strategy amortized must name its agent's file, as amortized:FILE, not {label!r}"
            )
        given["agent"] = agent
    polish = label.endswith(POLISHED)
    settings: BudgetSettings = entry.settings(metric=metric, polish=polish, **given)
    return settings


def strategy_options(settings: BudgetSettings) -> str:
    """Return the options of ``cosilico run --network`` that give these settings; an agent's file without its folder."""
    label = settings.strategy
    if agent := getattr(settings, "agent", ""):
        label += f":{Path(agent).name}"
    label += POLISHED if settings.polish else ""
    budget = f" --budget {settings.budget}" if settings.budget else ""
    return f"--strategy {label} --metric {settings.metric}{budget}"
