"""Proof that the two views of the PE grid are the same machine, for one small grid.

The registers of either view are functions of those of the other. The proof takes any state of both
that fits together in this sense, and any input, and shows that the next states fit together and the
outputs are the same. Reset is not part of it: the co-simulation covers that.
"""

import contextlib
import itertools
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from hwgen import simulation_view, yosys
from hwgen.emit import emit_grid
from hwgen.gateware.grid import control, ring
from hwgen.simulation_view import GRID_MODULE, grid_view
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["PARTS", "WINDOW_VECTORS", "SmallGrid", "prove_views", "questions"]

WINDOW_VECTORS = 8
"""Vectors of the proved grid's ring; 64 would multiply the states, not the cases."""

PARTS = 4
"""Number of parts of the checks, each a question of its own: all together take far longer."""

Term = Callable[[Callable[[str], str]], str]
"""Verilog expression over registers, given what names them: their states, or their next states."""

_PORT = re.compile(
    r"^  wire (?:width (\d+) )?(?:signed )?(input|output) \d+ (?:signed )?\\(\S+)$", re.MULTILINE
)
_LANE = "pe_0_0.lane_0."
_UNIT = f"{_LANE}requantizer.unit_0."
_RECORD = {"bias": (0, 32), "multiplier": (32, 32), "left": (64, 5), "right": (72, 5)}
"""Fields of a requantization record: first bit, bits that are used."""


class SmallGrid(AcceleratorConfig):
    """One PE of one lane of four units, with memories of two rows."""

    __slots__ = ()

    def __init__(self) -> None:
        """Create the grid's parameters."""
        super().__init__(
            pes_x=1,
            pes_y=1,
            simd_units=4,
            compute_lanes=1,
            local_memory_kb=1,
            register_file_kb=1,
            io_bandwidth_gbps=1.0,
            clock_mhz=100,
        )

    @property
    def bank_depth(self) -> int:
        """Rows of the local memory."""
        return 2

    @property
    def weight_rows(self) -> int:
        """Rows of a weight half."""
        return 1

    @property
    def accumulator_rows(self) -> int:
        """Rows of saved accumulators."""
        return 2


@dataclass(frozen=True, slots=True)
class _Machine:
    """A view as combinational logic: `registers` and `inputs` by width, `module` by name."""

    module: str
    registers: dict[str, int]
    inputs: dict[str, int]
    driven: frozenset[str]


