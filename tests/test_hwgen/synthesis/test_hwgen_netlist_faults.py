"""Faults of netlists, each made on purpose."""

from pathlib import Path

import pytest

from five_cells import LIBRARY
from hwgen.synthesis.checks import netlist_faults
from hwgen.synthesis.liberty import Library, read_liberty
from hwgen.synthesis.netlist import Instance, Netlist
from hwgen.synthesis.timing import analyze
from sim.cost.sram_table import MemoryCells


@pytest.fixture
def library(tmp_path: Path) -> Library:
    path = tmp_path / "five.lib"
    path.write_text(LIBRARY)
    return read_liberty(path)


def instance(name: str, kind: str, outputs: str = "", **pins: int) -> Instance:
    return Instance(name, kind, {pin: [net] for pin, net in pins.items()}, frozenset(outputs), {})


def netlist(*instances: Instance) -> Netlist:
    return Netlist("around", {"clk": [1], "a": [2]}, {"z": [3]}, [*instances], {3: "z", 4: "inner"})


def test_a_sound_netlist_has_none(library: Library) -> None:
    sound = netlist(
        instance("x", "INV_X1", A=2, Z=4),
        instance("kept", "DFF_X1", CK=1, D=3, Q=5),
        instance("y", "NAND2_X1", A=4, B=5, Z=3),
    )
    assert netlist_faults(sound, library, {}) == []


def test_two_drivers(library: Library) -> None:
    twice = netlist(instance("x", "INV_X1", A=2, Z=3), instance("y", "INV_X1", A=2, Z=3))
    assert netlist_faults(twice, library, {}) == ["around: z is driven by x.Z and y.Z"]


def test_a_driven_input(library: Library) -> None:
    driven = netlist(instance("x", "INV_X1", A=2, Z=3), instance("y", "INV_X1", A=3, Z=2))
    assert "around: a net is driven by a and y.Z" in netlist_faults(driven, library, {})


def test_no_driver(library: Library) -> None:
    without = netlist(instance("x", "INV_X1", A=4, Z=3))
    assert netlist_faults(without, library, {}) == ["around: inner, which x.A reads, is not driven"]
    assert netlist_faults(netlist(), library, {}) == ["around: z, which z reads, is not driven"]


def test_a_loop_of_cells(library: Library) -> None:
    loop = netlist(instance("x", "NAND2_X1", A=2, B=3, Z=4), instance("y", "INV_X1", A=4, Z=3))
    (fault,) = netlist_faults(loop, library, {})
    assert fault.startswith("around: combinational loop through ")
    assert {"z", "inner"} == set(fault.partition(" through ")[2].split(", "))


def test_a_loop_through_a_module(library: Library) -> None:
    below = Netlist("below", {"a": [1]}, {"z": [2]}, [instance("x", "INV_X1", A=1, Z=2)], {})
    timings = {"below": analyze(below, library, {}, MemoryCells.HIGH_PERFORMANCE)}
    closed = netlist(
        instance("first", "below", "z", a=3, z=4), instance("second", "INV_X1", A=4, Z=3)
    )
    (fault,) = netlist_faults(closed, library, timings)
    assert fault.startswith("around: combinational loop through ")
    # A register in the module below opens the loop
    cut = Netlist(
        "below", {"clk": [5], "a": [1]}, {"z": [2]}, [instance("x", "DFF_X1", CK=5, D=1, Q=2)], {}
    )
    timings = {"below": analyze(cut, library, {}, MemoryCells.HIGH_PERFORMANCE)}
    assert netlist_faults(closed, library, timings) == []
