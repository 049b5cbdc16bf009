"""An enumerated space as a cost model: evaluations are looked up."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.columns import COST_COLUMNS
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = ["TabulatedCosts", "arrays_of", "table_of"]

_UNNAMED = "NOT_REALIZABLE"
"""Stands for each broken rule of a table that was kept: that has their number alone."""

_RULES = "broken_rules"


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


def arrays_of(table: CostTable) -> dict[str, NDArray[Any]]:
    """Content of a table as arrays, for a file; of the violations it has the number and the distance."""
    broken = np.array([len(codes) for codes in table.violations], np.int64)
    return {**table.values, "excess": table.excess, _RULES: broken}


def table_of(space: HardwareSpace, arrays: Mapping[str, NDArray[Any]]) -> CostTable:
    """Build the table of all points of a space from what :func:`arrays_of` made.

    Raises
    ------
    DesignFileError
        If the arrays are not those of such a table.
    """
    names = {*COST_COLUMNS, "excess", _RULES}
    for name in sorted(names):
        if name not in arrays or arrays[name].shape != (len(space),):
            raise DesignFileError(f"{name} of a cost table must have {len(space)} numbers")
    return CostTable(
        configs=tuple(space),
        violations=[(_UNNAMED,) * count for count in arrays[_RULES].tolist()],
        excess=arrays["excess"],
        values={column: arrays[column] for column in COST_COLUMNS},
    )
