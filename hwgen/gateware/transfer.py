"""What LOAD and STORE share: the external and local extents of a tile transfer."""

from typing import Any

from amaranth.hdl import Signal, Value

from hwgen.gateware.bursts import BurstGenerator
from hwgen.gateware.walker import TileWalker
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import STORE_FIELDS

__all__ = ["MOST_COLUMNS", "beats_per_vector", "connect_region", "connect_tile", "is_empty"]


MOST_COLUMNS = next(field.high for field in STORE_FIELDS if field.name == "columns")
"""Vectors that a descriptor's row can have."""


def beats_per_vector(config: AcceleratorConfig) -> int:
    """Bus beats that carry one vector (S / B).

    Raises
    ------
    ValueError
        If the bus is wider than a vector.
    """
    if config.vector_bytes % config.bus_bytes:
        raise ValueError(
            f"bus_bytes must divide simd_units, not {config.bus_bytes} and {config.vector_bytes}"
        )
    return config.vector_bytes // config.bus_bytes


def connect_tile(walker: TileWalker, descriptor: Any) -> list[Any]:
    """Statements that show the descriptor's local extent to the walker."""
    return [
        walker.tile[name].eq(descriptor[name])
        for name in ("local_address", "groups", "rows", "columns", "local_plane", "local_row")
    ]


def connect_region(
    generator: BurstGenerator, descriptor: Any, memory_base: Signal, beats: int
) -> list[Any]:
    """Statements that show the descriptor's external extent to the burst generator.

    Parameters
    ----------
    beats : int
        Beats per vector.
    """
    region = generator.region
    return [
        region.base.eq(descriptor.address + memory_base),
        region.beats.eq(descriptor.columns * beats),
        region.rows.eq(descriptor.rows),
        region.groups.eq(descriptor.groups),
        region.row_stride.eq(descriptor.row_stride),
        region.group_stride.eq(descriptor.group_stride),
    ]


def is_empty(descriptor: Any) -> Value:
    """Whether a tile transfer moves nothing."""
    return (descriptor.groups == 0) | (descriptor.rows == 0) | (descriptor.columns == 0)
