"""Static timing: paths of small modules whose delays are added up by hand."""

from pathlib import Path

import pytest

from five_cells import (
    BUFFER,
    CLOCK_TO_Q,
    INVERTER,
    LIBRARY,
    MULTIPLEXER,
    SETUP,
    arc,
    table,
)
from hwgen.synthesis.liberty import Library, read_liberty
from hwgen.synthesis.netlist import Instance, Netlist
from hwgen.synthesis.timing import ModuleTiming, PathKind, analyze
from sim.cost.sram import sram
from sim.cost.sram_table import MemoryCells
from sim.spec.errors import CosilicoError

WITHIN = PathKind("register", "register")
CELLS = MemoryCells.HIGH_PERFORMANCE


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
    inside = analyze(inverting(), library, {}, CELLS)
    assert inside.paths[PathKind("input", "register")].delay_ns == pytest.approx(INVERTER + SETUP)
    assert WITHIN not in inside.paths
    whole = analyze(around, library, {"inverting": inside}, CELLS)
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
    timing = analyze(through, library, {}, CELLS)
    assert timing.through == {("c", 0): {"a": INVERTER, "b": INVERTER}}
    path = plain(analyze(around, library, {"through": timing}, CELLS))[WITHIN]
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
    timing = analyze(chain, read_liberty(path), {}, CELLS)
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
    paths = plain(analyze(around, library, {}, CELLS))
    macros = sram(512, 4096, ports=2, cells=CELLS)
    assert macros.depth == 4
    assert paths == {
        WITHIN: (
            pytest.approx(macros.access_ns + 2 * MULTIPLEXER + SETUP),
            "storage",
            "taken",
        ),
        PathKind("input", "register"): (pytest.approx(SETUP), "address", "storage"),
    }
    # Half of the way lies before the access, half behind
    wired = analyze(around, library, {}, CELLS, macro_wires=True).paths
    for kind, path in analyze(around, library, {}, CELLS).paths.items():
        assert wired[kind].delay_ns == pytest.approx(path.delay_ns + macros.wire_ns / 2)
    assert macros.wire_ns > 0


@pytest.mark.parametrize(("pins", "levels"), [(8, 0), (9, 2), (64, 3), (65, 4)])
def test_too_much_load_takes_a_tree_of_buffers(library: Library, pins: int, levels: int) -> None:
    # A driver may drive 8 pins. A leaf of the tree drives 4, as does every other buffer.
    ends = [instance(f"end_{pin}", "DFF_X1", CK=1, D=3, Q=4 + pin) for pin in range(pins)]
    start = instance("start", "DFF_X1", CK=1, D=2, Q=3)
    around = Netlist("around", {"clk": [1], "value": [2]}, {}, [start, *ends], {3: "start"})
    path = analyze(around, library, {}, CELLS).paths[WITHIN]
    assert path.delay_ns == pytest.approx(CLOCK_TO_Q + levels * BUFFER + SETUP)


def test_a_memory_of_a_larger_technology_is_slower(library: Library) -> None:
    storage = Instance(
        "storage",
        "cosilico_single_port_ram_macro_64x32",
        {"read_data": [3]},
        frozenset(["read_data"]),
        {"WIDTH": 32, "DEPTH": 64},
    )
    around = Netlist("around", {"clk": [1]}, {"value": [3]}, [storage], {})
    slower = analyze(around, library, {}, CELLS, 4).paths[PathKind("register", "output")]
    assert slower.delay_ns == pytest.approx(4 * sram(32, 64, ports=1, cells=CELLS).access_ns)


@pytest.mark.parametrize("text", ["", 'library (none) { time_unit : "1ns"; }', "no liberty"])
def test_a_file_without_cells_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "none.lib"
    path.write_text(text)
    with pytest.raises(CosilicoError, match=f"^liberty {path} must (be|have) "):
        read_liberty(path)
    with pytest.raises(CosilicoError, match=r"No such file or directory$"):
        read_liberty(tmp_path / "absent.lib")
