"""Workloads: what several networks cost together on many accelerators."""

from collections.abc import Callable, Sequence

import numpy as np

from sim.cost.columns import COST_COLUMNS
from sim.cost.costs import evaluate_many
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network

__all__ = ["Workload", "combined"]

NetworkCosts = Callable[[Sequence[AcceleratorConfig], Network], CostTable]


class Workload:
    """Networks that share an accelerator, each run a number of times.

    :meth:`costs` has the form of :func:`sim.cost.costs.evaluate_many`, so a search minimizes the
    workload's cost as it does that of a single network.

    Parameters
    ----------
    others : sequence of (Network, int)
        Networks that are given, and how often each runs.
    runs : int
        How often the network runs that :meth:`costs` is asked for.
    batch : int
        Images of a run, which is a program; ``costs`` are those of such programs.
    costs : callable
        Costs of accelerators on a network; predicted if not given.
    """

    def __init__(
        self,
        others: Sequence[tuple[Network, int]] = (),
        *,
        runs: int = 1,
        batch: int = 1,
        costs: NetworkCosts = evaluate_many,
    ) -> None:
        self.others, self.runs, self.batch, self._costs = tuple(others), runs, batch, costs
        self._known: dict[AcceleratorConfig, CostTable] = {}

    def costs(self, configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
        """Costs of the workload on accelerators, with ``network`` as the network beside the others.

        The other networks' costs on an accelerator are computed once.
        """
        table = self._costs(configs, network)
        if not self.others:
            return combined([table], [self.runs])
        fresh = [config for config in dict.fromkeys(configs) if config not in self._known]
        if fresh:
            rest = combined(
                [self._costs(fresh, other) for other, _ in self.others],
                [runs for _, runs in self.others],
            )
            self._known |= {config: rest.select([i]) for i, config in enumerate(fresh)}
        rest = CostTable.concatenate([self._known[config] for config in configs])
        return combined([table, rest], [self.runs, 1])


def combined(tables: Sequence[CostTable], runs: Sequence[int]) -> CostTable:
    """Costs of a workload: the sum of the tables of its networks, each ``runs`` times.

    Parameters
    ----------
    tables : sequence of CostTable
        Of a network each, all on the same accelerators in the same order.
    runs : sequence of int

    Notes
    -----
    Columns that a run does not change, such as the area, are those of the first table. An accelerator
    breaks every rule that it breaks with any of the networks; its sums are then 0.
    """
    first = tables[0]
    violations = [
        tuple(dict.fromkeys(code for table in tables for code in table.violations[i]))
        for i in range(len(first))
    ]
    realizable = np.array([not codes for codes in violations], np.bool_)
    values = {}
    for name, column in first.values.items():
        if COST_COLUMNS[name].of_run:
            total = sum(
                count * table.values[name] for table, count in zip(tables, runs, strict=True)
            )
            column = np.where(realizable, total, 0).astype(column.dtype)
        values[name] = column
    return CostTable(
        configs=first.configs,
        violations=violations,
        excess=np.sum([table.excess for table in tables], axis=0),
        values=values,
    )
