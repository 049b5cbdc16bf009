"""Cells of NAS-Bench-201, and which of them are the same graph.

Source: X. Dong and Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
ICLR 2020, section 2.1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, permutations, product

__all__ = ["EDGES", "INPUT", "Cell", "CellGraph", "Operation", "all_cells", "cell_graph", "graphs"]

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Edges of a cell by their nodes: 0 is the input, 3 the output, and a node is the sum of its edges."""

INPUT = 0
"""Term that is the cell's input; term i + 1 is what operation i of a :class:`CellGraph` makes."""


class Operation(StrEnum):
    """Operation of an edge, by the benchmark's name and in its order."""

    NONE = "none"
    SKIP_CONNECT = "skip_connect"
    CONV_1X1 = "nor_conv_1x1"
    CONV_3X3 = "nor_conv_3x3"
    AVERAGE_POOL = "avg_pool_3x3"


Cell = tuple[Operation, Operation, Operation, Operation, Operation, Operation]
"""Operations of the edges, in the order of :data:`EDGES`."""

Terms = tuple[int, ...]
"""Sorted terms of a sum; a term that is added twice is there twice."""

Made = tuple[Operation, Terms]
"""An operation and the sum that it reads."""


@dataclass(frozen=True, slots=True, order=True)
class CellGraph:
    """Computation of a cell: only edges that reach the output, and no edge that passes on what it reads.

    Two cells have the same graph if new names for the nodes of one make it the other: networks of both have the same layers.

    Parameters
    ----------
    operations : tuple of (Operation, terms)
        Each reads the sum of earlier terms. Convolutions have weights of their own; no two pools read the same sum.
    output : terms
        The sum that is the cell's output; never empty.
    """

    operations: tuple[Made, ...]
    output: Terms

    def __str__(self) -> str:
        """Return the sum as a formula; operations have numbers, because a sum may have one twice."""
        names = ["x"]
        for place, (operation, terms) in enumerate(self.operations, 1):
            names.append(f"{operation}.{place}({' + '.join(names[term] for term in terms)})")
        return " + ".join(names[term] for term in self.output)


def all_cells() -> list[Cell]:
    """All 15,625 cells, the last edge fastest."""
    return [(a, b, c, d, e, f) for a, b, c, d, e, f in product(Operation, repeat=len(EDGES))]


def graphs(cells: Iterable[Cell]) -> Mapping[CellGraph, tuple[Cell, ...]]:
    """Distinct graphs of some cells, in the order of their first cells, with the cells of each.

    Cells whose output does not depend on their input have none.
    """
    known: dict[CellGraph, list[Cell]] = {}
    for cell in cells:
        graph = cell_graph(cell)
        if graph is not None:
            known.setdefault(graph, []).append(cell)
    return {graph: tuple(same) for graph, same in known.items()}


def cell_graph(cell: Cell) -> CellGraph | None:
    """Graph of a cell; None if its output does not depend on its input.

    What a convolution or a pool makes of nothing is left out, as an edge without operation is.
    """
    made: list[Made] = []
    sums: dict[int, Terms] = {0: (INPUT,)}
    for node in (1, 2, 3):
        terms: list[int] = []
        for (source, target), operation in zip(EDGES, cell, strict=True):
            if target == node and operation is not Operation.NONE and sums[source]:
                terms += _terms(made, operation, sums[source])
        sums[node] = tuple(sorted(terms))
    return _renamed(made, sums[3]) if sums[3] else None


def _terms(made: list[Made], operation: Operation, read: Terms) -> Terms:
    """Terms that an edge adds to its node; a new operation is added to ``made``."""
    if operation is Operation.SKIP_CONNECT:
        return read
    if operation is Operation.AVERAGE_POOL and (operation, read) in made:
        return (made.index((operation, read)) + 1,)
    made.append((operation, read))
    return (len(made),)


def _renamed(made: list[Made], output: Terms) -> CellGraph:
    """Number the operations that reach the output so that equal graphs have equal numbers.

    Operations are in the order of their formulas; of those with one formula, all orders are tried.
    """
    formulas: dict[int, str] = {INPUT: "x"}
    for term, (operation, read) in enumerate(made, 1):
        formulas[term] = f"{operation}({'+'.join(sorted(formulas[item] for item in read))})"
    live, waiting = set(), [term for term in output if term != INPUT]
    while waiting:
        term = waiting.pop()
        if term not in live:
            live.add(term)
            waiting += [item for item in made[term - 1][1] if item != INPUT]
    alike: dict[tuple[int, str], list[int]] = {}
    for term in sorted(live):
        alike.setdefault((len(formulas[term]), formulas[term]), []).append(term)
    orders = product(*(permutations(alike[key]) for key in sorted(alike)))
    return min(_numbered(made, output, tuple(chain(*order))) for order in orders)


def _numbered(made: list[Made], output: Terms, order: Terms) -> CellGraph:
    places = {INPUT: INPUT} | {term: place for place, term in enumerate(order, 1)}
    return CellGraph(
        operations=tuple(
            (made[term - 1][0], tuple(sorted(places[item] for item in made[term - 1][1])))
            for term in order
        ),
        output=tuple(sorted(places[term] for term in output)),
    )
