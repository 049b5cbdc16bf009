"""Text of modules: every operator in random widths and signs, registers, names, and a whole accelerator."""

import random
import re
from collections.abc import Sequence
from unittest import mock

import pytest

from accelerators import NARROW_BUS, small_accelerator
from hwgen import emit, yosys
from hwgen.module_names import ModuleNames
from hwgen.verilog.identifiers import Identifiers, plain
from hwgen.verilog.module_text import ModuleText, write_module
from hwgen.verilog.netlist import parse_netlist
from sim.spec.accelerator import AcceleratorConfig
from text_proof import Pair, prove_texts

BINARY = ("$and", "$or", "$xor", "$xnor", "$add", "$sub", "$mul")
COMPARISONS = ("$lt", "$le", "$gt", "$ge", "$eq", "$ne", "$logic_and", "$logic_or")
UNARY = ("$not", "$neg")
REDUCTIONS = (
    "$reduce_or",
    "$reduce_and",
    "$reduce_xor",
    "$reduce_bool",
    "$reduce_xnor",
    "$logic_not",
)
SHIFTS = ("$shl", "$sshl", "$shr", "$sshr", "$shift")
REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce")


class Netlist:
    """A random module in Yosys's format, built line by line."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.wires: list[tuple[str, int]] = []
        self.lines = ["module \\m"]
        self.ports = 0
        self.cells = 0
        for _ in range(6):
            self.wire(self.rng.choice((1, 2, 3, 5, 8, 13)), f"\\in{self.ports}", "input")

    def wire(self, width: int, name: str, side: str = "") -> str:
        """Add a wire."""
        self.ports += bool(side)
        port = f"{side} {self.ports} " if side else ""
        self.lines.insert(1, f"  wire width {width} {port}{name}")
        self.wires.append((name, width))
        return name

    def signal(self, width: int | None = None) -> tuple[str, int]:
        """A wire, bits of a wire, or a concatenation; of a width if that matters."""
        if width is None:
            name, bits = self.rng.choice(self.wires)
            if self.rng.random() < 0.7:
                return name, bits
            low = self.rng.randrange(bits)
            high = self.rng.randrange(low, bits)
            return f"{name} [{high}:{low}]", high - low + 1
        parts, missing = [], width
        while missing:
            name, bits = self.rng.choice(self.wires)
            taken = min(bits, missing)
            parts.append(f"{name} [{taken - 1}:0]")
            missing -= taken
        return f"{{ {' '.join(parts)} }}", width

    def cell(self, kind: str, parameters: dict[str, int], pins: dict[str, str]) -> None:
        """Add a cell."""
        self.cells += 1
        self.lines.append(f"  cell {kind} $cell{self.cells}")
        self.lines += [f"    parameter \\{name} {value}" for name, value in parameters.items()]
        self.lines += [f"    connect \\{pin} {signal}" for pin, signal in pins.items()]
        self.lines.append("  end")

    def operator(self, kind: str) -> None:
        """Add an operator with a result that is sometimes an output and sometimes nameless."""
        (a, a_width), (b, b_width) = self.signal(), self.signal()
        signed = self.rng.randrange(2)
        parameters = {"A_SIGNED": signed, "A_WIDTH": a_width}
        pins = {"A": a, "B": b}
        single = kind in COMPARISONS + REDUCTIONS
        width = 1 if single else self.rng.choice((1, 4, 8, 14))
        if kind == "$mux":
            pins = {"S": self.signal(1)[0], "A": self.signal(width)[0], "B": self.signal(width)[0]}
            parameters = {"WIDTH": width}
        else:
            if kind in UNARY + REDUCTIONS:
                del pins["B"]
                # The reduction of a bit is that bit: a register would have two names.
                pins["A"], parameters["A_WIDTH"] = self.signal(self.rng.choice((2, 3, 8)))
            elif kind in SHIFTS:
                b, b_width = self.signal(self.rng.choice((1, 2, 3)))
                parameters["A_SIGNED"] = int(kind == "$sshr")
                parameters |= {"B_SIGNED": 0, "B_WIDTH": b_width}
                pins["B"] = b
            else:
                parameters |= {"B_SIGNED": signed, "B_WIDTH": b_width}
            parameters["Y_WIDTH"] = width
        pins["Y"] = self.result(width)
        self.cell(kind, parameters, pins)

    def register(self, kind: str) -> None:
        """Add a register that is an output."""
        width = self.rng.choice((1, 4, 8))
        parameters = {"WIDTH": width, "CLK_POLARITY": 1}
        pins = {"CLK": "\\clk", "D": self.signal(width)[0]}
        if "e" in kind:
            parameters["EN_POLARITY"] = self.rng.randrange(2)
            pins["EN"] = self.signal(1)[0]
        if "s" in kind:
            value = "".join(self.rng.choice("01") for _ in range(width))
            parameters |= {"SRST_POLARITY": self.rng.randrange(2)}
            self.lines.append(f"  cell {kind} $cell{self.cells + 1}")
            self.lines.append(f"    parameter \\SRST_VALUE {width}'{value}")
            pins["SRST"] = self.signal(1)[0]
        else:
            self.lines.append(f"  cell {kind} $cell{self.cells + 1}")
        self.cells += 1
        pins["Q"] = self.wire(width, f"\\q{self.cells}", "output")
        self.lines += [f"    parameter \\{name} {value}" for name, value in parameters.items()]
        self.lines += [f"    connect \\{pin} {signal}" for pin, signal in pins.items()]
        self.lines.append("  end")
        # Others read its inverse: a result that is the register itself would give it a second name.
        self.wires.pop()
        own = {"A_SIGNED": 0, "A_WIDTH": width, "Y_WIDTH": width}
        self.cell("$not", own, {"A": pins["Q"], "Y": self.wire(width, f"$not{self.cells}")})

    def result(self, width: int) -> str:
        """Add a wire for a result: an output, or a wire without a name."""
        if self.rng.random() < 0.4:
            return self.wire(width, f"\\out{self.cells}", "output")
        return self.wire(width, f"${self.cells}")

    @property
    def text(self) -> str:
        """Return the module."""
        return "\n".join([*self.lines, "end", ""])


def random_netlist(seed: int) -> str:
    netlist = Netlist(seed)
    netlist.wire(1, "\\clk", "input")
    netlist.wires.pop()
    kinds = [*BINARY, *COMPARISONS, *UNARY, *REDUCTIONS, *SHIFTS, "$mux"] * 2
    netlist.rng.shuffle(kinds)
    for place, kind in enumerate(kinds):
        netlist.operator(kind)
        if place % 6 == 0:
            netlist.register(netlist.rng.choice(REGISTERS))
    return netlist.text


def written(netlist: str) -> ModuleText:
    [module] = parse_netlist(netlist).values()
    return write_module(module, instantiate=lambda cell: cell.kind, parts={}, name="m")


@pytest.mark.parametrize("seed", range(4))
def test_random_operators_and_registers_compute_the_netlist(seed: int) -> None:
    netlist = random_netlist(seed)
    text = written(netlist)
    assert text.text.count("assign ") > 10
    prove_texts([Pair(netlist, text)], {})


def test_an_extension_is_written_out() -> None:
    netlist = """module \\m
  wire width 3 input 1 \\a
  wire width 5 output 2 \\y
  cell $pos $1
    parameter \\A_SIGNED 1
    parameter \\A_WIDTH 3
    parameter \\Y_WIDTH 5
    connect \\A \\a
    connect \\Y \\y
  end
