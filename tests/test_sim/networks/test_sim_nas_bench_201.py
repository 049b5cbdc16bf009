"""NAS-Bench-201: which cells are one graph, and the networks of their cells."""

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import permutations

import numpy as np
import pytest

from cosilico import predict
from sim import golden
from sim.networks.cell_graphs import (
    EDGES,
    INPUT,
    Cell,
    CellGraph,
    Operation,
    all_cells,
    cell_graph,
    graphs,
)
from sim.networks.nas_bench_201 import cell_name, nas_bench_201, of_cell_name
from sim.networks.seeded import noise_image, seeded_network
from sim.networks.shapes import shape_network
from sim.networks.topology import LayerShape, Topology
from sim.spec.network import LayerKind
from sim.spec.spaces import TINY

DIGITS = {cell_name(cell).rpartition("_")[2]: cell for cell in all_cells()}


@cache
def known() -> dict[CellGraph, tuple[Cell, ...]]:
    return dict(graphs(all_cells()))


def named_by_the_benchmark(cell: Cell) -> str:
    """Formula by which the benchmark's authors count unique cells: what is empty stays in sums."""
    formulas = {0: "x"}
    for node in (1, 2, 3):
        terms = []
        for (source, target), operation in zip(EDGES, cell, strict=True):
            if target != node:
                continue
            if operation is Operation.NONE or formulas[source] == "#":
                terms.append("#")
            elif operation is Operation.SKIP_CONNECT:
                terms.append(formulas[source])
            else:
                terms.append(f"({formulas[source]})@{operation}")
        formulas[node] = "+".join(sorted(terms))
    return formulas[3]


def test_counts_of_cells_are_known() -> None:
    """The paper counts 6,466, among them cells that differ in empty terms alone or share weights."""
    assert len(all_cells()) == 15_625
    assert len({named_by_the_benchmark(cell) for cell in all_cells()}) == 6_466
    assert len(known()) == 5_259
    assert sum(map(len, known().values())) == 15_625 - 341


def convolution(x: float, weight: float) -> float:
    return math.sin(3 * weight * x) + weight * x


def average(x: float) -> float:
    return x / 2 + math.sin(x) / 5


def live_edges(cell: Cell) -> list[int]:
    """Convolutions that reach the output and are reached from the input."""
    edges = [(i, *EDGES[i]) for i, operation in enumerate(cell) if operation is not Operation.NONE]
    reached, reaching = {0}, {3}
    for _ in EDGES:
        reached |= {target for _, source, target in edges if source in reached}
        reaching |= {source for _, source, target in edges if target in reaching}
    return [
        i
        for i, source, target in edges
        if source in reached and target in reaching and cell[i].startswith("nor_conv")
    ]


def fingerprint(cell: Cell) -> frozenset[tuple[float, ...]]:
    """Values that a cell gives with some weights, for all ways of giving them to its convolutions."""
    live = live_edges(cell)
    values = set()
    for weights in permutations((0.31, 0.47, 0.59, 0.73, 0.89, 0.97)[: len(live)]):
        given = dict(zip(live, weights, strict=True))
        made = []
        for x in (0.7, -1.1):
            nodes = [x, 0.0, 0.0, 0.0]
            for i, (source, target) in sorted(enumerate(EDGES), key=lambda item: item[1][1]):
                value = nodes[source]
                match cell[i]:
                    case Operation.SKIP_CONNECT:
                        nodes[target] += value
                    case Operation.AVERAGE_POOL:
                        nodes[target] += average(value)
                    case Operation.CONV_1X1 if i in given:
                        nodes[target] += convolution(value, given[i])
                    case Operation.CONV_3X3 if i in given:
                        nodes[target] += convolution(value, -2 * given[i])
            made.append(round(nodes[3], 9))
        values.add(tuple(made))
    return frozenset(values)


