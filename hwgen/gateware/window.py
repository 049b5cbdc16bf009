"""Bundles that leave the issue stage: steps and finished windows."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hwgen.gateware.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["finish_layout", "step_layout", "window_layout"]


def finish_layout() -> data.StructLayout:
    """How a window's results are finished: parameter half, zero point and clamp."""
    return data.StructLayout(
        {
            "half": unsigned(1),
            "zero_point": signed(8),
            "clamp_low": signed(8),
            "clamp_high": signed(8),
        }
    )


def step_layout(config: AcceleratorConfig) -> data.StructLayout:
    """One step: what the lanes do with the vectors that are read in this cycle.

    ``operand``: the step reads an ADD operand and multiplies nothing; ``second``: operand b.
    """
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "operand": unsigned(1),
            "second": unsigned(1),
            "half": unsigned(1),
            "first": unsigned(1),
            "private": unsigned(1),
            "bank": unsigned(config.compute_lanes),
            "quad": unsigned(address_bits(config.simd_units // 4)),
            "tap": unsigned(4),
            "pad_value": signed(8),
            "row": unsigned(address_bits(2 * config.weight_rows)),
        }
    )


def window_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A finished window, with all that is needed of its descriptor after the issue stage.

    ``east`` … ``south`` tell which neighbours' vectors are stored besides one's own, and
    ``row_span`` and ``column_span`` how far from one's own the vertical and horizontal ones go.
    """
    address = unsigned(address_bits(config.bank_depth))
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "last": unsigned(1),
            "sum": unsigned(1),
            "post": unsigned(3),
            "lanes": unsigned(config.compute_lanes),
            "address": address,
            "row_span": address,
            "column_span": address,
            "east": unsigned(1),
            "west": unsigned(1),
            "south": unsigned(1),
            "north": unsigned(1),
            "finish": finish_layout(),
        }
    )
