"""Netlists in Yosys's text format: modules of wires, cells and connections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "Bits",
    "Cell",
    "NetlistModule",
    "Part",
    "Signal",
    "Wire",
    "parse_netlist",
    "signal_width",
    "slice_signal",
]


class Bits(NamedTuple):
    """Constant bits, the highest first: characters 0, 1 and x."""

    value: str

    @property
    def width(self) -> int:
        """Number of bits."""
        return len(self.value)


class Part(NamedTuple):
    """Bits of a wire that follow one another."""

    wire: str
    low: int
    width: int


Signal = tuple[Bits | Part, ...]
"""Concatenation, the highest bits first."""


@dataclass(slots=True)
class Wire:
    """Wire of a module; ``side`` is "input", "output" or empty, ``initial`` its value at power-up."""

    name: str
    width: int
    side: str = ""
    signed: bool = False
    initial: str = ""


@dataclass(slots=True)
class Cell:
    """Operator, register or instance of a module; parameters are numbers."""

    kind: str
    name: str
    parameters: dict[str, int] = field(default_factory=dict)
    pins: dict[str, Signal] = field(default_factory=dict)


@dataclass(slots=True)
class NetlistModule:
    """Module; ports are in the order of their numbers."""

    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    ports: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    connections: list[tuple[Signal, Signal]] = field(default_factory=list)


_WIRE = re.compile(
    r"wire (?:width (?P<width>\d+) )?(?P<upto>upto )?(?:(?P<side>input|output) (?P<port>\d+) )?"
    r"(?P<signed>signed )?(?P<name>\S+)$"
)
_TOKEN = re.compile(
    r"(?P<open>\{)|(?P<close>\})|(?P<bits>\d+'[01xzm-]*)|(?P<number>-?\d+)|"
    r"(?P<name>[\\$]\S+)(?: \[(?P<high>\d+)(?::(?P<low>\d+))?\])?"
)


def parse_netlist(text: str) -> dict[str, NetlistModule]:
    """Read modules without processes and memories, by name.

    Raises
    ------
    ValueError
        If a line is of none of the kinds that such modules have.
    """
    modules: dict[str, NetlistModule] = {}
    lines = (line.strip() for line in text.splitlines())
    for line in lines:
        if line.startswith("module "):
            module = _module(_name(line.split()[1]), lines)
            modules[module.name] = module
        elif line and not line.startswith(("#", "autoidx ", "attribute ")):
            raise ValueError(f"netlist must have only modules, not {line!r}")
    return modules


def signal_width(signal: Signal) -> int:
    """Bits of a concatenation."""
    return sum(part.width for part in signal)


def slice_signal(signal: Signal, low: int, width: int) -> Signal:
    """Bits from `low` on, of which there must be enough."""
    taken: list[Bits | Part] = []
    position = 0
    for part in reversed(signal):
        first = max(low - position, 0)
        last = min(low + width - position, part.width)
        if first < last:
            if isinstance(part, Bits):
                taken.append(Bits(part.value[part.width - last : part.width - first]))
            else:
                taken.append(Part(part.wire, part.low + first, last - first))
        position += part.width
    return tuple(reversed(taken))


def _module(name: str, lines: Iterator[str]) -> NetlistModule:
    module = NetlistModule(name)
    numbers: dict[str, int] = {}
    initial = ""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "end":
            module.ports = sorted(numbers, key=numbers.__getitem__)
            return module
        if word == "attribute":
            attribute, _, value = rest.partition(" ")
            if attribute == r"\init":
                initial = _constant(value).value
        elif word == "wire":
            wire, number = _wire(line)
            wire.initial, initial = initial, ""
            module.wires[wire.name] = wire
            if wire.side:
                numbers[wire.name] = number
        elif word == "cell":
            kind, cell_name = rest.split()
            module.cells.append(_cell(kind, _name(cell_name), lines, module.wires))
        elif word == "connect":
            left, right = _signals(rest, module.wires)
            module.connections.append((left, right))
        elif word:
            raise ValueError(f"module {name!r} must have no {word!r}")
    raise ValueError(f"module {name!r} must have an end")


def _wire(line: str) -> tuple[Wire, int]:
    match = _WIRE.match(line)
    if match is None or match["upto"]:
        raise ValueError(f"wire must be one that counts bits from 0 up, not {line!r}")
    wire = Wire(
        _name(match["name"]),
        int(match["width"] or 1),
        match["side"] or "",
        signed=match["signed"] is not None,
    )
    return wire, int(match["port"] or 0)


def _cell(kind: str, name: str, lines: Iterator[str], wires: dict[str, Wire]) -> Cell:
    cell = Cell(kind if kind.startswith("$") else _name(kind), name)
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "end":
            return cell
        if word == "parameter":
            parameter, value = rest.removeprefix("signed ").split(" ", 1)
            cell.parameters[_name(parameter)] = int(_constant(value).value or "0", 2)
        elif word == "connect":
            pin, _, signal = rest.partition(" ")
            cell.pins[_name(pin)] = _signals(signal, wires)[0]
        elif word != "attribute":
            raise ValueError(f"cell {name!r} must have no {word!r}")
    raise ValueError(f"cell {name!r} must have an end")


def _name(text: str) -> str:
    """Return a name without the mark of public names; private names keep their dollar."""
    return text.removeprefix("\\")


def _constant(text: str) -> Bits:
    """Return a constant; plain numbers have 32 bits."""
    if "'" in text:
        width, _, value = text.partition("'")
        value = re.sub("[zm-]", "x", value)
        # Leading bits may be left out.
        fill = "x" if value.startswith("x") else "0"
        return Bits(value.rjust(int(width), fill))
    return Bits(f"{int(text) & 0xFFFFFFFF:032b}")


def _signals(text: str, wires: dict[str, Wire]) -> list[Signal]:
    """Read concatenations that follow one another on a line."""
    signals: list[Signal] = []
    parts: list[Bits | Part] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if token["open"]:
            depth += 1
            continue
        if token["close"]:
            depth -= 1
        elif token["name"]:
            name = _name(token["name"])
            high = wires[name].width - 1 if token["high"] is None else int(token["high"])
            low = 0 if token["high"] is None else int(token["low"] or token["high"])
            parts.append(Part(name, low, high - low + 1))
        elif kind in ("bits", "number") and _constant(token[0]).width:
            parts.append(_constant(token[0]))
        if depth == 0:
            signals.append(_joined(parts))
            parts = []
    return signals


def _joined(parts: list[Bits | Part]) -> Signal:
    """Join neighbours that are constants, or follow one another in a wire."""
    joined: list[Bits | Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(last, Bits) and isinstance(part, Bits):
            joined[-1] = Bits(last.value + part.value)
        elif (
            isinstance(last, Part)
            and isinstance(part, Part)
            and last.wire == part.wire
            and last.low == part.low + part.width
        ):
            joined[-1] = Part(part.wire, part.low, part.width + last.width)
        else:
            joined.append(part)
    return tuple(joined)
