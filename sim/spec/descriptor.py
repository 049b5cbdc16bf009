"""The descriptor field table: 64-byte commands of the LOAD, EXECUTE and STORE queues.

The compiler encodes with it, the gateware builds its layouts from it, the documentation
prints it. Fields are packed from bit 0 up in table order; the first fields are common. The last four
bytes hold no field but the check word of :mod:`sim.spec.header`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BANK_ADDRESS_BITS",
    "COMMON_FIELDS",
    "DESCRIPTOR_BYTES",
    "EXECUTE_FIELDS",
    "FIELDS",
    "LOAD_FIELDS",
    "STORE_FIELDS",
    "STORE_SLACK_BITS",
    "ExecuteOp",
    "Field",
    "LoadKind",
    "LoadStore",
    "LoadTable",
    "Queue",
    "decode",
    "encode",
    "encode_many",
    "fields_of",
]

DESCRIPTOR_BYTES = 64
WORD_BYTES = 8

BANK_ADDRESS_BITS = 18
"""Bits of a vector's address in its bank: 4 MiB of a PE in one bank of 16-byte vectors."""


STORE_SLACK_BITS = 7
"""Bits of the cycles that the stores of a set may wait for a bank's port."""


class Queue(IntEnum):
    """The three in-order queues; a token goes from one to another."""

    LOAD = 0
    EXECUTE = 1
    STORE = 2


class ExecuteOp(IntEnum):
    """Data path of an EXECUTE descriptor."""

    CONV = 0
    DEPTHWISE = 1
    ADD = 2
    POOL = 3


class LoadKind(IntEnum):
    """Destination that a LOAD descriptor fills."""

    WEIGHTS = 0
    TILE = 1


class LoadTable(IntEnum):
    """Part of the activation table in a weights LOAD."""

    NONE = 0
    """The parameters leave clamped results as they are."""
    USE = 1
    """Clamped results that the parameters are for go through the table."""
    FILL = 2
    """The rows are those of the table, four entries each, for all lanes of all PEs."""


class LoadStore(IntEnum):
    """Part of the weight store in a weights LOAD."""

    NONE = 0
    """Rows come from external memory."""
    FILL = 1
    """Rows come from external memory, and each is written to the store too."""
    READ = 2
    """Rows come from the store; nothing is asked of the external memory."""


@dataclass(frozen=True, slots=True)
class Field:
    """One packed field; ``signed`` is two's complement.

    Those ``of_tables`` are behind all others, and accelerators without activation tables pass over their bits.
    """

    name: str
    bits: int
    doc: str
    signed: bool = False
    of_tables: bool = False

    @property
    def low(self) -> int:
        """Smallest value that the field can hold."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value that the field can hold."""
        return (1 << (self.bits - self.signed)) - 1


COMMON_FIELDS = (
    Field("queue", 2, "Queue that runs this descriptor"),
    Field("wait", 3, "bit q: consume one token from queue q before starting"),
    Field("post", 3, "bit q: give one token to queue q when done"),
)

_TRANSFER_FIELDS = (
    Field("address", 32, "byte offset in external memory, a multiple of what a pixel takes there"),
    Field("pe_y", 4, "PE row of the tile"),
    Field("pe_x", 4, "PE column of the tile"),
    Field("local_address", BANK_ADDRESS_BITS, "vector address of the first pixel in its bank"),
    Field("groups", 12, "channel groups; group g lies in bank g mod L"),
    Field("rows", 12, "rows per group"),
    Field("columns", 12, "contiguous vectors per row"),
    Field("local_plane", BANK_ADDRESS_BITS, "vectors between groups of one bank"),
    Field("local_row", 12, "vectors between rows in local memory"),
    Field("group_stride", 28, "bytes between groups in external memory"),
    Field("row_stride", 24, "bytes between rows in external memory"),
    Field("vector_beats", 8, "bus beats of one pixel's vector in external memory, 1 …"),
)

