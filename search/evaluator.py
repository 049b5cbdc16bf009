"""The one evaluator of a search: cost of (network, accelerator) pairs, every one recorded."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sim import model
from sim.cost import area, energy
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network

__all__ = ["CostModel", "CostTable", "Evaluation", "Evaluator", "SimCosts"]


class CostTable(NamedTuple):
    """Costs of n accelerators on one network.

    ``cycles`` int64[n] and ``energy`` float64[n] (pJ) are 0 where not realizable; ``area``
    float64[n] (mm² proxy); ``violations``: codes; ``excess`` float64[n]: summed distances.
    """

    cycles: NDArray[np.int64]
    energy: NDArray[np.float64]
    area: NDArray[np.float64]
    violations: list[tuple[str, ...]]
    excess: NDArray[np.float64]


class CostModel(Protocol):
    """What a search asks for costs."""

    def costs(self, configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
        """Costs of every accelerator on the network."""
        ...


class SimCosts:
    """Predicted costs of the performance, area and energy models."""

    def costs(self, configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
        """Costs of every accelerator on the network."""
        table = model.evaluate_many(configs, network)
        return CostTable(
            cycles=table.cycles,
            energy=energy.energies(configs, table, network),
            area=np.array([area.area(config).total for config in configs]),
            violations=table.violations,
            excess=table.excess,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluated pair.

    Parameters
    ----------
    index : int
        Position in the order of spending.
    phase : str
        What asked for it.
    network : str
        Key of the architecture.
    accelerator : AcceleratorConfig
    cycles, energy, area, violations, excess
        As in :class:`CostTable`.
    accuracy : float or None
        The network's validation accuracy in the supernet, where it was known.
    """

    index: int
    phase: str
    network: str
    accelerator: AcceleratorConfig
    cycles: int
    energy: float
    area: float
    violations: tuple[str, ...]
    excess: float
    accuracy: float | None

    @property
    def realizable(self) -> bool:
        """Whether the accelerator can be built and runs the network."""
        return not self.violations

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self) | {
            "accelerator": self.accelerator.to_json(),
            "violations": list(self.violations),
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Evaluation":
        """Build from what :meth:`to_json` made."""
        accelerator = AcceleratorConfig.from_json(row["accelerator"])
        violations = tuple(row["violations"])
        return cls(**(row | {"accelerator": accelerator, "violations": violations}))


class Evaluator:
    """Asks a cost model and remembers: a pair that was evaluated before is not spent again.

    Parameters
    ----------
    costs : CostModel
    records : sequence of Evaluation
        What earlier runs spent, in order.
    """

    def __init__(self, costs: CostModel, records: Sequence[Evaluation] = ()) -> None:
        self._costs = costs
        self.records = list(records)
        self._known = {(row.network, row.accelerator): row for row in self.records}

    def evaluate(
        self,
        configs: Sequence[AcceleratorConfig],
        network: Network,
        *,
        phase: str,
        accuracy: float | None = None,
    ) -> list[Evaluation]:
        """Evaluate pairs of each accelerator with the network, whose name is its key."""
        fresh = list(
            dict.fromkeys(config for config in configs if (network.name, config) not in self._known)
        )
        if fresh:
            table = self._costs.costs(fresh, network)
            for i, config in enumerate(fresh):
                row = Evaluation(
                    index=len(self.records),
                    phase=phase,
                    network=network.name,
                    accelerator=config,
                    cycles=int(table.cycles[i]),
                    energy=float(table.energy[i]),
                    area=float(table.area[i]),
                    violations=tuple(table.violations[i]),
                    excess=float(table.excess[i]),
                    accuracy=accuracy,
                )
                self.records.append(row)
                self._known[network.name, config] = row
        return [self._known[network.name, config] for config in configs]
