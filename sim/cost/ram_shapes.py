"""Memories of an accelerator: what the generators build of each size, by part of the area."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sim.spec.accelerator import (
    DOT_WIDTH,
    REQUANTIZER_PHASES,
    TABLE_ROW_ENTRIES,
    TABLE_ROWS,
    WINDOW_VECTORS,
    AcceleratorConfig,
)
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import Queue, fields_of
from sim.spec.remembered import remembered

__all__ = ["MEMORIES", "RamShape", "descriptor_bits", "memories", "store_banks"]

RECORD_BITS = 80
"""Requantization parameters of one output channel."""
QUEUE_ENTRIES = 8
"""Descriptors that the fetch unit's buffer and each queue hold."""
HELD_TRANSFERS = 4
"""Descriptors that LOAD and STORE hold each."""
BURSTS = 8
"""Bursts that STORE holds."""
BURST_BITS = 16
"""Bits that STORE holds of a burst, and of a descriptor whose responses have not all come."""
STORED_VECTORS = 8
"""Vectors that STORE reads ahead."""

_BEAT_BITS = 8 * DESCRIPTOR_PORT_BYTES
_LOAD_SUM_BITS = 76
"""Sums of a LOAD's fields that are worked out as it comes, and wait with it for its data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RamShape:
    """RAM primitives of one size.

    Parameters
    ----------
    width : int
        Bits per row.
    rows : int
    count : int
        How many of them the whole accelerator has.
    ports : int
        1 for reads and writes in turn, 2 for one of each in a cycle.
    """

    width: int
    rows: int
    count: int = 1
    ports: int = 2


def memories(config: AcceleratorConfig) -> dict[str, tuple[RamShape, ...]]:
    """RAM primitives of the generated accelerator, by the part of the area that counts them."""
    return {part: of(config) for part, of in MEMORIES.items()}


def _lanes(config: AcceleratorConfig) -> int:
    return config.pes * config.compute_lanes


def _activation_tables(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    if not config.activation_table:
        return ()
    number = _lanes(config) * config.requantizer_width
    return (RamShape(width=8 * TABLE_ROW_ENTRIES, rows=TABLE_ROWS, count=number, ports=1),)


def _parameters(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    width = RECORD_BITS * config.requantizer_width
    return (RamShape(width=width, rows=2 * REQUANTIZER_PHASES, count=_lanes(config)),)


def _register_files(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    """Weights, and saved accumulators."""
    return tuple(
        RamShape(width=8 * config.row_bytes, rows=rows, count=_lanes(config))
        for rows in (2 * config.weight_rows, config.accumulator_rows)
    )


def _window_rings(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    width, rows = 8 * config.vector_bytes, WINDOW_VECTORS // DOT_WIDTH
    return (RamShape(width=width, rows=rows, count=DOT_WIDTH * _lanes(config)),)


def _local_memory(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    width = 8 * config.vector_bytes
    return (RamShape(width=width, rows=config.bank_depth, count=_lanes(config), ports=1),)


def _weight_store(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    if not config.store_rows:
        return ()
    banks = store_banks(config)
    rows = -(-config.store_rows // banks)
    return (RamShape(width=8 * config.row_bytes, rows=rows, count=banks, ports=1),)


def _bus(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    return (RamShape(width=8 * config.vector_bytes, rows=STORED_VECTORS),)


def store_banks(config: AcceleratorConfig) -> int:
    """Banks of the weight store: a power of two, as many as PE columns or more."""
    return 1 << (config.pes_x - 1).bit_length()


def descriptor_bits(config: AcceleratorConfig) -> dict[Queue, int]:
    """Bits of the fields that the accelerator reads of each queue's descriptors."""
    tables = bool(config.activation_table)
    return {queue: sum(field.bits for field in fields_of(queue, tables=tables)) for queue in Queue}


@remembered("activation_table")
def _descriptor_memories(config: AcceleratorConfig) -> tuple[RamShape, ...]:
    """Fetch buffer, queues, and the lines of descriptors and bursts of the engines."""
    bits = descriptor_bits(config)
    # the fetch unit keeps whole beats of a descriptor
    fetched = -(-max(bits.values()) // _BEAT_BITS) * _BEAT_BITS
    return (
        RamShape(width=fetched, rows=QUEUE_ENTRIES),
        *(RamShape(width=width, rows=QUEUE_ENTRIES) for width in bits.values()),
        RamShape(width=bits[Queue.LOAD] + _LOAD_SUM_BITS, rows=HELD_TRANSFERS),
        RamShape(width=bits[Queue.STORE], rows=HELD_TRANSFERS),
        RamShape(width=BURST_BITS, rows=HELD_TRANSFERS),
        RamShape(width=BURST_BITS, rows=BURSTS),
    )


MEMORIES: Mapping[str, Callable[[AcceleratorConfig], tuple[RamShape, ...]]] = {
    "requantizers": _activation_tables,
    "parameter_memory": _parameters,
    "register_files": _register_files,
    "window_rings": _window_rings,
    "local_memory": _local_memory,
    "weight_store": _weight_store,
    "bus": _bus,
    "control": _descriptor_memories,
}
"""RAM primitives of each part of the area that has any."""
