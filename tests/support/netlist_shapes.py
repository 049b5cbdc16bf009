"""Netlists of Yosys without the names and the order of what is in them."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Module = Mapping[str, Any]
"""Module as ``write_json`` writes it."""

_COMMUTATIVE = frozenset(f"$_{gate}_" for gate in ("AND", "NAND", "OR", "NOR", "XOR", "XNOR"))


def shape(module: Module, kinds: Mapping[str, str]) -> Counter[str]:
    """Cells of a netlist by what lies in front of them, and what drives each output of the module.

    Two netlists with the same shape have as many cells of each kind, and equal cones of gates between equal
    registers, instances and ports.

    Parameters
    ----------
    module : Module
        Netlist of gates, flip-flops and instances, without combinational loops through gates.
    kinds : mapping of str to str
        Name of an instance's module by that in the netlist.
    """
    cells = [
        _Cell(cell, kinds.get(cell["type"], cell["type"])) for cell in module["cells"].values()
    ]
    gates = _sorted_gates([cell for cell in cells if cell.is_gate])
    states = [cell for cell in cells if not cell.is_gate]
    nets = {
        bit: _digest("input", name, str(place))
        for name, port in module["ports"].items()
        if port["direction"] != "output"
        for place, bit in enumerate(port["bits"])
    }
    colours = [cell.kind for cell in states]
    told = -1
    while len({*colours}) > told:
        told = len({*colours})
        for cell, colour in zip(states, colours, strict=True):
            cell.drive(nets, colour)
        for gate in gates:
            gate.drive(nets, gate.colour(nets))
        colours = [
            _digest(old, cell.colour(nets)) for cell, old in zip(states, colours, strict=True)
        ]
    outputs = [
        _digest("output", name, *_read(nets, port["bits"]))
        for name, port in module["ports"].items()
        if port["direction"] != "input"
    ]
    return Counter([*colours, *(gate.colour(nets) for gate in gates), *outputs])


class _Cell:
    """Cell with its bits, and the name that counts."""

    def __init__(self, cell: Module, kind: str) -> None:
        directions = cell["port_directions"]
        self.kind = kind
        self.is_gate = kind.startswith("$_")
        self.inputs = {
            port: bits
            for port, bits in sorted(cell["connections"].items())
            if directions[port] == "input"
        }
        self.outputs = {
            port: bits
            for port, bits in sorted(cell["connections"].items())
            if directions[port] != "input"
        }

    def colour(self, nets: Mapping[Any, str]) -> str:
        """Digest of the kind and of what drives the inputs."""
        pins = [_digest(port, *_read(nets, bits)) for port, bits in self.inputs.items()]
        if self.kind in _COMMUTATIVE:
            pins = sorted(_read(nets, (bits[0] for bits in self.inputs.values())))
        return _digest(self.kind, *pins)

    def drive(self, nets: dict[Any, str], colour: str) -> None:
        """Give the nets behind the outputs their colours."""
        for port, bits in self.outputs.items():
            for place, bit in enumerate(bits):
                nets[bit] = _digest(colour, port, str(place))


def _sorted_gates(gates: list[_Cell]) -> list[_Cell]:
    """Gates, each behind those that drive it."""
    drivers = {bit: gate for gate in gates for bits in gate.outputs.values() for bit in bits}
    placed: dict[int, _Cell] = {}
    for gate in gates:
        waiting = [gate]
        while waiting:
            last = waiting[-1]
            sources = (drivers.get(bit) for bits in last.inputs.values() for bit in bits)
            missing = [each for each in sources if each is not None and id(each) not in placed]
            if missing:
                waiting += missing
            else:
                placed[id(waiting.pop())] = last
    return list(placed.values())


def _read(nets: Mapping[Any, str], bits: Iterable[Any]) -> list[str]:
    """Colours of bits; a constant is its own, and so are all nets without a driver."""
    return [bit if isinstance(bit, str) else nets.get(bit, "none") for bit in bits]


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