def test_cells_are_one_graph_if_they_compute_the_same() -> None:
    """Weights given to edges, not to operations of graphs: nothing is known here of terms or names."""
    rng = np.random.default_rng(0)
    few = [cell for cell in all_cells() if len(live_edges(cell)) < 5]
    by_graph: dict[CellGraph | None, list[Cell]] = defaultdict(list)
    for cell in few:
        by_graph[cell_graph(cell)].append(cell)
    drawn = [few[i] for i in rng.choice(len(few), 150, replace=False)]
    pairs = [by_graph[cell_graph(cell)] for cell in drawn]
    drawn += [same[int(rng.integers(len(same)))] for same in pairs]
    by_value: dict[frozenset[tuple[float, ...]], set[CellGraph | None]] = defaultdict(set)
    for cell in drawn:
        by_value[fingerprint(cell)].add(cell_graph(cell))
    assert all(len(same) == 1 for same in by_value.values())
    assert len(by_value) == len({cell_graph(cell) for cell in drawn})


@pytest.mark.parametrize(
    ("digits", "formula"),
    [
        ("000100", "x"),
        ("144110", "x + x"),
        ("300303", "nor_conv_3x3.1(x)"),
        ("411110", "x + avg_pool_3x3.1(x)"),
        ("440011", "avg_pool_3x3.1(x) + avg_pool_3x3.1(x)"),
        ("330011", "nor_conv_3x3.1(x) + nor_conv_3x3.2(x)"),
        ("413031", "x + nor_conv_3x3.2(avg_pool_3x3.1(x)) + nor_conv_3x3.3(avg_pool_3x3.1(x))"),
        ("200011", "nor_conv_1x1.1(x)"),
        ("200000", None),
    ],
)
def test_a_graph_reads_as_a_formula(digits: str, formula: str | None) -> None:
    graph = cell_graph(DIGITS[digits])
    assert (None if graph is None else str(graph)) == formula


def test_names_are_digits_of_the_cell() -> None:
    for cell in all_cells()[::97]:
        assert of_cell_name(cell_name(cell)) == cell
    for name in ("resnet8", "nas_bench_201_00000", "nas_bench_201_000005", "nas_bench_201_0000000"):
        assert of_cell_name(name) is None


def formula_value(graph: CellGraph, x: float, weights: dict[str, float], cell: str) -> float:
    """Value of a pixel behind a cell whose convolutions multiply by a weight of their own."""
    terms = [x]
    for place, (operation, read) in enumerate(graph.operations, 1):
        value = sum(terms[term] for term in read)
        if operation is Operation.AVERAGE_POOL:
            terms.append(average(value))
        else:
            name = f"{cell}.{operation.removeprefix('nor_')}_{place}"
            terms.append(max(value, 0.0) * weights[name])
    return sum(terms[term] for term in graph.output)


def layer_value(shape: LayerShape, inputs: Sequence[float], weights: dict[str, float]) -> float:
    """Value of a pixel behind a layer, by the same rules."""
    match shape.kind:
        case LayerKind.ADD:
            value = inputs[0] + inputs[1]
        case LayerKind.AVERAGE_POOL:
            value = average(inputs[0])
        case LayerKind.MAX_POOL | LayerKind.GLOBAL_AVERAGE_POOL:
            value = inputs[0]
        case _:
            value = inputs[0] * weights.setdefault(shape.name, 1.0)
    return max(value, 0.0) if shape.relu else value


def drawn_weights(topology: Topology, seed: int) -> dict[str, float]:
    """Weights of both signs, so that ReLU counts."""
    rng = np.random.default_rng(seed)
    return {shape.name: float(rng.normal(0, 1.2)) for shape in topology.layers}


def test_layers_of_a_graph_compute_its_formula() -> None:
    """Each fifth of the graphs, two cells a stage: ReLU before a convolution, and nowhere else."""
    for seed, graph in enumerate(list(known())[::5]):
        topology = nas_bench_201(graph, cells=2)
        weights = drawn_weights(topology, seed)
        values = {topology.input.name: 0.8 if seed % 2 else -0.9}
        for shape in topology.layers:
            inputs = [values[name] for name in shape.inputs]
            values[shape.name] = layer_value(shape, inputs, weights)
        x = values["image"] * weights["stem"]
        for stage in (1, 2, 3):
            if stage > 1:
                name = f"reduction{stage - 1}"
                first = max(x, 0.0) * weights[f"{name}.conv1"]
                second = max(first, 0.0) * weights[f"{name}.conv2"]
                x = second + average(x) * weights[f"{name}.shortcut"]
            for cell in (1, 2):
                x = formula_value(graph, x, weights, f"stage{stage}.cell{cell}")
        x = max(x * weights["normalization"], 0.0) * weights["classifier"]
        assert values["classifier"] == pytest.approx(x, rel=1e-9, abs=1e-12), str(graph)


