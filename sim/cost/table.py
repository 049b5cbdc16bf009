"""The cost table: what a network costs on many accelerators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.columns import titled
from sim.cost.objective import Metric, Objective
from sim.cost.pareto import pareto_front
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["CostTable"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CostTable:
    """A network on n accelerators, a row for each; figures are of one image.

    A column is read by its name, ``table["cycles"]`` or ``table.cycles``;
    :data:`sim.cost.columns.COST_COLUMNS` states the units, and which are 0 where not realizable.

    Parameters
    ----------
    configs : tuple of AcceleratorConfig
    violations : list of tuple of str
        Codes of the broken rules, empty where realizable.
    excess : float64[n]
        Sum of the violations' distances.
    values : mapping of column name to dtype[n]
    """

    configs: tuple[AcceleratorConfig, ...]
    violations: list[tuple[str, ...]]
    excess: NDArray[np.float64]
    values: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        """Return the number of accelerators."""
        return len(self.configs)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column by its name: dtype[n]."""
        return self.values[column]

    def __getattr__(self, column: str) -> NDArray[Any]:
        """Return a column by its name: dtype[n]."""
        # Not self.values: an object that is being unpickled does not have them yet.
        values: Mapping[str, NDArray[Any]] = object.__getattribute__(self, "values")
        if column not in values:
            raise AttributeError(f"column must be one of {', '.join(values)}, not {column!r}")
        return values[column]

    def __repr__(self) -> str:
        """Return how many accelerators there are, and how many of them run the network."""
        return f"CostTable({len(self):,} accelerators, {self.realizable.sum():,} realizable)"

    @property
    def realizable(self) -> NDArray[np.bool_]:
        """Where no rule is broken: bool[n]."""
        return np.array([not codes for codes in self.violations], np.bool_)

    def row(self, index: int) -> dict[str, int | float]:
        """Figures of an accelerator by column."""
        return {name: values[index].item() for name, values in self.values.items()}

    def figures(self, index: int) -> dict[str, Any]:
        """Accelerator and figures of a row as a JSON object, as files of results name them."""
        return {"accelerator": self.configs[index].to_json(), **titled(self.row(index))}

    def select(self, rows: Sequence[int] | NDArray[np.int64]) -> "CostTable":
        """Table of some rows, in their order."""
        chosen = np.asarray(rows, np.int64)
        return CostTable(
            configs=tuple(self.configs[row] for row in chosen),
            violations=[self.violations[row] for row in chosen],
            excess=self.excess[chosen],
            values={name: values[chosen] for name, values in self.values.items()},
        )

    @classmethod
    def concatenate(cls, tables: Sequence["CostTable"]) -> "CostTable":
        """Table of all rows of tables that have the same columns."""
        return cls(
            configs=tuple(config for table in tables for config in table.configs),
            violations=[codes for table in tables for codes in table.violations],
            excess=np.concatenate([table.excess for table in tables]),
            values={
                name: np.concatenate([table.values[name] for table in tables])
                for name in tables[0].values
            },
        )

    def optimum(self, area_budget: float, metric: Metric = "latency") -> int | None:
        """Row of least cost within the budget, then of least area; None if none fits."""
        return Objective(metric=metric, area_budget=area_budget).best(self)

    def front(self) -> list[int]:
        """Rows that no other beats in both cycles and area, by rising cycles."""
        return pareto_front(self["cycles"], self["area"], self.realizable)

    def columns(self, fields: Sequence[str] | None = None) -> dict[str, list[Any]]:
        """Whole table by column: the accelerator's fields, the violations, the figures.

        Figures have the names that files of results give them (:attr:`CostColumn.title`).

        Parameters
        ----------
        fields : sequence of str, optional
            Of the accelerators; all that any of these names if not given.
        """
        documents = [config.to_json() for config in self.configs]
        # Only accelerators with a weight store name it
        named = dict.fromkeys(name for document in documents for name in document)
        names = named if fields is None else fields
        return {name: [document.get(name, 0) for document in documents] for name in names} | {
            "macs_per_cycle": [config.macs for config in self.configs],
            "violations": [" ".join(codes) for codes in self.violations],
            **titled({name: values.tolist() for name, values in self.values.items()}),
        }
