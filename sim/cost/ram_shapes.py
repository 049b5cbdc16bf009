"""Memories of an accelerator: what the generators build of each size, by part of the area."""

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

__all__ = ["RamShape", "descriptor_bits", "memories", "store_banks"]

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
    lanes = config.pes * config.compute_lanes
    vector_bits, row_bits = 8 * config.vector_bytes, 8 * config.row_bytes
    records_bits = RECORD_BITS * config.requantizer_width
    ring_rows = WINDOW_VECTORS // DOT_WIDTH
    return {
        "requantizers": tuple(
            RamShape(
                width=8 * TABLE_ROW_ENTRIES,
                rows=TABLE_ROWS,
                count=lanes * config.requantizer_width,
                ports=1,
            )
            for _ in range(config.activation_table)
        ),
        "parameter_memory": (
            RamShape(width=records_bits, rows=2 * REQUANTIZER_PHASES, count=lanes),
        ),
        "register_files": (
            RamShape(width=row_bits, rows=2 * config.weight_rows, count=lanes),
            RamShape(width=row_bits, rows=config.accumulator_rows, count=lanes),
        ),
        "window_rings": (RamShape(width=vector_bits, rows=ring_rows, count=DOT_WIDTH * lanes),),
        "local_memory": (
            RamShape(
                width=vector_bits,
                rows=config.bank_depth,
                count=lanes,
                ports=1,
            ),
        ),
        "weight_store": tuple(
            RamShape(
                width=row_bits,
                rows=-(-config.store_rows // banks),
                count=banks,
                ports=1,
            )
            for banks in (store_banks(config),)
            if config.store_rows
        ),
        "bus": (RamShape(width=vector_bits, rows=STORED_VECTORS),),
        "control": _descriptor_memories(config),
    }


def store_banks(config: AcceleratorConfig) -> int:
    """Banks of the weight store: a power of two, as many as PE columns or more."""
    return 1 << (config.pes_x - 1).bit_length()


def descriptor_bits(config: AcceleratorConfig) -> dict[Queue, int]:
    """Bits of the fields that the accelerator reads of each queue's descriptors."""
    tables = bool(config.activation_table)
    return {queue: sum(field.bits for field in fields_of(queue, tables=tables)) for queue in Queue}


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
