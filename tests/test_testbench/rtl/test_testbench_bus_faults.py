"""Designs that break the bus's rules, or wait for ever, in the simulation that runs whole programs."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from accelerators import SMALLEST
from hwgen.kept_emissions import emit_once
from hwgen.program import Program, compile_design
from sim import golden
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.views import View
from testbench.cases.layers import padded, random_tensor
from testbench.rtl import harness
from testbench.rtl.harness import Harness, HarnessError
from testbench.rtl.memory_model import FREEDOMS, MemoryModel
from verilog_edits import edited_module

pytestmark = [pytest.mark.rtl, pytest.mark.slow]


@functools.cache
def network() -> Network:
    """One small convolution."""
    rng = np.random.default_rng(3)
    source = random_tensor("input", 4, 5, 6, rng)
    layer = padded("conv", LayerKind.CONV, source, (1, 1), (1, 1), Padding(), rng, 7)
    return Network(name="conv", input=source, layers=(layer,))


@functools.cache
def program() -> Program:
    """Program of the small convolution."""
    return compile_design(Design(network=network(), accelerator=SMALLEST))


@functools.cache
def inputs() -> NDArray[np.int8]:
    """One random image for the small convolution."""
    return np.random.default_rng(4).integers(-128, 128, (1, 4, 5, 6)).astype(np.int8)


def changed(module: str, old: str, new: str) -> Callable[[AcceleratorConfig, Path, View], str]:
    """Return an emission in which a text that a module has once is replaced."""

    def emit(config: AcceleratorConfig, root: Path, view: View) -> str:
        return edited_module(emit_once(config, root, view), module, old, new)

    return emit


def built(patch: pytest.MonkeyPatch, *change: str) -> Harness:
    """Build the changed design."""
    patch.setattr(harness, "emit_once", changed(*change))
    return harness.build(SMALLEST)


def test_data_that_waits_for_its_address_hangs_where_the_address_waits_for_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind all other memories nothing is to be seen of it."""
    waiting = built(
        monkeypatch,
        "store",
        r"(cosilico_fifo_16x8_\w+ bursts \([^;]*\.enter__valid\()[^)]+\)",
        r"\1bursts__ready)",
    )
    expected = golden.run(network(), inputs())["conv"]
    for name, memory in FREEDOMS.items():
        if memory.write_order.name.startswith("ADDRESS_AFTER"):
            with pytest.raises(HarnessError, match=r"^run 0 stopped at cycle \d+: "):
                waiting.run(program(), inputs(), memory=memory)
        else:
            run = waiting.run(program(), inputs(), memory=memory)
            assert np.array_equal(run.outputs, expected), name


@pytest.mark.long
def test_address_that_falls_before_ready_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule, the channel and the cycle; a memory that is always ready does not show it."""
    falling = built(monkeypatch, "store", r"waits <= awvalid[^;]+;", "waits <= 1'b0;")
    memory = FREEDOMS["ready after valid"]
    line = r"^AXI protocol violation on AW at cycle \d+: valid fell before ready$"
    assert falling.run(program(), inputs(), memory=MemoryModel()).outputs.size
    with pytest.raises(HarnessError, match=line):
        falling.run(program(), inputs(), memory=memory)
