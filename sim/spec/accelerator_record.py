"""The schema of an accelerator in a file."""

from typing import Annotated, Any

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.documents import Record, checked
from sim.spec.errors import DesignFileError
from sim.spec.rules import Integer, Number

__all__ = ["accelerator_of"]

_Count = Annotated[int, Integer(1, (1 << 32) - 1)]


class _AcceleratorRecord(Record):
    """Kinds and signs; what can be built is the question of :func:`sim.realizability.check`."""

    pes_x: _Count
    pes_y: _Count
    simd_units: _Count
    compute_lanes: _Count
    local_memory_kb: _Count
    register_file_kb: _Count
    io_bandwidth_gbps: Annotated[float, Number(0.001, 1e6)]
    clock_mhz: _Count
    weight_store_kb: Annotated[int, Integer(0, (1 << 32) - 1)] = 0
    activation_table: Annotated[int, Integer(0, 1)] = 0


def accelerator_of(data: Any) -> AcceleratorConfig:
    """The accelerator of a JSON object from a file.

    Raises
    ------
    DesignFileError
        One line that names the field, the rule and the value.
    """
    record = checked(_AcceleratorRecord, data, "accelerator")
    try:
        return AcceleratorConfig(**dict(record))
    except (TypeError, ValueError) as error:
        raise DesignFileError(f"accelerator.{error}") from None
