"""Components that only connect others, port to port."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hwgen.gateware.primitives.unique import EmitPlatform, module_name, unique

__all__ = ["Structure", "Wire"]


class Wire(NamedTuple):
    """Connection of whole ports, named as in the emitted module (``control__phase``, ``head__0``)."""

    sink_part: str | None
    """Part whose input is driven; None for an output of the structure."""

    sink: str

    source_part: str | None
    """Part whose output drives it; None for an input of the structure."""

    source: str


class Structure(wiring.Component, ABC):
    """Base of components made of parts and wires between whole ports; unwired inputs are 0.

    Amaranth takes a wire apart into bits, which takes minutes for a large grid; emission writes a
    structure as text instead, from the same lists as its simulation.
    """

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Components to instantiate, by name; asked for once per elaboration."""

    @abstractmethod
    def wires(self) -> list[Wire]:
        """Wires between the parts, and to the structure's own ports."""

    def elaborate(self, platform: object) -> Any:
        """Build the module for Amaranth's simulator."""
        m = Module()
        parts = self.parts()
        ports = {name: _ports(part) for name, part in parts.items()}
        own = _ports(self)
        for name, part in parts.items():
            m.submodules[name] = unique(part)
        for wire in self.wires():
            sink = own if wire.sink_part is None else ports[wire.sink_part]
            source = own if wire.source_part is None else ports[wire.source_part]
            m.d.comb += sink[wire.sink][1].eq(source[wire.source][1])
        return m

    def rtlil(self, name: str, platform: EmitPlatform) -> str:
        """Return module `name` in Yosys's format and register the parts' modules.

        Raises
        ------
        ValueError
            If a wire connects ports of different widths.
        """
        own = _ports(self)
        lines = [f"module \\{name}", "  wire input 1 \\clk", "  wire input 2 \\rst"]
        for number, (port, (direction, value)) in enumerate(own.items(), start=3):
            side = "input" if direction == "i" else "output"
            lines.append(f"  wire width {len(value)} {side} {number} \\{port}")

        parts = self.parts()
        for component in (self, *parts.values()):
            component._MustUse__used = True  # here, or by its module's first instance
        ports = {part: _ports(component) for part, component in parts.items()}
        driven: dict[tuple[str | None, str], str] = {}
        sources: dict[tuple[str, str], str] = {}
        for wire in self.wires():
            sink = (own if wire.sink_part is None else ports[wire.sink_part])[wire.sink][1]
            source = (own if wire.source_part is None else ports[wire.source_part])[wire.source][1]
            if len(sink) != len(source):
                raise ValueError(f"{wire} must have one width, not {len(source)} and {len(sink)}")
            net = f"\\{wire.source}"
            if wire.source_part is not None:
                net = f"\\{wire.source_part}_{wire.source}"
                sources[wire.source_part, wire.source] = net
            driven[wire.sink_part, wire.sink] = net
        for (part, port), net in sources.items():
            lines.append(f"  wire width {len(ports[part][port][1])} {net}")

        for part, component in parts.items():
            platform.register(module_name(component), component)
            lines += [f"  cell \\{module_name(component)} \\{part}"]
            lines += ["    connect \\clk \\clk", "    connect \\rst \\rst"]
            for port, (direction, value) in ports[part].items():
                if direction == "i":
                    unwired = f"{len(value)}'{'0' * len(value)}"
                    lines.append(f"    connect \\{port} {driven.get((part, port), unwired)}")
                elif (part, port) in sources:
                    lines.append(f"    connect \\{port} {sources[part, port]}")
            lines.append("  end")
        for (sink_part, port), net in driven.items():
            if sink_part is None:
                lines.append(f"  connect \\{port} {net}")
        return "\n".join([*lines, "end", ""])


def _ports(component: Any) -> dict[str, tuple[str, Any]]:
    """Direction ("i" or "o") and value of every port, by its name in the emitted module."""
    return {
        "__".join(map(str, path)): ("i" if member.flow == In else "o", Value.cast(value))
        for path, member, value in component.signature.flatten(component)
    }
