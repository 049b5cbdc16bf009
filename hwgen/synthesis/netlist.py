"""Netlists of mapped modules: cells, memories, other modules, and the nets between them."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Instance", "Netlist", "read_netlist"]


@dataclass(frozen=True, slots=True)
class Instance:
    """A cell, a memory or another module in a netlist.

    Parameters
    ----------
    name : str
    kind : str
        Its cell or module.
    pins : dict of str to list
        Nets, numbers, of every port; a constant is a string.
    outputs : frozenset of str
        Ports that drive nets, as far as the netlist says.
    parameters : dict of str to int
        Of a memory that is a macro: WIDTH and DEPTH.
    """

    name: str
    kind: str
    pins: dict[str, list[int | str]]
    outputs: frozenset[str]
    parameters: dict[str, int]


@dataclass(frozen=True, slots=True)
class Netlist:
    """A module, mapped.

    Parameters
    ----------
    name : str
    inputs, outputs : dict of str to list
        Nets of the ports.
    instances : list of Instance
    names : dict of int to str
        Name in the Verilog of the nets that are named there.
    """

    name: str
    inputs: dict[str, list[int | str]]
    outputs: dict[str, list[int | str]]
    instances: list[Instance]
    names: dict[int, str]


def read_netlist(name: str, module: dict[str, Any]) -> Netlist:
    """Turn a module of Yosys's JSON into a netlist."""
    names: dict[int, str] = {}
    for wire, entry in module["netnames"].items():
        for index, bit in enumerate(entry["bits"]):
            if isinstance(bit, str) or wire.startswith("$"):
                continue
            text = wire if len(entry["bits"]) == 1 else f"{wire}[{index}]"
            # The name with the fewest levels of hierarchy, then the shortest
            known = names.get(bit)
            if known is None or (text.count("."), len(text)) < (known.count("."), len(known)):
                names[bit] = text
    ports = module["ports"]
    return Netlist(
        name,
        {port: entry["bits"] for port, entry in ports.items() if entry["direction"] == "input"},
        {port: entry["bits"] for port, entry in ports.items() if entry["direction"] == "output"},
        [
            Instance(
                cell,
                entry["type"],
                entry["connections"],
                frozenset(
                    port
                    for port, direction in entry.get("port_directions", {}).items()
                    if direction == "output"
                ),
                {
                    key: int(value, 2)
                    for key, value in entry["parameters"].items()
                    if "DEPTH" in entry["parameters"] and key in ("WIDTH", "DEPTH")
                },
            )
            for cell, entry in module["cells"].items()
        ],
        names,
    )
