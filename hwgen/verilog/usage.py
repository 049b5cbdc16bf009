"""Analysis of a netlist's module ahead of its writing: what drives every net, and who reads it."""

from collections import defaultdict
from collections.abc import Mapping

from hwgen.verilog.netlist import (
    Bits,
    Cell,
    NetlistModule,
    Part,
    Signal,
    Wire,
    signal_width,
    slice_signal,
)
from hwgen.verilog.operators import (
    ATOM,
    SHIFTS_RIGHT,
    Operation,
    fitted,
    operation_of,
    shifted_copy,
)

__all__ = ["PURPOSES", "Usage", "first_wire", "is_private", "whole_private"]

_REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce")

PURPOSES = ("next", "enable", "clear")
"""Words for what the pins of a register but its clock are for."""


class Usage:
    """Registers, operations, connections and instances of a module, and the users of its nets.

    Parameters
    ----------
    module : NetlistModule
        Changed where only some bits of a net are registers: these get a net of their own.
    parts : mapping
        Modules of the instances that are netlists themselves.

    Attributes
    ----------
    registers, instances : list of Cell
    connections : list of (Signal, Signal)
        What is assigned, and the value.
    operations : list of (Signal, Operation)
        Results and operators.
    stored : set of str
        Nets that are registers.
    users : dict
        For each net what it goes to, and what for.
    """

    def __init__(self, module: NetlistModule, parts: Mapping[str, NetlistModule]) -> None:
        """Analyse a module."""
        self.module = module
        self.parts = parts
        self.registers = [cell for cell in module.cells if cell.kind in _REGISTERS]
        self.instances = [cell for cell in module.cells if not cell.kind.startswith("$")]
        self._separate_registers()
        self.stored = {first_wire(cell.pins["Q"]) for cell in self.registers}
        self.aliases: dict[str, Signal] = {}
        self.connections: list[tuple[Signal, Signal]] = []
        self._find_aliases()
        self.operations: list[tuple[Signal, Operation]] = []
        for cell in module.cells:
            if cell.kind.startswith("$") and cell.kind not in _REGISTERS:
                result = cell.pins["Y"]
                if whole_private(result, module) and first_wire(result) in self.aliases:
                    continue
                pins = {pin: self.resolve(signal) for pin, signal in cell.pins.items()}
                copy = Cell(cell.kind, cell.name, cell.parameters, pins | {"Y": result})
                operation = self._selection(copy) or operation_of(copy)
                self.operations.append((result, operation))
        self._count()

    def resolve(self, signal: Signal) -> Signal:
        """Replace aliases by what they stand for."""
        if not any(isinstance(part, Part) and part.wire in self.aliases for part in signal):
            return signal
        parts: list[Bits | Part] = []
        for part in signal:
            if isinstance(part, Part) and part.wire in self.aliases:
                parts += slice_signal(self.resolve(self.aliases[part.wire]), part.low, part.width)
            else:
                parts.append(part)
        return tuple(parts)

    def outputs(self, cell: Cell) -> dict[str, int]:
        """Widths of the outputs of an instance."""
        part = self.parts.get(cell.kind)
        if part is None:
            return {"read_data": cell.parameters["WIDTH"]}
        return {name: wire.width for name, wire in part.wires.items() if wire.side == "output"}

    def nestable(self, wire: str) -> bool:
        """Whether a private net is used once and whole, so that its operator can be nested."""
        operation = self.driver.get(wire)
        return (
            operation is not None
            and operation.nests
            and len(self.users[wire]) == 1
            and wire not in self.sliced
        )

    def _separate_registers(self) -> None:
        """Give registers a net of their own where other bits of their net are none."""
        bits: dict[str, int] = defaultdict(int)
        for cell in self.registers:
            for part in cell.pins["Q"]:
                assert isinstance(part, Part)
                bits[part.wire] |= ((1 << part.width) - 1) << part.low
        wires = self.module.wires
        partial = {name for name, mask in bits.items() if mask != (1 << wires[name].width) - 1}
        for cell in self.registers:
            stored = cell.pins["Q"]
            if not any(isinstance(part, Part) and part.wire in partial for part in stored):
                continue
            own = Wire(f"$register${cell.name}", signal_width(stored))
            initial = [
                _initial_bits(wires[part.wire], part) for part in stored if isinstance(part, Part)
            ]
            if all(initial):
                own.initial = "".join(initial)
            wires[own.name] = own
            cell.pins["Q"] = (Part(own.name, 0, own.width),)
            self.module.connections.append((stored, cell.pins["Q"]))

    def _selection(self, cell: Cell) -> Operation | None:
        """Return a shift to the right as a selection of bits, where it always stays inside a net."""
        if cell.kind not in SHIFTS_RIGHT or cell.parameters["A_SIGNED"] or len(cell.pins["A"]) != 1:
            return None
        source, amount = cell.pins["A"][0], cell.pins["B"]
        if not isinstance(source, Part) or is_private(source.wire):
            return None
        width = signal_width(cell.pins["Y"])
        whole = self.module.wires[source.wire].width
        last = "".join(
            part.value.replace("x", "1") if isinstance(part, Bits) else "1" * part.width
            for part in amount
        )
        if source.width != whole or int(last, 2) + width > whole or whole == 1:
            return None
        index = fitted(amount, (whole - 1).bit_length())
        text = "{}[{}]" if width == 1 else f"{{}}[{{}} +: {width}]"
        return Operation("word", (cell.pins["A"], index), text.format, ATOM, width, wraps=True)

    def _find_aliases(self) -> None:
        """Replace private wires that only stand for other signals."""
        pairs = list(self.module.connections)
        for cell in self.module.cells:
            copied = shifted_copy(cell)
            if copied is not None and whole_private(cell.pins["Y"], self.module):
                pairs.append((cell.pins["Y"], copied))
        for left, right in pairs:
            if whole_private(left, self.module):
                part = left[0]
                assert isinstance(part, Part)
                self.aliases[part.wire] = right
            else:
                self.connections.append((left, right))

    def _count(self) -> None:
        """Note the users of every net."""
        self.users: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.sliced: set[str] = set()
        self.driver: dict[str, Operation] = {}

        def use(signal: Signal, target: str, word: str) -> None:
            for part in self.resolve(signal):
                if isinstance(part, Part):
                    self.users[part.wire].append((target, word))
                    if part.width != self.module.wires[part.wire].width:
                        self.sliced.add(part.wire)

        for left, right in self.connections:
            use(right, first_wire(left), "value")
        for result, operation in self.operations:
            if whole_private(result, self.module):
                self.driver[first_wire(result)] = operation
            for operand in operation.operands:
                use(operand, first_wire(result), operation.word)
        for cell in self.registers:
            target = first_wire(cell.pins["Q"])
            for pin, purpose in zip(("D", "EN", "SRST", "CLK"), (*PURPOSES, ""), strict=True):
                if pin in cell.pins:
                    use(cell.pins[pin], target, purpose)
        for cell in self.instances:
            for pin, signal in cell.pins.items():
                if pin not in self.outputs(cell):
                    use(signal, f"{cell.name}_{pin}", "")


def is_private(wire: str) -> bool:
    """Whether the netlist gives a wire no name of its own."""
    return wire.startswith("$")


def whole_private(signal: Signal, module: NetlistModule) -> bool:
    """Whether a signal is all of one private wire."""
    if len(signal) != 1 or not isinstance(signal[0], Part):
        return False
    part = signal[0]
    return is_private(part.wire) and part.width == module.wires[part.wire].width


def first_wire(signal: Signal) -> str:
    """Name of the first wire in a signal that is not all constants."""
    return next(part.wire for part in signal if isinstance(part, Part))


def _initial_bits(wire: Wire, part: Part) -> str:
    """Bits of a wire's initial value; empty without a value."""
    return wire.initial[wire.width - part.low - part.width : wire.width - part.low]