LOAD_FIELDS = (
    Field("kind", 1, "LoadKind: weights (multicast to all PEs) or a tile (one PE)"),
    *_TRANSFER_FIELDS,
    Field("bank", 3, "tile: bank of the first channel group"),
    Field("gather", 1, "tile: rows are packed bytes, from which vectors are gathered"),
    Field("row_bytes", 20, "gather: bytes of a row, 1 …"),
    Field("lead", 12, "gather: bytes from a row's first vector to the row"),
    Field("step", 12, "gather: bytes from one vector of a row to the next"),
    Field("length", 8, "gather: bytes of a vector, 1 … S"),
    Field("pad_value", 8, "gather: byte of a vector outside of its row", signed=True),
    Field(
        "pe_vectors",
        12,
        "gather: vectors of a row for each PE, from pe_x on one PE after the other; "
        "0: all for PE pe_x",
    ),
    Field(
        "pe_step",
        13,
        "gather: bytes from a PE's last vector of a row to the next PE's first",
        signed=True,
    ),
    Field("half", 1, "weights: register-file and parameter half"),
    Field(
        "lanes",
        7,
        "weights: blocks in the stream, each with its own rows: 1 … L, or column_lanes · pes_x",
    ),
    Field("lane_mask", 8, "weights: lanes that take block 0; one lane further for every block"),
    Field(
        "column_lanes",
        4,
        "weights: blocks of a PE column, whose rows take turns with those of the other columns; "
        "0: all columns take all blocks",
    ),
    Field("parameter_rows", 3, "weights: requantization rows that come first per block, 0 … 4"),
    Field("weight_rows", 16, "weights: register-file rows per block after them"),
    Field("stream_beats", 28, "weights: bus beats of all blocks"),
    Field("tail_beats", 10, "weights: bus beats of a register-file row of the last block, 1 …"),
    Field(
        "tail_rows",
        3,
        "weights: parameter rows of the last block that hold records; the others take a beat",
    ),
    Field(
        "store",
        2,
        "weights: LoadStore: from memory, from memory and to the store, or from the store",
    ),
    Field("store_row", 20, "weights: first row in the weight store"),
    Field("all_columns", 1, "tile: all PEs of row pe_y take it"),
    Field(
        "table",
        2,
        "weights: LoadTable: of results that stay as they are, that go through the activation table, or its own rows",
        of_tables=True,
    ),
)

STORE_FIELDS = _TRANSFER_FIELDS

EXECUTE_FIELDS = (
    Field("op", 2, "ExecuteOp"),
    Field("wait_drain", 1, "start only when the pipeline behind the issue stage is empty"),
    Field("half", 1, "register-file and parameter half to use"),
    Field(
        "lanes",
        7,
        "banks that store, from out_bank on, 0 … L / pixels; with spread of all sources together",
    ),
    Field(
        "pixels",
        4,
        "neighbouring pixels computed at once (P), 1, 2, 4 … L: of a row, DEPTHWISE of a column",
    ),
    Field("bank", 3, "CONV: bank of the first input group; DEPTHWISE, ADD: first bank to read"),
    Field("out_bank", 3, "first bank to store to"),
    Field("restore", 1, "CONV: windows start from the saved accumulators, not from 0"),
    Field("save", 1, "CONV: windows save their accumulators; lanes must be 0"),
    Field(
        "accumulator_row", 4, "CONV: of the first set's saved accumulators, with save or restore"
    ),
    Field("maximum", 1, "DEPTHWISE: the largest tap in place of the weighted sum"),
    Field("window", 1, "DEPTHWISE: four taps per cycle from the window ring, not one"),
    Field("hold", 8, "idle cycles after the last window"),
    Field(
        "store_slack",
        STORE_SLACK_BITS,
        "CONV, ADD: cycles that a set's stores may wait for their banks' ports",
    ),
    Field(
        "band_rows",
        5,
        "DEPTHWISE: rows of windows that are read together, a multiple of P; 1 without window",
    ),
    Field(
        "ring_gap", 4, "DEPTHWISE: vectors between columns in the ring beyond kernel_rows, in fours"
    ),
    Field("row_lead", 7, "DEPTHWISE: further cycles of the first set of every band"),
    Field("initiation_interval", 20, "cycles per set of P windows (II)"),
    Field("window_rows", 10, "output rows of this descriptor, 1 …"),
    Field("window_columns", 10, "output columns of this descriptor, 1 …"),
    Field("first_row", 10, "tile row of the descriptor's first output row"),
    Field("first_column", 10, "tile column of the descriptor's first output column"),
    Field("tile_rows", 10, "output rows per PE, 1 …"),
    Field("tile_columns", 10, "output columns per PE, 1 …"),
    Field("kernel_rows", 10, "taps; POOL: rows of the tile to sum"),
    Field("kernel_columns", 10, "taps; POOL: columns of the tile to sum"),
    Field("stride_y", 3, "vertical stride"),
    Field("stride_x", 3, "horizontal stride; 0 where vectors hold the input of several windows"),
    Field(
        "vector_sets", 7, "CONV: sets of windows whose input lies in a vector; 0: a pixel in each"
    ),
    Field("window_bytes", 8, "CONV: bytes of a vector from a window's input to the next one's"),
    Field("groups", 12, "CONV: input channel groups"),
    Field("first_quad", 6, "CONV: first 4-channel step of the first group, 0 … S/4 - 1"),
    Field("last_quads", 6, "CONV: end of the 4-channel steps of the last group, 1 … S/4"),
    Field(
        "in_address",
        BANK_ADDRESS_BITS,
        "vector address, in its bank, of the first tap of window (0, 0)",
    ),
    Field("in_plane", BANK_ADDRESS_BITS, "CONV: vectors between input groups of one bank"),
    Field("in_row", 12, "vectors between input rows"),
    Field("in2_address", BANK_ADDRESS_BITS, "ADD: address of operand b of window (0, 0)"),
    Field("in2_row", 12, "ADD: vectors between rows of operand b"),
    Field(
        "out_address",
        BANK_ADDRESS_BITS,
        "vector address of output pixel (0, 0), of this descriptor, in every stored bank",
    ),
    Field("out_row", 12, "vectors between output rows"),
    Field(
        "sources",
        4,
        "PE columns whose vectors each PE of their row stores, in turn, 1 … pes_x; 0: only its own",
    ),
    Field(
        "spread",
        1,
        "sources have their own channel groups, L / pixels each, not their own pixels; POOL sums rows",
    ),
    Field(
        "source_stride",
        BANK_ADDRESS_BITS,
        "vectors from the output of a source to the next one's; with spread from the last bank to bank 0",
    ),
    Field(
        "column_stride",
        BANK_ADDRESS_BITS,
        "vectors from the taps that a PE column reads to the next one's",
    ),
    Field("halo_top", 3, "rows that the output keeps of its northern neighbour's tile"),
    Field("halo_bottom", 3, "rows that the output keeps of its southern neighbour's tile"),
    Field("halo_left", 3, "columns that the output keeps of its western neighbour's tile"),
    Field("halo_right", 3, "columns that the output keeps of its eastern neighbour's tile"),
    Field("origin_y", 13, "image row of PE row 0's first tap of window (0, 0)", signed=True),
    Field("origin_x", 13, "image column of PE column 0's first tap of window (0, 0)", signed=True),
    Field("pitch_y", 12, "image rows from one PE row to the next in the input"),
    Field("pitch_x", 12, "image columns from one PE column to the next in the input"),
    Field("bound_y", 12, "input image height: taps outside 0 … bound_y - 1 read pad_value"),
    Field("bound_x", 12, "input image width"),
    Field("pad_value", 8, "what a tap outside the image reads", signed=True),
    Field("zero_point", 8, "output zero point", signed=True),
    Field("clamp_low", 8, "lowest output", signed=True),
    Field("clamp_high", 8, "highest output", signed=True),
)

