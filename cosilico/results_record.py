"""The schema of ``results.json`` and of what the report reads beside it.

Later versions may add fields (docs/reference/results.md), which are passed over; each field that this one
reads has its type and range.
"""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from sim.cost.objective import METRICS
from sim.spec.accelerator_record import accelerator_of
from sim.spec.documents import Record, checked
from sim.spec.errors import DesignFileError
from sim.spec.network import LAYERS_LIMIT
from sim.spec.rules import Choice, Integer, Name, Number, OrNone

__all__ = ["require_evaluations", "require_results", "require_space"]

_Count = Annotated[int, Integer(0, (1 << 63) - 1)]
_Cycles = Annotated[int, Integer(1, (1 << 63) - 1)]
_LayerCycles = Annotated[int, Integer(-(1 << 63), (1 << 63) - 1)]
_Figure = Annotated[float, Number(1e-30, 1e30)]
_Amount = Annotated[float, Number(0, 1e30)]
_Share = Annotated[float, Number(0, 1)]
_PerhapsShare = Annotated[float | None, OrNone(Number(0, 1))]
_Text = Annotated[str, Name()]


class _Extensible(Record):
    model_config = ConfigDict(extra="ignore")


class _LayerRow(_Extensible):
    name: _Text
    kind: _Text
    macs: _Count
    predicted_cycles: _LayerCycles
    measured_cycles: _LayerCycles
    utilization: Annotated[float, Number(-1e30, 1e30)]


class _LayerProfileRow(_Extensible):
    name: _Text
    kind: _Text
    inputs: Annotated[list[_Text], Field(max_length=LAYERS_LIMIT)]
    kernel: Annotated[list[_Count], Field(min_length=2, max_length=2)]
    stride: Annotated[list[_Count], Field(min_length=2, max_length=2)]
    output: Annotated[list[_Count], Field(min_length=3, max_length=3)]
    macs: _Count
    cycles: _LayerCycles
    computing: _LayerCycles
    waits_load: _LayerCycles
    waits_store: _LayerCycles
    other: _LayerCycles
    ideal_cycles: _Amount
    read_bytes: _Count
    write_bytes: _Count
    store_read_bytes: _Count
    energy_pj: _Amount
    local_input_bytes: _Count
    local_output_bytes: _Count
    local_kept_bytes: _Count
    register_bytes: _Count
    store_bytes: _Count


class _ProfileRow(_Extensible):
    source: Literal["measured", "predicted"]
    total_cycles: _Cycles
    layers: Annotated[list[_LayerProfileRow], Field(min_length=1, max_length=LAYERS_LIMIT)]
    area_mm2: dict[str, _Amount]
    energy_pj: dict[str, _Amount]
    local_memory_bytes: _Count
    register_bytes: _Count
    weight_store_bytes: _Count
    read_bytes: _Count
    write_bytes: _Count
    descriptor_bytes: _Count
    store_read_bytes: _Count
    bytes_per_cycle: _Figure
    slowest_module: _Text
    reach_mhz: _Count


class _Side(_Extensible):
    accelerator: dict[str, Any]
    macs_per_cycle: _Count
    macs: _Count
    utilization: _Share
    area: _Figure
    energy: _Figure
    energy_by_part: dict[str, _Amount] | None = None
    edp: Annotated[float | None, OrNone(Number(1e-30, 1e30))] = None
    cold_energy: Annotated[float | None, OrNone(Number(1e-30, 1e30))] = None
    cold_energy_by_part: dict[str, _Amount] | None = None
    cold_edp: Annotated[float | None, OrNone(Number(1e-30, 1e30))] = None
    simulator: _Text
    simulator_version: _Text
    view: Annotated[str | None, OrNone(Name())] = None
    images: _Count
    accuracy: _PerhapsShare
    golden_accuracy: _PerhapsShare
    mismatched_activations: _Count
    predicted_cycles: _Cycles
    measured_cycles: _Cycles
    predicted_cold_cycles: Annotated[int | None, OrNone(Integer(1, (1 << 63) - 1))] = None
    cold_cycles: Annotated[int | None, OrNone(Integer(1, (1 << 63) - 1))] = None
    predicted_stream_cycles: Annotated[int | None, OrNone(Integer(1, (1 << 63) - 1))] = None
    stream_cycles: Annotated[int | None, OrNone(Integer(1, (1 << 63) - 1))] = None
    layers: Annotated[list[_LayerRow], Field(max_length=LAYERS_LIMIT)]
    profile: _ProfileRow | None = None


