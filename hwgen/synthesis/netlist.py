"""Mapping of an accelerator's modules to standard cells, each module once."""

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgen import yosys
from hwgen.emit import Emission
from hwgen.synthesis.liberty import Library

__all__ = ["Instance", "Netlist", "map_modules"]

_ARRAY = re.compile(
    r"^  (?:\(\*[^\n]*\*\)\s*)?reg \[WIDTH-1:0\] memory.*?(?=^endmodule)", re.DOTALL | re.MULTILINE
)
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


def map_modules(
    emission: Emission,
    library: Library,
    clock_mhz: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Netlist]:
    """Map every module of an emitted accelerator, those below a module before it.

    A module that only its parent has is taken into it; all others are mapped on their own. Memories
    stay what they are.

    Parameters
    ----------
    emission : Emission
        As :func:`hwgen.emit.emit_modules` gives it, in the synthesis view.
    library : Library
    clock_mhz : float
        What the mapping aims at.
    progress : callable
        Called with how much is done and how much there is.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, boxes, script, target = (
            Path(folder) / name for name in ("logic.v", "boxes.v", "abc.script", "mapped.json")
        )
        source.write_text("\n".join(part.text for part in emission.modules), encoding="utf-8")
        memories = "\n".join(_ARRAY.sub("", memory.text) for memory in emission.memories)
        boxes.write_text(memories, encoding="utf-8")
        script.write_text(_ABC.format(ps=round(1e6 / clock_mhz)), encoding="utf-8")
        shared = _shared(emission)
        commands = [
            f"read_verilog -lib {boxes}",
            f"read_verilog {source}",
            f"hierarchy -check -top {emission.top}",
            *(f"setattr -mod -set keep_hierarchy 1 {name}" for name in shared),
            "proc",
            "flatten",
            "synth -run coarse: -noabc -booth -extra-map +/choices/kogge-stone.v",
            f"dfflibmap -liberty {library.path}",
            *(f"abc -liberty {library.path} -script {script} {name}" for name in shared),
            "opt_clean -purge",
            f"write_json {target}",
        ]
        # Before the mapping comes about as much work as it is
        weights = [len(shared) if command.startswith("synth") else 1 for command in commands]
        total = sum(weights)
        yosys.run(commands, lambda done: progress(sum(weights[:done]), total))
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

    visit(emission.top)
    return list(ordered.values())


def _shared(emission: Emission) -> list[str]:
    """Modules that stand for themselves: in the gateware's netlist not named after their only parent."""
    private = {
        instance.module
        for part in emission.modules
        for instance in part.instances
        if "." in instance.kind
    }
    return [part.name for part in emission.modules if part.name not in private]


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
