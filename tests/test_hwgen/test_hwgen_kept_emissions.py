"""Emissions that are kept: what is returned again, both views of an emission, and Python's collector."""

import functools
import gc
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from accelerators import SMALLEST, TWO_PES
from hwgen.emit import Emission, VerilogOptions, emit_modules
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
OPTIONS = VerilogOptions(prefix="other_", memories=MemoryStyle.MACRO, trace=False)
PLAIN = VerilogOptions(trace=False)


@functools.cache
def emitted(config: AcceleratorConfig, view: View) -> Emission:
    """Emission of a view, made once for all tests that look at it."""
    with without_collection():
        return emit_modules(config, view)


@functools.cache
def chosen(options: VerilogOptions) -> Emission:
    """Emission of the smallest accelerator with options."""
    with without_collection():
        return emit_modules(SMALLEST, options=options)


Asked: TypeAlias = list[tuple[AcceleratorConfig, VerilogOptions]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Calls of an emission that answers with a known emission, whose top has another name each time."""
    calls: Asked = []

    def answer(config: AcceleratorConfig, *, options: VerilogOptions) -> Emission:
        calls.append((config, options))
        return replace(chosen(OPTIONS), top=f"top_{len(calls)}")

    monkeypatch.setattr("hwgen.emit.emit_modules", answer)
    return calls


@pytest.mark.parametrize(
    "config",
    sampled(CONFIGS, lambda config: config is CONFIGS[0]),
    ids=lambda config: f"{config.pes}x{config.macs}",
)
def test_simulation_view_of_a_synthesis_view_is_the_emitted_one(config: AcceleratorConfig) -> None:
    """Modules, memories and text are those of an emission of their own."""
    made = simulation_view_of(config, emitted(config, View.SYNTHESIS))
    expected = emitted(config, View.SIMULATION)
    assert made.text == expected.text
    assert made.memories == expected.memories
    assert [module.name for module in made.modules] == [module.name for module in expected.modules]


def test_both_views_are_made_of_one_emission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked for the synthesis view, or for its modules, emits nothing more for either view."""
    config = CONFIGS[0]
    synthesis, simulation = (emitted(config, view) for view in (View.SYNTHESIS, View.SIMULATION))
    monkeypatch.setattr("hwgen.emit.emit_modules", lambda *_, **__: synthesis)
    first, second = tmp_path / "first", tmp_path / "second"
    assert emit_once(config, first) == synthesis.text
    assert kept_emission(config, VerilogOptions(), second) == synthesis
    monkeypatch.setattr("hwgen.emit.emit_modules", None)
    for root in (first, second):
        assert emit_once(config, root, View.SIMULATION) == simulation.text
        assert emit_once(config, root) == synthesis.text
        assert kept_emission(config, VerilogOptions(), root) == synthesis


def test_simulation_view_alone_is_emitted_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the modules that only the synthesis view has."""
    simulation = emitted(CONFIGS[0], View.SIMULATION)
    views: list[View] = []

    def answer(config: AcceleratorConfig, view: View) -> Emission:
        views.append(view)
        return simulation

    monkeypatch.setattr("hwgen.emit.emit_modules", answer)
    for _ in range(2):
        assert emit_once(CONFIGS[0], tmp_path, View.SIMULATION) == simulation.text
    assert views == [View.SIMULATION]


@pytest.mark.parametrize(
    "options", sampled([PLAIN, OPTIONS], lambda options: options is OPTIONS), ids=["plain", "other"]
)
def test_kept_emission_is_the_emitted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: VerilogOptions
) -> None:
    """Also when it is read again: all modules with their instances and nets, byte for byte."""
    expected = chosen(options)
    monkeypatch.setattr("hwgen.emit.emit_modules", lambda *_, **__: expected)
    assert kept_emission(SMALLEST, options, tmp_path) == expected
    monkeypatch.setattr("hwgen.emit.emit_modules", None)
    again = kept_emission(SMALLEST, options, tmp_path)
    assert again == expected
    assert again.text == expected.text


def test_emission_is_kept_by_accelerator_and_options(tmp_path: Path, asked: Asked) -> None:
    wanted = [(SMALLEST, PLAIN), (SMALLEST, replace(PLAIN, trace=True)), (TWO_PES, PLAIN)]
    tops = [kept_emission(config, options, tmp_path).top for config, options in 2 * wanted]
    assert asked == wanted
    assert tops == ["top_1", "top_2", "top_3"] * 2
    assert len(list(tmp_path.rglob("emission.json"))) == len(wanted)


def test_damaged_emission_is_made_again(tmp_path: Path, asked: Asked) -> None:
    assert kept_emission(SMALLEST, PLAIN, tmp_path).top == "top_1"
    (kept,) = tmp_path.rglob("emission.json")
    kept.write_text(kept.read_text().replace("endmodule", "", 1))
    assert kept_emission(SMALLEST, PLAIN, tmp_path).top == "top_2"
    assert asked == [(SMALLEST, PLAIN)] * 2


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