class _Objective(_Extensible):
    metric: Annotated[str, Choice(tuple(METRICS))]
    budgets: dict[str, _Amount]


class _Search(_Extensible):
    strategy: _Text
    seed: _Count
    evaluations: _Count
    wall_s: Annotated[float, Number(0, 1e12)]
    area_budget: _Figure
    optimum: Annotated[Any, Field()]
    best: Annotated[Any, Field()]
    pinned_optimum: Annotated[Any, Field()] = None
    widened_default: Annotated[Any, Field()] = None
    space_points: _Count
    space_realizable: _Count
    space_refused: dict[str, _Count] | None = None
    objective: _Objective | None = None
    architecture: Annotated[Any, Field()] = None


class _Enumerated(_Extensible):
    accelerator: dict[str, Any]
    predicted_cycles: _Cycles
    area: _Figure


class _Best(_Extensible):
    float_accuracy: _Share


class _Violations(_Extensible):
    non_realizable: _Count


class _Constants(_Extensible):
    memory_latency: _Count


class _Remeasured(_Extensible):
    microbenchmarks: _Count
    equal: bool


class _Calibration(_Extensible):
    gateware_hash: _Text
    constants: dict[str, Any]
    remeasured: _Remeasured | None = None


class _Results(_Extensible):
    name: _Text
    space: _Text
    search: _Search
    rtl: _Side
    rtl_default: _Side
    violations: _Violations
    calibration: _Calibration


class _Evaluation(_Extensible):
    index: _Count
    cycles: _Count
    area: _Amount
    violations: list[_Text]
    network: _Text | None = None
    energy: _Amount | None = None
    accuracy: _PerhapsShare = None


class _Log(_Extensible):
    evaluations: list[_Evaluation]


def require_results(data: dict[str, Any], where: str) -> None:
    """Raise :class:`DesignFileError` for the first field of ``results.json`` that is wrong."""
    record = checked(_Results, data, where)
    best = record.search.best
    accelerators = [record.rtl.accelerator, record.rtl_default.accelerator]
    for name in ("optimum", "pinned_optimum", "widened_default"):
        row = getattr(record.search, name)
        if row is not None:
            accelerators.append(checked(_Enumerated, row, f"{where}.search.{name}").accelerator)
    if best is not None and data["search"].get("architecture") is not None:
        checked(_Best, best, f"{where}.search.best")
    checked(_Constants, record.calibration.constants, f"{where}.calibration.constants")
    for accelerator in accelerators:
        accelerator_of(accelerator)


def require_evaluations(rows: list[Any], where: str) -> None:
    """Raise :class:`DesignFileError` for the first line of ``evaluations.jsonl`` that is wrong."""
    checked(_Log, {"evaluations": rows}, where)


def require_space(arrays: dict[str, NDArray[Any]], what: str) -> None:
    """Raise :class:`DesignFileError` unless arrays are an enumeration's, all of one length."""
    points = len(arrays["area"]) if "area" in arrays and arrays["area"].ndim == 1 else 0
    needed = {"area": "f", "predicted_cycles": "iu", "realizable": "b"}
    optional = {"energy": "f"} if "energy" in arrays else {}
    for name, kinds in (needed | optional).items():
        array = arrays.get(name, np.zeros(0, np.int8))
        if array.dtype.kind not in kinds or array.shape != (points,):
            raise DesignFileError(
                f"array {name!r} of {what} must have a value for each accelerator"
            )
    front = arrays.get("front", np.zeros((0, 0)))
    if (
        front.dtype.kind not in "iu"
        or front.ndim != 1
        or not np.isin(front, np.flatnonzero(arrays["realizable"])).all()
    ):
        raise DesignFileError(f"array 'front' of {what} must hold realizable accelerators")
