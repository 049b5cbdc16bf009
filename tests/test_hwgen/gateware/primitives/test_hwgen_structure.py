"""Structures: the same wires in simulation and in the emitted text."""

import re
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hwgen.gateware.primitives.structure import Structure, Wire
from hwgen.gateware.primitives.unique import EmitPlatform


class Adder(wiring.Component):  # type: ignore[misc]  # amaranth has no types
    """Adds 5 to a number of `width` bits, and 1 where `carry` is set."""

    def __init__(self, width: int = 8) -> None:
        self.width = width
        super().__init__({"number": In(width), "carry": In(1), "total": Out(width)})

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        m.d.comb += self.total.eq(self.number + self.carry + 5)
        return m


class Chain(Structure):
    """Two adders in a row; only the first adder's carry is wired."""

    def __init__(self, output_width: int = 8) -> None:
        super().__init__({"number": In(8), "carry": In(1), "total": Out(output_width)})

    def parts(self) -> dict[str, Any]:
        """Return the adders."""
        return {"first": Adder(), "second": Adder()}

    def wires(self) -> list[Wire]:
        """Return the wires between the adders and to the ports."""
        return [
            Wire("first", "number", None, "number"),
            Wire("first", "carry", None, "carry"),
            Wire("second", "number", "first", "total"),
            Wire(None, "total", "second", "total"),
        ]


def test_simulates_its_wires_and_holds_other_inputs_at_zero() -> None:
    dut = Chain()

    async def bench(ctx: Any) -> None:
        for number, carry in ((0, 0), (7, 1), (250, 1)):
            ctx.set(dut.number, number)
            ctx.set(dut.carry, carry)
            await ctx.delay(1e-9)
            assert ctx.get(dut.total) == (number + carry + 10) % 256

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def test_writes_each_part_with_all_its_ports() -> None:
    platform = EmitPlatform()
    text = Chain().rtlil("cosilico_chain", platform)
    assert list(platform.modules) == ["cosilico_adder"]
    cells = dict(re.findall(r"  cell \\cosilico_adder \\(\w+)\n(.*?)  end", text, re.DOTALL))
    connections = {
        part: dict(re.findall(r"connect \\(\w+) (\S+)", cell)) for part, cell in cells.items()
    }
    clocking = {"clk": "\\clk", "rst": "\\rst"}
    assert connections == {
        "first": clocking | {"number": "\\number", "carry": "\\carry", "total": "\\first_total"},
        "second": clocking | {"number": "\\first_total", "carry": "1'0", "total": "\\second_total"},
    }
    assert "  wire width 8 \\first_total\n" in text
    assert "  connect \\total \\second_total\n" in text


def test_refuses_a_wire_between_ports_of_different_widths() -> None:
    message = (
        r"^Wire\(sink_part=None, sink='total', source_part='second', source='total'\) "
        r"must have one width, not 8 and 9$"
    )
    with pytest.raises(ValueError, match=message):
        Chain(output_width=9).rtlil("cosilico_chain", EmitPlatform())
