"""Settings of co-searches that were tuned on one joint space, for comparisons on another."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from cosilico.cache import document_digest
from cosilico.joint.space import JointSpace
from search.strategies.settings import PairBudgetSettings
from sim.spec.documents import Record, checked, read_json
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.rules import Digest, Integer

__all__ = ["DECIDED", "SCHEMA", "TunedStrategies", "networks_digest", "read_tuned"]

SCHEMA = 1

DECIDED = ("strategy", "budget", "trials", "factor", "episodes", "samples", "restarts")
"""Fields that a comparison decides by its budget; a file of tuned strategies must have none."""


class _Strategy(Record):
    model_config = ConfigDict(extra="ignore")  # what the choice was made of

    chosen: dict[str, Any]


class _Tuned(Record):
    model_config = ConfigDict(extra="ignore")

    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    benchmark: str = ""
    networks: Annotated[str, Digest()] | None = None
    budget: Annotated[int, Integer(1, 100_000_000)] | None = None
    smoke: bool = False
    strategies: dict[str, _Strategy]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedStrategies:
    """Settings that were chosen for each strategy.

    Parameters
    ----------
    benchmark : str
        On whose networks they were tuned.
    networks : str
        Digest of these networks: :func:`networks_digest`.
    budget : int
        Evaluations of a search with which they were tuned.
    strategies : mapping of str to mapping
        Values by field, by the strategy's name; those that are left out have their defaults.
    smoke : bool
        Whether they were tuned at the size of a smoke test, whose figures do not count.
    """

    benchmark: str
    networks: str
    budget: int
    strategies: Mapping[str, Mapping[str, Any]]
    smoke: bool = False

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return {
            "benchmark": self.benchmark,
            "networks": self.networks,
            "budget": self.budget,
            "smoke": self.smoke,
            "strategies": {name: dict(chosen) for name, chosen in self.strategies.items()},
        }

    def applied(self, settings: PairBudgetSettings) -> PairBudgetSettings:
        """Settings of a strategy with what was chosen for it.

        Raises
        ------
        CosilicoError
            If nothing was chosen for the strategy, or a field that it does not have.
        ValueError
            If a value breaks the field's rule.
        """
        name = settings.strategy
        if name not in self.strategies:
            known = ", ".join(self.strategies)
            raise CosilicoError(f"tuned strategies must have {name!r}, but are {known}")
        own = {entry.name for entry in fields(settings)} - set(DECIDED)
        for field in self.strategies[name]:
            if field not in own:
                raise CosilicoError(
                    f"tuned strategy {name} must have fields of its own, not {field!r}"
                )
        return replace(settings, **self.strategies[name])

    def require_for(self, truth: JointSpace, budget: int) -> None:
        """Raise unless searches with a budget can be judged with these settings.

        Raises
        ------
        CosilicoError
            If the networks are those on which the settings were tuned, the budget is not that with which they were,
            or a smoke test has made the file.
        """
        if self.smoke:
            raise CosilicoError("tuned strategies must be of a whole run, not of a smoke test")
        if budget != self.budget:
            raise CosilicoError(
                f"budget must be that of the tuned strategies, {self.budget}, not {budget}"
            )
        if networks_digest(truth) == self.networks:
            raise CosilicoError(
                f"tuned strategies must be of another benchmark than the judge's, not of {self.benchmark!r}"
            )


def networks_digest(truth: JointSpace) -> str:
    """Digest of a joint space's networks, in whichever order: their family, and their names."""
    return document_digest({"family": truth.family, "names": sorted(truth.names)})


def read_tuned(path: Path) -> TunedStrategies:
    """Read the settings that ``benchmarks/tune_strategies.py`` chose.

    Raises
    ------
    DesignFileError
        If the file is absent or no such file, or nothing was tuned yet.
    """
    what = f"file of tuned strategies {path}"
    document = checked(_Tuned, read_json(path, "file of tuned strategies"), what)
    if not document.strategies or document.networks is None or document.budget is None:
        raise DesignFileError(f"{what} must have a strategy that was tuned, but has none yet")
    return TunedStrategies(
        benchmark=document.benchmark,
        networks=document.networks,
        budget=document.budget,
        strategies={name: entry.chosen for name, entry in document.strategies.items()},
        smoke=document.smoke,
    )
