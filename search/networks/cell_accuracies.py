"""Accuracies of NAS-Bench-201's cells on CIFAR-10, as the package analog-nasbench ships them."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sim.networks.cell_graphs import EDGES, Cell, Operation
from sim.spec.archives import read_bytes
from sim.spec.errors import DesignFileError

__all__ = ["CellAccuracy", "read_cell_accuracies"]

_FILE_LIMIT_BYTES = 1 << 26

_OPERATIONS = (
    Operation.SKIP_CONNECT,
    Operation.NONE,
    Operation.CONV_3X3,
    Operation.CONV_1X1,
    Operation.AVERAGE_POOL,
)
"""Operations by their numbers in the file."""

_FILE_EDGES = tuple(sorted(EDGES))
"""Edges in the file's order: by the node that they leave."""

_FIELDS = ("baseline_accuracy", "ptq_accuracy", "qat_accuracy")
_MODULE = "analognasbench.data"


class CellAccuracy(NamedTuple):
    """Shares of test images that a cell's network classifies correctly.

    ``full_precision`` is of real numbers; the others are of integers, quantized after training or trained so.
    """

    full_precision: float
    post_training: float
    quantization_aware: float


def read_cell_accuracies(path: Path) -> Mapping[Cell, CellAccuracy]:
    """Accuracies by cell; nothing that the file names is imported or called.

    Raises
    ------
    DesignFileError
        If the file is absent, damaged, or no such pickle.
    """
    what = f"file of accuracies {path}"
    content = read_bytes(path, "file of accuracies", _FILE_LIMIT_BYTES)
    try:
        document = _Unpickler(io.BytesIO(content)).load()
    except DesignFileError as error:
        raise DesignFileError(f"{what} {error}") from None
    except Exception:  # whatever Python's reader raises on damaged bytes
        raise DesignFileError(f"{what} must be a pickle of cells, but is damaged") from None
    if not isinstance(document, dict) or not document:
        raise DesignFileError(f"{what} must hold a dict of cells")
    made = {}
    for key, record in document.items():
        cell = _cell(key)
        if cell is None:
            rule = f"must have cells of {len(EDGES)} numbers in 0 … {len(_OPERATIONS) - 1}"
            raise DesignFileError(f"{what} {rule}, not {str(key)[:60]}")
        values = getattr(record, "values", {})
        made[cell] = CellAccuracy(*(_share(values.get(name), name, what) for name in _FIELDS))
    return made


def _cell(key: object) -> Cell | None:
    if not isinstance(key, tuple) or len(key) != len(EDGES):
        return None
    if not all(type(number) is int and 0 <= number < len(_OPERATIONS) for number in key):
        return None
    by_edge = {edge: _OPERATIONS[number] for edge, number in zip(_FILE_EDGES, key, strict=True)}
    a, b, c, d, e, f = (by_edge[edge] for edge in EDGES)
    return a, b, c, d, e, f


def _share(value: object, name: str, what: str) -> float:
    if not isinstance(value, float) or not 0 <= value <= 100:
        raise DesignFileError(f"{what} must have {name} in 0 … 100, not {value!r:.60}")
    return value / 100


class _Record:
    """Stands for the package's objects: their fields, and nothing that they do."""

    values: Mapping[str, Any]

    def __setstate__(self, state: Any) -> None:
        """Keep the fields."""
        if not isinstance(state, dict):
            raise DesignFileError("must hold objects with fields alone")
        self.values = state


class _Unpickler(pickle.Unpickler):
    """Knows two names, of which none is the package's own code."""

    def find_class(self, module: str, name: str) -> Any:
        if module == _MODULE and name in ("Architecture", "DriftMeasurement"):
            return _Record
        raise DesignFileError(f"must hold accuracies alone, not {f'{module}.{name}'[:60]!r}")
