"""Settings that every search strategy has."""

from dataclasses import dataclass, field

from search.sections import Section
from sim.cost.objective import METRICS, Metric
from sim.spec.rules import Choice

__all__ = ["CoSearchSettings", "StrategySettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoSearchSettings(Section):
    """A section ``[search]``; a strategy adds its fields, and its name as the default of the first.

    Parameters
    ----------
    strategy : str
        How network and accelerator are searched.
    """

    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySettings(CoSearchSettings):
    """Settings of a search for a network that is given, which has no experiment with an objective.

    Parameters
    ----------
    strategy : str
    metric : "latency" or "edp"
    """

    strategy: str
    metric: Metric = field(default="latency", metadata={"rule": Choice(tuple(METRICS))})
