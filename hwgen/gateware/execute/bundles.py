"""Bundles that leave the issue stage: reads, steps and finished sets of windows."""

from typing import Any

from amaranth.hdl import Cat, Mux, signed, unsigned
from amaranth.lib import data

from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import DOT_WIDTH, WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import STORE_SLACK_BITS, ExecuteOp

__all__ = [
    "finish_layout",
    "read_layout",
    "step_layout",
    "stored_banks",
    "used_banks",
    "window_layout",
]


def finish_layout() -> data.StructLayout:
    """Layout of how a window's results are finished: parameter half, zero point and clamp."""
    return data.StructLayout(
        {
            "half": unsigned(1),
            "zero_point": signed(8),
            "clamp_low": signed(8),
            "clamp_high": signed(8),
        }
    )


def stored_banks(config: AcceleratorConfig, descriptor: Any) -> Any:
    """Return the banks that an EXECUTE descriptor stores to, bit b for bank b; all with ``spread``."""
    banks = Cat(bank < descriptor.lanes for bank in range(config.compute_lanes))
    every = descriptor.spread.replicate(config.compute_lanes)
    return (banks << descriptor.out_bank)[: config.compute_lanes] | every


def used_banks(config: AcceleratorConfig, descriptor: Any) -> Any:
    """Return the banks that an EXECUTE descriptor reads or stores to, bit b for bank b; perhaps others, too."""
    lanes, op = config.compute_lanes, descriptor.op
    group = Cat(
        Cat(
            descriptor.pixels[level] & (lane < (lanes >> level))
            for level in range(lanes.bit_length())
        ).any()
        for lane in range(lanes)
    )
    own = (op == ExecuteOp.DEPTHWISE) | (op == ExecuteOp.ADD)
    # CONV's groups may begin in any bank and go on in bank 0
    few = (op == ExecuteOp.CONV) & (descriptor.bank + descriptor.groups <= lanes)
    some = Cat(bank < descriptor.groups for bank in range(lanes))
    read = Mux(own, group, Mux(few, some, (1 << lanes) - 1))
    shift = Mux(own | few, descriptor.bank, 0)
    return (read << shift)[:lanes] | stored_banks(config, descriptor)


def read_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Layout of a read: banks, address, image coordinates of PE (0, 0), and the lanes that take it.

    ``inject``: outside the image ``pad_value`` is read. ``ring``: the vector is also written to the
    window ring, at ``position``. ``source_mask``, ``source_base`` and ``shift``: see
    :class:`~hwgen.gateware.grid.control.PeControl`.
    """
    index = unsigned(address_bits(config.compute_lanes))
    return data.StructLayout(
        {
            "enable": unsigned(config.compute_lanes),
            "address": unsigned(address_bits(config.bank_depth)),
            "y": signed(16),
            "x": signed(16),
            "inject": unsigned(1),
            "lanes": unsigned(config.compute_lanes),
            "source_mask": index,
            "source_base": index,
            "shift": unsigned(address_bits(config.simd_units)),
            "pad_value": signed(8),
            "ring": unsigned(1),
            "position": unsigned(address_bits(WINDOW_VECTORS)),
        }
    )


def step_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Layout of a step: what the lanes do with the vectors that have been read.

    ``operand``: the step requantizes an ADD operand and multiplies nothing; ``second``: operand b.
    ``first``: the step begins a set of windows, with ``restore`` from accumulator row ``saved_row``.
    ``positions`` are the lanes' own, and taps that are ``beyond`` lie ``gap`` rows further in the ring.
    ``maximum``: the set's accumulators keep the largest of the taps, not the weighted sum.
    ``lane_mask`` is the number of lanes per pixel, less 1.
    """
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "operand": unsigned(1),
            "second": unsigned(1),
            "half": unsigned(1),
            "first": unsigned(1),
            "restore": unsigned(1),
            "saved_row": unsigned(address_bits(config.accumulator_rows)),
            "advance": unsigned(1),
            "quad": unsigned(address_bits(config.simd_units // 4)),
            "private": unsigned(1),
            "positions": unsigned(config.compute_lanes * address_bits(WINDOW_VECTORS)),
            "beyond": unsigned(DOT_WIDTH),
            "gap": unsigned(address_bits(WINDOW_VECTORS // DOT_WIDTH)),
            "tap": unsigned(DOT_WIDTH),
            "maximum": unsigned(1),
            "row": unsigned(address_bits(2 * config.weight_rows)),
            "lane_mask": unsigned(address_bits(config.compute_lanes)),
        }
    )


def window_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Layout of a finished set of windows, with what later stages need of its descriptor.

    ``banks`` are those of :func:`stored_banks`, ``used`` those of :func:`used_banks`. ``slack``: cycles that stores may wait in all. Bit p of ``pixels`` tells whether pixel p exists; bit p of ``east``, ``west``, ``south`` and ``north``
    which neighbours' vectors are stored besides the PE's own; ``row_span`` and ``column_span`` how far
    from its own row and column the vectors of vertical and horizontal neighbours go, ``pixel_span`` how far
    from a pixel's the next pixel's. ``lane_mask`` is the number of lanes per pixel, less 1. ``broadcast``: every PE stores
    the vectors of its row's PEs up to column ``last_source``. With ``spread`` a source has the next lanes
    per pixel of ``groups`` in banks from ``bank`` on; ``source_span`` is the step beyond the last bank, or
    without ``spread`` from each source to the next.
    """
    address = unsigned(address_bits(config.bank_depth))
    lanes = unsigned(config.compute_lanes)
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "last": unsigned(1),
            "sum": unsigned(1),
            "post": unsigned(3),
            "banks": lanes,
            "used": lanes,
            "slack": unsigned(STORE_SLACK_BITS),
            "broadcast": unsigned(1),
            "last_source": unsigned(address_bits(config.pes_x)),
            "source_span": address,
            "spread": unsigned(1),
            "groups": unsigned(7),
            "bank": unsigned(address_bits(config.compute_lanes)),
            "lane_mask": unsigned(address_bits(config.compute_lanes)),
            "pixels": lanes,
            "address": address,
            "row_span": address,
            "column_span": address,
            "pixel_span": address,
            "east": lanes,
            "west": lanes,
            "south": lanes,
            "north": lanes,
            "finish": finish_layout(),
        }
    )