def prove_views(*, private: bool, maximum: bool, parts: Sequence[int] = range(PARTS)) -> None:
    """Prove one step of both views, which in its second cycle is private, or of a maximum.

    Parameters
    ----------
    private, maximum : bool
    parts : sequence of int
        Parts of the checks to prove.

    Raises
    ------
    YosysError
        If there is a counterexample.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        synthesis, simulation = _machines(directory)
        to_simulation, to_synthesis = _relation(simulation)
        checks = _checks(to_simulation, to_synthesis)
        chosen = {"private": private, "maximum": maximum}
        wrapper = _wrapper(synthesis, simulation, to_simulation, to_synthesis, checks, chosen)
        (directory / "step.sv").write_text(wrapper, encoding="utf-8")
        yosys.run(
            [
                *(f"read_rtlil {directory / machine}.il" for machine in ("gold", "gate")),
                f"read_verilog -sv {directory / 'step.sv'}",
                "hierarchy -top step",
                "proc",
                "flatten",
                # What both views compute from the same registers becomes one cell.
                "opt -full",
                "wreduce",
                "opt -full",
                "opt_clean -purge",
                *(questions(len(checks))[part] for part in parts),
            ]
        )


def questions(checks: int) -> list[str]:
    """Commands that ask, part by part, whether a check can fail."""
    bounds = [part * checks // PARTS for part in range(PARTS + 1)]
    return [
        f"sat -verify -set promised 1 -prove fits[{end - 1}:{first}] {end - first}'b{'1' * (end - first)}"
        for first, end in itertools.pairwise(bounds)
    ]


def _machines(directory: Path) -> tuple[_Machine, _Machine]:
    """Write both views as ``gold.il`` and ``gate.il``, with registers as ports."""
    config = SmallGrid()
    with contextlib.ExitStack() as stack:
        for module in (control, ring, simulation_view):
            stack.enter_context(mock.patch.object(module, "WINDOW_VECTORS", WINDOW_VECTORS))
        (directory / "gold.v").write_text(emit_grid(config), encoding="utf-8")
        (directory / "gate.v").write_text(grid_view(config, "gate"), encoding="utf-8")
    last = ["opt_expr", "opt_clean -purge", "expose -evert-dff"]
    yosys.run(
        [
            f"read_verilog {directory / 'gold.v'}",
            f"hierarchy -top {GRID_MODULE}",
            f"rename {GRID_MODULE} gold",
            *("proc", "memory_map", "opt_expr", "flatten"),
            *last,
            f"write_rtlil {directory / 'gold.il'}",
        ]
    )
    yosys.run(
        [
            f"read_verilog -sv -mem2reg {directory / 'gate.v'}",
            *("hierarchy -top gate", "proc"),
            *last,
            f"write_rtlil {directory / 'gate.il'}",
        ]
    )
    gold, gate = (_machine(directory, module) for module in ("gold", "gate"))
    return gold, gate


def _machine(directory: Path, module: str) -> _Machine:
    text = (directory / f"{module}.il").read_text(encoding="utf-8")
    ports = {port[3]: (int(port[1] or 1), port[2]) for port in _PORT.finditer(text)}
    return _Machine(
        module,
        {name[:-2]: width for name, (width, _) in ports.items() if name.endswith(".q")},
        {
            name: width
            for name, (width, side) in ports.items()
            if side == "input" and not name.endswith(".q")
        },
        frozenset(name[:-2] for name in ports if name.endswith(".d")),
    )


def _part(name: str, low: int, width: int) -> Term:
    return lambda of: f"{of(name)}[{low} +: {width}]"


def _whole(name: str) -> Term:
    return lambda of: of(name)


def _extended(name: str, width: int, more: int) -> Term:
    return lambda of: f"{{ {{{more}{{{of(name)}[{width - 1}]}}}}, {of(name)} }}"


def _constant(value: str) -> Term:
    return lambda of: value


def _taken(write: str) -> Term:
    """Lanes of the one column that take a row."""
    return lambda of: f"{of(write)} & {of('row_columns')} & {of('row_lanes')}"


def _window(vector: int, byte: int) -> Term:
    """Byte of one of the vectors that the ring gives; the same multiplexers as in the ring."""

    def term(of: Callable[[str], str]) -> str:
        rotation = of(f"{_LANE}ring.rotation")
        banks = [of(f"{_LANE}ring.bank_{(vector + turn) % 4}.read_data") for turn in range(4)]
        first, third = (f"({rotation}[0] ? {banks[turn + 1]} : {banks[turn]})" for turn in (0, 2))
        return f"8'(({rotation}[1] ? {third} : {first}) >> {8 * byte})"

    return term


def _bytes(name: str) -> Term:
    """Four bytes in registers of their own, as a word."""
    return lambda of: f"{{ {', '.join(of(f'{name}{j}') for j in reversed(range(4)))} }}"


def _sum_of_products(unit: int) -> Term:
    """Sum of a unit's products, or the larger of the first two, as the simulation view keeps it."""

    def term(of: Callable[[str], str]) -> str:
        names = [of(f"{_LANE}simd_{unit}.product_{j}") for j in range(4)]
        first, second, third, fourth = (f"{{ {{16{{{name}[15]}}}}, {name} }}" for name in names)
        total = f"({first} + {second}) + ({third} + {fourth})"
        left, right = (f"{{ {{24{{{name}[7]}}}}, {name}[7:0] }}" for name in names[:2])
        larger = f"($signed({names[0]}[7:0]) > $signed({names[1]}[7:0]) ? {left} : {right})"
        return f"({of(f'{_LANE}compared')}[1] ? {larger} : {total})"

    return term


