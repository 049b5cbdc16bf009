"""Parts of an enumeration: ranges of a space's points, each evaluated and written by one process."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.evaluation import CHUNK
from cosilico.table_forms import TABLE_FORMS, TableForm
from sim.cost.costs import evaluate_many
from sim.cost.table import CostTable
from sim.spec.files import write_atomic
from sim.spec.memories import MemorySystem
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = [
    "MOST_POINTS",
    "Enumeration",
    "census_of",
    "keep_enumeration",
    "part_file",
    "part_ranges",
    "write_part",
]

MOST_POINTS = 50 * CHUNK
"""Points of a part at most: some seconds, and some megabytes."""

_PARTS = 64
"""Parts that a space is cut into at least, where a part has a chunk or more."""

_kept: list["Enumeration"] = []
"""Enumeration that the process works for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """A network, a space and a folder: the inputs of all parts.

    Parameters
    ----------
    network : Network
    space : HardwareSpace
    memory : MemorySystem
        What lies behind the ports.
    area_budget : float
        In mm²: each part names its optimum within it.
    folder : Path
        Of the parts' files.
    suffix : str
        Form of the parts, by :data:`cosilico.table_forms.TABLE_FORMS`.
    """

    network: Network
    space: HardwareSpace
    memory: MemorySystem
    area_budget: float
    folder: Path
    suffix: str

    @property
    def form(self) -> TableForm:
        """Form of the parts' files."""
        return next(form for form in TABLE_FORMS if form.suffix == self.suffix)


def part_ranges(points: int) -> list[tuple[int, int]]:
    """Cut a space of so many points into parts: the first point of each, and that behind its last."""
    size = min(max(points // (CHUNK * _PARTS), 1) * CHUNK, MOST_POINTS)
    return [(start, min(start + size, points)) for start in range(0, points, size)]


def part_file(folder: Path, start: int, suffix: str) -> Path:
    """File of the part that begins at a point."""
    return folder / f"{start:012d}{suffix}"


def keep_enumeration(enumeration: Enumeration) -> None:
    """Prepare a process for :func:`write_part`."""
    _kept[:] = [enumeration]


def write_part(start: int, stop: int) -> dict[str, Any]:
    """Evaluate the points of a range, write them to their file, and return the part's record.

    Returns
    -------
    dict
        ``census`` : accelerators by what :func:`census_of` counts; ``optimum`` : index of the point of least
        latency within the area budget, None if there is none.
    """
    enumeration = _kept[0]
    table = CostTable.concatenate(list(_chunks(enumeration, start, stop)))
    columns = table.columns(fields=_fields(enumeration.space))
    path = part_file(enumeration.folder, start, enumeration.suffix)
    write_atomic(path, enumeration.form.encode(columns))
    row = table.optimum(enumeration.area_budget)
    return {"census": dict(census_of(table)), "optimum": None if row is None else start + row}


def census_of(table: CostTable) -> Counter[str]:
    """Accelerators that are ``realizable``, and that break each rule."""
    broken = Counter(code for codes in table.violations for code in set(codes))
    return Counter({"realizable": int(table.realizable.sum())}) + broken


def _chunks(enumeration: Enumeration, start: int, stop: int) -> Iterator[CostTable]:
    for first in range(start, stop, CHUNK):
        configs = [enumeration.space.at(index) for index in range(first, min(first + CHUNK, stop))]
        yield evaluate_many(
            configs,
            enumeration.network,
            memory=enumeration.memory,
            limits=enumeration.space.limits,
        )


def _fields(space: HardwareSpace) -> Sequence[str]:
    """Fields that any point's record names: without a weight store it does not name that."""
    return list(space.config([size - 1 for size in space.sizes]).to_json())
