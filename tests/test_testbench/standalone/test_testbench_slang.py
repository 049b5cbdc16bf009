"""Emitted Verilog in slang: no errors, and of its warnings those that have a reason."""

import functools
import itertools
from pathlib import Path

import pytest

from accelerators import NARROW_BUS, SMALLEST, small_accelerator
from hwgen.file_names import SINGLE_FILE
from hwgen.kept_emissions import emit_once
from hwgen.module_names import ModuleNames
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import cache_root
from sim.spec.views import View
from slang import Remark, elaborate
from standalone_folders import generated_folder, one_layer

DESIGNS = (
    SMALLEST,
    NARROW_BUS,
    small_accelerator(2, 2, simd_units=8, compute_lanes=2, io_bandwidth_gbps=3.2),
)

OPERANDS = {"arith-op-mismatch", "sign-conversion"}
"""The operands of a signed product keep their own widths, of which synthesis takes the multiplier's."""

ALLOWED = {
    View.SYNTHESIS: OPERANDS,
    # The template's loops: bytes that become int, a case of four phases.
    View.SIMULATION: OPERANDS | {"width-expand", "bitwise-op-parentheses", "case-default"},
}


@functools.cache
def emitted(config: AcceleratorConfig, view: View) -> str:
    return emit_once(config, cache_root(), view)


def warnings_of(remarks: list[Remark]) -> set[str]:
    assert [remark for remark in remarks if remark.error] == []
    return {remark.rule for remark in remarks}


@pytest.mark.parametrize(
    ("view", "designs"),
    sampled(
        itertools.product(View, (DESIGNS[:1], DESIGNS)), lambda case: len(case[1]) == 1, fields=True
    ),
)
def test_elaborates_with_the_warnings_that_have_a_reason(
    view: View, designs: tuple[AcceleratorConfig, ...]
) -> None:
    remarks = [
        remark
        for config in designs
        for remark in elaborate([emitted(config, view)], ModuleNames.of(config).top)
    ]
    assert warnings_of(remarks) == ALLOWED[view]
    if view is View.SYNTHESIS:
        assert all("$signed(" in remark.line for remark in remarks)


def test_an_undeclared_name_is_an_error() -> None:
    text = emitted(SMALLEST, View.SYNTHESIS).replace(
        "assign irq = ", "assign irq = absent_name & ", 1
    )
    remarks = elaborate([text], ModuleNames.of(SMALLEST).top)
    assert any(remark.error for remark in remarks)


@pytest.mark.parametrize("config", sampled(DESIGNS[:2], lambda config: config is SMALLEST))
def test_testbench_elaborates(config: AcceleratorConfig, tmp_path: Path) -> None:
    folder = generated_folder(tmp_path / "design", config, one_layer())
    names = ("testbench.v", "memory_ports.v", SINGLE_FILE)
    remarks = elaborate([(folder / name).read_text() for name in names], "testbench")
    # Constant outputs are left open, the ports reach up to the memory, and sizes are parameters.
    assert warnings_of(remarks) - ALLOWED[View.SYNTHESIS] == {
        "empty-output-connection",
        "sign-compare",
        "upward-name",
    }
