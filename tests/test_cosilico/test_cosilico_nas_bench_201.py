"""A network of NAS-Bench-201 in RTL: averages over the border, sums, and ReLU of its own."""

import pytest

from cosilico import simulate
from sim.networks.cell_graphs import cell_graph
from sim.networks.nas_bench_201 import nas_bench_201, of_cell_name
from sim.networks.seeded import seeded_network
from sim.spec.network import LayerKind
from sim.spec.spaces import TINY


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("digits", ["434343", "144112"])
def test_networks_of_cells_are_exact_in_rtl(digits: str) -> None:
    cell = of_cell_name(f"nas_bench_201_{digits}")
    assert cell is not None
    graph = cell_graph(cell)
    assert graph is not None
    topology = nas_bench_201(graph, size=16, channels=8, cells=1)
    network = seeded_network(f"cells_{digits}", topology.input, topology.layers, 0)
    kinds = {layer.kind for layer in network.layers}
    assert kinds >= {LayerKind.ADD, LayerKind.AVERAGE_POOL, LayerKind.CONV}
    run = simulate(network, TINY.default, images=2, jobs=1)
    assert run.result.mismatched_activations == 0
    assert run.result.mismatched_cycles == 0
    assert run.passed
