"""Static timing: paths of small modules whose delays are added up by hand."""

from pathlib import Path

import pytest

from hwgen.synthesis.liberty import Library, read_liberty
from hwgen.synthesis.memories import access_ns
from hwgen.synthesis.netlist import Instance, Netlist
from hwgen.synthesis.timing import ModuleTiming, PathKind, analyze
from sim.spec.errors import CosilicoError
from sim.timing.clock_reach import macros

WITHIN = PathKind("register", "register")
SETUP, CLOCK_TO_Q, INVERTER, BUFFER, MULTIPLEXER = 0.05, 0.3, 0.1, 0.15, 0.2


def table(kind: str, value: float) -> str:
    return f'{kind} (scalar) {{ index_1 ("0"); index_2 ("0"); values ("{value}"); }}'


def arc(pin: str, delay: float, sense: str, kind: str = "combinational") -> str:
    tables = table("cell_rise", delay) + table("cell_fall", delay)
    tables += table("rise_transition", 0.01) + table("fall_transition", 0.01)
    return (
        f'timing () {{ related_pin : "{pin}"; timing_type : {kind}; '
        f"timing_sense : {sense}; {tables} }}"
    )


def cell(name: str, inputs: str, function: str, delay: float, sense: str, area: float) -> str:
    pins = "".join(f"pin ({pin}) {{ direction : input; capacitance : 1; }}" for pin in inputs)
    arcs = "".join(arc(pin, delay, sense) for pin in inputs)
    return (
        f"cell ({name}) {{ area : {area}; {pins} pin (Z) {{ direction : output; "
        f'max_capacitance : 8; function : "{function}"; {arcs} }} }}'
    )


