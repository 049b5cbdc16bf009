"""Proof by induction that the emitted accelerator keeps the AXI rules of its ports.

It holds whatever the bus's other side does within its own rules, whatever a program's bytes are,
whatever the modules do that are taken away (``PORTS``), in whatever cycles reset comes, and whatever
registers and memories hold before the first cycle. What is proved is the Verilog of
:func:`hwgen.emit.emit`, translated by Yosys and judged by an SMT solver.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bitwuzla

from hwgen import yosys
from hwgen.module_names import ModuleNames
from hwgen.ports import top_ports
from protocol_invariants import PORTS
from sim.spec.accelerator import AcceleratorConfig
from testbench.rtl.protocol import rule_instances, rules_text

__all__ = ["Model", "combinational_valids", "prove", "reaches", "translate"]

_ASSERTION = re.compile(r"^; yosys-smt2-assert (\d+) \S*/(\w+\.sv):(\d+)", re.MULTILINE)
_NUMBER = re.compile(r"^(design\.\w+)\$\d+\.")
_WIRE = re.compile(r"^  wire (?:width (\d+) )?(?:[^\\\n]*)\\(\S+)$", re.MULTILINE)
_INNER = re.compile(r"<([\w.\[\]$]+)>")
_STATE, _STEP, _ASSUMED, _ASSERTED, _FIRST = (f"|proof_{letter}|" for letter in "stuai")


@dataclass(frozen=True, slots=True)
class Model:
    """A design in SMT-LIB, and the Verilog of its assertions by number."""

    text: str
    assertions: tuple[str, ...]


def translate(
    config: AcceleratorConfig, verilog: str, port: str, *, additions: Sequence[str] | None = None
) -> Model:
    """Translate an emitted design and the rules of one port, with what the induction needs.

    Parameters
    ----------
    config : AcceleratorConfig
        Whose ports and limits `verilog` has.
    verilog : str
        The emitted design, the synthesis view.
    port : str
        One of ``PORTS``.
    additions : sequence of str, optional
        SystemVerilog in place of the invariants, with inner wires written as they are.
    """
    proved = PORTS[port]
    if additions is None:
        additions = [
            f"always @* if (started) assert ({text});" for text in proved.invariants(config)
        ]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        modules = [ModuleNames.of(config).own(module) for module in proved.cut]
        widths = _watch(config, verilog, port, directory, modules)
        (directory / "proof.sv").write_text(_proof(config, additions, widths), encoding="utf-8")
        yosys.run(
            [
                f"read_rtlil {directory / 'watched.il'}",
                f"read_verilog -sv -formal {directory / 'proof.sv'}",
                "hierarchy -top proof",
                *("proc", "flatten", "chformal -lower", "opt -full", "opt_clean -purge"),
                *("dffunmap", "opt_clean -purge"),
                f"write_smt2 -stbv {directory / 'proof.smt2'}",
            ]
        )
        text = (directory / "proof.smt2").read_text(encoding="utf-8")
        sources = {
            file: (directory / file).read_text(encoding="utf-8").splitlines()
            for file in ("rules.sv", "proof.sv")
        }
    declarations = {
        int(number): sources[file][int(line) - 1].strip()
        for number, file, line in _ASSERTION.findall(text)
    }
    return Model(text, tuple(declarations[number] for number in range(len(declarations))))


def prove(model: Model) -> list[str]:
    """Prove that no assertion ever fails; return those that can, none if it is proved.

    The cycles from the first reset on keep them, and a cycle after another that keeps them does.
    """
    return _failing(model, first=True) or _failing(model, first=False)


def reaches(model: Model, cycles: int) -> bool:
    """Return whether an assertion can fail within so many cycles of the first."""
    lines = [_unrolled(model, cycles), f"(assert ({_FIRST} s0))"]
    lines.append(f"(assert (not (and {' '.join(f'({_ASSERTED} s{i})' for i in range(cycles))})))")
    with _solved(lines) as (_, solver):
        return bool(solver.check_sat() == bitwuzla.Result.SAT)


def combinational_valids(verilog: str, top: str) -> str:
    """Return the bus inputs on which a VALID output depends within a cycle, each on a line."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "top.v").write_text(verilog, encoding="utf-8")
        selected = directory / "selected"
        yosys.run(
            [
                f"read_verilog {directory / 'top.v'}",
                f"hierarchy -top {top}",
                *("proc", "flatten", "opt_clean"),
                f"select -write {selected} o:*valid %ci*:-$dff i:m_axi* i:s_axil* %u %i",
            ]
        )
        return selected.read_text(encoding="utf-8")


