"""Energy of a run by its waveforms: instances, windows, accesses, and netlists that show other values."""

import gzip
import json
from pathlib import Path

import pytest

from hwgen.synthesis.cell_power import read_power
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.mapping import MappedModule
from hwgen.synthesis.sources import ModuleSource
from hwgen.synthesis.targets import StandardCellFlow
from powered_cells import CHARGE, FALL, LEAKAGE, POWERED, RISE, STEADY
from sim.cost.sram import memory_cells, sram
from testbench.power import direct
from testbench.power.direct import PoweredModules, RunEnergy, Window, run_energy

Instance = tuple[str, str, dict[str, list[int | str]], list[str], dict[str, int]]

VALUES = [0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1]
"""Input of the first child; the second child has its complement."""

BUSY = [0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0]
"""The accelerator runs twice."""

READS, WRITES = 0b011100110110, 0b000101000000
"""Accesses to the memory, by cycle."""


def mapped(
    folder: Path,
    name: str,
    inputs: dict[str, list[int]],
    outputs: dict[str, list[int]],
    instances: list[Instance],
    names: dict[int, str],
    children: dict[str, int],
) -> MappedModule:
    """Module with a netlist in a folder, as synthesis keeps it."""
    own = folder / name
    own.mkdir()
    record = {"inputs": inputs, "outputs": outputs, "names": names, "instances": instances}
    (own / "netlist.json.gz").write_bytes(gzip.compress(json.dumps(record).encode()))
    cells = [kind for _, kind, _, _, sizes in instances if not sizes and kind not in children]
    source = ModuleSource(
        name=name, module=name, text="", boxes="", parameters={}, children=children, macros={}
    )
    counts = {kind: cells.count(kind) for kind in cells}
    return MappedModule(source=source, cells=counts, problems=(), folder=own)


@pytest.fixture
def powered(tmp_path: Path) -> PoweredModules:
    """Modules: two children, each a register behind an inverter, and a memory."""
    library = tmp_path / "five.lib"
    library.write_text(POWERED)
    child = mapped(
        tmp_path,
        "cosilico_child",
        {"clk": [1], "value": [2]},
        {"kept": [4]},
        [
            ("inverter", "INV_X1", {"A": [2], "Z": [3]}, [], {}),
            ("flip_flop", "DFF_X1", {"CK": [1], "D": [3], "Q": [4]}, [], {}),
        ],
        {4: "state"},
        {},
    )
    ports: dict[str, list[int | str]] = {"clk": [1], "read_data": [20, 21]}
    ports |= {"read_enable": [10], "write_enable": [11], "read_address": [12], "write_data": ["x"]}
    top = mapped(
        tmp_path,
        "cosilico_top",
        {"clk": [1], "value": [2], "busy": [9]},
        {"trace_busy": [9], "either": [6]},
        [
            ("inverter", "INV_X1", {"A": [2], "Z": [3]}, [], {}),
            ("a", "cosilico_child", {"clk": [1], "value": [2], "kept": [4]}, ["kept"], {}),
            ("b", "cosilico_child", {"clk": [1], "value": [3], "kept": [5]}, ["kept"], {}),
            ("product", "NAND2_X1", {"A": [4], "B": [5], "Z": [6]}, [], {}),
            ("storage", "cosilico_ram", ports, ["read_data"], {"WIDTH": 2, "DEPTH": 64}),
        ],
        {},
        {"cosilico_child": 2},
    )
    flow = StandardCellFlow(library=read_liberty(library), clock_mhz=200)
    return PoweredModules([child, top], flow, read_power(library))


def states(values: list[int], first: int) -> list[int]:
    """Register behind an inverter."""
    return [first, *(1 - value for value in values[:-1])]


A, B = states(VALUES, 0), states([1 - value for value in VALUES], 1)


def waves(path: Path, wrong: tuple[int, str] | None = None) -> Path:
    """Waveforms of a run, in which a signal may have another value than the netlists say."""
    signals = {
        "top.value": VALUES,
        "top.busy": BUSY,
        "top.trace_busy": BUSY,
        "top.either": [1 - (a & b) for a, b in zip(A, B, strict=True)],
        "top.a.value": VALUES,
        "top.b.value": [1 - value for value in VALUES],
        "top.a.kept": A,
        "top.b.kept": B,
        "top.a.state": A,
        "top.b.state": B,
        "top.storage.read_enable": [READS >> cycle & 1 for cycle in range(len(VALUES))],
        "top.storage.write_enable": [WRITES >> cycle & 1 for cycle in range(len(VALUES))],
        "top.storage.read_data": [0] * len(VALUES),
    }
    if wrong is not None:
        cycle, name = wrong
        values = list(signals[name])
        values[cycle] ^= 1
        signals[name] = values
    codes = {name: chr(ord("A") + place) for place, name in enumerate(signals)}
    lines = ["$scope module TOP $end", "$var wire 1 ! clk $end", "$scope module top $end"]
    for scope in ("", "a.", "b.", "storage."):
        if scope:
            lines.append(f"$scope module {scope[:-1]} $end")
        for name, code in codes.items():
            inside = name.removeprefix(f"top.{scope}")
            if name.startswith(f"top.{scope}") and "." not in inside:
                width = 2 if inside == "read_data" else 1
                lines.append(f"$var wire {width} {code} {inside} $end")
        if scope:
            lines.append("$upscope $end")
    lines += ["$upscope $end", "$upscope $end", "$enddefinitions $end"]
    for cycle in range(len(VALUES)):
        lines += [f"#{2 * cycle}", "0!"]
        lines += [
            f"b{values[cycle]:02b} {codes[name]}"
            if name.endswith("data")
            else f"{values[cycle]}{codes[name]}"
            for name, values in signals.items()
        ]
        lines += [f"#{2 * cycle + 1}", "1!"]
    path.write_text("\n".join(lines) + "\n")
    return path


