"""Requantizer: scales int32 accumulators to int8, bit-exact to TensorFlow Lite Micro."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.single_port_ram import SinglePortRam
from hwgen.gateware.primitives.unique import unique
from sim.spec.accelerator import (
    RECORD_BYTES,
    REQUANTIZER_LATENCY,
    TABLE_ROW_ENTRIES,
    TABLE_ROWS,
)

__all__ = ["RECORD_BITS", "Requantizer", "RequantizerUnit", "record_layout", "table_layout"]

RECORD_BITS = 8 * RECORD_BYTES
"""Bits of a requantization record."""

_HALF_BITS = 16
"""The product is put together from products of halves."""


def record_layout() -> data.StructLayout:
    """Layout of a requantization record."""
    return data.StructLayout({"bias": signed(32), "multiplier": 32, "left": 8, "right": 8})


def table_layout() -> data.StructLayout:
    """Layout of a write of a row of the activation table, four entries from 4 · `row` on.

    Entries are in the order of their inputs as unsigned numbers: those of 0 … 127, then of -128 … -1.
    """
    return data.StructLayout(
        {"write": 1, "row": (TABLE_ROWS - 1).bit_length(), "entries": 8 * TABLE_ROW_ENTRIES}
    )


class RequantizerUnit(wiring.Component):
    """Requantizes one value per cycle.

    With x = (acc + bias) · 2^left wrapped to 32 bits, h = ⌊(x · multiplier + 2^30) / 2^31⌋ and y = h / 2^right
    rounded to nearest, ties away from zero, the output is y + zero_point, clamped. This is
    gemmlowp's ``MultiplyByQuantizedMultiplier`` with both roundings.

    Latency: 6 cycles to `result`, 7 cycles to `output`. Throughput: 1 value per cycle.

    Parameters
    ----------
    tables : bool
        Whether there is an activation table.

    Members
    -------
    enable : In(6)
        Bit i: stage i has a value; bit 0 comes with `accumulator` and `addend`, bit 1 with `record`.
    accumulator, addend : In(signed(32))
        Their sum, wrapped, is the value to requantize.
    record : In(record_layout())
        Its channel's constants, one cycle later.
    result : Out(signed(32))
        y; 6 cycles after its `accumulator`.
    finish : In(1)
        Finish the present `result`: with it, `zero_point`, `clamp_low` and `clamp_high` hold.
    output : Out(signed(8))
        The last finished result.

    Notes
    -----
    With an activation table the clamped value may be replaced by its entry, in the same cycle: the memory takes it as its
    address where the output has a register. There are two more members: `table`, In(1), with `finish`: the output is
    the table's entry; `fill`, In(table_layout()), a row of the table to write at the end of the cycle, which must not
    be one of `finish` and `table`.
    """

    def __init__(self, *, tables: bool = False) -> None:
        """Create a unit."""
        self.tables = tables
        super().__init__(
            {
                "enable": In(REQUANTIZER_LATENCY),
                "accumulator": In(signed(32)),
                "addend": In(signed(32)),
                "record": In(record_layout()),
                "result": Out(signed(32)),
                "finish": In(1),
                "zero_point": In(signed(8)),
                "clamp_low": In(signed(8)),
                "clamp_high": In(signed(8)),
                "output": Out(signed(8)),
                **({"table": In(1), "fill": In(table_layout())} if tables else {}),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        # The data path needs no reset: `enable` and `finish` say what is valid.
        value = Signal(signed(32), reset_less=True)
        biased = Signal(32, reset_less=True)
        lefts = Signal(5, reset_less=True)
        x = Signal(signed(32), reset_less=True)
        multipliers = [
            Signal(32, name=f"multiplier_{stage}", reset_less=True) for stage in range(2)
        ]
        rights = [Signal(5, name=f"right_{stage}", reset_less=True) for stage in range(4)]
        # of a half of x and a half of the multiplier; only the upper half of x has a sign
        products = {
            (half, factor): Signal(
                Shape(2 * _HALF_BITS, signed=half == 1),
                name=f"product_{half}_{factor}",
                reset_less=True,
            )
            for half in range(2)
            for factor in range(2)
        }
        h = Signal(signed(32), reset_less=True)
        result = Signal(signed(32), reset_less=True)
        output = Signal(signed(8), reset_less=True)
        m.d.comb += self.result.eq(result)
        if not self.tables:
            m.d.comb += self.output.eq(output)

        # Cycle 1: the value
        with m.If(self.enable[0]):
            m.d.sync += value.eq(self.accumulator + self.addend)

        # Cycle 2: add the bias
        with m.If(self.enable[1]):
            m.d.sync += [
                biased.eq(value + self.record.bias),
                lefts.eq(self.record.left[:5]),
                multipliers[0].eq(self.record.multiplier),
                rights[0].eq(self.record.right[:5]),
            ]

        # Cycle 3: shift left
        with m.If(self.enable[2]):
            m.d.sync += [
                x.eq((biased << lefts)[:32].as_signed()),
                multipliers[1].eq(multipliers[0]),
                rights[1].eq(rights[0]),
            ]

        # Cycle 4: multiply the halves
        halves = (x[:_HALF_BITS], x[_HALF_BITS:].as_signed())
        with m.If(self.enable[3]):
            m.d.sync += [
                *(
                    product.eq(halves[half] * multipliers[1].word_select(factor, _HALF_BITS))
                    for (half, factor), product in products.items()
                ),
                rights[2].eq(rights[1]),
            ]

        # Cycle 5: doubling high half, rounded
        total = Signal(signed(64))
        outer = Cat(products[0, 0], products[1, 1]).as_signed()
        inner = (products[0, 1] << _HALF_BITS) + (products[1, 0] << _HALF_BITS)
        m.d.comb += total.eq(outer + inner + Const(1 << 30, 32))
        # bits of h: that which rounds, and those below it
        rounds = Signal(31, reset_less=True)
        below = Signal(30, reset_less=True)
        with m.If(self.enable[4]):
            m.d.sync += [
                h.eq(total[31:63].as_signed()),
                rights[3].eq(rights[2]),
                rounds.eq(Cat(rights[2] == index + 1 for index in range(len(rounds)))),
                below.eq(Cat(rights[2] > index + 1 for index in range(len(below)))),
            ]

        # Cycle 6: shift right. The bit below the result rounds up, but for a tie of a negative
        # value, which has only zeros below that bit
        up = (h & rounds).any() & (~h[31] | (h & below).any())
        with m.If(self.enable[5]):
            m.d.sync += result.eq((h >> rights[3]) + up)

        # Cycle 7: add the zero point, clamp. Only a result between the bounds needs the sum
        least, most = Signal(signed(9)), Signal(signed(9))
        m.d.comb += [
            least.eq(self.clamp_low - self.zero_point),
            most.eq(self.clamp_high - self.zero_point),
        ]
        total_low = (result[:8] + self.zero_point)[:8]
        low = Mux(result < least, self.clamp_low, total_low)
        clamped = Mux(result > most, self.clamp_high, low)
        if self.tables:
            clamped = self._look_up(m, output, clamped)
        with m.If(self.finish):
            m.d.sync += output.eq(clamped)
        return m

    def _look_up(self, m: Any, output: Any, clamped: Any) -> Signal:
        """Add the table, and what chooses between its entry and the clamped value; return that value."""
        m.submodules.table = memory = SinglePortRam(8 * TABLE_ROW_ENTRIES, TABLE_ROWS)
        value = Signal(8)
        looked_up = Signal(reset_less=True)
        within = (TABLE_ROW_ENTRIES - 1).bit_length()
        m.d.comb += [
            value.eq(clamped),
            memory.enable.eq(self.fill.write | (self.finish & self.table)),
            memory.write.eq(self.fill.write),
            memory.address.eq(Mux(self.fill.write, self.fill.row, value[within:])),
            memory.write_data.eq(self.fill.entries),
        ]
        with m.If(self.finish):
            m.d.sync += looked_up.eq(self.table)
        entry = memory.read_data.word_select(output.as_unsigned()[:within], 8)
        m.d.comb += self.output.eq(Mux(looked_up, entry, output.as_unsigned()))
        return value


class Requantizer(wiring.Component):
    """Row of `width` requantizer units, in lockstep.

    Latency: ``RESULT_LATENCY`` cycles to `result`, 1 more to `output`. Throughput: `width`
    values per cycle.

    Parameters
    ----------
    width : int
        Number of units (R).
    tables : bool
        Whether each has an activation table.

    Members
    -------
    enable : In(1)
        `accumulator` and `addend` hold values.
    accumulator, addend : In(signed(32)).array(width)
        Terms of the values to requantize.
    record : In(80 * width)
        Their channels' constants, one cycle later, see :func:`record_layout`.
    result : Out(signed(32)).array(width)
        Values before the zero point is added.
    finish, zero_point, clamp_low, clamp_high : In
        As for :class:`RequantizerUnit`.
    output : Out(signed(8)).array(width)
        The last finished results.

    Notes
    -----
    With activation tables there are `table` and `fill`, as for :class:`RequantizerUnit`.
    """

    RESULT_LATENCY: ClassVar[int] = REQUANTIZER_LATENCY
    """Cycles from `accumulator` to `result`."""

    def __init__(self, width: int, *, tables: bool = False) -> None:
        """Create a requantizer of `width` units."""
        self.width = width
        self.tables = tables
        super().__init__(
            {
                "enable": In(1),
                "accumulator": In(signed(32)).array(width),
                "addend": In(signed(32)).array(width),
                "record": In(RECORD_BITS * width),
                "result": Out(signed(32)).array(width),
                "finish": In(1),
                "zero_point": In(signed(8)),
                "clamp_low": In(signed(8)),
                "clamp_high": In(signed(8)),
                "output": Out(signed(8)).array(width),
                **({"table": In(1), "fill": In(table_layout())} if tables else {}),
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
            unit = RequantizerUnit(tables=self.tables)
            m.submodules[f"unit_{index}"] = unique(unit)
            m.d.comb += [
                unit.enable.eq(enable),
                unit.accumulator.eq(self.accumulator[index]),
                unit.addend.eq(self.addend[index]),
                unit.record.eq(self.record.word_select(index, RECORD_BITS)),
                self.result[index].eq(unit.result),
                unit.finish.eq(self.finish),
                unit.zero_point.eq(self.zero_point),
                unit.clamp_low.eq(self.clamp_low),
                unit.clamp_high.eq(self.clamp_high),
                self.output[index].eq(unit.output),
            ]
            if self.tables:
                m.d.comb += [unit.table.eq(self.table), unit.fill.eq(self.fill)]
        return m
