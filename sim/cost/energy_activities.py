"""Activities of a run that energy grows by: counts of what each part of an accelerator does, from the model's totals."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from sim.cost.config_columns import ConfigColumns
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES

__all__ = [
    "ACTIVITIES",
    "EXTERNAL_ACTIVITIES",
    "FITTED_ACTIVITIES",
    "MEMORY_ACTIVITIES",
    "PART_ACTIVITIES",
    "activity_columns",
    "activity_counts",
]

ACTIVITIES: Mapping[str, str] = {
    "cycle": "cycles of the run",
    "busy": "cycles in which EXECUTE works",
    "mac": "cycles in which all multipliers would do the MACs",
    "result": "cycles in which all requantizers would make the values that layers make",
    "read": "beats that the bytes read from external memory fill",
    "write": "beats that the bytes written to external memory fill",
    "store": "rows read from the weight store",
    "descriptor": "beats that the program's header and descriptors fill",
}
"""Activities by name."""

_COMPUTING = ("busy", "mac", "result")
_MOVING = ("cycle", "busy", "result", "read", "write", "store")

PART_ACTIVITIES: Mapping[str, tuple[str, ...]] = {
    "multiply_accumulate": _COMPUTING,
    "requantizers": _COMPUTING,
    "accumulators": (*_COMPUTING, "read", "store"),
    "register_files": _MOVING,
    "parameter_memory": _MOVING,
    "window_rings": _MOVING,
    "local_memory": _MOVING,
    "interconnect": _MOVING,
    "weight_store": ("cycle", "store"),
    "bus": _MOVING,
    "control": _MOVING,
}
"""Activities by which the switching of modules in a part of the area may grow."""

MEMORY_ACTIVITIES = ("busy", "mac", "result", "read", "write", "store")
"""Activities by which the accesses to a macro may grow."""

FITTED_ACTIVITIES = ("cycle", *MEMORY_ACTIVITIES)
"""Activities by which anything on the chip may grow.

What the units take that fetch descriptors is in the samples, and grows by these.
"""

EXTERNAL_ACTIVITIES = ("read", "write", "descriptor")
"""Activities by which external memory is priced."""

_UNITS: Mapping[str, tuple[tuple[str, ...], Callable[[AcceleratorConfig], float]]] = {
    "mac": (("pes_x", "pes_y", "simd_units", "compute_lanes"), lambda c: c.macs),
    "result": (
        ("pes_x", "pes_y", "simd_units", "compute_lanes"),
        lambda c: c.pes * c.compute_lanes * c.requantizer_width,
    ),
    "read": (("io_bandwidth_gbps", "clock_mhz"), lambda c: c.bus_bytes),
    "write": (("io_bandwidth_gbps", "clock_mhz"), lambda c: c.bus_bytes),
    "store": (("simd_units",), lambda c: c.row_bytes),
    "descriptor": ((), lambda c: DESCRIPTOR_PORT_BYTES),
}
"""Units of activities that do not count cycles: fields that they depend on, and their size."""


def activity_counts(config: AcceleratorConfig, totals: Mapping[str, float]) -> dict[str, float]:
    """Counts of all activities of a run.

    Parameters
    ----------
    config : AcceleratorConfig
    totals : mapping of str to number
        Cycles, MACs, made values and bytes, by activity.
    """
    return {
        name: totals[name] / (_UNITS[name][1](config) if name in _UNITS else 1.0)
        for name in ACTIVITIES
    }


def activity_columns(
    columns: ConfigColumns, totals: Mapping[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.float64]]:
    """Counts as :func:`activity_counts`, of many accelerators : float64[n] each, of totals int64[n]."""
    return {
        name: totals[name] / (columns.look_up(*_UNITS[name]) if name in _UNITS else 1.0)
        for name in ACTIVITIES
    }
