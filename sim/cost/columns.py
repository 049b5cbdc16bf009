"""Cost columns: every figure by which accelerators are compared, each declared once.

A new column is a function and an entry of ``COST_COLUMNS``. It is then in every cost table, in the
records of a search, in the file of an enumeration and in ``results.json``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sim.cost.area import areas
from sim.cost.energy import energies
from sim.cost.energy_parts import Work
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.sweep import SweepColumn

__all__ = ["COLD_COLUMNS", "COST_COLUMNS", "CostColumn", "Costing", "register", "titled"]


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Costing:
    """A network on n accelerators, whose columns are computed when they are first asked for.

    Parameters
    ----------
    configs : sequence of AcceleratorConfig
    network : Network
    sweep : int64[n, columns of a sweep]
        Answers of :func:`sim.sweep.sweep`; 0 where not realizable.
    realizable : bool[n]
    images : int
        Images of a program.
    """

    configs: Sequence[AcceleratorConfig]
    network: Network
    sweep: NDArray[np.int64]
    realizable: NDArray[np.bool_]
    images: int = 1
    _values: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column by its name: dtype[n]."""
        if name not in self._values:
            column = COST_COLUMNS[name]
            values = np.asarray(column.compute(self), column.dtype)
            if column.of_run:
                values = np.where(self.realizable, values, column.dtype(0))
            self._values[name] = values
        return self._values[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostColumn:
    """A column of the cost table.

    Parameters
    ----------
    name : str
        Its key in tables and in a search's records.
    unit : str
    compute : callable
        Values [n] from a :class:`Costing`, other columns included.
    dtype : numpy type
    label : str
        Name in files of results; ``name`` if empty.
    of_run : bool
        Whether it is a figure of the network's run, and so 0 where not realizable.
    """

    name: str
    unit: str
    compute: Callable[[Costing], NDArray[Any]]
    dtype: type[np.int64] | type[np.float64] = np.int64
    label: str = ""
    of_run: bool = True

    def __post_init__(self) -> None:
        """Check that the name can be a field's."""
        if not self.name.isidentifier():
            raise ValueError(f"name must be an identifier, not {self.name!r}")

    @property
    def title(self) -> str:
        """Name in files of results."""
        return self.label or self.name


_OTHER_FIELDS = frozenset(
    (
        *(entry.name for entry in fields(AcceleratorConfig)),
        # beside the columns in files of results
        *("accelerator", "macs_per_cycle", "violations", "float_accuracy", "int8_accuracy"),
        # of sim.cost.table.CostTable
        *("configs", "excess", "values", "realizable"),
        *("row", "figures", "select", "concatenate", "optimum", "front", "columns"),
        # of search.evaluator.Evaluation
        *("index", "phase", "network", "costs", "accuracy", "to_json", "from_json"),
    )
)
"""Names that already mean something where columns are read or written by name."""

COLD_COLUMNS = frozenset(("cold_cycles", "cold_read_bytes", "cold_energy"))
"""Columns of a run that fills the weight store, which is timed only where they are asked for."""

COST_COLUMNS: dict[str, CostColumn] = {}
"""All columns by name, in the order of files."""


def register(column: CostColumn) -> CostColumn:
    """Add a column to every table that is made from now on.

    Raises
    ------
    ValueError
        If there is a column of this name or label, or the name or label is another field of an
        accelerator, a cost table or a search's record.
    """
    taken = {name for known in COST_COLUMNS.values() for name in (known.name, known.title)}
    for kind, name in (("name", column.name), ("label", column.title)):
        if name in taken:
            raise ValueError(f"{kind} must be new among the cost columns, not {name!r}")
        if name in _OTHER_FIELDS or name.startswith("_"):
            raise ValueError(f"{kind} must not be another field's of a cost table, not {name!r}")
    COST_COLUMNS[column.name] = column
    return column


def titled(values: Mapping[str, Value]) -> dict[str, Value]:
    """Values of columns by the names of files of results."""
    return {COST_COLUMNS[name].title: value for name, value in values.items()}


def _swept(column: SweepColumn) -> Callable[[Costing], NDArray[np.int64]]:
    def compute(costing: Costing) -> NDArray[np.int64]:
        return costing.sweep[:, column]

    return compute


def _areas(costing: Costing) -> NDArray[np.float64]:
    return areas(costing.configs)


_work: WeakKeyDictionary[Network, Work] = WeakKeyDictionary()


def _work_of(network: Network) -> Work:
    """Work of a network for one image; kept while it lives."""
    if network not in _work:
        _work[network] = Work(macs=network.macs, results=network.results)
    return _work[network]


def _energies(
    cycles: SweepColumn,
    execute_busy: SweepColumn,
    read_bytes: SweepColumn,
    store_bytes: SweepColumn,
) -> Callable[[Costing], NDArray[np.float64]]:
    def compute(costing: Costing) -> NDArray[np.float64]:
        work, sweep = _work_of(costing.network), costing.sweep
        return energies(
            costing.configs,
            cycles=sweep[:, cycles],
            execute_busy=sweep[:, execute_busy],
            read_bytes=sweep[:, read_bytes],
            write_bytes=sweep[:, SweepColumn.WRITE_BYTES],
            store_bytes=sweep[:, store_bytes],
            descriptor_bytes=sweep[:, SweepColumn.DESCRIPTOR_BYTES],
            macs=costing.images * work.macs,
            results=costing.images * work.results,
        )

    return compute


register(
    CostColumn(
        name="cycles", label="predicted_cycles", unit="cycles", compute=_swept(SweepColumn.CYCLES)
    )
)
register(CostColumn(name="execute_busy", unit="cycles", compute=_swept(SweepColumn.EXECUTE_BUSY)))
register(CostColumn(name="read_bytes", unit="bytes", compute=_swept(SweepColumn.READ_BYTES)))
register(CostColumn(name="write_bytes", unit="bytes", compute=_swept(SweepColumn.WRITE_BYTES)))
register(
    CostColumn(
        name="cold_cycles",
        label="predicted_cold_cycles",
        unit="cycles",
        compute=_swept(SweepColumn.COLD_CYCLES),
    )
)
register(
    CostColumn(name="cold_read_bytes", unit="bytes", compute=_swept(SweepColumn.COLD_READ_BYTES))
)
register(CostColumn(name="store_bytes", unit="bytes", compute=_swept(SweepColumn.STORE_BYTES)))
register(
    CostColumn(name="descriptor_bytes", unit="bytes", compute=_swept(SweepColumn.DESCRIPTOR_BYTES))
)
register(CostColumn(name="area", unit="mm²", compute=_areas, dtype=np.float64, of_run=False))
register(
    CostColumn(
        name="energy",
        unit="pJ",
        compute=_energies(
            SweepColumn.CYCLES,
            SweepColumn.EXECUTE_BUSY,
            SweepColumn.READ_BYTES,
            SweepColumn.STORE_BYTES,
        ),
        dtype=np.float64,
    )
)
register(
    CostColumn(
        name="cold_energy",
        unit="pJ",
        compute=_energies(
            SweepColumn.COLD_CYCLES,
            SweepColumn.COLD_EXECUTE_BUSY,
            SweepColumn.COLD_READ_BYTES,
            SweepColumn.COLD_STORE_BYTES,
        ),
        dtype=np.float64,
    )
)