FIELDS: dict[Queue, tuple[Field, ...]] = {
    Queue.LOAD: COMMON_FIELDS + LOAD_FIELDS,
    Queue.EXECUTE: COMMON_FIELDS + EXECUTE_FIELDS,
    Queue.STORE: COMMON_FIELDS + STORE_FIELDS,
}
"""All fields of each queue's descriptors, in packing order."""


def fields_of(queue: Queue, *, tables: bool) -> tuple[Field, ...]:
    """Fields that accelerators with or without activation tables read of a queue's descriptors."""
    return tuple(field for field in FIELDS[queue] if tables or not field.of_tables)


def encode(queue: Queue, values: dict[str, int]) -> bytes:
    """Pack one descriptor; fields that are not given are 0.

    Raises
    ------
    ValueError
        If a name is unknown or a value does not fit its field.
    """
    columns = {name: np.array([value], np.int64) for name, value in values.items()}
    return encode_many(queue, columns, 1).tobytes()


def encode_many(
    queue: Queue, values: Mapping[str, NDArray[np.int64]], count: int
) -> NDArray[np.uint8]:
    """Pack descriptors of one queue: uint8[count, 64]; fields that are not given are 0.

    Parameters
    ----------
    queue : Queue
    values : mapping of field name to int64[count]
    count : int

    Raises
    ------
    ValueError
        If a name is unknown or a value does not fit its field.
    """
    fields = FIELDS[queue]
    for name in values.keys() - {field.name for field in fields}:
        raise ValueError(f"{queue.name} descriptors have no field {name!r}")
    columns = {**values, "queue": np.full(count, queue, np.int64)}
    words = np.zeros((count, DESCRIPTOR_BYTES // WORD_BYTES), f"<u{WORD_BYTES}")
    position = 0
    for field in fields:
        column = columns.get(field.name)
        if column is not None:
            for value in column[(column < field.low) | (column > field.high)][:1]:
                raise ValueError(f"{field.name} must be in {field.low} … {field.high}, not {value}")
            bits = (column & ((1 << field.bits) - 1)).astype(np.uint64)
            word, shift = divmod(position, 8 * WORD_BYTES)
            words[:, word] |= bits << np.uint64(shift)
            if shift + field.bits > 8 * WORD_BYTES:
                words[:, word + 1] |= bits >> np.uint64(8 * WORD_BYTES - shift)
        position += field.bits
    return words.view(np.uint8)


def decode(data: bytes) -> dict[str, int]:
    """Unpack one descriptor: every field of its queue by name.

    Raises
    ------
    ValueError
        If the data is not 64 bytes or names no queue.
    """
    if len(data) != DESCRIPTOR_BYTES:
        raise ValueError(f"a descriptor must have {DESCRIPTOR_BYTES} bytes, not {len(data)}")
    word = int.from_bytes(data, "little")
    values = {}
    for field in FIELDS[Queue(word & 3)]:
        value = word & ((1 << field.bits) - 1)
        if field.signed and value > field.high:
            value -= 1 << field.bits
        values[field.name] = value
        word >>= field.bits
    return values
