"""SRAM of macros: monotone in every size, made as the rule says, of figures that the table has."""

import math
from dataclasses import astuple, fields, replace
from itertools import pairwise, product

import pytest

from hwgen import memory_modules
from project_root import ROOT
from sim.cost.memory_macros import memory_macros
from sim.cost.ram_shapes import memories
from sim.cost.sram import (
    FLIP_FLOP_ROWS,
    MACRO_BITS,
    MACRO_ROWS,
    Sram,
    macro,
    memory_cells,
    sram,
)
from sim.cost.sram_table import PORTS, ROWS, WIDTHS, Macro, MemoryCells, macro_table
from sim.spec.spaces import SPACE_NAMES

LOW = MemoryCells.LOW_OPERATING_POWER
MONOTONE = (
    "area_um2", "access_ns", "cycle_ns", "wire_ns", "read_pj", "write_pj", "leakage_uw", "hot_leakage_uw",
)  # fmt: skip


def rises(smaller: Sram, larger: Sram) -> bool:
    return all(getattr(smaller, name) <= getattr(larger, name) for name in MONOTONE)


@pytest.mark.parametrize(("ports", "cells"), list(product(PORTS, MemoryCells)))
def test_no_figure_falls_with_rows_or_width(ports: int, cells: MemoryCells) -> None:
    rows = (17, 31, 32, 33, 48, 64, 112, 240, 496, 1008, 1023, 1024, 1025, 1056, 1057, 2032, 5000)
    for width in (1, 32, 64, 65, 4096):
        column = [sram(width, depth, ports=ports, cells=cells) for depth in rows]
        assert all(rises(less, more) for less, more in pairwise(column))
    widths = (1, 8, 32, 33, 64, 65, 96, 97, 128, 512, 4096)
    for depth in (17, 100, 1024, 3000):
        row = [sram(width, depth, ports=ports, cells=cells) for width in widths]
        assert all(rises(less, more) for less, more in pairwise(row))


def test_a_second_port_costs_area_and_leakage() -> None:
    for cells, width, rows in product(MemoryCells, (32, 512), (32, 700, 4096)):
        single, double = (sram(width, rows, ports=ports, cells=cells) for ports in PORTS)
        assert 1.5 * single.area_um2 < double.area_um2 < 2.5 * single.area_um2
        assert single.leakage_uw < double.leakage_uw
        assert single.hot_leakage_uw < double.hot_leakage_uw


def test_a_macro_of_the_table_has_the_tables_figures() -> None:
    table = macro_table().macros
    assert set(table) == set(product(MemoryCells, PORTS, WIDTHS, ROWS))
    lifted = 0
    for (cells, ports, width, rows), figures in table.items():
        memory = sram(width, rows, ports=ports, cells=cells)
        assert (memory.slices, memory.depth, memory.wire_ns) == (1, 1, 0)
        for field in fields(Macro):
            own, stated = getattr(memory, field.name), getattr(figures, field.name)
            assert stated <= own <= 1.01 * stated
            lifted += own > stated
    assert lifted == 5  # cycle times that CACTI has a little shorter for 64 rows than for 32


def test_between_the_tables_rows_lie_straight_lines() -> None:
    low, middle, high = (macro(64, rows, ports=2, cells=LOW) for rows in (512, 768, 1024))
    assert astuple(middle) == pytest.approx(
        [(a + b) / 2 for a, b in zip(astuple(low), astuple(high), strict=True)]
    )
    assert macro(33, 20, ports=2, cells=LOW) == macro(64, 32, ports=2, cells=LOW)


def test_a_large_memory_is_slices_of_full_macros_and_one_rest() -> None:
    full, rest = (macro(MACRO_BITS, rows, ports=2, cells=LOW) for rows in (MACRO_ROWS, 1008))
    memory = sram(512, 2032, ports=2, cells=LOW)
    assert (memory.slices, memory.depth) == (8, 2)
    assert memory.area_um2 == pytest.approx(8 * (full.area_um2 + rest.area_um2))
    assert memory.leakage_uw == pytest.approx(8 * (full.leakage_uw + rest.leakage_uw))
    assert memory.access_ns == full.access_ns
    wire = macro_table().wires[LOW]
    side_mm = math.sqrt(memory.area_um2) / 1000
    assert memory.wire_ns == pytest.approx(3 * side_mm * wire.ns_per_mm)
    moved_pj = 512 / 4 * 0.75 * side_mm * wire.pj_per_mm
    assert memory.read_pj == pytest.approx(8 * full.read_pj + moved_pj)
    assert memory.write_pj == pytest.approx(8 * full.write_pj + moved_pj)
    narrow = sram(96, 64, ports=2, cells=LOW)
    halves = [macro(bits, 64, ports=2, cells=LOW).area_um2 for bits in (64, 32)]
    assert narrow.area_um2 == pytest.approx(sum(halves))


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_every_memory_of_a_space_has_figures_at_its_clock(name: str) -> None:
    """Each field alone decides a memory's size but for lanes and units, which go together."""
    space = SPACE_NAMES[name]
    cells = memory_cells(space.clock_mhz)
    shapes: set[tuple[int, int, int]] = set()
    for units, lanes in product(space.values["simd_units"], space.values["compute_lanes"]):
        point = replace(space.default, simd_units=int(units), compute_lanes=int(lanes))
        for field in ("local_memory_kb", "register_file_kb", "weight_store_kb"):
            for value, columns in product(space.values.get(field, (0,)), space.values["pes_x"]):
                config = replace(point, pes_x=int(columns), **{field: int(value)})
                for made in memory_macros(config, cells).values():
                    shapes |= {
                        (memory.shape.width, memory.shape.rows, memory.ports) for memory in made
                    }
    assert len(shapes) > 50
    period_ns = 1e3 / space.clock_mhz
    for width, rows, ports in shapes:
        memory = sram(width, rows, ports=ports, cells=cells)
        assert max(memory.access_ns * 1.5, memory.cycle_ns) <= period_ns
        assert 0.3 < memory.area_um2 / (width * rows) < 4


