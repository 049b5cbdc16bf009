"""What LOAD and STORE share: the external and local extents of a tile transfer."""

from typing import Any

from amaranth.hdl import Signal

from hwgen.gateware.bursts import BurstGenerator
from hwgen.gateware.walker import TileWalker
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import STORE_FIELDS

__all__ = ["HELD", "MOST_COLUMNS", "connect_region", "connect_tile", "most_vector_beats"]


MOST_COLUMNS = next(field.high for field in STORE_FIELDS if field.name == "columns")
"""Vectors that a descriptor's row can have."""

HELD = 4
"""Descriptors that a LOAD or STORE unit holds between start and done."""


def most_vector_beats(config: AcceleratorConfig) -> int:
    """Bus beats that carry one whole vector: S / B, or 1 on a wider bus.

    Raises
    ------
    ValueError
        If the bus is wider than a register-file row.
    """
    if config.row_bytes % config.bus_bytes:
        raise ValueError(
            f"bus_bytes must divide row_bytes {config.row_bytes}, not {config.bus_bytes}"
        )
    return max(1, config.vector_bytes // config.bus_bytes)


def connect_tile(walker: TileWalker, descriptor: Any) -> list[Any]:
    """Statements that show the descriptor's local extent to the walker."""
    return [
        walker.tile[name].eq(descriptor[name])
        for name in ("local_address", "groups", "rows", "columns", "local_plane", "local_row")
    ]


def connect_region(generator: BurstGenerator, descriptor: Any, memory_base: Signal) -> list[Any]:
    """Statements that show the descriptor's external extent, but for a row's beats, to the generator."""
    region = generator.region
    return [
        region.base.eq(descriptor.address + memory_base),
        region.rows.eq(descriptor.rows),
        region.groups.eq(descriptor.groups),
        region.row_stride.eq(descriptor.row_stride),
        region.group_stride.eq(descriptor.group_stride),
    ]
