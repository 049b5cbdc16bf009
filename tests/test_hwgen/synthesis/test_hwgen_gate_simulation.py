"""Energy of mapped modules: functions of cells, glitches, and sums that are added up by hand."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hwgen.synthesis.cell_functions import holds, truth_table
from hwgen.synthesis.cell_power import LibraryPower, read_power
from hwgen.synthesis.gate_model import GateModel, gate_model
from hwgen.synthesis.gate_simulation import simulate_gates
from hwgen.synthesis.liberty import Library, read_liberty
from hwgen.synthesis.netlist import Instance, Netlist
from powered_cells import (
    CHANGING,
    CHARGE,
    FALL,
    HIDDEN,
    LEAKAGE,
    POWERED,
    RISE,
    STATE_FALL,
    STATE_RISE,
    STEADY,
)
from sim.spec.errors import CosilicoError


@pytest.fixture
def cells(tmp_path: Path) -> tuple[Library, LibraryPower]:
    """Library of five cells and its power."""
    path = tmp_path / "five.lib"
    path.write_text(POWERED)
    return read_liberty(path), read_power(path)


def instance(name: str, kind: str, **pins: int | str) -> Instance:
    return Instance(name, kind, {pin: [net] for pin, net in pins.items()}, frozenset(), {})


def net(model: GateModel, number: int | str) -> int:
    return model.places[int(number)]


@pytest.mark.parametrize(
    ("expression", "indices"),
    [
        ("!A", {0b00, 0b10}),
        ("A'", {0b00, 0b10}),
        ("A B", {0b11}),
        ("(A !B)+(B' A)", {0b01}),
        # ^ binds before &, which binds before |
        ("A ^ A & B", set()),
        ("A | B ^ B", {0b01, 0b11}),
        ("1", {0, 1, 2, 3}),
    ],
)
def test_a_function_is_a_truth_table(expression: str, indices: set[int]) -> None:
    assert truth_table(expression, "AB") == sum(1 << index for index in indices)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("A & C", "^function must have names of pins, not 'C'$"),
        ("A &", "^function must have an operand at its end, not 'A &'$"),
        ("(A", r"^function must close its parentheses, not '\(A'$"),
        ("A % B", "^function must be an expression of names, not 'A % B'$"),
        ("A) B", r"^function must end behind an operand, not at '\)'$"),
    ],
)
def test_other_text_is_no_function(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        holds(expression, {"A": True, "B": False})


def test_the_energies_of_a_flip_flop_and_an_inverter_add_up(
    cells: tuple[Library, LibraryPower],
) -> None:
    netlist = Netlist(
        "kept",
        {"clk": [1], "value": [2]},
        {"result": [4]},
        [
            instance("taken", "DFF_X1", CK=1, D=2, Q=3),
            instance("inverter", "INV_X1", A=3, Z=4),
        ],
        {},
    )
    model = gate_model(netlist, *cells)
    assert model.leakage_uw == pytest.approx(2 * LEAKAGE * 1e-3)
    assert model.driven == [("", "value", 0, net(model, 2))]
    value = np.array([[0], [1], [1], [0], [1], [0], [0]], np.uint8)
    switched = simulate_gates(model, value, np.array([0], np.uint8), [net(model, 3), net(model, 4)])
    state = [0, 0, 1, 1, 0, 1, 0]
    assert switched.settled[:, 0].tolist() == state
    assert switched.settled[:, 1].tolist() == [1 - bit for bit in state]
    clock_pin = 2 * CHARGE
    assert switched.clock_fj == pytest.approx(3 * STEADY + 4 * CHANGING + 7 * clock_pin)
    inside = 2 * STATE_RISE + 2 * STATE_FALL + 2 * (RISE + FALL) + 4 * HIDDEN
    assert switched.gate_fj == pytest.approx(inside)
    assert switched.net_fj == pytest.approx((4 + 4) * CHARGE)
    assert switched.total_fj == pytest.approx(
        switched.clock_fj + switched.gate_fj + switched.net_fj
    )
    # Cycles at the beginning may be left out, and change nothing of those after them
    late = simulate_gates(model, value, np.array([0], np.uint8), warm_up=5)
    assert late.cycles == 2
    assert late.clock_fj == pytest.approx(2 * CHANGING + 2 * clock_pin)
    assert late.gate_fj == pytest.approx(STATE_RISE + STATE_FALL + RISE + FALL + HIDDEN)


def hazard(behind: str) -> Netlist:
    """An output that is 1 whatever the input is, but for the time in which its change runs through two cells."""
    return Netlist(
        "hazard",
        {"clk": [1], "value": [2]},
        {"result": [6]},
        [
            instance("slow", "BUF_X1", A=2, Z=3),
            instance("inverter", "INV_X1", A=3, Z=4),
            instance("product", "NAND2_X1", A=2, B=4, Z=5),
            instance("behind", behind, A=5, B=5, S="0", Z=6),
        ],
        {},
    )


def changes(cells: tuple[Library, LibraryPower], netlist: Netlist) -> float:
    """Energy of one rising edge of the input, without that of the input itself."""
    model = gate_model(netlist, *cells)
    value = np.array([[0], [1]], np.uint8)
    switched = simulate_gates(model, value, np.zeros(0, np.uint8), [net(model, 5)])
    assert switched.settled[:, 0].tolist() == [1, 1]
    return switched.gate_fj


def test_a_pulse_passes_a_gate_that_is_faster_and_not_one_that_is_slower(
    cells: tuple[Library, LibraryPower], tmp_path: Path
) -> None:
    # The pulse lasts as long as buffer and inverter take, 0.25 ns
    path = RISE + FALL  # buffer and inverter
    pulse = FALL + RISE
    assert changes(cells, hazard("MUX2_X1")) == pytest.approx(path + pulse + pulse)
    slower = tmp_path / "slower.lib"
    slower.write_text(POWERED.replace('values ("0.2")', 'values ("0.3")'))
    slow = read_liberty(slower), read_power(slower)
    assert changes(slow, hazard("MUX2_X1")) == pytest.approx(path + pulse)


def random_module(rng: np.random.Generator, size: int) -> Netlist:
    """Gates and flip-flops at random nets, without loops."""
    instances = []
    nets: list[int | str] = [2, 3, 4]
    registers = [100 + place for place in range(6)]
    nets += registers
    for place in range(size):
        kind = ("INV_X1", "BUF_X1", "NAND2_X1", "MUX2_X1")[rng.integers(4)]
        a, b, s = (int(str(rng.choice(np.array(nets)))) for _ in "ABS")
        pins = {"A": a, "B": b, "S": s, "Z": 200 + place}
        instances.append(instance(f"gate_{place}", kind, **pins))
        nets.append(200 + place)
    for place, register in enumerate(registers):
        data = int(str(rng.choice(np.array(nets))))
        instances.append(instance(f"register_{place}", "DFF_X1", CK=1, D=data, Q=register))
    shuffled = [instances[place] for place in rng.permutation(len(instances))]
    return Netlist("random", {"clk": [1], "value": [2, 3, 4]}, {"out": nets}, shuffled, {})


Settled = dict[int | str, int]


def naive(netlist: Netlist, value: NDArray[np.uint8], state: Settled) -> list[Settled]:
    """Settled values of all nets in every cycle, cell by cell until nothing changes."""
    functions = {
        "INV_X1": lambda a, b, s: 1 - a,
        "BUF_X1": lambda a, b, s: a,
        "NAND2_X1": lambda a, b, s: 1 - (a & b),
        "MUX2_X1": lambda a, b, s: b if s else a,
    }
    flip_flops = [cell for cell in netlist.instances if cell.kind == "DFF_X1"]
    settled = []
    for row in value.tolist():
        nets = dict.fromkeys(netlist.outputs["out"], 0)
        nets |= dict(zip((2, 3, 4), row, strict=True))
        nets |= state
        for _ in netlist.instances:
            for cell in netlist.instances:
                if cell.kind != "DFF_X1":
                    pins = {pin: nets[number] for pin, (number,) in cell.pins.items() if pin != "Z"}
                    out = functions[cell.kind](pins["A"], pins["B"], pins["S"])
                    nets[cell.pins["Z"][0]] = out
        settled.append(nets)
        state = {cell.pins["Q"][0]: nets[cell.pins["D"][0]] for cell in flip_flops}
    return settled


@pytest.mark.parametrize("seed", range(5))
def test_a_module_settles_at_what_its_functions_say(
    cells: tuple[Library, LibraryPower], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    netlist = random_module(rng, 40)
    model = gate_model(netlist, *cells)
    value = rng.integers(0, 2, (30, 3)).astype(np.uint8)
    columns = [{net(model, n): c for c, n in enumerate((2, 3, 4))}[n] for *_, n in model.driven]
    first: Settled = {100 + place: int(rng.integers(2)) for place in range(6)}
    outputs = {net(model, register): register for register in first}
    state = np.array([first[outputs[n]] for n in model.flip_flops.outputs.tolist()], np.uint8)
    observed = [number for number in netlist.outputs["out"] if int(number) in model.places]
    switched = simulate_gates(
        model, value[:, columns], state, [net(model, number) for number in observed]
    )
    expected = naive(netlist, value, first)
    assert switched.settled.tolist() == [[row[n] for n in observed] for row in expected]
    assert switched.gate_fj > 0


def test_a_loop_is_refused(cells: tuple[Library, LibraryPower]) -> None:
    netlist = Netlist(
        "ring",
        {"clk": [1], "value": [2]},
        {"out": [3]},
        [
            instance("a", "NAND2_X1", A=2, B=4, Z=3),
            instance("b", "BUF_X1", A=3, Z=4),
        ],
        {},
    )
    with pytest.raises(CosilicoError, match=r"^gates of ring must have no loop, as at b$"):
        gate_model(netlist, *cells)


def test_a_module_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slow.lib"
    path.write_text(POWERED.replace('values ("0.1")', 'values ("40")'))
    model = gate_model(hazard("BUF_X1"), read_liberty(path), read_power(path))
    with pytest.raises(RuntimeError, match=r"^gates of hazard must become quiet within a cycle$"):
        simulate_gates(model, np.array([[0], [1]], np.uint8), np.zeros(0, np.uint8))


def test_arrays_of_other_shapes_are_refused(cells: tuple[Library, LibraryPower]) -> None:
    model = gate_model(hazard("BUF_X1"), *cells)
    state = np.zeros(0, np.uint8)
    with pytest.raises(
        ValueError, match=r"^driven must be uint8\[cycles, 1\] and state uint8\[0\]"
    ):
        simulate_gates(model, np.zeros((4, 2), np.uint8), state)
    with pytest.raises(ValueError, match=r"^warm_up must be in 0 … 3, not 4$"):
        simulate_gates(model, np.zeros((4, 1), np.uint8), state, warm_up=4)


def test_a_library_without_power_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cells.lib"
    path.write_text(POWERED.replace("nom_voltage : 1.0;", ""))
    with pytest.raises(CosilicoError, match=r"^liberty .* must have power of its cells, but: KeyE"):
        read_power(path)
    path.write_text(POWERED.replace("internal_power", "internal"))
    with pytest.raises(
        CosilicoError, match=r"^liberty .* must have flip-flops with internal power"
    ):
        read_power(path)
    with pytest.raises(CosilicoError, match=r"^liberty .*: No such file or directory$"):
        read_power(tmp_path / "none.lib")
