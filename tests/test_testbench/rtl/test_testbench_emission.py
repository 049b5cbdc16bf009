"""Emission for simulation: the view that is made from another, and Python's collector meanwhile."""

import gc
from pathlib import Path

import pytest

from hwgen.emit import emit, emit_modules
from hwgen.garbage import without_collection
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HARDWARE_SPACES
from sim.spec.views import View
from testbench.rtl import emission
from testbench.rtl.emission import emit_once, simulation_view_of

CONFIGS = (
    HARDWARE_SPACES["tiny"].at(0),
    HARDWARE_SPACES["edge"].at(11_111),
)


@pytest.mark.parametrize(
    "config",
    sampled(CONFIGS, lambda config: config is CONFIGS[0]),
    ids=lambda config: f"{config.pes}x{config.macs}",
)
def test_simulation_view_of_a_synthesis_view_is_the_emitted_one(config: AcceleratorConfig) -> None:
    """Modules, memories and text are those of an emission of their own."""
    with without_collection():
        made = simulation_view_of(config, emit_modules(config, View.SYNTHESIS))
        emitted = emit_modules(config, View.SIMULATION)
    assert made.text == emitted.text
    assert made.memories == emitted.memories
    assert [module.name for module in made.modules] == [module.name for module in emitted.modules]


def test_synthesis_view_brings_the_simulation_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked for the synthesis view emits nothing more for the simulation view."""
    config = CONFIGS[0]
    assert emit_once(config, tmp_path) == emit(config)
    expected = emit(config, View.SIMULATION)
    monkeypatch.setattr(emission, "emit_modules", None)
    assert emit_once(config, tmp_path, View.SIMULATION) == expected


def test_collector_is_off_inside_and_as_before_behind() -> None:
    """Also behind an error, and where it was off before."""
    assert gc.isenabled()
    with pytest.raises(KeyError), without_collection():
        _raise_without_collector()
    assert gc.isenabled()
    with without_collection():
        with without_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def _raise_without_collector() -> None:
    assert not gc.isenabled()
    raise KeyError
