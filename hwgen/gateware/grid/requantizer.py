"""Requantizer: scales int32 accumulators to int8, bit-exact to TensorFlow Lite Micro."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.unique import unique
from sim.spec.accelerator import RECORD_BYTES

__all__ = ["RECORD_BITS", "Requantizer", "RequantizerUnit", "record_layout"]

RECORD_BITS = 8 * RECORD_BYTES
"""Bits of a requantization record."""


def record_layout() -> data.StructLayout:
    """Layout of a requantization record."""
    return data.StructLayout({"bias": signed(32), "multiplier": 32, "left": 8, "right": 8})


class RequantizerUnit(wiring.Component):
    """Requantizes one value per cycle.

    With x = (acc + bias) · 2^left wrapped to 32 bits, h = ⌊(x · multiplier + 2^30) / 2^31⌋ and y = h / 2^right
    rounded to nearest, ties away from zero, the output is y + zero_point, clamped. This is
    gemmlowp's ``MultiplyByQuantizedMultiplier`` with both roundings.

    Latency: 4 cycles to `result`, 5 cycles to `output`. Throughput: 1 value per cycle.

    Members
    -------
    enable : In(4)
        Bit i: stage i has a value; bit 0 comes with `accumulator` and `record`.
    accumulator : In(signed(32))
        Value to requantize.
    record : In(record_layout())
        Its channel's constants.
    result : Out(signed(32))
        y; 4 cycles after its `accumulator`.
    finish : In(1)
        Finish the present `result`: with it, `zero_point`, `clamp_low` and `clamp_high` hold.
    output : Out(signed(8))
        The last finished result.
    """

    def __init__(self) -> None:
        """Create a unit."""
        super().__init__(
            {
                "enable": In(4),
                "accumulator": In(signed(32)),
                "record": In(record_layout()),
                "result": Out(signed(32)),
                "finish": In(1),
                "zero_point": In(signed(8)),
                "clamp_low": In(signed(8)),
                "clamp_high": In(signed(8)),
                "output": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        # The data path needs no reset: `enable` and `finish` say what is valid.
        x = Signal(signed(32), reset_less=True)
        multiplier = Signal(32, reset_less=True)
        product_low = Signal(signed(48), reset_less=True)
        product_high = Signal(signed(48), reset_less=True)
        h = Signal(signed(32), reset_less=True)
        rights = [Signal(5, name=f"right_{stage}", reset_less=True) for stage in range(3)]
        result = Signal(signed(32), reset_less=True)
        output = Signal(signed(8), reset_less=True)
        m.d.comb += [self.result.eq(result), self.output.eq(output)]

        # Cycle 1: add the bias, shift left
        with m.If(self.enable[0]):
            biased = (self.accumulator + self.record.bias)[:32]
            m.d.sync += [
                x.eq((biased << self.record.left[:5])[:32].as_signed()),
                multiplier.eq(self.record.multiplier),
                rights[0].eq(self.record.right[:5]),
            ]

        # Cycle 2: multiply with the halves of the multiplier
        with m.If(self.enable[1]):
            m.d.sync += [
                product_low.eq(x * multiplier[:16]),
                product_high.eq(x * multiplier[16:]),
                rights[1].eq(rights[0]),
            ]

        # Cycle 3: doubling high half, rounded
        product = Signal(signed(64))
        m.d.comb += product.eq((product_high << 16) + product_low + (1 << 30))
        with m.If(self.enable[2]):
            m.d.sync += [h.eq(product[31:63].as_signed()), rights[2].eq(rights[1])]

        # Cycle 4: shift right, ties away from zero
        half = Signal(31)
        below = Signal()
        m.d.comb += [
            half.eq((1 << rights[2]) >> 1),
            # a negative tie must round down
            below.eq((h < 0) & (rights[2] != 0)),
        ]
        with m.If(self.enable[3]):
            m.d.sync += result.eq((h + half - below) >> rights[2])

        # Cycle 5: add the zero point, clamp
        total = Signal(signed(33))
        m.d.comb += total.eq(result + self.zero_point)
        with m.If(self.finish):
            low = Mux(total < self.clamp_low, self.clamp_low, total)
            m.d.sync += output.eq(Mux(total > self.clamp_high, self.clamp_high, low))
        return m


class Requantizer(wiring.Component):
    """Row of `width` requantizer units, in lockstep.

    Latency: ``RESULT_LATENCY`` cycles to `result`, 1 more to `output`. Throughput: `width`
    values per cycle.

    Parameters
    ----------
    width : int
        Number of units (R).

    Members
    -------
    enable : In(1)
        `accumulator` and `record` hold values.
    accumulator : In(signed(32)).array(width)
        Values to requantize.
    record : In(80 * width)
        Their channels' constants, see :func:`record_layout`.
    result : Out(signed(32)).array(width)
        Values before the zero point is added.
    finish, zero_point, clamp_low, clamp_high : In
        As for :class:`RequantizerUnit`.
    output : Out(signed(8)).array(width)
        The last finished results.
    """

    RESULT_LATENCY: ClassVar[int] = 4
    """Cycles from `accumulator` to `result`."""

    def __init__(self, width: int) -> None:
        """Create a requantizer of `width` units."""
        self.width = width
        super().__init__(
            {
                "enable": In(1),
                "accumulator": In(signed(32)).array(width),
                "record": In(RECORD_BITS * width),
                "result": Out(signed(32)).array(width),
                "finish": In(1),
                "zero_point": In(signed(8)),
                "clamp_low": In(signed(8)),
                "clamp_high": In(signed(8)),
                "output": Out(signed(8)).array(width),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        later = Signal(self.RESULT_LATENCY - 1)
        m.d.sync += later.eq((later << 1) | self.enable)
        enable = Signal(self.RESULT_LATENCY)
        m.d.comb += enable.eq((later << 1) | self.enable)
        for index in range(self.width):
            unit = RequantizerUnit()
            m.submodules[f"unit_{index}"] = unique(unit)
            m.d.comb += [
                unit.enable.eq(enable),
                unit.accumulator.eq(self.accumulator[index]),
                unit.record.eq(self.record.word_select(index, RECORD_BITS)),
                self.result[index].eq(unit.result),
                unit.finish.eq(self.finish),
                unit.zero_point.eq(self.zero_point),
                unit.clamp_low.eq(self.clamp_low),
                unit.clamp_high.eq(self.clamp_high),
                self.output[index].eq(unit.output),
            ]
        return m
