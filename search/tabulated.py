"""An enumerated space as a cost model: evaluations are looked up."""

from collections.abc import Sequence

from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = ["TabulatedCosts"]


class TabulatedCosts:
    """Costs of a single network on all accelerators of a space, from its enumeration.

    It is a :data:`search.evaluator.CostModel`.

    Parameters
    ----------
    space : HardwareSpace
    network : Network
    table : CostTable
        All points in the order of the flat index.
    """

    def __init__(self, space: HardwareSpace, network: Network, table: CostTable) -> None:
        if len(table) != len(space):
            raise ValueError(f"table must have {len(space)} rows, not {len(table)}")
        self._space, self._name, self.table = space, network.name, table

    def __call__(self, configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
        """Rows of the accelerators."""
        if network.name != self._name:
            raise ValueError(f"network must be {self._name!r}, not {network.name!r}")
        return self.table.select([self._space.flat_index(config) for config in configs])
