"""Proof by induction that the emitted accelerator keeps the AXI rules of its ports.

Whatever the bus's other side does within its own rules, whatever the PE grid, EXECUTE and the queues
do, and in whatever cycles ``rst`` comes, as long as one of it came first.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bitwuzla

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from hwgen import yosys
from hwgen.emit import TOP_MODULE
from hwgen.gateware.accelerator import accelerator_signature
from hwgen.gateware.unique import MODULE_PREFIX
from sim.spec.accelerator import AcceleratorConfig
from testbench.protocol import rule_instances, rules_text

__all__ = ["Counterexample", "Model", "prove"]

CUT = ("grid", "execute", "sequencer")
"""Modules that are taken away: what they would drive is anything."""

_ASSERTION = re.compile(r"^; yosys-smt2-assert (\d+) \S*/(\w+\.sv):(\d+)", re.MULTILINE)
_NUMBER = re.compile(r"^(design\.\w+)\$\d+\.")
_WIRE = re.compile(r"^  wire (?:width (\d+) )?(?:[^\\\n]*)\\(\S+)$", re.MULTILINE)
_INNER = re.compile(r"<([\w.\[\]$]+)>")


class Counterexample(Exception):
    """An assertion that fails; the message is its text."""


@dataclass(frozen=True, slots=True)
class Model:
    """A design in SMT-LIB, and the texts of its assertions."""

    text: str
    assertions: tuple[str, ...]


def model(
    config: AcceleratorConfig,
    verilog: str,
    port: str,
    invariants: Sequence[str],
    cut: Iterable[str] = CUT,
) -> Model:
    """Translate the emitted design with the rules of one port and the invariants to SMT-LIB."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        widths = _watch(config, verilog, port, directory, [MODULE_PREFIX + name for name in cut])
        (directory / "proof.sv").write_text(_proof(config, invariants, widths))
        yosys.run(
            [
                f"read_rtlil {directory / 'watched.il'}",
                f"read_verilog -sv -formal {directory / 'proof.sv'}",
                "hierarchy -top proof",
                *("proc", "flatten", "chformal -lower", "opt -full", "opt_clean -purge"),
                *("dffunmap", "opt_clean -purge"),
                f"write_smt2 -stbv -wires {directory / 'proof.smt2'}",
            ]
        )
        text = (directory / "proof.smt2").read_text()
        sources = {
            path: (directory / path).read_text().splitlines() for path in ("rules.sv", "proof.sv")
        }
    found = {
        int(number): sources[path][int(line) - 1].strip()
        for number, path, line in _ASSERTION.findall(text)
    }
    return Model(text, tuple(found[i] for i in range(len(found))))


def _watch(
    config: AcceleratorConfig, verilog: str, port: str, directory: Path, cut: Sequence[str]
) -> dict[str, int]:
    """Write ``watched.il``: the emitted design and one port's rules as one module of the top's ports.

    Returns
    -------
    dict
        Its wires' widths by name; those of the design begin with ``design.``, the others with the
        name of the rules' instance.
    """
    (directory / "top.v").write_text(verilog)
    (directory / "rules.sv").write_text(rules_text())
    names, declared = _ports(config)
    pins = ", ".join(f".{name}({name})" for name in names)
    (directory / "watched.sv").write_text(
        f"module watched({', '.join(declared)});\n{TOP_MODULE} design ({pins});\n"
        f"{rule_instances(config)[port]}\nendmodule\n"
    )
    yosys.run(
        [
            f"read_verilog {directory / 'top.v'}",
            *([f"blackbox {' '.join(cut)}"] if cut else []),
            # An arbitrary state before the first reset
            "setattr -unset init */w:*",
            *(f"read_verilog -sv -formal {directory / file}" for file in ("rules.sv", "watched.sv")),
            "hierarchy -top watched",
            "cutpoint -blackbox",
            *("proc", "flatten", "memory_map", "opt_expr", "opt_clean"),
            f"write_rtlil {directory / 'watched.il'}",
        ]
    )
    text = (directory / "watched.il").read_text()
    return {name: int(width or 1) for width, name in _WIRE.findall(text)}


def _ports(config: AcceleratorConfig) -> tuple[list[str], list[str]]:
    """Return the top's ports: names, and declarations."""
    members = accelerator_signature(config).members
    names, declared = ["clk", "rst"], ["input wire clk", "input wire rst"]
    for name, member in members.items():
        side = "input" if member.flow == In else "output"
        names.append(name)
        declared.append(f"{side} wire [{Shape.cast(member.shape).width - 1}:0] {name}")
    return names, declared


def _proof(config: AcceleratorConfig, invariants: Sequence[str], widths: dict[str, int]) -> str:
    """Return module ``proof``: what is watched, the first reset, and what the induction needs."""
    names, declared = _ports(config)
    # Amaranth numbers what would else have two meanings
    plain = {_NUMBER.sub(r"\1.", name): name for name in widths}
    lines = [
        f"module proof({', '.join(declared)});",
        f"watched watched ({', '.join(f'.{name}({name})' for name in names)});",
        "reg started;",
        "initial started = 0;",
        "always @(posedge clk) started <= 1;",
        "always @* if (!started) assume (rst);",
    ]
    for name in dict.fromkeys(n for text in invariants for n in _INNER.findall(text)):
        width = widths[plain[name]]
        lines.append(f"(* hierconn *) wire [{width - 1}:0] \\watched.{plain[name]} ;")
    for text in invariants:
        held = _INNER.sub(lambda match: f"\\watched.{plain[match[1]]} ", text)
        lines.append(f"always @* if (started) assert ({held});")
    return "\n".join([*lines, "endmodule"]) + "\n"


def prove(proved: Model, depth: int = 1) -> None:
    """Prove all assertions together by induction over `depth` cycles."""
    for base in (True, False):
        steps = 1 if base else depth
        failed = check(proved, steps if not base else depth, base)
        if failed:
            raise Counterexample(("base: " if base else "step: ") + "; ".join(failed))


def check(proved: Model, depth: int, base: bool) -> list[str]:
    """Return which assertions can fail in the last of `depth` + 1 cycles."""
    lines = [proved.text]
    for i in range(depth + 1):
        lines.append(f"(declare-const s{i} |proof_s|)")
        lines.append(f"(assert (|proof_u| s{i}))")
        lines.append(f"(assert (|proof_h| s{i}))")
        if i:
            lines.append(f"(assert (|proof_t| s{i - 1} s{i}))")
        if i < depth:
            lines.append(f"(assert (|proof_a| s{i}))")
    if base:
        lines.append("(assert (|proof_i| s0))")
    lines.append(f"(assert (not (|proof_a| s{depth})))")
    manager = bitwuzla.TermManager()
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    parser = bitwuzla.Parser(manager, options)
    parser.parse("\n".join(line for line in lines), True, False)
    solver = parser.bitwuzla()
    answer = solver.check_sat()
    if answer == bitwuzla.Result.UNSAT:
        return []
    failed = []
    for number, text in enumerate(proved.assertions):
        term = parser.parse_term(f"(|proof_a {number}| s{depth})")
        if not solver.get_value(term).value():
            failed.append(text)
    return failed or ["?"]