def _activation(unit: int, j: int) -> Term:
    """Byte that a unit multiplies: of a vector of its own, or of the broadcast word."""
    return lambda of: (
        f"({of('operand_private')} ? {of(f'operand_{j}[{unit}]')}"
        f" : {of('operand_broadcast[0]')}[{8 * j} +: 8])"
    )


def _relation(gate: _Machine) -> tuple[dict[str, Term], dict[str, Term]]:
    """Terms of the simulation view's registers over the other's, and the reverse."""
    terms: dict[str, Term] = {}
    for unit in range(4):
        byte, word = (8 * unit, 8), (32 * unit, 32)
        for row in range(2):
            index = 4 * row + unit
            terms[f"memory[{index}]"] = _part(f"pe_0_0.bank_0.memory[{row}]", *byte)
            terms[f"weight_memory[{index}]"] = _part(f"{_LANE}register_file.memory[{row}]", *word)
            terms[f"saved_memory[{index}]"] = _part(f"{_LANE}accumulators.memory[{row}]", *word)
        for position in range(WINDOW_VECTORS):
            bank = f"{_LANE}ring.bank_{position % 4}.memory[{position // 4}]"
            terms[f"ring[{4 * position + unit}]"] = _part(bank, *byte)
        for name, source in (
            ("bank_data", "pe_0_0.bank_0.read_data"),
            ("bank_read", "pe_0_0.bank_data__0"),
            ("taken", "pe_0_0.taken__0"),
            ("incoming", "pe_0_0.feed.vector__0"),
            ("vector", f"{_LANE}vector"),
            ("output_vector", f"{_LANE}output_value"),
            ("tile_write_vector", "distributor.tile_write_data"),
        ):
            terms[f"{name}[{unit}]"] = _part(source, *byte)
        terms[f"weights[{unit}]"] = _part(f"{_LANE}register_file.read_data", *word)
        terms[f"saved[{unit}]"] = _part(f"{_LANE}accumulators.read_data", *word)
        terms[f"accumulator[{unit}]"] = _whole(f"{_LANE}simd_{unit}.accumulator")
        terms[f"dot[{unit}]"] = _extended(f"{_LANE}simd_{unit}.dot", 18, 14)
        terms[f"summed[{unit}]"] = _sum_of_products(unit)
        terms[f"operand_weights[{unit}]"] = _bytes(f"{_LANE}simd_{unit}.weight_")
        for vector in range(4):
            terms[f"window_{vector}[{unit}]"] = _window(vector, unit)
    for field, place in _RECORD.items():
        terms[f"{field}[0]"] = _part(f"{_LANE}parameters.read_data", *place)
        for row in range(8):
            terms[f"{field}_memory[{row}]"] = _part(f"{_LANE}parameters.memory[{row}]", *place)
    for quarter in range(4):
        source = f"quarter_{quarter}" if quarter else "head"
        terms[f"drain_{quarter}[0]"] = _whole(f"{_LANE}drain.{source}")
    for quarter in range(3):
        terms[f"waiting_{quarter}[0]"] = _part(f"{_LANE}waiting", 8 * quarter, 8)
    for index in range(4):
        terms[f"right_{index}[0]"] = _whole(f"{_UNIT}right_{index}")
        terms[f"product_{index}[0]"] = _whole(f"{_UNIT}product_{index // 2}_{index % 2}")
    for name, source in (
        ("broadcast[0]", f"{_LANE}broadcast"),
        ("shifted[0]", f"{_UNIT}x"),
        ("value[0]", f"{_UNIT}value"),
        ("biased[0]", f"{_UNIT}biased"),
        ("left_0[0]", f"{_UNIT}lefts"),
        ("factor_0[0]", f"{_UNIT}multiplier_0"),
        ("factor_1[0]", f"{_UNIT}multiplier_1"),
        ("doubled[0]", f"{_UNIT}h"),
        ("result[0]", f"{_UNIT}result"),
        ("finished[0]", f"{_UNIT}output_value"),
        ("later", f"{_LANE}requantizer.later"),
        ("control_reduce_index", "distributor.reduce_index"),
        ("control_source", "distributor.source"),
        ("read_address[0]", "distributor.read_address__0"),
        ("tile_write_valid", "distributor.tile_write_enable__0"),
        ("tile_read_valid", "distributor.tile_read_enable__0"),
        ("tile_bank_valid", "pe_0_0.selecting_0"),
        ("tile_waiting_valid", "pe_0_0.selected_0"),
        ("multiplied", f"{_LANE}multiplied"),
        ("tile_read_data", "tile_read_data"),
        *(
            (f"{name}_{axis}[0]", f"distributor.{name}_{axis}_0")
            for name in ("coordinate", "beyond", "outside")
            for axis in "yx"
        ),
        *(
            (name, f"distributor.{name}")
            for name in ("bound_y", "bound_x", "inject", "tile_write_address", "tile_read_address")
        ),
    ):
        terms[name] = _whole(source)
    terms["maximum_1"] = _part(f"{_LANE}compared", 0, 1)
    for name in ("tile_write_bank", "tile_read_bank", "tile_bank", "tile_waiting"):
        terms[name] = _constant("32'd0")
    for name in gate.registers.keys() - terms.keys():
        if name.startswith("control_"):
            terms[name] = _whole(f"distributor.pe_{name.replace('control_', 'control__', 1)}")
    reverse: dict[str, Term] = {
        "distributor.weight_write__0": _taken("weight_write"),
        "distributor.parameter_write__0": _taken("parameter_write"),
        "distributor.row_write_address": _whole("row_address"),
        "distributor.weight_write_data__0": (
            lambda of: f"{{ {', '.join(of(f'row[{unit}]') for unit in (3, 2, 1, 0))} }}"
        ),
        **{
            f"{_LANE}simd_{unit}.activation_{j}": _activation(unit, j)
            for unit in range(4)
            for j in range(4)
        },
        f"{_UNIT}rounds": lambda of: f"31'((32'd1 << {of('right_3[0]')}) >> 1)",
        f"{_UNIT}below": lambda of: (
            f"30'(((32'd1 << {of('right_3[0]')}) >> 1) - |{of('right_3[0]')})"
        ),
        "pe_0_0.tile_read_data": (
            lambda of: f"({of('tile_vector_valid')} ? {of('tile_vector')} : 32'd0)"
        ),
    }
    return {name: term for name, term in terms.items() if name in gate.registers}, reverse


