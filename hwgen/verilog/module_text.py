"""Text of one module: ports, nets, assignments, registers and instances."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwgen.verilog.expressions import Expressions
from hwgen.verilog.identifiers import Identifiers
from hwgen.verilog.layout import block, constant, range_text, wrapped
from hwgen.verilog.netlist import Cell, NetlistModule, Part, Signal, signal_width
from hwgen.verilog.operators import UNARY, Operation
from hwgen.verilog.usage import Usage, first_wire, whole_private

__all__ = ["InstanceText", "ModuleText", "port_names", "write_module"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceText:
    """Instance of a module, with its parameters; ``kind`` is the module's name in the netlist."""

    module: str
    name: str
    kind: str
    parameters: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleText:
    """Module as Verilog-2005, what it instantiates, and its nets by their names in the netlist."""

    name: str
    text: str
    instances: tuple[InstanceText, ...]
    nets: Mapping[str, str]


def write_module(
    module: NetlistModule,
    *,
    instantiate: Callable[[Cell], str],
    parts: Mapping[str, NetlistModule],
    name: str,
    head: Sequence[str] = (),
    order: Sequence[str] = (),
    comments: Mapping[str, str] | None = None,
) -> ModuleText:
    """Return a module as Verilog-2005.

    Nets that the netlist gives no name stand as expressions where they are used, or are named after
    what they drive.

    Parameters
    ----------
    module : NetlistModule
    instantiate : callable
        Gives the name in the text of the module of an instance.
    parts : mapping
        Instantiated modules that are netlists themselves; the others have only one output, ``read_data``.
    name : str
        The module's name in the text.
    head : sequence of str
        Lines in front of the module.
    order : sequence of str
        Ports in the order of the text; others follow.
    comments : mapping, optional
        Comments behind ports.

    Raises
    ------
    ValueError
        If the module has a cell that emission does not know.
    """
    ports = [port for port in order if port in module.wires]
    ports += [port for port in module.ports if port not in ports]
    writer = _Writer(module, instantiate, parts)
    lines = [*head, f"module {name} (", *writer.lines(ports, comments or {}), "endmodule", ""]
    instances = tuple(
        InstanceText(
            module=instantiate(cell), name=identifier, kind=cell.kind, parameters=cell.parameters
        )
        for cell, identifier in writer.placed
    )
    return ModuleText(name=name, text="\n".join(lines), instances=instances, nets=writer.known)


def port_names(module: NetlistModule) -> dict[str, str]:
    """Names of a module's ports in its text, by those in the netlist."""
    identifiers = Identifiers()
    return {port: identifiers.take(port) for port in module.ports}


