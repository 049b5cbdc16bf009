"""Hardware spaces that are enumerated in a moment."""

from dataclasses import replace

from sim.spec.spaces import TINY, HardwareSpace

__all__ = ["SMALL"]

SMALL: HardwareSpace = replace(
    TINY,
    name="small",
    values={
        "pes_x": (1, 2, 4),
        "pes_y": (1, 2, 4),
        "simd_units": (4, 8, 16),
        "compute_lanes": (1, 2, 4),
        "local_memory_kb": (4, 16),
        "register_file_kb": (1, 4),
        "io_bandwidth_gbps": (0.4, 0.8),
    },
)
"""A part of ``tiny`` with its default: 648 points."""
