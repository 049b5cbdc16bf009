"""Accuracies of cells: what the file says is read, and nothing that it names is executed."""

import os
import pickle
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cell_pickles import file_key, write_cell_pickle
from search.networks.cell_accuracies import CellAccuracy, read_cell_accuracies
from sim.networks.cell_graphs import EDGES, Cell, Operation, all_cells, cell_graph, graphs
from sim.spec.errors import DesignFileError


def test_cells_and_shares_are_those_of_the_file(tmp_path: Path) -> None:
    key = file_key(e01="conv3", e02="conv1", e12="pool", e03="skip", e23="conv3")
    assert key == (2, 3, 0, 4, 1, 2)
    path = write_cell_pickle(tmp_path / "data.anb", {key: (94.0, 93.5, 92.25)})
    ((cell, accuracy),) = read_cell_accuracies(path).items()
    assert dict(zip(EDGES, cell, strict=True)) == {
        (0, 1): Operation.CONV_3X3,
        (0, 2): Operation.CONV_1X1,
        (1, 2): Operation.AVERAGE_POOL,
        (0, 3): Operation.SKIP_CONNECT,
        (1, 3): Operation.NONE,
        (2, 3): Operation.CONV_3X3,
    }
    assert accuracy == CellAccuracy(0.94, 0.935, 0.9225)


def refused(path: Path, line: str) -> None:
    pattern = re.escape(f"file of accuracies {path} {line}")
    with pytest.raises(DesignFileError, match=f"^{pattern}$"):
        read_cell_accuracies(path)


@pytest.mark.parametrize(
    ("key", "values", "line"),
    [
        ((0, 0, 0), (1.0, 1.0, 1.0), "must have cells of 6 numbers in 0 … 4, not (0, 0, 0)"),
        ((0, 0, 0, 0, 0, 5), (1.0,) * 3, "must have cells of 6 numbers in 0 … 4, not (0, 0, 0, 0, 0, 5)"),
        ("cell", (1.0, 1.0, 1.0), "must have cells of 6 numbers in 0 … 4, not cell"),
        ((0,) * 6, (1.0, 100.5, 1.0), "must have ptq_accuracy in 0 … 100, not 100.5"),
        ((0,) * 6, (float("nan"), 1.0, 1.0), "must have baseline_accuracy in 0 … 100, not nan"),
        ((0,) * 6, (1.0, 1.0, "high"), "must have qat_accuracy in 0 … 100, not 'high'"),
        ((0,) * 6, (1.0, 1.0, None), "must have qat_accuracy in 0 … 100, not None"),
    ],
)  # fmt: skip
def test_wrong_cells_are_one_line(
    tmp_path: Path, key: Any, values: tuple[Any, Any, Any], line: str
) -> None:
    refused(write_cell_pickle(tmp_path / "data.anb", {key: values}), line)


class Attack:
    """Names a function that a pickle must not reach."""

    def __reduce__(self) -> Any:
        """Call the system."""
        return os.system, ("exit 3",)


def test_other_pickles_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "data.anb"
    path.write_bytes(pickle.dumps({(0,) * 6: Attack()}))
    refused(path, f"must hold accuracies alone, not '{os.system.__module__}.system'")
    path.write_bytes(pickle.dumps([1, 2]))
    refused(path, "must hold a dict of cells")
    path.write_bytes(b"no pickle")
    refused(path, "must be a pickle of cells, but is damaged")
    write_cell_pickle(path, {(0,) * 6: (1.0, 1.0, 1.0)}, module="analognasbench.other")
    refused(path, "must hold accuracies alone, not 'analognasbench.other.Architecture'")
    whole = write_cell_pickle(path, {(0,) * 6: (1.0, 1.0, 1.0)}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "must be a pickle of cells, but is damaged")


def spread(known: Mapping[Cell, CellAccuracy]) -> float:
    """Median deviation of the accuracies of one graph's cells."""
    same = [cells for cells in graphs(known).values() if len(cells) > 1]
    return float(np.median([np.std([known[cell][0] for cell in cells]) for cells in same]))


def test_the_packages_file_fits_the_graphs() -> None:
    """Cells that do not read their input guess; those of one graph are alike, unless operations are mistaken."""
    spec = find_spec("analognasbench")
    if spec is None or spec.origin is None:
        pytest.skip("the package is of the extra 'nas-bench'")
    known = read_cell_accuracies(Path(spec.origin).with_name("data.anb"))
    assert set(known) == set(all_cells())
    for field in CellAccuracy._fields:
        guessed = [getattr(known[cell], field) for cell in known if cell_graph(cell) is None]
        assert guessed == [0.1] * 341
        assert max(getattr(accuracy, field) for accuracy in known.values()) > 0.93
    for other in (Operation.AVERAGE_POOL, Operation.CONV_1X1, Operation.CONV_3X3):
        names = {other: Operation.SKIP_CONNECT, Operation.SKIP_CONNECT: other}
        swapped = {tuple(names.get(edge, edge) for edge in cell): known[cell] for cell in known}
        assert 2 * spread(known) < spread(swapped)  # type: ignore[arg-type]  # six, as all cells
    means = {
        operation: np.mean([known[cell][0] for cell in known if cell[-1] is operation])
        for operation in Operation
    }
    assert means[Operation.CONV_3X3] > means[Operation.CONV_1X1] > means[Operation.AVERAGE_POOL]