def _failing(model: Model, *, first: bool) -> list[str]:
    """Return assertions that can fail in the first cycle, or in one after a cycle that keeps all."""
    cycles = 1 if first else 2
    lines = [_unrolled(model, cycles), f"(assert (not ({_ASSERTED} s{cycles - 1})))"]
    lines.append(f"(assert ({_FIRST if first else _ASSERTED} s0))")
    with _solved(lines) as (parser, solver):
        if solver.check_sat() == bitwuzla.Result.UNSAT:
            return []
        failing = [
            text
            for number, text in enumerate(model.assertions)
            if not solver.get_value(
                parser.parse_term(f"(|proof_a {number}| s{cycles - 1})")
            ).value()
        ]
        return failing or ["an assertion without a name"]


def _unrolled(model: Model, cycles: int) -> str:
    """Return the model with the states of so many cycles, each the one after the other."""
    lines = [model.text]
    for i in range(cycles):
        lines += [f"(declare-const s{i} {_STATE})", f"(assert ({_ASSUMED} s{i}))"]
        if i:
            lines.append(f"(assert ({_STEP} s{i - 1} s{i}))")
    return "\n".join(lines)


@contextmanager
def _solved(lines: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.parse("\n".join(lines), True, False)
    yield parser, parser.bitwuzla()


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
    names, declared = _ports(config)
    pins = ", ".join(f".{name}({name})" for name in names)
    texts = {
        "top.v": verilog,
        "rules.sv": rules_text(),
        "watched.sv": f"module watched({', '.join(declared)});\n{ModuleNames.of(config).top} design ({pins});\n"
        f"{rule_instances(config, '!aresetn')[port]}\nendmodule\n",
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    yosys.run(
        [
            f"read_verilog {directory / 'top.v'}",
            f"blackbox {' '.join(cut)}",
            # An arbitrary state before the first reset
            "setattr -unset init */w:*",
            *(
                f"read_verilog -sv -formal {directory / file}"
                for file in ("rules.sv", "watched.sv")
            ),
            "hierarchy -top watched",
            "cutpoint -blackbox",
            *("proc", "flatten", "memory_map", "opt_expr", "opt_clean"),
            f"write_rtlil {directory / 'watched.il'}",
        ]
    )
    text = (directory / "watched.il").read_text(encoding="utf-8")
    return {name: int(width or 1) for width, name in _WIRE.findall(text)}


def _ports(config: AcceleratorConfig) -> tuple[list[str], list[str]]:
    """Return the top's ports: names, and declarations."""
    ports = top_ports(config, trace=True)
    declared = [f"{port.direction} wire [{port.bits - 1}:0] {port.name}" for port in ports]
    return [port.name for port in ports], declared


def _proof(config: AcceleratorConfig, additions: Sequence[str], widths: dict[str, int]) -> str:
    """Return module ``proof``: what is watched, the first reset, and the additions."""
    names, declared = _ports(config)
    # Amaranth numbers what would else have two meanings
    plain = {_NUMBER.sub(r"\1.", name): name for name in widths}
    lines = [
        f"module proof({', '.join(declared)});",
        f"watched watched ({', '.join(f'.{name}({name})' for name in names)});",
        "reg started;",
        "initial started = 0;",
        "always @(posedge clk) started <= 1;",
        "always @* if (!started) assume (!aresetn);",
    ]
    for name in dict.fromkeys(n for text in additions for n in _INNER.findall(text)):
        if name not in plain:
            raise KeyError(f"the emitted design must have a wire {name}")
        lines.append(f"(* hierconn *) wire [{widths[plain[name]] - 1}:0] \\watched.{plain[name]} ;")
    lines += [_INNER.sub(lambda match: f"\\watched.{plain[match[1]]} ", text) for text in additions]
    return "\n".join([*lines, "endmodule"]) + "\n"