@pytest.mark.parametrize(
    ("digits", "multiplications", "parameters"),
    [("333333", 220_119_690, 1_531_546), ("000100", 7_783_050, 73_306)],
)
def test_largest_and_smallest_network_have_the_benchmarks_counts(
    digits: str, multiplications: int, parameters: int
) -> None:
    """The benchmark's files say 220.119690 and 7.783050 M, and 1.531546 and 0.073306 M parameters."""
    graph = cell_graph(DIGITS[digits])
    assert graph is not None
    network = shape_network("counted", nas_bench_201(graph))
    *weighted, last = (layer for layer in network.layers if layer.weights.size)
    normalized = [layer for layer in weighted if layer.name != "normalization"]
    shortcuts = [layer for layer in normalized if layer.name.endswith("shortcut")]
    classes = last.output.channels
    assert sum(layer.macs for layer in (*normalized, last)) + classes == multiplications
    counted = sum(layer.weights.size for layer in (*normalized, last)) + classes
    scales = sum(layer.output.channels for layer in weighted if layer not in shortcuts)
    assert counted + 2 * scales == parameters


def few_graphs() -> list[CellGraph]:
    """Graphs with averages, sums taken over, and values that are read both with and without ReLU."""
    formulas = ("434343", "433213", "243044", "144110", "411110", "300303")
    made = [cell_graph(DIGITS[digits]) for digits in formulas]
    return [graph for graph in made if graph is not None]


def small(graph: CellGraph) -> Topology:
    return nas_bench_201(graph, size=12, channels=4, cells=1, classes=4)


@pytest.mark.parametrize("graph", few_graphs(), ids=str)
def test_averages_count_the_pixels_of_the_image(graph: CellGraph) -> None:
    topology = small(graph)
    network = seeded_network("seeded", topology.input, topology.layers, 1)
    rng = np.random.default_rng(2)
    values = golden.run(network, noise_image(network.input, rng))
    for shape in topology.layers:
        if not shape.over_border:
            continue
        x, y = values[shape.inputs[0]][0].astype(np.int64), values[shape.name][0]
        height, width, _ = x.shape
        for row in range(height):
            for column in range(width):
                window = x[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
                mean = window.reshape(-1, x.shape[2]).mean(axis=0)
                rounded = np.sign(mean) * np.floor(np.abs(mean) + 0.5)
                low = 0 if shape.relu else -128
                assert np.array_equal(y[row, column], np.maximum(rounded, low)), shape.name
    for layer in network.layers:
        assert values[layer.name].min() < values[layer.name].max() or layer.output.height == 1


@pytest.mark.parametrize("graph", few_graphs(), ids=str)
def test_a_network_of_shapes_costs_what_a_seeded_one_does(graph: CellGraph) -> None:
    topology = small(graph)
    network = seeded_network("seeded", topology.input, topology.layers, 3)
    expected = predict(network, TINY.default).to_json()
    assert predict(shape_network("seeded", topology), TINY.default).to_json() == expected


def test_an_average_over_the_border_has_a_centred_input() -> None:
    graph = cell_graph(DIGITS["411110"])
    assert graph is not None
    assert graph.output == (INPUT, 1)
    topology = small(graph)
    stem, *others = topology.layers
    assert stem.centred
    uncentred = LayerShape(name="stem", kind=stem.kind, inputs=stem.inputs, channels=4, kernel=3)
    line = r"^zero_point of 'stem' must be 0 for an average over the border, not -?\d+$"
    with pytest.raises(ValueError, match=line):
        seeded_network("wrong", topology.input, (uncentred, *others), 0)
