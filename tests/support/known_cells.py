"""Cells of two operations whose accuracies are known, and costs of theirs that need no model."""

from collections.abc import Sequence

import numpy as np

from search.networks.cells import CellMember, CellNetworks
from sim.cost.area import area
from sim.cost.table import CostTable
from sim.networks.cell_graphs import Operation, all_cells, graphs
from sim.networks.nas_bench_201 import cell_name
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network

__all__ = ["LARGEST", "cell_costs", "known_cells"]

_SOME = (Operation.SKIP_CONNECT, Operation.CONV_1X1)

LARGEST = CellMember(key=cell_name((_SOME[-1],) * 6))
"""Cell of six convolutions."""


def known_cells() -> CellNetworks:
    """Return all cells of the two operations; the accuracy rises with the operations that are left of a cell."""
    cells = [cell for cell in all_cells() if set(cell) <= set(_SOME)]
    made = graphs(cells)
    return CellNetworks(
        {cell_name(same[0]): 0.5 + 0.05 * len(graph.operations) for graph, same in made.items()}
    )


def cell_costs(configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
    """Costs that fall with the MACs of the accelerator and rise with those of the network; some cannot be built."""
    macs = np.array([config.macs for config in configs], np.float64)
    broken = np.array([config.register_file_kb == 1 for config in configs])
    return CostTable(
        configs=tuple(configs),
        violations=[("MAP_WEIGHTS",) if refused else () for refused in broken.tolist()],
        excess=broken * 0.5,
        values={
            "cycles": (network.macs / macs).astype(np.int64) * ~broken,
            "energy": network.macs / 10 * ~broken,
            "area": np.array([area(config).total for config in configs]),
        },
    )
