"""Expressions of a module: names of its nets, and what its operators compute of them."""

from collections import defaultdict

from hwgen.verilog.identifiers import Identifiers, plain
from hwgen.verilog.layout import constant, range_text
from hwgen.verilog.netlist import Bits, NetlistModule, Part, Signal
from hwgen.verilog.operators import ATOM, REDUCTION, TERNARY, UNARY, Operation, Rendered
from hwgen.verilog.usage import PURPOSES, Usage, is_private

__all__ = ["Expressions"]

_NESTED = 64
"""Longest expression to stand within another."""


class Expressions:
    """Writes signals and operations; what is too long to nest, or is used twice, becomes a net with a name.

    Parameters
    ----------
    module : NetlistModule
    usage : Usage
        Analysis of the module.

    Attributes
    ----------
    known : dict of str to str
        Identifiers of the ports and of all nets that have been named, by their names in the netlist.
    read : dict of str to int
        For each net the bits that something reads, as a mask.
    spare : list of str
        Declarations of nets whose value nothing needs.
    """

    def __init__(self, module: NetlistModule, usage: Usage) -> None:
        """Name the ports, then the instances, then the nets that have names."""
        self.module = module
        self.usage = usage
        self.identifiers = Identifiers()
        self.spare: list[str] = []
        self.read: dict[str, int] = defaultdict(int)
        self.known = {port: self.identifiers.take(port) for port in module.ports}
        self.instances = [self.identifiers.take(cell.name) for cell in usage.instances]
        self.sources = self._sources()
        public = [name for name in module.wires if not is_private(name)]
        # Numbers tell apart what has the same name: the bare name is for the net that has it.
        for name in sorted(public, key=lambda name: "$" in name):
            self.identifier(name)

    def _sources(self) -> dict[str, str]:
        """Name nets that are an instance's output, and are called as that, after both."""
        sources = {}
        for cell, instance in zip(self.usage.instances, self.instances, strict=True):
            for pin in self.usage.outputs(cell):
                signal = cell.pins.get(pin, ())
                if len(signal) == 1 and isinstance(signal[0], Part):
                    wire = signal[0].wire
                    if wire not in self.known and plain(wire) == plain(pin):
                        sources[wire] = f"{instance}_{pin}"
        return sources

    def identifier(self, wire: str) -> str:
        """Return a wire's name in the text."""
        if wire not in self.known:
            self.known[wire] = self.identifiers.take(self._described(wire))
        return self.known[wire]

    def _described(self, wire: str) -> str:
        """Return a name: the netlist's, or what the wire drives and what for."""
        if not is_private(wire):
            return self.sources.get(wire, wire)
        source = wire
        seen: set[str] = set()
        while is_private(source) and source not in seen and self.usage.users[source]:
            seen.add(source)
            source = self.usage.users[source][0][0]
        base = "net" if is_private(source) else source
        _, purpose = next(iter(self.usage.users[wire]), ("", ""))
        if purpose in PURPOSES:
            return f"{base}_{purpose}"
        if wire in self.usage.driver:
            return f"{base}_{self.usage.driver[wire].word}"
        return f"{base}_register" if wire in self.usage.stored else base

    def expression(self, signal: Signal) -> Rendered:
        """Return a signal as an expression of exactly its width."""
        resolved = self.usage.resolve(signal)
        pieces: list[Rendered] = []
        counts: list[int] = []
        previous: Bits | Part | None = None
        for part in resolved:
            if part == previous and isinstance(part, Part):
                counts[-1] += 1
                continue
            previous = part
            pieces.append(self._piece(part))
            counts.append(1)
        if len(pieces) == 1 and counts[0] == 1:
            return pieces[0]
        texts = [
            text if count == 1 else f"{{{count}{{{text}}}}}"
            for (text, _), count in zip(pieces, counts, strict=True)
        ]
        joined = texts[0] if len(texts) == 1 else f"{{{', '.join(texts)}}}"
        return joined, ATOM

    def _piece(self, part: Bits | Part) -> Rendered:
        if isinstance(part, Bits):
            return constant(part.value), ATOM
        if self.usage.nestable(part.wire) and part.wire not in self.known:
            rendered = self.operation(self.usage.driver[part.wire])
            if len(rendered[0]) <= _NESTED:
                return rendered
        self.read[part.wire] |= ((1 << part.width) - 1) << part.low
        return self.place(part), ATOM

    def place(self, part: Part) -> str:
        """Return bits of a named net."""
        name = self.identifier(part.wire)
        width = self.module.wires[part.wire].width
        if part.width == width:
            return name
        if part.width == 1:
            return f"{name}[{part.low}]"
        return f"{name}[{part.low + part.width - 1}:{part.low}]"

    def operation(self, operation: Operation) -> Rendered:
        """Return an operation as an expression."""
        rendered = [self.expression(operand) for operand in operation.operands]
        texts = []
        for place, (text, binding) in enumerate(rendered):
            texts.append(f"({text})" if _needs_parentheses(operation, place, binding) else text)
        binding = rendered[0][1] if operation.binding == ATOM else operation.binding
        return operation.text(*texts), binding

    def target(self, signal: Signal) -> str:
        """Return what is assigned to."""
        parts = [
            self.place(part) if self.needed(part) else self.spare_net(part.wire, part.width)
            for part in signal
            if isinstance(part, Part)
        ]
        return parts[0] if len(parts) == 1 else f"{{{', '.join(parts)}}}"

    def needed(self, part: Bits | Part) -> bool:
        """Whether bits have a name or a user."""
        return isinstance(part, Part) and bool(
            not is_private(part.wire) or self.usage.users[part.wire] or part.wire in self.known
        )

    def spare_net(self, name: str, width: int) -> str:
        """Declare a net whose value nothing needs."""
        known = self.known.get(name, "net")
        identifier = self.identifiers.take(f"{known}_unused")
        self.spare.append(f"  wire{range_text(width)} {identifier};")
        return identifier


def _needs_parentheses(operation: Operation, place: int, binding: int) -> bool:
    """Whether an operand stands in parentheses, for the language or for the reader."""
    if operation.wraps or binding == ATOM or operation.binding == ATOM:
        return False
    if operation.binding == TERNARY:
        return place < 2 and binding > (UNARY if place == 0 else REDUCTION)
    if operation.binding == UNARY or binding != operation.binding:
        return binding > UNARY or operation.binding == UNARY
    return not operation.chains