def changes(values: list[int], window: Window) -> int:
    """Changes of a signal in a window, the change into it among them."""
    return sum(values[cycle] != values[cycle - 1] for cycle in range(window.start, window.stop))


def test_the_last_run_counts(powered: PoweredModules, tmp_path: Path) -> None:
    window = Window(start=6, stop=10)
    result = run_energy(powered, waves(tmp_path / "waves.vcd"))
    assert result == run_energy(powered, tmp_path / "waves.vcd", window=window)
    assert result.cycles == 4
    child, top = result.modules
    assert (child.kind, child.instances, child.simulated) == ("child", 2, 2)
    assert (top.kind, top.instances, top.simulated) == ("top", 1, 1)
    assert child.leakage_uw == pytest.approx(2 * 2 * LEAKAGE * 1e-3)
    assert child.area_um2 == 2 * (1 + 4)
    assert child.steady_pj == pytest.approx(2 * 4 * (STEADY + 2 * CHARGE) * 1e-3)
    assert child.clock_pj > child.steady_pj
    # At the top, an inverter and a product change, and the pins of both are charged
    either = [1 - (a & b) for a, b in zip(A, B, strict=True)]
    inverter = changes(VALUES, window) * (CHARGE + (RISE + FALL) / 2)
    edges = [
        (RISE if either[cycle] else FALL)
        for cycle in range(6, 10)
        if either[cycle] != either[cycle - 1]
    ]
    pins = (changes(A, window) + changes(B, window)) * CHARGE
    rises = sum(VALUES[cycle] < VALUES[cycle - 1] for cycle in range(6, 10))
    inverter += (rises - changes(VALUES, window) / 2) * (RISE - FALL)
    glitches = top.switching_pj * 1e3 - (inverter + sum(edges) + pins)
    assert glitches == pytest.approx(0)


def test_accesses_to_memories_are_counted(powered: PoweredModules, tmp_path: Path) -> None:
    (macro,) = run_energy(
        powered, waves(tmp_path / "waves.vcd"), window=Window(start=1, stop=10)
    ).macros
    reads = sum(READS >> cycle & 1 for cycle in range(1, 10))
    writes = sum(WRITES >> cycle & 1 for cycle in range(1, 10))
    assert (macro.module, macro.memory, macro.ports) == ("top", "storage", 2)
    assert (macro.reads, macro.writes) == (reads, writes)
    figures = sram(2, 64, ports=2, cells=memory_cells(200))
    assert macro.read_pj == pytest.approx(reads * figures.read_pj)
    assert macro.write_pj == pytest.approx(writes * figures.write_pj)


def test_instances_are_drawn_of_all_and_more_of_small_modules() -> None:
    scopes = [f"unit_{place}" for place in range(100)]
    assert direct._drawn(scopes[:3], 3, "unit") == scopes[:3]
    drawn = direct._drawn(scopes, 7, "unit")
    assert drawn == direct._drawn(scopes, 7, "unit")
    places = [scopes.index(scope) for scope in drawn]
    assert [place * 7 // 100 for place in places] == list(range(7))
    numbers = [direct._number(cells, 2) for cells in (10, 3000, 4000, 20_000)]
    assert numbers == [direct.MOST_SAMPLED, 10, 7, 2]


def test_one_of_many_instances_stands_for_all(
    powered: PoweredModules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = waves(tmp_path / "waves.vcd")
    all_of_them: RunEnergy = run_energy(powered, path)
    monkeypatch.setattr(direct, "MOST_SAMPLED", 1)
    single = run_energy(powered, path, sampled=1)
    child = single.modules[0]
    assert (child.instances, child.simulated) == (2, 1)
    assert child.steady_pj == all_of_them.modules[0].steady_pj
    assert child.leakage_uw == all_of_them.modules[0].leakage_uw


@pytest.mark.parametrize("name", ["top.either", "top.b.kept"])
def test_a_netlist_that_shows_another_value_is_an_error(
    name: str, powered: PoweredModules, tmp_path: Path
) -> None:
    path = waves(tmp_path / "waves.vcd", wrong=(8, name))
    scope, port = name.rsplit(".", 1)
    message = (
        rf"^netlist of {scope} must show {port}\[0\] as the RTL does in cycle 8: 1 bits differ$"
    )
    with pytest.raises(RuntimeError, match=message):
        run_energy(powered, path)


def test_a_value_before_the_window_does_not_matter(powered: PoweredModules, tmp_path: Path) -> None:
    path = waves(tmp_path / "waves.vcd", wrong=(3, "top.either"))
    assert run_energy(powered, path).cycles == 4


def test_only_the_kinds_that_are_wanted_are_simulated(
    powered: PoweredModules, tmp_path: Path
) -> None:
    some = PoweredModules(
        powered.modules,
        powered.flow,
        read_power(powered.flow.library.path),
        kinds=lambda kind: kind == "child",
    )
    result = run_energy(some, waves(tmp_path / "waves.vcd"))
    assert [module.kind for module in result.modules] == ["child"]
    assert not result.macros
