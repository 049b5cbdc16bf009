"""The simulation view of the PE grid: its ports, and the proof that it is the same machine."""

import itertools
import re
from collections.abc import Sequence

import pytest

from accelerators import NARROW_BUS
from hwgen.emit import emit, emit_grid
from hwgen.kept_emissions import emit_once
from hwgen.module_names import ModuleNames
from hwgen.simulation_view import GRID_MODULE, grid_view
from sampled import sampled
from sim.spec.files import cache_root
from sim.spec.views import View
from view_proof import PARTS, prove_views, questions

CONFIG = NARROW_BUS
ALWAYS = 0
"""Part of the proof that is always run."""


def ports(module: str, text: str) -> set[tuple[str, str, int]]:
    """Return direction, name and bits of every port of `module`."""
    body = re.search(rf"^module {module}\b.*?^endmodule", text, re.DOTALL | re.MULTILINE)
    assert body is not None
    pattern = r"^ +(input|output)(?: wire| reg)?(?: signed)?(?: \[(\d+):0\])? \\?(\w+) ?[;,]?$"
    declarations = re.findall(pattern, body[0], re.MULTILINE)
    return {(direction, name, int(high or 0) + 1) for direction, high, name in declarations}


def test_has_the_ports_of_the_synthesis_view() -> None:
    simulation = ports(GRID_MODULE, grid_view(CONFIG))
    assert simulation == ports(GRID_MODULE, emit_grid(CONFIG))
    assert ("output", "tile_read_data", 32) in simulation


def test_stands_in_for_the_grid_and_all_below_it() -> None:
    text = emit_once(CONFIG, cache_root(), View.SIMULATION)
    modules = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert len(modules) == len(set(modules))
    names = ModuleNames.of(CONFIG)
    assert {names.top, names.own("execute"), names.grid, "cosilico_ram_fpga"} <= set(modules)
    assert not {names.own(name) for name in ("pe", "lane", "simd_unit")} & set(modules)
    assert grid_view(CONFIG, names.grid).strip() in text


@pytest.mark.long
def test_the_same_configuration_gives_the_same_text() -> None:
    assert emit(CONFIG, View.SIMULATION) == emit(CONFIG, View.SIMULATION)


def test_knows_two_views() -> None:
    assert [*View] == ["synthesis", "simulation"]
    with pytest.raises(
        ValueError, match=r"^view must be one of synthesis, simulation, not 'fast'$"
    ):
        View("fast")


def test_the_proof_asks_for_every_check_once() -> None:
    asked: list[int] = []
    for command in questions(236):
        proof = re.search(r"-prove fits\[(\d+):(\d+)\] (\d+)'b(1+)$", command)
        assert proof is not None
        last, first, bits = (int(proof[place]) for place in (1, 2, 3))
        assert bits == len(proof[4]) == last + 1 - first
        asked += range(first, last + 1)
    assert asked == list(range(236))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("private", "maximum", "parts"),
    sampled(
        [(True, True, [ALWAYS]), *itertools.product((True, False), (True, False), [range(PARTS)])],
        lambda case: case[2] == [ALWAYS],
        fields=True,
    ),
)
def test_is_proved_to_be_the_same_machine(
    private: bool, maximum: bool, parts: Sequence[int]
) -> None:
    """Every step of a one-lane grid of 4 units, with and without vectors of the lane's own.

    A proof takes up to a minute. A part is run always; the steps of the others, which are `long`, are
    compared at random, in every width, by the tests of ``view_equivalence``.
    """
    prove_views(private=private, maximum=maximum, parts=parts)