SETUP_TABLES = table("rise_constraint", SETUP) + table("fall_constraint", SETUP)
FLIP_FLOP = (
    'cell (DFF_X1) { area : 4; ff ("IQ", "IQN") { next_state : "D"; clocked_on : "CK"; } '
    "pin (CK) { direction : input; capacitance : 1; clock : true; } "
    "pin (D) { direction : input; capacitance : 1; "
    f'timing () {{ related_pin : "CK"; timing_type : setup_rising; {SETUP_TABLES} }} }} '
    'pin (Q) { direction : output; max_capacitance : 8; function : "IQ"; '
    f"{arc('CK', CLOCK_TO_Q, 'non_unate', 'rising_edge')} }} }}"
)
CELLS = (
    FLIP_FLOP,
    cell("INV_X1", "A", "!A", INVERTER, "negative_unate", 1),
    cell("BUF_X1", "A", "A", BUFFER, "positive_unate", 2),
    cell("NAND2_X1", "AB", "!(A B)", INVERTER, "negative_unate", 1),
    cell("MUX2_X1", "ABS", "(A !S)+(B S)", MULTIPLEXER, "non_unate", 3),
)
LIBRARY = 'library (five) { time_unit : "1ns"; /* by hand */\n' + "\n".join(CELLS) + "\n}\n"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Library of five cells, each with the same delay under any load."""
    path = tmp_path / "five.lib"
    path.write_text(LIBRARY)
    return read_liberty(path)


def plain(timing: ModuleTiming) -> dict[tuple[str, str], tuple[object, str, str]]:
    """Paths without their types, so that approximate delays can be compared."""
    return {(*kind,): (*path,) for kind, path in timing.paths.items()}


def instance(name: str, kind: str, **pins: int | list[int | str]) -> Instance:
    nets: dict[str, list[int | str]] = {
        pin: [net] if isinstance(net, int) else net for pin, net in pins.items()
    }
    return Instance(name, kind, nets, frozenset(), {})


def inverting() -> Netlist:
    """Module of an inverter before a register."""
    return Netlist(
        "inverting",
        {"clk": [1], "value": [2]},
        {"result": [4]},
        [
            instance("inverter", "INV_X1", A=2, Z=3),
            instance("flip_flop", "DFF_X1", CK=1, D=3, Q=4),
        ],
        {4: "result"},
    )


def test_a_path_goes_on_in_the_module_below(library: Library) -> None:
    around = Netlist(
        "around",
        {"clk": [1], "value": [2]},
        {"outcome": [5]},
        [
            instance("flip_flop", "DFF_X1", CK=1, D=2, Q=3),
            instance("below", "inverting", clk=1, value=3, result=4),
            instance("inverter", "INV_X1", A=4, Z=5),
        ],
        {3: "taken"},
    )
    inside = analyze(inverting(), library, {})
    assert inside.paths[PathKind("input", "register")].delay_ns == pytest.approx(INVERTER + SETUP)
    assert WITHIN not in inside.paths
    whole = analyze(around, library, {"inverting": inside})
    assert plain(whole) == {
        WITHIN: (pytest.approx(CLOCK_TO_Q + INVERTER + SETUP), "taken", "below/result"),
        PathKind("register", "output"): (
            pytest.approx(CLOCK_TO_Q + INVERTER),
            "below/result",
            "outcome",
        ),
        PathKind("input", "register"): (pytest.approx(SETUP), "value", "taken"),
    }
    assert whole.area_um2 == 4 + 1


def test_a_module_without_registers_is_passed_through(library: Library) -> None:
    through = Netlist(
        "through", {"a": [1], "b": [2]}, {"c": [3]}, [instance("x", "NAND2_X1", A=1, B=2, Z=3)], {}
    )
    around = Netlist(
        "around",
        {"clk": [1], "value": [2]},
        {},
        [
            instance("first", "DFF_X1", CK=1, D=2, Q=3),
            instance("below", "through", a=3, b=2, c=4),
            instance("second", "DFF_X1", CK=1, D=4, Q=5),
        ],
        {3: "first", 5: "second"},
    )
    timing = analyze(through, library, {})
    assert timing.through == {("c", 0): {"a": INVERTER, "b": INVERTER}}
    path = plain(analyze(around, library, {"through": timing}))[WITHIN]
    assert path == (pytest.approx(CLOCK_TO_Q + INVERTER + SETUP), "first", "second")


def test_edges_that_cannot_follow_each_other_make_no_path(tmp_path: Path) -> None:
    # An inverter that is slow to rise, twice: only one of the two edges is slow
    slow = arc("A", 0.1, "negative_unate").replace(table("cell_rise", 0.1), table("cell_rise", 1.0))
    text = LIBRARY.replace(arc("A", INVERTER, "negative_unate"), slow, 1)
    path = tmp_path / "slow.lib"
    path.write_text(text)
    chain = Netlist(
        "chain",
        {"a": [1]},
        {"c": [3]},
        [instance("x", "INV_X1", A=1, Z=2), instance("y", "INV_X1", A=2, Z=3)],
        {},
    )
    timing = analyze(chain, read_liberty(path), {})
    assert timing.paths[PathKind("input", "output")].delay_ns == pytest.approx(1.1)


def test_a_large_memory_reads_through_multiplexers(library: Library) -> None:
    storage = Instance(
        "storage",
        "cosilico_ram",
        {"clk": [1], "read_address": [2], "read_data": [3]},
        frozenset(["read_data"]),
        {"WIDTH": 512, "DEPTH": 4096},
    )
    around = Netlist(
        "around",
        {"clk": [1], "address": [2]},
        {},
        [storage, instance("taken", "DFF_X1", CK=1, D=3, Q=4)],
        {4: "taken"},
    )
    paths = plain(analyze(around, library, {}))
    assert macros(512, 4096) == 4
    assert paths == {
        WITHIN: (
            pytest.approx(access_ns(512, 1024) + 2 * MULTIPLEXER + SETUP),
            "storage",
            "taken",
        ),
        PathKind("input", "register"): (pytest.approx(SETUP), "address", "storage"),
    }


@pytest.mark.parametrize(("pins", "levels"), [(8, 0), (9, 2), (64, 3), (65, 4)])
def test_too_much_load_takes_a_tree_of_buffers(library: Library, pins: int, levels: int) -> None:
    # A driver may drive 8 pins. A leaf of the tree drives 4, as does every other buffer.
    ends = [instance(f"end_{pin}", "DFF_X1", CK=1, D=3, Q=4 + pin) for pin in range(pins)]
    start = instance("start", "DFF_X1", CK=1, D=2, Q=3)
    around = Netlist("around", {"clk": [1], "value": [2]}, {}, [start, *ends], {3: "start"})
    path = analyze(around, library, {}).paths[WITHIN]
    assert path.delay_ns == pytest.approx(CLOCK_TO_Q + levels * BUFFER + SETUP)


def test_memories_take_the_next_larger_size() -> None:
    times = [access_ns(64, depth) for depth in (32, 64, 65, 128, 8192, 10**6)]
    assert times == [0.200, 0.200, 0.226, 0.226, 0.773, 0.773]
    assert access_ns(2048, 16) == access_ns(512, 16)
    assert access_ns(512, 1024, single_port=True) < access_ns(512, 1024)


@pytest.mark.parametrize("text", ["", 'library (none) { time_unit : "1ns"; }', "no liberty"])
def test_a_file_without_cells_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "none.lib"
    path.write_text(text)
    with pytest.raises(CosilicoError, match=f"^liberty {path} must (be|have) "):
        read_liberty(path)
    with pytest.raises(CosilicoError, match=r"No such file or directory$"):
        read_liberty(tmp_path / "absent.lib")
