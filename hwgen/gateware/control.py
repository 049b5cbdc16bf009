"""Control bundles from the EXECUTE unit to the PE grid, the PEs and the lanes."""

from typing import Any

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from hwgen.gateware.ram import address_bits
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig

__all__ = [
    "ExecuteControl",
    "LaneControl",
    "PeControl",
    "row_address_bits",
    "row_write_layout",
    "tile_read_layout",
    "tile_write_layout",
]


def _lane_shapes(config: AcceleratorConfig) -> dict[str, Shape]:
    """Fields that a lane uses, in the order of its pipeline."""
    return {
        "weight_enable": unsigned(1),
        "weight_row": unsigned(address_bits(2 * config.weight_rows)),
        "multiply": unsigned(1),
        "tap": unsigned(4),
        "accumulate": unsigned(1),
        "restart": unsigned(1),
        "capture": unsigned(1),
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
        "assemble": unsigned(1),
        "commit": unsigned(1),
    }


def _pe_shapes(config: AcceleratorConfig) -> dict[str, Shape]:
    """Fields that a PE uses, without those of `pad` and `receive`, which differ between PEs."""
    lanes = config.compute_lanes
    return {
        "read_enable": unsigned(lanes),
        "read_address": unsigned(address_bits(config.bank_depth)),
        "feed": unsigned(1),
        "private": unsigned(1),
        "bank": unsigned(lanes),
        "quad": unsigned(address_bits(config.simd_units // 4)),
        "pad_value": signed(8),
        "vertical": unsigned(1),
        "push": unsigned(1),
        "from_east": unsigned(1),
        "from_west": unsigned(1),
        "write_enable": unsigned(lanes),
        "write_address": unsigned(address_bits(config.bank_depth)),
        "from_south": unsigned(1),
        "from_north": unsigned(1),
        **_lane_shapes(config),
    }


class LaneControl(wiring.Signature):
    """What a lane is told, each field in the cycle in which the lane uses it.

    A *step* that the issue stage makes in cycle i and a *tick* (end of a window) in cycle e
    reach the lane as follows. Widths follow `config`.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    weight_enable, weight_row
        i + 2: register-file row to read.
    multiply, tap
        i + 3: compute dot products; `tap` (one-hot) is the byte of each unit's weights that
        multiplies the private vector, 0 for CONV.
    accumulate, restart
        i + 4: add the dot products to the accumulators, or to 0.
    capture
        e + 5: move the accumulators to the drain register.
    reduce
        e + 6 …: shift the drain register, adding the neighbour's head where `receive` is set.
    parameter_enable, parameter_row
        One cycle before each slot: parameter row to read.
    slot, operand, sum, phase
        e + 6 … e + 9: requantize quarter `phase` of the drain register; with `sum`, of the drain
        register plus the result coming out; with `operand`, of the private vector.
    keep
        4 cycles after an operand's slot: shift the result into the drain register.
    finish, zero_point, clamp_low, clamp_high
        4 cycles after a slot: finish the result to int8.
    assemble, commit
        5 cycles after a slot: take a quarter of the output vector; the last one.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the signature for `config`."""
        members: dict[str, Any] = _lane_shapes(config)
        super().__init__(
            {name: Out(shape) for name, shape in members.items()} | {"receive": Out(1)}
        )


class PeControl(wiring.Signature):
    """What a PE is told: :class:`LaneControl` and the fields of the PE's own units.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    read_enable, read_address
        i + 1: banks to read, bit b for bank b.
    feed, private, bank, quad, pad, pad_value
        i + 2: what goes to the lanes: each bank's vector to its own lane (`private`), or bytes
        4·quad … of the bank in `bank` (one-hot) to all.
    vertical
        With `reduce`: the neighbour is the southern PE, not the eastern one.
    receive
        With `reduce`: this PE adds what its neighbour shifts out.
    push, from_east, from_west
        e + 15 …: take an output vector: one's own unless a neighbour is named.
    write_enable, write_address, from_south, from_north
        One cycle after `push`: store that vector, or the one a vertical neighbour took.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the signature for `config`."""
        members: dict[str, Any] = _pe_shapes(config)
        super().__init__(
            {name: Out(shape) for name, shape in members.items()}
            | {"pad": Out(1), "receive": Out(1)}
        )


class ExecuteControl(wiring.Signature):
    """What the EXECUTE unit tells the whole grid, one cycle before :class:`PeControl`.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    tap_y, tap_x, pitch_y, pitch_x, bound_y, bound_x, inject
        With `read_enable`: image coordinates of PE (0, 0)'s tap, distance from one PE to the
        next, size of the image, and whether a tap outside it reads `pad_value`.
    reduce_index
        With `reduce`: PE column, or row, that receives.
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
                "reduce_index": Out(address_bits(max(config.pes_x, config.pes_y))),
            }
        )


def row_address_bits(config: AcceleratorConfig) -> int:
    """Width of an address that fits both the register file and the parameters."""
    return address_bits(max(2 * config.weight_rows, 2 * REQUANTIZER_PHASES))


def row_write_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Write of a register-file or parameter row to the lanes in `lanes` of every PE.

    `address` is half · `weight_rows` + row, or half · 4 + row with `parameter` set.
    """
    return data.StructLayout(
        {
            "enable": 1,
            "lanes": config.compute_lanes,
            "parameter": 1,
            "address": row_address_bits(config),
            "data": 8 * config.row_bytes,
        }
    )


def tile_read_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Read of one vector of one PE."""
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
    """Write of one vector of one PE."""
    return data.StructLayout({**tile_read_layout(config).members, "data": 8 * config.vector_bytes})
