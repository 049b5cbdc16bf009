"""Control bundles from the EXECUTE unit to the PE grid, the PEs and the lanes."""

from typing import Any

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import (
    DOT_WIDTH,
    REQUANTIZER_PHASES,
    TABLE_ROWS,
    WINDOW_VECTORS,
    AcceleratorConfig,
)

__all__ = [
    "ExecuteControl",
    "LaneControl",
    "PeControl",
    "row_address_bits",
    "row_write_layout",
    "rows_at_once",
    "tile_read_layout",
    "tile_write_layout",
]


def _lane_shapes(config: AcceleratorConfig) -> dict[str, Shape]:
    """Fields that a lane uses, in the order of its pipeline."""
    ring = unsigned(address_bits(WINDOW_VECTORS))
    accumulator_row = unsigned(address_bits(config.accumulator_rows))
    return {
        "ring_write": unsigned(1),
        "ring_write_position": ring,
        "advance": unsigned(1),
        "quad": unsigned(address_bits(config.simd_units // 4)),
        "ring_read": unsigned(1),
        "ring_read_position": ring,
        "ring_beyond": unsigned(DOT_WIDTH),
        "ring_gap": unsigned(address_bits(WINDOW_VECTORS // DOT_WIDTH)),
        "weight_enable": unsigned(1),
        "weight_row": unsigned(address_bits(2 * config.weight_rows)),
        "multiply": unsigned(1),
        "private": unsigned(1),
        "tap": unsigned(4),
        "maximum": unsigned(1),
        "restore_enable": unsigned(1),
        "restore_row": accumulator_row,
        "accumulate": unsigned(1),
        "restart": unsigned(1),
        "restore": unsigned(1),
        "compare": unsigned(1),
        "capture": unsigned(1),
        "save": unsigned(1),
        "save_row": accumulator_row,
        "reduce": unsigned(1),
        "parameter_enable": unsigned(1),
        "parameter_row": unsigned(3),
        "slot": unsigned(1),
        "operand": unsigned(1),
        "sum": unsigned(1),
        "phase": unsigned(2),
        "keep": unsigned(1),
        "finish": unsigned(1),
        "zero_point": signed(8),
        "clamp_low": signed(8),
        "clamp_high": signed(8),
        **({"table": unsigned(1)} if config.activation_table else {}),
        "assemble": unsigned(1),
        "commit": unsigned(1),
    }


def _pe_shapes(config: AcceleratorConfig) -> dict[str, Shape]:
    """Fields that a PE uses, without `pad`, `receive` and `shares`, which differ between PEs."""
    lanes = config.compute_lanes
    index = unsigned(address_bits(lanes))
    lane_shapes = _lane_shapes(config)
    position = lane_shapes.pop("ring_read_position")
    return {
        "read_enable": unsigned(lanes),
        "read_address": unsigned(address_bits(config.bank_depth)),
        "incoming": unsigned(lanes),
        "source_mask": index,
        "source_base": index,
        "shift": unsigned(address_bits(config.simd_units)),
        "pad_value": signed(8),
        "vertical": unsigned(1),
        "take_mask": index,
        "take_base": index,
        "push": unsigned(1),
        "from_east": unsigned(1),
        "from_west": unsigned(1),
        "from_row": unsigned(1),
        "write_enable": unsigned(lanes),
        "write_address": unsigned(address_bits(config.bank_depth)),
        "from_south": unsigned(1),
        "from_north": unsigned(1),
        "ring_read_positions": unsigned(lanes * position.width),
        "weight_mask": index,
        **lane_shapes,
    }


class LaneControl(wiring.Signature):
    """Control of a lane, each field in the cycle in which the lane uses it.

    The issue stage *reads* in cycle r, makes a *step* in cycle i and *ticks* (end of a set of
    windows) in cycle e; these reach the lane as follows. Widths follow `config`.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    ring_write, ring_write_position
        r + 4: write the incoming vector to the window ring (DEPTHWISE, POOL).
    advance
        i + 4: the incoming vector becomes the lane's vector (CONV, ADD).
    quad
        i + 5: 4 bytes of the lane's vector to broadcast to its SIMD units.
    ring_read, ring_read_position
        i + 5: read the 4 vectors of the ring from that position on, modulo its length.
    ring_beyond, ring_gap
        i + 5: those of the 4 vectors, bit j for the j-th, that lie so many rows of banks further.
    weight_enable, weight_row
        i + 5: register-file row to read; of a lane that takes another's row nothing is read.
    multiply, private, tap
        i + 6: take the operands of dot products, of the quad or (`private`) of the ring's vectors whose
        `tap` bit is set: byte u of vector j and weight j of unit u. Multiply in i + 7, sum in i + 8.
    maximum
        With `multiply`: instead of dot products, the largest of those bytes, whatever `private`.
    restore_enable, restore_row
        i + 8: read saved accumulators.
    accumulate, restart, restore
        i + 9: add the dot products to the accumulators; with `restart` to 0 or, with `restore` too,
        to the saved accumulators.
    compare
        With `accumulate`: accumulators keep the larger value instead of the sum. `restart` starts from
        -128, not 0.
    capture
        e + 10: move the accumulators to the drain register.
    save, save_row
        e + 10: save the accumulators.
    reduce
        e + 11 …: shift the drain register, adding the neighbour's head where `receive` is set.
    parameter_enable, parameter_row
        With each slot: parameter row to read.
    slot, operand, sum, phase
        e + 11 … e + 14: requantize quarter `phase` of the drain register; with `sum`, of the drain
        register plus the result coming out. With `operand`, of the lane's vector: i + 5 … i + 8.
    keep
        ``REQUANTIZER_LATENCY`` = 6 cycles after an operand's slot: shift the result into the drain
        register.
    finish, zero_point, clamp_low, clamp_high
        6 cycles after a slot: finish the result to int8.
    table
        With `finish`, where there are activation tables: the finished result goes through the table.
    assemble, commit
        7 cycles after a slot: take a quarter of the output vector; take the last quarter.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the signature for `config`."""
        members: dict[str, Any] = _lane_shapes(config)
        super().__init__(
            {name: Out(shape) for name, shape in members.items()} | {"receive": Out(1)}
        )


class PeControl(wiring.Signature):
    """Control of a PE: :class:`LaneControl`, for all lanes, and the fields of the PE's own units.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    read_enable, read_address
        r + 1: banks to read, bit b for bank b.
    incoming, source_mask, source_base, shift, pad, pad_value
        r + 3: lanes (bit l for lane l) whose incoming register takes a vector: that of bank
        ``(l & source_mask) | source_base``, or `pad_value` in all bytes with `pad`. That of the last bank comes from
        byte `shift` on, with zeros behind.
    ring_read_positions
        The lanes' `ring_read_position`, lane 0's lowest.
    weight_mask
        With `weight_enable`: lane l takes the register-file row that lane ``l & weight_mask`` reads.
    vertical
        With `reduce`: the neighbour is the southern PE, not the eastern PE.
    receive
        With `reduce`: this PE adds what its neighbour shifts out.
    push, take_mask, take_base, from_east, from_west, from_row
        e + 22 …: bank b takes the output vector of lane ``(b & take_mask) | take_base``, of this PE
        unless a neighbour is named; with `from_row` what the row's bus has.
    shares
        With `push`: the row's bus has this PE's vectors.
    write_enable, write_address, from_south, from_north
        One cycle after `push`: store that vector, or the vector that a vertical neighbour took.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the signature for `config`."""
        members: dict[str, Any] = _pe_shapes(config)
        super().__init__(
            {name: Out(shape) for name, shape in members.items()}
            | {"pad": Out(1), "receive": Out(1), "shares": Out(1)}
        )


class ExecuteControl(wiring.Signature):
    """Control that the EXECUTE unit gives the whole grid, one cycle before :class:`PeControl`.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    tap_y, tap_x, pitch_y, pitch_x, bound_y, bound_x, inject
        With `read_enable`: image coordinates of PE (0, 0)'s tap, distance from one PE to the
        next, size of the image, and whether a tap outside it reads `pad_value`.
    column_stride
        With `read_enable`: vectors from the address of a PE column to that of its eastern neighbour.
    reduce_index
        With `reduce`: PE column, or row, that receives.
    source
        With `from_row`: PE column whose vectors the rows' buses have.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the signature for `config`."""
        members: dict[str, Any] = _pe_shapes(config)
        super().__init__(
            {name: Out(shape) for name, shape in members.items()}
            | {
                "tap_y": Out(signed(16)),
                "tap_x": Out(signed(16)),
                "pitch_y": Out(12),
                "pitch_x": Out(12),
                "bound_y": Out(12),
                "bound_x": Out(12),
                "inject": Out(1),
                "column_stride": Out(address_bits(config.bank_depth)),
                "source": Out(address_bits(config.pes_x)),
                "reduce_index": Out(address_bits(max(config.pes_x, config.pes_y))),
            }
        )


def row_address_bits(config: AcceleratorConfig) -> int:
    """Width of an address that fits the register file, the parameters and the activation table."""
    tables = TABLE_ROWS * config.activation_table
    return address_bits(max(2 * config.weight_rows, 2 * REQUANTIZER_PHASES, tables))


def row_write_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Write of a register-file or parameter row to the lanes in `lanes` of the PEs in `columns`.

    `address` is half · `weight_rows` + row, or half · 4 + row with `parameter` set. With a weight store
    each column of PEs has its own row in `data`, else all have the same. With `table` the row is one of the activation
    table of all lanes of all PEs: the first bytes of the first row in `data`.
    """
    return data.StructLayout(
        {
            "enable": 1,
            "lanes": config.compute_lanes,
            "columns": config.pes_x,
            "parameter": 1,
            "address": row_address_bits(config),
            "data": data.ArrayLayout(8 * config.row_bytes, rows_at_once(config)),
            **({"table": 1} if config.activation_table else {}),
        }
    )


def rows_at_once(config: AcceleratorConfig) -> int:
    """Rows that the grid takes in a cycle: with a weight store its own for each column of PEs, else 1."""
    return config.pes_x if config.store_rows else 1


def tile_read_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Layout of a read of one vector of one PE."""
    return data.StructLayout(
        {
            "enable": 1,
            "pe_y": address_bits(config.pes_y),
            "pe_x": address_bits(config.pes_x),
            "bank": address_bits(config.compute_lanes),
            "address": address_bits(config.bank_depth),
        }
    )


def tile_write_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Layout of a write of one vector of one PE, or with `all_columns` of each PE of a row."""
    return data.StructLayout(
        {
            **tile_read_layout(config).members,
            "all_columns": 1,
            "data": 8 * config.vector_bytes,
        }
    )
