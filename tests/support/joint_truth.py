"""Small joint enumerations: all cells of some operations on a dozen accelerators."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from cell_pickles import file_key, write_cell_pickle
from cosilico.joint.enumeration import enumerate_jointly
from trained_tables import write_trained_table

__all__ = ["TWO_ACCELERATORS", "write_joint_truth", "write_trained_truth"]

_EDGES = ("e01", "e02", "e12", "e03", "e13", "e23")

_WORK = {"none": 0, "skip": 1, "pool": 2, "conv1": 4, "conv3": 6}

_SPACE = """
[hardware]
space = "tiny"
name = "few"

[hardware.values]
pes_x = [1, 2]
pes_y = [1]
simd_units = [16, 128]
compute_lanes = [2, 4]
local_memory_kb = [16, 64]
register_file_kb = [1, 16]
io_bandwidth_gbps = [0.8, 1.6]
weight_store_kb = [0]

[hardware.default]
pes_x = 2
pes_y = 1
simd_units = 16
register_file_kb = 16
"""
"""64 accelerators; 128 SIMD units with the small register file cannot be built."""

TWO_ACCELERATORS = """
[hardware]
space = "tiny"
name = "two"

[hardware.values]
pes_x = [1, 2]
pes_y = [2]
simd_units = [8]
compute_lanes = [2]
local_memory_kb = [16]
register_file_kb = [4]
io_bandwidth_gbps = [0.8]
weight_store_kb = [0]
"""
"""The default of `tiny`, which other tests build, and half of it: for pairs that run."""


def write_joint_truth(folder: Path, operations: Sequence[str] = ("skip", "conv1")) -> Path:
    """Enumerate all cells of some operations, with accuracies that rise with the work; return the folder."""
    random = np.random.default_rng(3)
    cells = {}
    for chosen in product(operations, repeat=len(_EDGES)):
        work = sum(_WORK[operation] for operation in chosen)
        aware = 60 + work + 5 * float(random.random())
        cells[file_key(**dict(zip(_EDGES, chosen, strict=True)))] = (aware + 1, aware - 1, aware)
    folder.mkdir(parents=True, exist_ok=True)
    return _enumerated(write_cell_pickle(folder / "data.anb", cells), folder)


def write_trained_truth(folder: Path, space: str = _SPACE) -> Path:
    """Enumerate the networks of :func:`trained_tables.write_trained_table` in a space; return the folder."""
    return _enumerated(write_trained_table(folder / "few.json"), folder, space)


def _enumerated(accuracies: Path, folder: Path, space: str = _SPACE) -> Path:
    (folder / "few.toml").write_text(space)
    enumerate_jointly(str(accuracies), str(folder / "few.toml"), folder / "joint", jobs=1)
    return folder / "joint"
