"""Mapping of an accelerator's modules to standard cells, each module once."""

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgen import yosys
from hwgen.synthesis.liberty import Library

__all__ = ["Instance", "Netlist", "map_modules"]

_RAM = re.compile(r"^module (\w+_?ram) #\(.*?^endmodule", re.DOTALL | re.MULTILINE)
_ARRAY = re.compile(r"^  reg \[WIDTH-1:0\] memory.*?(?=^endmodule)", re.DOTALL | re.MULTILINE)
_MODULE = re.compile(r"^module (\w+)\s*\(.*?^endmodule", re.DOTALL | re.MULTILINE)
_INSTANCE = re.compile(r"^  (\w+) \\?(\S+) +?\(", re.MULTILINE)
_ABC = "strash; dch -f; map -B 0.9 -D {ps}; topo; buffer -c -N 8; upsize -D {ps}; dnsize -D {ps}"
"""Mapping for speed: passes that share more logic, as dc2, would undo the adders' parallel prefixes."""


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
        Of a memory: WIDTH and DEPTH.
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


def map_modules(verilog: str, top: str, library: Library, clock_mhz: float) -> list[Netlist]:
    """Map every module of an emitted accelerator, those below a module before it.

    A module that only its parent has is taken into it; all others are mapped on their own. Memories
    stay what they are.

    Parameters
    ----------
    verilog : str
        As :func:`hwgen.emit.emit` gives it, in the synthesis view.
    top : str
        Name of the module around all others.
    library : Library
    clock_mhz : float
        What the mapping aims at.
    """
    memories = [match[0] for match in _RAM.finditer(verilog)]
    logic = _RAM.sub("", verilog)
    with tempfile.TemporaryDirectory() as folder:
        source, boxes, script, target = (
            Path(folder) / name for name in ("logic.v", "boxes.v", "abc.script", "mapped.json")
        )
        source.write_text(logic, encoding="utf-8")
        boxes.write_text("\n".join(_ARRAY.sub("", text) for text in memories), encoding="utf-8")
        script.write_text(_ABC.format(ps=round(1e6 / clock_mhz)), encoding="utf-8")
        yosys.run(
            [
                f"read_verilog -lib {boxes}",
                f"read_verilog {source}",
                f"hierarchy -check -top {top}",
                *(f"setattr -mod -set keep_hierarchy 1 {name}" for name in _shared(logic)),
                "proc",
                "flatten",
                "synth -run coarse: -noabc -booth -extra-map +/choices/kogge-stone.v",
                f"dfflibmap -liberty {library.path}",
                f"abc -liberty {library.path} -script {script}",
                "opt_clean -purge",
                f"write_json {target}",
            ]
        )
        modules = json.loads(target.read_text(encoding="utf-8"))["modules"]
    netlists = {
        name: _netlist(name, module)
        for name, module in modules.items()
        if module["attributes"].get("blackbox") is None
    }
    ordered: dict[str, Netlist] = {}

    def visit(name: str) -> None:
        for instance in netlists[name].instances:
            if instance.kind in netlists and instance.kind not in ordered:
                visit(instance.kind)
        ordered[name] = netlists[name]

    visit(top)
    return list(ordered.values())


def _shared(logic: str) -> list[str]:
    """Modules that stand for themselves: not named after their place in their only parent."""
    modules = {match[1]: match[0] for match in _MODULE.finditer(logic)}
    private = {
        kind
        for parent, text in modules.items()
        for kind, name in _INSTANCE.findall(text)
        if kind == f"{parent}_{name}"
    }
    return [name for name in modules if name not in private]


def _netlist(name: str, module: dict[str, Any]) -> Netlist:
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
                    if key in ("WIDTH", "DEPTH")
                },
            )
            for cell, entry in module["cells"].items()
        ],
        names,
    )
