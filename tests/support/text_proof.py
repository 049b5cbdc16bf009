"""Proof that the text of a module computes what its netlist does, by Yosys's SAT solver.

Registers and instances are cut: what goes into them, and the outputs, are compared for every value of
what comes out of them and of the inputs.
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hwgen import yosys
from hwgen.verilog.module_text import ModuleText, port_names
from hwgen.verilog.netlist import NetlistModule

__all__ = ["Pair", "prove_texts"]

_PORT = re.compile(r"^(  wire (?:width \d+ )?)(input|output) \d+ (signed )?\\(\S+)$", re.MULTILINE)
_CUT = (
    "dffunmap",
    "opt_expr",
    "opt_clean -purge",
    # Registers first: a cell's pins would be further names of a register that drives them
    "expose -evert-dff",
    "expose -evert",
    "opt_clean -purge",
)


class Pair(NamedTuple):
    """Module as a netlist in Yosys's format, and as text."""

    netlist: str
    text: ModuleText


def prove_texts(
    pairs: Iterable[Pair],
    parts: dict[str, NetlistModule],
    around: str = "",
    names: Iterable[str] | None = None,
) -> None:
    """Prove that texts are their netlists.

    Parameters
    ----------
    pairs : iterable of Pair
    parts : dict
        Instantiated modules that are netlists, for the names of their ports.
    around : str
        Verilog of modules that the texts instantiate besides each other.
    names : iterable of str, optional
        Names of the texts to prove; all if not given.

    Raises
    ------
    YosysError
        If there is a difference, or a register that only one of both has.
    """
    listed = list(pairs)
    texts = "\n".join(pair.text.text for pair in listed)
    netlists = "\n".join(_renamed(pair, parts) for pair in listed)
    chosen = set(names or (pair.text.name for pair in listed))
    for pair in (pair for pair in listed if pair.text.name in chosen):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            (directory / "gold.il").write_text(netlists, encoding="utf-8")
            (directory / "gate.v").write_text(texts, encoding="utf-8")
            (directory / "around.v").write_text(around, encoding="utf-8")
            for side, source in (("gold", "read_rtlil gold.il"), ("gate", "read_verilog gate.v")):
                command, file = source.split()
                yosys.run(
                    [
                        f"{command} {directory / file}",
                        f"read_verilog {directory / 'around.v'}",
                        "proc",
                        f"select -module {pair.text.name}",
                        *_CUT,
                        "select -clear",
                        f"rename {pair.text.name} {side}",
                        f"select {side}",
                        f"write_rtlil -selected {directory / side}.cut",
                    ]
                )
            _keep_common_outputs(directory / "gold.cut", directory / "gate.cut")
            yosys.run(
                [
                    *(f"read_rtlil {directory / side}.cut" for side in ("gold", "gate")),
                    "miter -equiv -flatten gold gate miter",
                    *("hierarchy -top miter", "opt -full", "wreduce", "opt -full"),
                    "opt_clean -purge",
                    "sat -verify -prove trigger 0 miter",
                ]
            )


def _keep_common_outputs(*paths: Path) -> None:
    """Make wires that only one side shows, between registers and ports, no ports."""
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    common = set.intersection(
        *({port[4] for port in _PORT.finditer(text)} for text in texts.values())
    )

    def wire(port: re.Match[str]) -> str:
        if port[2] == "input" or port[4] in common:
            return port[0]
        return f"{port[1]}{port[3] or ''}\\{port[4]}"

    for path, text in texts.items():
        path.write_text(_PORT.sub(wire, text), encoding="utf-8")


def _renamed(pair: Pair, parts: dict[str, NetlistModule]) -> str:
    """Return a netlist with the names of the text."""
    instances = iter(pair.text.instances)
    ports: dict[str, str] | None = None
    lines = []

    def net(match: re.Match[str]) -> str:
        name = match[0].removeprefix("\\")
        return f"\\{pair.text.nets[name]}" if name in pair.text.nets else match[0]

    def nets(text: str) -> str:
        return re.sub(r"(?<!\S)[\\$]\S+", net, text)

    for line in pair.netlist.splitlines():
        words = line.split()
        if line.startswith("module "):
            line = f"module \\{pair.text.name}"
        elif line.startswith("  cell \\"):
            instance = next(instances)
            kind = words[1].removeprefix("\\")
            ports = port_names(parts[kind]) if kind in parts else {}
            line = f"  cell \\{instance.module} \\{instance.name}"
        elif line == "  end":
            ports = None
        elif line.startswith("    connect "):
            pin = words[1].removeprefix("\\")
            shown = pin if ports is None else ports.get(pin, pin)
            line = f"    connect \\{shown} {nets(line.split(maxsplit=2)[2])}"
        elif line.startswith("  connect "):
            line = f"  connect {nets(line.strip().removeprefix('connect '))}"
        elif line.startswith("  wire "):
            line = nets(line)
        lines.append(line)
    return "\n".join(lines) + "\n"
