"""The evaluator of a search: costs of (network, accelerator) pairs, every one recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sim.cost.columns import COST_COLUMNS, titled
from sim.cost.costs import evaluate_many
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network

__all__ = ["BoundModel", "BudgetSpent", "CostModel", "Evaluation", "Evaluator"]

CostModel = Callable[[Sequence[AcceleratorConfig], Network], CostTable]
"""Costs of accelerators on a network; :func:`sim.cost.costs.evaluate_many` predicts them."""


class BoundModel(Protocol):
    """Lower bounds of costs; :func:`sim.cost.bounds.lower_bounds` are those of the prediction."""

    def __call__(
        self,
        configs: Sequence[AcceleratorConfig],
        network: Network,
        /,
        *,
        columns: Sequence[str],
    ) -> CostTable:
        """Bound the named cost columns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A network on an accelerator, evaluated.

    A cost is read by its column's name, ``evaluation["cycles"]`` or ``evaluation.cycles``.

    Parameters
    ----------
    index : int
        Position in the order of spending.
    phase : str
        What asked for it.
    network : str
        Key of the architecture.
    accelerator : AcceleratorConfig
    costs : mapping of column name to number
        A row of a :class:`sim.cost.table.CostTable`.
    violations : tuple of str
        Codes of the broken rules.
    excess : float
        Sum of the violations' distances.
    accuracy : float or None
        The network's validation accuracy in the supernet, where it was known.
    """

    index: int
    phase: str
    network: str
    accelerator: AcceleratorConfig
    costs: Mapping[str, int | float]
    violations: tuple[str, ...]
    excess: float
    accuracy: float | None

    def __getitem__(self, column: str) -> int | float:
        """Return a cost by its column's name."""
        return self.costs[column]

    def __getattr__(self, column: str) -> Any:
        """Return a cost by its column's name."""
        # Not self.costs: an object that is being unpickled does not have them yet.
        costs: Mapping[str, int | float] = object.__getattribute__(self, "costs")
        if column not in costs:
            raise AttributeError(f"column must be one of {', '.join(costs)}, not {column!r}")
        return costs[column]

    @property
    def realizable(self) -> bool:
        """Whether the accelerator can be built and runs the network."""
        return not self.violations

    def figures(self) -> dict[str, Any]:
        """Accelerator and costs as a JSON object, as files of results name them."""
        return {"accelerator": self.accelerator.to_json(), **titled(self.costs)}

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object, the costs beside the others."""
        return {
            "index": self.index,
            "phase": self.phase,
            "network": self.network,
            "accelerator": self.accelerator.to_json(),
            **self.costs,
            "violations": list(self.violations),
            "excess": self.excess,
            "accuracy": self.accuracy,
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Evaluation":
        """Build from what :meth:`to_json` made.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        fields = dict(row)
        costs = {name: fields.pop(name) for name in COST_COLUMNS}
        accelerator = AcceleratorConfig.from_json(fields.pop("accelerator"))
        violations = tuple(fields.pop("violations"))
        return cls(accelerator=accelerator, costs=costs, violations=violations, **fields)


class BudgetSpent(Exception):  # noqa: N818  # no error: the end of a stage
    """More pairs were to be evaluated than the budget allows; those that it does allow were."""


class Evaluator:
    """Asks a cost model and remembers: a pair that was evaluated before is not spent again.

    Parameters
    ----------
    costs : CostModel
    records : sequence of Evaluation
        What earlier runs spent, in order.

    Attributes
    ----------
    limit : int or None
        Most evaluations that may have been spent, those of all strategies and stages counted alike;
        None for any number.
    """

    def __init__(
        self, costs: CostModel = evaluate_many, records: Sequence[Evaluation] = ()
    ) -> None:
        self._costs = costs
        self.records = list(records)
        self.limit: int | None = None
        self._known = {(row.network, row.accelerator): row for row in self.records}

    def evaluate(
        self,
        configs: Sequence[AcceleratorConfig],
        network: Network,
        *,
        phase: str,
        accuracy: float | None = None,
    ) -> list[Evaluation]:
        """Evaluate pairs of each accelerator with the network, whose name is its key.

        Raises
        ------
        BudgetSpent
            If there are more new pairs than the limit leaves; the first of them are evaluated.
        """
        fresh = list(
            dict.fromkeys(config for config in configs if (network.name, config) not in self._known)
        )
        wanted = len(fresh)
        if self.limit is not None:
            fresh = fresh[: max(0, self.limit - len(self.records))]
        if fresh:
            table = self._costs(fresh, network)
            for i, config in enumerate(fresh):
                row = Evaluation(
                    index=len(self.records),
                    phase=phase,
                    network=network.name,
                    accelerator=config,
                    costs=table.row(i),
                    violations=tuple(table.violations[i]),
                    excess=float(table.excess[i]),
                    accuracy=accuracy,
                )
                self.records.append(row)
                self._known[network.name, config] = row
        if len(fresh) < wanted:
            raise BudgetSpent
        return [self._known[network.name, config] for config in configs]
