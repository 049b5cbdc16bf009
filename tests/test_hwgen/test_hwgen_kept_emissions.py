"""Emissions that are kept: what is returned again, the view that is made from another, and Python's collector."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from accelerators import SMALLEST, TWO_PES
from hwgen.emit import VerilogOptions, emit, emit_modules
from hwgen.garbage import without_collection
from hwgen.kept_emissions import emit_once, kept_emission, simulation_view_of
from hwgen.memory_modules import MemoryStyle
from sampled import sampled
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HARDWARE_SPACES
from sim.spec.views import View

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
    monkeypatch.setattr("hwgen.emit.emit_modules", None)
    assert emit_once(config, tmp_path, View.SIMULATION) == expected


@pytest.mark.parametrize(
    "options",
    [
        VerilogOptions(trace=False),
        VerilogOptions(prefix="other_", memories=MemoryStyle.MACRO, trace=False),
    ],
)
def test_kept_emission_is_the_emitted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: VerilogOptions
) -> None:
    """Also when it is read again: all modules with their instances and nets, byte for byte."""
    expected = emit_modules(SMALLEST, options=options)
    assert kept_emission(SMALLEST, options, tmp_path) == expected
    monkeypatch.setattr("hwgen.emit.emit_modules", None)
    again = kept_emission(SMALLEST, options, tmp_path)
    assert again == expected
    assert again.text == expected.text


def test_emission_is_kept_by_accelerator_and_options(tmp_path: Path) -> None:
    plain = VerilogOptions(trace=False)
    asked = [(SMALLEST, plain), (SMALLEST, replace(plain, trace=True)), (TWO_PES, plain)]
    texts = [kept_emission(config, options, tmp_path).text for config, options in asked]
    assert len(set(texts)) == len(asked)
    assert len(list(tmp_path.rglob("emission.json"))) == len(asked)


def test_damaged_emission_is_made_again(tmp_path: Path) -> None:
    options = VerilogOptions(trace=False)
    expected = kept_emission(SMALLEST, options, tmp_path)
    (kept,) = tmp_path.rglob("emission.json")
    kept.write_text(kept.read_text().replace("endmodule", "", 1))
    assert kept_emission(SMALLEST, options, tmp_path) == expected


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