end
"""
    assert "  assign y = {{2{a[2]}}, a};\n" in written(netlist).text


def test_an_unknown_operator_is_named() -> None:
    netlist = random_netlist(1).replace("cell $xor ", "cell $pow ", 1)
    line = r"^netlist must have only operators that emission knows, not \$pow$"
    with pytest.raises(ValueError, match=line):
        written(netlist)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  process $p", "module 'm' must have no 'process'"),
        (
            "  wire width 4 upto \\up",
            r"wire must be one that counts bits from 0 up, not 'wire width 4 upto \\up'",
        ),
    ],
)
def test_what_a_netlist_must_not_have_is_named(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_netlist(f"module \\m\n{line}\nend\n")


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("busy", "busy"),
        ("start_x$22", "start_x"),
        ("fault.cause", "fault_cause"),
        ("port$678$0", "port"),
        ("output", "output_value"),
        ("program", "program_value"),
        ("private", "private_value"),
        ("4x", "net_4x"),
    ],
)
def test_identifiers_are_plain(name: str, identifier: str) -> None:
    assert plain(name) == identifier


def test_a_name_is_given_once() -> None:
    identifiers = Identifiers()
    names = ("busy", "busy$3", "busy", "busy_2")
    assert [identifiers.take(name) for name in names] == ["busy", "busy_2", "busy_3", "busy_2_2"]


def test_a_wrong_text_is_not_proved() -> None:
    netlist = random_netlist(0)
    text = written(netlist)
    wrong, count = re.subn(r" \+ ", " - ", text.text, count=1)
    assert count == 1
    with pytest.raises(yosys.YosysError):
        prove_texts(
            [Pair(netlist, ModuleText(name="m", text=wrong, instances=(), nets=text.nets))], {}
        )


LEFT_OUT = ("top", "load", "store", "execute_issue_taps", "execute_slots", "execute_stores")


def proved(config: AcceleratorConfig, names: Sequence[str] | None) -> None:
    """Prove modules of an accelerator, all but LEFT_OUT if none are named."""
    captured: list[str] = []

    def noted(logic: str) -> str:
        captured.append(optimized(logic))
        return captured[-1]

    optimized = emit.optimized
    with mock.patch.object(emit, "optimized", noted):
        emission = emit.emit_modules(config)
    [netlist] = captured
    bodies = {
        body.split()[1].removeprefix("\\"): body
        for body in re.split(r"^(?=module )", netlist, flags=re.MULTILINE)
        if body.startswith("module ")
    }
    own = ModuleNames.of(config)
    texts = {module.name: module for module in emission.modules}
    pairs = [
        Pair(body, texts[own.own(re.sub(r"\W", "_", name.removeprefix("cosilico_")))])
        for name, body in bodies.items()
    ]
    assert len(pairs) > 30
    proved_names = {pair.text.name for pair in pairs}
    rest = [module.text for module in emission.modules if module.name not in proved_names]
    around = "\n".join([*(memory.text for memory in emission.memories), *rest])
    left_out = {own.own(name) for name in LEFT_OUT}
    assert left_out < proved_names
    chosen = proved_names - left_out if names is None else {own.own(name) for name in names}
    prove_texts(pairs, parse_netlist(netlist), around, chosen)


@pytest.mark.slow
def test_modules_of_an_accelerator_compute_their_netlists() -> None:
    names = ["csr", "life", "lane", "execute_issue_windows", "requantizer_unit"]
    proved(small_accelerator(2, 1, simd_units=8, compute_lanes=2, weight_store_kb=4), names)


@pytest.mark.long
def test_all_modules_of_an_accelerator_compute_their_netlists() -> None:
    """But those of which a register is a part of a net with other drivers: the cut has several names."""
    proved(NARROW_BUS, None)
