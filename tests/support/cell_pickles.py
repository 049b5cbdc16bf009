"""Pickles of the structure that the package analog-nasbench ships, with accuracies that a test chooses."""

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

__all__ = ["FILE_OPERATIONS", "file_key", "write_cell_pickle"]

FILE_OPERATIONS = ("skip", "none", "conv3", "conv1", "pool")
"""Operations by their numbers in the file."""

_DRIFTS = tuple(
    f"{kind}_drift_{seconds}"
    for kind in ("baseline", "analog")
    for seconds in (60, 3600, 86400, 2592000)
)


def file_key(**edges: str) -> tuple[int, ...]:
    """Key of the cell with such operations, by its edges e01, e02, e03, e12, e13 and e23."""
    names = ("e01", "e02", "e03", "e12", "e13", "e23")
    return tuple(FILE_OPERATIONS.index(edges.get(name, "none")) for name in names)


def write_cell_pickle(
    path: Path, accuracies: Mapping[Any, tuple[Any, Any, Any]], module: str = "analognasbench.data"
) -> Path:
    """Write cells with percentages of real numbers, quantized after training, and trained so; return the path."""
    package, data = ModuleType("analognasbench"), ModuleType(module)
    classes = {}
    for name in ("Architecture", "DriftMeasurement"):
        classes[name] = type(name, (), {"__module__": module, "__qualname__": name})
        setattr(data, name, classes[name])

    def made(name: str, fields: Mapping[str, Any]) -> Any:
        record = classes[name]()
        vars(record).update(fields)
        return record

    document = {}
    for key, (real, after, aware) in accuracies.items():
        drifts = {
            name: made("DriftMeasurement", {"value": 50.0, "uncertainty": 1.5}) for name in _DRIFTS
        }
        fields = {
            "architecture": key,
            "baseline_accuracy": real,
            "ptq_accuracy": after,
            "qat_accuracy": aware,
            "noisy_accuracy": 40.0,
            "analog_accuracy": 60.0,
        }
        document[key] = made("Architecture", fields | drifts)
    with mock.patch.dict(sys.modules, {"analognasbench": package, module: data}):
        path.write_bytes(pickle.dumps(document, protocol=4))
    return path
