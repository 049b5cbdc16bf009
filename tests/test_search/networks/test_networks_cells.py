"""Networks of cells as a search sees them: choices name graphs, and equal graphs are one network."""

from itertools import product

import pytest

from search.networks.cells import CellNetworks
from search.networks.known import KnownNetworks
from sim.networks.cell_graphs import EDGES, Operation, all_cells, cell_graph, graphs
from sim.networks.nas_bench_201 import cell_name, nas_bench_201, of_cell_name
from sim.networks.shapes import shape_network

SOME = (Operation.NONE, Operation.SKIP_CONNECT, Operation.CONV_3X3)


def accuracies(operations: tuple[Operation, ...]) -> dict[str, float]:
    """An accuracy of its own for each graph of some operations."""
    cells = [cell for cell in all_cells() if set(cell) <= set(operations)]
    names = [cell_name(same[0]) for same in graphs(cells).values()]
    return {name: 0.5 + place / (2 * len(names)) for place, name in enumerate(names)}


@pytest.fixture(scope="module")
def networks() -> CellNetworks:
    return CellNetworks(accuracies(SOME))


def test_every_choice_is_the_network_of_its_graph(networks: CellNetworks) -> None:
    known = accuracies(SOME)
    order = list(Operation)
    values = networks.decisions
    assert list(values) == [f"edge{a}{b}" for a, b in EDGES]
    assert all(choices == tuple(map(order.index, SOME)) for choices in values.values())
    keys = set()
    for indices in product(range(len(SOME)), repeat=len(EDGES)):
        member = networks.architecture(dict(zip(values, indices, strict=True)))
        cell = tuple(SOME[index] for index in indices)
        graph = cell_graph(cell)  # type: ignore[arg-type]  # six operations
        if graph is not None:
            own = of_cell_name(member.key)
            assert own is not None
            assert cell_graph(own) == graph
        else:
            assert member.key == "nas_bench_201_000100"
        assert networks.architecture(networks.choices(member)) == member
        assert networks.known_accuracy(member) == known[member.key]
        assert networks.encode(member).sum() == len(EDGES)
        keys.add(member.key)
    assert keys == set(known)
    assert networks.size == len(known)


def test_the_last_choices_are_the_largest_network(networks: CellNetworks) -> None:
    largest = networks.architecture(dict.fromkeys(networks.decisions, len(SOME) - 1))
    own = of_cell_name(largest.key)
    assert own == (Operation.CONV_3X3,) * 6
    graph = cell_graph(own)
    assert graph is not None
    made = networks.network(largest)
    assert made.name == largest.key
    assert made.macs == shape_network("other", nas_bench_201(graph)).macs
    assert isinstance(networks, KnownNetworks)


def test_refuses_names_and_gaps() -> None:
    known = accuracies(SOME)
    with pytest.raises(ValueError, match=r"^network must be that of a cell, not 'resnet8'$"):
        CellNetworks({**known, "resnet8": 0.5})
    known.pop("nas_bench_201_000300")
    with pytest.raises(ValueError, match=r"^networks must have one for nor_conv_3x3\.1\(x\)$"):
        CellNetworks(known)