class _Writer:
    """State of the writing of a module."""

    def __init__(
        self,
        module: NetlistModule,
        instantiate: Callable[[Cell], str],
        parts: Mapping[str, NetlistModule],
    ) -> None:
        self.module = module
        self.usage = Usage(module, parts)
        self.instantiate = instantiate
        self.parts = parts
        self.expressions = Expressions(module, self.usage)
        self.known = self.expressions.known
        self.placed = list(zip(self.usage.instances, self.expressions.instances, strict=True))

    def lines(self, order: Sequence[str], comments: Mapping[str, str]) -> list[str]:
        """Return the ports and the body."""
        registered = self._registers()
        placed = self._instances()
        assigned = self._assignments()
        unused = self._unused()
        lines = [*self._ports(order, comments), ");", *self._declarations()]
        for part in (assigned, registered, placed, unused):
            lines += ["", *part] if part else []
        return lines

    def _ports(self, order: Sequence[str], comments: Mapping[str, str]) -> Iterable[str]:
        for place, port in enumerate(order):
            wire = self.module.wires[port]
            kind = "output reg" if port in self.usage.stored else wire.side
            comma = "," if place < len(order) - 1 else ""
            notes = [comments.get(port, ""), "signed" if wire.signed else ""]
            note = ", ".join(filter(None, notes))
            comment = f"  // {note}" if note else ""
            yield f"    {kind}{range_text(wire.width)} {self.expressions.identifier(port)}{comma}{comment}"

    def _declarations(self) -> list[str]:
        lines = []
        for name, identifier in self.known.items():
            wire = self.module.wires.get(name)
            if wire is None or wire.side:
                continue
            kind = "reg" if name in self.usage.stored else "wire"
            comment = "  // signed" if wire.signed else ""
            lines.append(f"  {kind}{range_text(wire.width)} {identifier};{comment}")
        return [*sorted(lines, key=lambda line: line.startswith("  wire")), *self.expressions.spare]

    def _assignments(self) -> list[str]:
        lines = []
        for left, right in self.usage.connections:
            if not any(self.expressions.needed(part) for part in left):
                continue
            text, _ = self.expressions.expression(right)
            lines += wrapped(f"  assign {self.expressions.target(left)} = {text};")
        pending = list(self.usage.operations)
        # What is nested elsewhere is known when its user has been written.
        for result, operation in pending:
            if not whole_private(result, self.module):
                lines += self._assignment(result, operation)
        written: set[str] = set()
        while waiting := [
            (result, operation)
            for result, operation in pending
            if whole_private(result, self.module)
            and first_wire(result) in self.known
            and first_wire(result) not in written
        ]:
            for result, operation in waiting:
                written.add(first_wire(result))
                lines += self._assignment(result, operation)
        return lines

    def _assignment(self, result: Signal, operation: Operation) -> list[str]:
        target = self.expressions.target(result)
        extra = operation.width - signal_width(result)
        text, _ = self.expressions.operation(operation)
        if extra:
            target = f"{{{self.expressions.spare_net(first_wire(result), extra)}, {target}}}"
        return wrapped(f"  assign {target} = {text};")

    def _registers(self) -> list[str]:
        """Return registers with the same clear and enable in one process each."""
        groups: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
        for cell in self.usage.registers:
            _check_register(cell)
            clear = self._condition(cell, "SRST")
            enable = self._condition(cell, "EN")
            self.expressions.expression(cell.pins["CLK"])
            kind = "gated" if cell.kind == "$sdffce" else ""
            groups[clear, enable, kind].append(cell)
        lines: list[str] = []
        for (clear, enable, kind), cells in groups.items():
            clock = self.expressions.expression(cells[0].pins["CLK"])[0]
            lines += [] if not lines else [""]
            lines.append(f"  always @(posedge {clock})")
            lines += self._process(clear, enable, kind, cells)
        initial = [
            f"    {self.expressions.place(Part(wire.name, 0, wire.width))} = {constant(wire.initial)};"
            for wire in self.module.wires.values()
            if wire.initial and wire.name in self.usage.stored
        ]
        if initial:
            lines += ["", "  initial begin", *initial, "  end"]
        return lines

    def _condition(self, cell: Cell, pin: str) -> str:
        if pin not in cell.pins:
            return ""
        text, binding = self.expressions.expression(cell.pins[pin])
        if cell.parameters[f"{pin}_POLARITY"]:
            return text
        return f"~{text}" if binding <= UNARY else f"~({text})"

    def _process(self, clear: str, enable: str, kind: str, cells: list[Cell]) -> list[str]:
        cleared, stored = [], []
        for cell in cells:
            target = self.expressions.target(cell.pins["Q"])
            stored.append(f"{target} <= {self.expressions.expression(cell.pins['D'])[0]};")
            if clear:
                width = signal_width(cell.pins["Q"])
                value = f"{cell.parameters['SRST_VALUE']:0{width}b}"
                cleared.append(f"{target} <= {constant(value)};")
        if kind == "gated":
            return [
                f"    if ({enable}) begin",
                *_branches("      ", [(f"if ({clear}) ", cleared), ("else ", stored)]),
                "    end",
            ]
        branches = [(f"if ({clear}) ", cleared)] if clear else []
        condition = f"if ({enable}) " if enable else ""
        branches.append((f"else {condition}" if clear else condition, stored))
        return _branches("    ", branches)

    def _instances(self) -> list[str]:
        lines: list[str] = []
        for cell, instance in self.placed:
            outputs = self.usage.outputs(cell)
            part = self.parts.get(cell.kind)
            ports = {} if part is None else port_names(part)
            pins = []
            for pin, signal in cell.pins.items():
                text = (
                    self.expressions.target(signal)
                    if pin in outputs
                    else self.expressions.expression(signal)[0]
                )
                pins.append(f".{ports.get(pin, pin)}({text})")
            for pin in [pin for pin in outputs if pin not in cell.pins]:
                identifier = self.expressions.identifiers.take(f"{instance}_{ports[pin]}_unused")
                self.expressions.spare.append(f"  wire{range_text(outputs[pin])} {identifier};")
                pins.append(f".{ports[pin]}({identifier})")
            given = ", ".join(f".{name}({value})" for name, value in cell.parameters.items())
            parameters = f"#({given}) " if given else ""
            lines += [] if not lines else [""]
            lines.append(f"  {self.instantiate(cell)} {parameters}{instance} (")
            for place, text in enumerate(pins):
                lines += wrapped(f"      {text}{',' if place < len(pins) - 1 else ''}")
            lines.append("  );")
        return lines

    def _unused(self) -> list[str]:
        """Return a net that reads what nothing else reads, so that a linter knows it is meant."""
        parts = []
        for name, identifier in self.known.items():
            wire = self.module.wires.get(name)
            if wire is None or wire.side == "output" or identifier.endswith("_unused"):
                continue
            missing = ((1 << wire.width) - 1) & ~self.expressions.read[name]
            parts += [self.expressions.place(part) for part in _runs(name, missing)]
        if not parts:
            return []
        spare = self.expressions.identifiers.take("unused")
        comment = "  // Bits that this module does not need"
        text = f"&{{1'b0, {', '.join(parts)}}}"
        return [comment, *wrapped(f"  wire {spare} = {text};")]


def _branches(indent: str, branches: list[tuple[str, list[str]]]) -> list[str]:
    """Return statements behind conditions that exclude each other."""
    lines: list[str] = []
    for head, statements in branches:
        added = block(indent, head, statements)
        if lines and lines[-1] == f"{indent}end":
            added[0] = f"{lines.pop()} {added[0].lstrip()}"
        lines += added
    return lines


def _check_register(cell: Cell) -> None:
    if not cell.parameters["CLK_POLARITY"]:
        raise ValueError(f"register {cell.name!r} must have a rising clock")


def _runs(wire: str, mask: int) -> list[Part]:
    """Return the runs of set bits of a mask, the highest first."""
    runs: list[Part] = []
    low = 0
    while mask >> low:
        if mask >> low & 1:
            rest = mask >> low
            width = ((rest ^ (rest + 1)).bit_length()) - 1
            runs.append(Part(wire, low, width))
            low += width
        else:
            low += 1
    return runs[::-1]