def _name(view: str, register: str) -> str:
    """Name of a register in the wrapper: ``q`` its state, ``d`` its next state."""
    return f"{view}_{re.sub(r'[^A-Za-z0-9]', '_', register)}"


def _of(prefix: str) -> Callable[[str], str]:
    return lambda register: _name(prefix, register)


def _unused(name: str, states: str) -> str:
    """Term that is true where nothing will read a register of the simulation view before its next value."""
    if name.startswith("summed["):  # products stay, but whether they are of a maximum does not
        return f"~{_of(states)(f'{_LANE}multiplied')}[1]"
    return "1'b0"


def _checks(to_gate: dict[str, Term], to_gold: dict[str, Term]) -> list[str]:
    """Terms that must hold of the next states: every term again."""
    return [
        *(
            f"{_unused(name, 'gold_d')} | {_name('gate_d', name)} == {term(_of('gold_d'))}"
            for name, term in to_gate.items()
        ),
        *(f"{_name('gold_d', name)} == ({term(_of('gate_d'))})" for name, term in to_gold.items()),
        *_invariants("gate_d"),
    ]


def _wrapper(
    gold: _Machine,
    gate: _Machine,
    to_gate: dict[str, Term],
    to_gold: dict[str, Term],
    checks: list[str],
    chosen: dict[str, bool],
) -> str:
    """Both views from one choice of states and inputs, as module ``step``."""
    fixed = {
        _name("gate_q", "operand_private"): chosen["private"] or chosen["maximum"],
        _name("gold_q", f"{_LANE}compared"): chosen["maximum"],
    }
    ports = [f"input wire [{width - 1}:0] {name}" for name, width in gold.inputs.items()]
    body = []
    for machine, terms, of in (
        (gold, to_gold, _of("gate_q")),
        (gate, to_gate, _of("gold_q")),
    ):
        for register, width in machine.registers.items():
            state = _name(f"{machine.module}_q", register)
            body.append(f"wire [{width - 1}:0] {_name(f'{machine.module}_d', register)};")
            if register in terms and machine is gate:
                ports.append(f"input wire [{width - 1}:0] {state}_unused")
                either = f"{_unused(register, 'gold_q')} ? {state}_unused : {terms[register](of)}"
                body.append(f"wire [{width - 1}:0] {state} = {either};")
            elif register in terms:
                body.append(f"wire [{width - 1}:0] {state} = {terms[register](of)};")
            elif state in fixed:  # the lowest bit is: others, of later cycles, are free
                free = [f"{state}_{bit}" for bit in reversed(range(1, width))]
                ports += [f"input wire {bit}" for bit in free]
                bits = ", ".join([*free, f"1'b{int(fixed[state])}"])
                body.append(f"wire [{width - 1}:0] {state} = {{ {bits} }};")
            else:
                ports.append(f"input wire [{width - 1}:0] {state}")
    for machine in (gold, gate):
        pins = [f".{name}({name})" for name in machine.inputs]
        pins += [
            f".\\{register}.{end} ({_name(f'{machine.module}_{end}', register)})"
            for register in machine.registers
            for end in ("q", "d")
            if end == "q" or register in machine.driven
        ]
        body.append(f"{machine.module} {machine.module} ({', '.join(pins)});")
    body += [f"assign fits[{index}] = {check};" for index, check in enumerate(checks)]
    registered = "gold_q_distributor_"
    promises = " & ".join(f"({promise})" for promise in _promises(registered))
    body.append(f"assign promised = {promises};")
    ports += ["output wire promised", f"output wire [{len(checks) - 1}:0] fits"]
    # A register that a view does not have is an error, not a new wire.
    head = ["`default_nettype none", f"module step ({', '.join(ports)});"]
    return "\n".join([*head, *body, "endmodule", ""])


