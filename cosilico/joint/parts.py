"""Parts of a joint enumeration: some networks on some accelerators, each made and written by one process."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.enumeration_parts import MOST_POINTS, census_of
from cosilico.joint.benchmark import JointMember
from cosilico.joint.counted import COUNTS, CountedPart
from cosilico.joint.front import least_rows
from cosilico.table_forms import TABLE_FORMS
from sim.cost.area import areas
from sim.cost.costs import evaluate_many
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic
from sim.spec.memories import MemorySystem
from sim.spec.spaces import HardwareSpace

__all__ = [
    "SUFFIX",
    "Joint",
    "Part",
    "joint_parts",
    "keep_joint",
    "part_file",
    "write_joint_part",
]

SUFFIX = ".parquet"

_COLUMNS = ("cycles", "energy", *COUNTS)

_kept: list["Joint"] = []
"""Enumeration that the process works for."""

_accelerators: dict[tuple[int, int], tuple[list[AcceleratorConfig], NDArray[np.float64]]] = {}
"""Accelerators of a range with their areas: those of one range, which all networks share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Networks, a space and a folder: the inputs of all parts.

    Parameters
    ----------
    networks : sequence of JointMember
    space : HardwareSpace
    memory : MemorySystem
        What lies behind the ports.
    folder : Path
        Of the parts' files.
    counts : Path, optional
        Folder of an enumeration of the same pairs, whose cycles and counts are taken.
    """

    networks: Sequence[JointMember]
    space: HardwareSpace
    memory: MemorySystem
    folder: Path
    counts: Path | None = None


Part = tuple[int, int, int, int]
"""First network of a part and that behind its last; the same of its accelerators."""


def joint_parts(networks: int, points: int) -> dict[str, Part]:
    """Cut a joint space into parts by their names: as many networks on the whole space as a part may have pairs.

    A network on a larger space has several parts.
    """
    width = min(points, MOST_POINTS)
    height = max(MOST_POINTS // points, 1)
    parts = [
        (network, min(network + height, networks), point, min(point + width, points))
        for network in range(0, networks, height)
        for point in range(0, points, width)
    ]
    return {f"{part[0]:06d}-{part[2]:09d}": part for part in parts}


def part_file(folder: Path, name: str) -> Path:
    """File of the part of a name."""
    return folder / f"{name}{SUFFIX}"


def keep_joint(joint: Joint) -> None:
    """Prepare a process for :func:`write_joint_part`."""
    _kept[:] = [joint]
    _accelerators.clear()


def write_joint_part(name: str, part: Part) -> dict[str, Any]:
    """Evaluate the pairs of a part, write them to their file, and return the part's record.

    The columns are ``network`` and ``accelerator``, numbers from 0 on; ``predicted_cycles``, ``energy`` (pJ) and the
    counts of a warm run, 0 where ``violations`` names a rule; and ``least``: whether no other accelerator of the part
    beats it for this network in cycles, energy and area.

    Returns
    -------
    dict
        ``pairs`` : int; ``census`` : pairs by what :func:`cosilico.enumeration_parts.census_of` counts.
    """
    joint = _kept[0]
    first, last, start, stop = part
    configs, mm2 = _range(joint.space, start, stop)
    counts: Counter[str] = Counter()
    counted = None if joint.counts is None else CountedPart(part_file(joint.counts, name))
    tables = []
    for number in range(first, last):
        network = joint.networks[number].network()
        if counted is None:
            table = evaluate_many(
                configs,
                network,
                columns=_COLUMNS,
                memory=joint.memory,
                limits=joint.space.limits,
            )
        else:
            table = counted.table(
                configs, network, number, _COLUMNS, joint.memory, joint.space.limits
            )
        counts += census_of(table)
        tables.append(_rows(table, mm2, number, start))
    columns = {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}
    write_atomic(part_file(joint.folder, name), _encoded(columns))
    return {"pairs": (last - first) * (stop - start), "census": dict(counts)}


def _range(
    space: HardwareSpace, start: int, stop: int
) -> tuple[list[AcceleratorConfig], NDArray[np.float64]]:
    if (start, stop) not in _accelerators:
        configs = [space.at(index) for index in range(start, stop)]
        _accelerators.clear()
        _accelerators[start, stop] = configs, areas(configs)
    return _accelerators[start, stop]


def _rows(
    table: CostTable, mm2: NDArray[np.float64], number: int, start: int
) -> dict[str, NDArray[Any]]:
    realizable = np.flatnonzero(table.realizable)
    figures = np.stack([table["cycles"], table["energy"], mm2], axis=1)[realizable]
    least = np.zeros(len(table), np.bool_)
    least[realizable[least_rows(figures)]] = True
    return {
        "network": np.full(len(table), number, np.int32),
        "accelerator": np.arange(start, start + len(table), dtype=np.int32),
        "predicted_cycles": table["cycles"],
        "energy": table["energy"],
        **{name: table[name] for name in COUNTS},
        "violations": np.array([" ".join(codes) for codes in table.violations], np.object_),
        "least": least,
    }


def _encoded(columns: dict[str, NDArray[Any]]) -> bytes:
    (form,) = (form for form in TABLE_FORMS if form.suffix == SUFFIX)
    return form.encode(columns)  # type: ignore[arg-type]  # pyarrow takes arrays as it takes lists
