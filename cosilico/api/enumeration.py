"""Costs of a network on many accelerators: those of a space, or any others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.api import arguments
from cosilico.api.accelerators import load_accelerator, load_space
from cosilico.api.networks import NetworkSource, load_network
from cosilico.api.pairs import AcceleratorSource, calibration_in_force
from cosilico.api.table import Table
from cosilico.enumeration import census, enumerate_network
from cosilico.progress import Report
from sim.cost.objective import Metric
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.memories import DETERMINISTIC, MemorySystem, require_fixed
from sim.spec.spaces import HardwareSpace

__all__ = ["AcceleratorCosts", "enumerate", "predict_many"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AcceleratorCosts:
    """Costs of a network on many accelerators, one row for each, in their order.

    The columns are the accelerator's fields and its predicted costs for an image, as in the files of
    ``cosilico enumerate``; cycles, bytes and energy are 0 where a rule is broken.

    Parameters
    ----------
    network : str
        Name of the network.
    costs : CostTable
        The costs as arrays.
    table : Table
        The same as columns and rows.
    """

    network: str
    costs: CostTable
    table: Table

    def __len__(self) -> int:
        """Return the number of accelerators."""
        return len(self.table)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the rows, as :class:`Table` does."""
        return iter(self.table)

    def __getitem__(self, column: str) -> list[Any]:
        """Return the values of a column, as :class:`Table` does."""
        return self.table[column]

    def __repr__(self) -> str:
        """Return a line with the numbers of accelerators, and how many are realizable."""
        realizable = census(self.costs)["realizable"]
        return (
            f"AcceleratorCosts({self.network} on {len(self):,} accelerators, "
            f"{realizable:,} realizable)"
        )

    @property
    def accelerators(self) -> tuple[AcceleratorConfig, ...]:
        """Accelerators in the order of the rows."""
        return self.costs.configs

    @property
    def realizable(self) -> list[bool]:
        """Whether no rule is broken, for every row."""
        return [bool(value) for value in self.costs.realizable]

    @property
    def census(self) -> dict[str, int]:
        """Numbers of accelerators that are realizable and that break each rule, most first, then by code."""
        return census(self.costs)

    def best(
        self,
        area_budget_mm2: float = float("inf"),
        objective: Metric = "latency",
    ) -> AcceleratorConfig | None:
        """Return the accelerator with the least cost within an area; of equal accelerators, the smallest.

        Parameters
        ----------
        area_budget_mm2 : float
            mm².
        objective : str
            "latency", "energy", "area" or "edp", energy times delay.

        Returns
        -------
        AcceleratorConfig or None
            None where no realizable accelerator is within the budget.

        Raises
        ------
        TypeError, ValueError
            If the budget is no number, or there is no such objective.
        """
        budget = arguments.number("area_budget_mm2", area_budget_mm2)
        row = self.costs.optimum(budget, arguments.metric("objective", objective))
        return None if row is None else self.accelerators[row]

    def front(self) -> Table:
        """Return the rows that no other row beats in both cycles and area, by rising cycles."""
        rows = self.costs.front()
        columns = self.columns()
        return Table("designs", {name: [columns[name][row] for row in rows] for name in columns})

    def columns(self) -> dict[str, list[Any]]:
        """Return the values of every column by its name."""
        return self.table.columns()

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows, each a dictionary from the column's name to its value."""
        return self.table.rows()

    def to_frame(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``; an error if pandas is not installed."""
        return self.table.to_frame()

    def to_json(self) -> dict[str, Any]:
        """Return the network's name, the census and the rows as a JSON object."""
        return {"network": self.network, "census": self.census, "rows": self.table.to_json()}


def predict_many(
    network: NetworkSource,
    accelerators: Iterable[AcceleratorSource],
    *,
    jobs: int = 1,
    memory: MemorySystem | str | Path = DETERMINISTIC,
    seed: int = 0,
    progress: Report | None = None,
) -> AcceleratorCosts:
    """Predict a network on many accelerators, realizable or not, an image each.

    Much faster than as many calls of :func:`cosilico.predict`: no schedule is kept.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path
        As of :func:`cosilico.load_network`.
    accelerators : iterable of AcceleratorConfig, str or Path
        At least a single accelerator, each as of :func:`cosilico.load_accelerator`.
    jobs : int
        Processes. A script that asks for several must have a ``__main__`` guard.
    memory : FixedLatency, str or Path
        What lies behind the ports, as of :func:`cosilico.load_memory`; no DRAM.
    seed : int
        Of a named network's weights, which change no cost.
    progress : callable, optional
        Called with "accelerators", how many are done and how many there are.

    Raises
    ------
    TypeError, ValueError
        If there are no accelerators, or another argument is wrong.
    CosilicoError
        If a file is wrong or the timing constants are of another gateware.
    """
    jobs = arguments.positive_integer("jobs", jobs)
    behind = require_fixed(arguments.memory(memory))
    seed = arguments.seed_integer("seed", seed)
    sources = arguments.several("accelerators", accelerators)
    configs = tuple(load_accelerator(source) for source in sources)
    calibration_in_force()
    source = load_network(network, seed=seed)
    costs = enumerate_network(source, configs, progress or _silent, jobs=jobs, memory=behind)
    table = Table("accelerators", costs.columns())
    return AcceleratorCosts(network=source.name, costs=costs, table=table)


def enumerate(
    network: NetworkSource,
    space: HardwareSpace | str = "tiny",
    *,
    jobs: int = 1,
    memory: MemorySystem | str | Path = DETERMINISTIC,
    seed: int = 0,
    progress: Report | None = None,
) -> AcceleratorCosts:
    """Predict a network on every accelerator of a hardware space.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path
        As of :func:`cosilico.load_network`.
    space : HardwareSpace or str
        As of :func:`cosilico.load_space`.
    jobs, memory, seed, progress
        As of :func:`predict_many`.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong.
    CosilicoError
        If there is no such network or space, or the timing constants are of another gateware.
    """
    return predict_many(
        network, load_space(space), jobs=jobs, memory=memory, seed=seed, progress=progress
    )


def _silent(step: str, done: int, total: int) -> None:
    """Show nothing."""