def _promises(registered: str) -> list[str]:
    """Assumptions about registers and inputs that the grid is promised."""
    control = f"{registered}pe_control__"
    return [
        "~rst",
        # Rows and places exist.
        *("control__quad == 0", f"{control}quad == 0"),
        *("tile_write[3:1] == 0", "tile_read[3:1] == 0"),
        # No row is read in the cycle of its write; here the views take either value.
        f"~({control}save & {control}restore_enable & {control}save_row == {control}restore_row)",
        # A bank is accessed either from outside, once, or by EXECUTE.
        *(
            f"~({registered}tile_{access}_enable__0 & ({control}write_enable | {control}read_enable))"
            for access in ("write", "read")
        ),
        f"~({registered}tile_write_enable__0 & {registered}tile_read_enable__0)",
        *_invariants("gate_q"),
    ]


def _invariants(states: str) -> list[str]:
    """Terms that hold of the simulation view's states now, and so in the next cycle."""
    of = _of(states)
    read = f"{of('reading')} | {of('tile_bank_valid')}"
    return [
        # A row is one of weights or of parameters.
        f"~({of('weight_write')} & {of('parameter_write')})",
        # Unless a bank was just read, the register behind it has what was read last.
        *(
            f"({read}) | {of(f'bank_read[{unit}]')} == {of(f'bank_data[{unit}]')}"
            for unit in range(4)
        ),
    ]
