"""The networks of NAS-Bench-201 as a search sees them: six edges of five operations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.networks.cell_graphs import EDGES, INPUT, Cell, CellGraph, Operation, cell_graph
from sim.networks.nas_bench_201 import nas_bench_201, of_cell_name
from sim.networks.shapes import shape_network
from sim.spec.network import Network

__all__ = ["CLASSES", "CellMember", "CellNetworks"]

CLASSES = 10
"""Classes of CIFAR-10, whose images the networks classify."""

_BY_WORK = (
    Operation.NONE,
    Operation.SKIP_CONNECT,
    Operation.AVERAGE_POOL,
    Operation.CONV_1X1,
    Operation.CONV_3X3,
)
"""Operations by rising work, so that the last choice of every edge is the largest network."""

_KEPT = 256
"""Networks that are kept in memory, each of up to some megabytes."""

_PASSED_ON = CellGraph(operations=(), output=(INPUT,))
"""Graph of a cell that gives what it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMember:
    """A network of the benchmark.

    Parameters
    ----------
    key : str
        Name of the network: that of the first cell with its graph.
    """

    key: str

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


class CellNetworks:
    """Networks of cells with their accuracies: :class:`search.networks.known.KnownNetworks`.

    A decision is an edge of the cell, ``edge01`` … ``edge23``. Cells with the same graph are one member. A cell whose
    output does not depend on its input has no network, and stands for the cell that passes its input on.

    Parameters
    ----------
    accuracies : mapping of str to float
        By the network's name, for every graph of the operations that are named. Only these are choices.

    Raises
    ------
    ValueError
        If a name is not that of a cell, or a graph of the operations is missing.
    """

    def __init__(self, accuracies: Mapping[str, float]) -> None:
        self._accuracies = dict(accuracies)
        cells = {name: of_cell_name(name) for name in self._accuracies}
        for name, cell in cells.items():
            if cell is None:
                raise ValueError(f"network must be that of a cell, not {name!r}")
        named = {operation for cell in cells.values() if cell for operation in cell}
        self._operations = tuple(operation for operation in _BY_WORK if operation in named)
        self._graphs = {name: _graph(cell) for name, cell in cells.items() if cell}
        names = {graph: name for name, graph in self._graphs.items()}
        self._members: dict[tuple[int, ...], str] = {}
        self._first: dict[str, tuple[int, ...]] = {}
        for indices in product(range(len(self._operations)), repeat=len(EDGES)):
            graph = _graph(self._cell(indices))
            if graph not in names:
                raise ValueError(f"networks must have one for {graph}")
            self._members[indices] = names[graph]
            self._first.setdefault(names[graph], indices)
        self._network = lru_cache(maxsize=_KEPT)(self._made)

    @property
    def decisions(self) -> Mapping[str, tuple[int, ...]]:
        """Operations of every edge, as their places in :class:`sim.networks.cell_graphs.Operation`."""
        order = list(Operation)
        values = tuple(order.index(operation) for operation in self._operations)
        return {f"edge{source}{target}": values for source, target in EDGES}

    @property
    def size(self) -> int:
        """Number of different networks."""
        return len(self._first)

    def architecture(self, choices: Mapping[str, int]) -> CellMember:
        """Member of the chosen index of every edge's operations."""
        return CellMember(key=self._members[tuple(choices[name] for name in self.decisions)])

    def choices(self, architecture: CellMember) -> dict[str, int]:
        """Chosen index of every edge: those of the first cell with the member's graph."""
        return dict(zip(self.decisions, self._first[architecture.key], strict=True))

    def encode(self, architecture: CellMember) -> NDArray[np.float32]:
        """One-hot choices of all edges."""
        rows = np.eye(len(self._operations), dtype=np.float32)
        return np.concatenate([rows[index] for index in self.choices(architecture).values()])

    def network(self, architecture: CellMember) -> Network:
        """Network of a member without weights, which no cost depends on."""
        return self._network(architecture.key)

    def known_accuracy(self, architecture: CellMember) -> float:
        """Accuracy of a member."""
        return self._accuracies[architecture.key]

    def _made(self, key: str) -> Network:
        return shape_network(key, nas_bench_201(self._graphs[key]))

    def _cell(self, indices: tuple[int, ...]) -> Cell:
        a, b, c, d, e, f = (self._operations[index] for index in indices)
        return a, b, c, d, e, f


def _graph(cell: Cell) -> CellGraph:
    return cell_graph(cell) or _PASSED_ON