def test_an_accelerators_memories_are_macros_but_for_the_shallow() -> None:
    config = SPACE_NAMES["edge"].default
    made = memory_macros(config)
    assert {part: [memory.ports for memory in made[part]] for part in made} == {
        "register_files": [2],
        "local_memory": [1],
        "weight_store": [1],
    }
    macros = [memory for part in made.values() for memory in part]
    assert all(memory.cells is LOW for memory in macros)
    listed = {shape for part in memories(config).values() for shape in part}
    assert {memory.shape for memory in macros} == {s for s in listed if s.rows > FLIP_FLOP_ROWS}
    (local,) = made["local_memory"]
    bank = sram(512, 6144, ports=1, cells=LOW)
    assert local.figures == bank
    assert (local.area_mm2, local.leakage_mw) == pytest.approx(
        (64e-6 * bank.area_um2, 64e-3 * bank.leakage_uw)
    )


@pytest.mark.parametrize("name", ["tiny", "edge"])
def test_the_page_has_the_memories_of_the_defaults(name: str) -> None:
    page = (ROOT / "docs/explanation/cost.md").read_text(encoding="utf-8")
    for part, made in memory_macros(SPACE_NAMES[name].default).items():
        for memory in made:
            shape, own = memory.shape, memory.figures
            cells = (
                f"`{name}`", part.replace("_", " "), f"{shape.width} × {shape.rows:,}",
                f"{shape.count}", f"{own.slices} × {own.depth}", f"{memory.area_mm2:.3f}",
                f"{own.access_ns:.2f}", f"{own.wire_ns:.2f}", f"{own.read_pj:.1f}",
                f"{own.write_pj:.1f}", f"{memory.leakage_mw:.3f}",
            )  # fmt: skip
            assert f"\n| {' | '.join(cells)} |\n" in page


def test_cells_are_the_slowest_that_make_the_clock() -> None:
    assert memory_cells(200) is MemoryCells.LOW_STANDBY_POWER
    assert memory_cells(800) is MemoryCells.LOW_OPERATING_POWER
    assert memory_cells(1200) is MemoryCells.HIGH_PERFORMANCE
    with pytest.raises(
        ValueError, match=r"^clock_mhz must be at most 1629 for the memories, not 2000$"
    ):
        memory_cells(2000)


def test_shallow_memories_are_flip_flops_as_in_the_emitted_verilog() -> None:
    assert FLIP_FLOP_ROWS == memory_modules.FLIP_FLOP_ROWS
    with pytest.raises(
        ValueError,
        match=r"^rows must be more than 16, below which memories are flip-flops, not 16$",
    ):
        sram(64, 16, cells=LOW)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"width": 0}, "width must be positive, not 0"),
        ({"rows": -1}, "rows must be positive, not -1"),
        ({"ports": 3}, "ports must be 1 or 2, not 3"),
    ],
)
def test_a_memory_that_cannot_be_is_refused(arguments: dict[str, int], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{line}$"):
        sram(**{"width": 64, "rows": 64, **arguments}, cells=LOW)
    assert sram(64, 64, cells=LOW).depth == 1
    with pytest.raises(TypeError, match=r"^rows must be an integer, not 64\.0$"):
        sram(64, 64.0, cells=LOW)
    with pytest.raises(ValueError, match=r"^width must be at most 64 in a macro, not 65$"):
        macro(65, 64, ports=2, cells=LOW)
    with pytest.raises(ValueError, match=r"^rows must be at most 1024 in a macro, not 1025$"):
        macro(64, 1025, ports=2, cells=LOW)
