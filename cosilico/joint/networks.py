"""Networks of a benchmark's cells, whose accuracies are known: a network for each distinct graph."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cosilico.extras import require_extra
from cosilico.joint.accuracy_kind import AccuracyKind
from search.networks.cell_accuracies import CellAccuracy, read_cell_accuracies
from sim.networks.cell_graphs import Cell, CellGraph, graphs
from sim.networks.nas_bench_201 import cell_name, nas_bench_201
from sim.networks.seeded import seeded_network
from sim.networks.shapes import shape_network
from sim.spec.errors import CosilicoError
from sim.spec.network import Network

__all__ = ["BENCHMARK", "JointNetwork", "accuracy_file", "joint_networks"]

BENCHMARK = "nas_bench_201"
"""Name of the benchmark whose file a package brings."""

_MODULE, _FILE = "analognasbench", "data.anb"


@dataclass(frozen=True, slots=True, kw_only=True)
class JointNetwork:
    """A network of a joint space: a :class:`cosilico.joint.benchmark.JointMember`.

    Parameters
    ----------
    name : str
        That of its first cell.
    graph : CellGraph
    cells : int
        How many of the benchmark's cells have this graph.
    accuracy : CellAccuracy
        Mean of theirs.
    """

    name: str
    graph: CellGraph
    cells: int
    accuracy: CellAccuracy

    @property
    def accuracies(self) -> Mapping[AccuracyKind, float]:
        """Accuracies of all kinds."""
        return {AccuracyKind(kind): share for kind, share in self.accuracy._asdict().items()}

    @property
    def described(self) -> Mapping[str, Any]:
        """Graph of the cell, and how many cells have it."""
        return {"cell": str(self.graph), "cells": self.cells}

    def network(self) -> Network:
        """Return the network without its weights, which no cost depends on."""
        return shape_network(self.name, nas_bench_201(self.graph))

    def seeded_network(self, seed: int) -> Network:
        """Return the network with weights of a seed, which can run."""
        topology = nas_bench_201(self.graph)
        return seeded_network(self.name, topology.input, topology.layers, seed)


def accuracy_file(text: str) -> Path:
    """File of accuracies that a user names: that of an installed package by the benchmark's name, else a path.

    Raises
    ------
    MissingExtraError
        If the package is not installed. Nothing of it is imported.
    CosilicoError
        If it is installed without its file.
    """
    if text != BENCHMARK:
        return Path(text)
    require_extra(f"benchmark {BENCHMARK}", "nas-bench")
    spec = find_spec(_MODULE)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    for place in places:
        if (Path(place) / _FILE).is_file():
            return Path(place) / _FILE
    raise CosilicoError(f"package of benchmark {BENCHMARK} must have its file {_FILE}")


def joint_networks(path: Path) -> list[JointNetwork]:
    """Networks of all cells in a file of accuracies, in the order of :func:`sim.networks.cell_graphs.all_cells`.

    Cells whose output does not depend on their input have none.

    Raises
    ------
    DesignFileError
        As :func:`search.networks.cell_accuracies.read_cell_accuracies`.
    CosilicoError
        If no cell has a network.
    """
    known = read_cell_accuracies(path)
    made = [
        JointNetwork(
            name=cell_name(cells[0]),
            graph=graph,
            cells=len(cells),
            accuracy=_mean(known, cells),
        )
        for graph, cells in graphs(sorted(known, key=cell_name)).items()
    ]
    if not made:
        raise CosilicoError(f"file of accuracies {path} must have a cell that reads its input")
    return made


def _mean(known: Mapping[Cell, CellAccuracy], cells: tuple[Cell, ...]) -> CellAccuracy:
    columns = zip(*(known[cell] for cell in cells), strict=True)
    return CellAccuracy(*(math.fsum(column) / len(cells) for column in columns))
