"""Whole networks and random pairs in both engines: every field of the results is the same."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cosilico
from accelerators import NARROW_BUS
from engines import networks, pairs
from sim.spec.design import Design
from sim.spec.engines import Engine
from testbench.cases.random_networks import draw_cases_on
from testbench.validation.engines import EngineAgreement, compare_engines, differing_fields
from testbench.validation.simulation_result import SimulationResult

SMALL_MACS = 64


@functools.cache
def whole_networks() -> dict[str, tuple[Design, dict[str, Any]]]:
    """Designs of the digits network, resnet8 and ds_cnn, and how they are run."""
    return {name: (design, options) for name, _, design, options in networks()}


@functools.cache
def agreements(name: str) -> list[EngineAgreement]:
    """Runs of a whole network in both engines."""
    design, options = whole_networks()[name]
    return compare_engines(design, **options)


@functools.cache
def small_design() -> Design:
    """A random network on an accelerator that is built for other tests of both engines, too."""
    case = draw_cases_on(NARROW_BUS, 1, 5)[0]
    return Design(network=case.network, accelerator=case.config)


@functools.cache
def small_agreements() -> list[EngineAgreement]:
    """Runs of a random pair in both engines."""
    return compare_engines(small_design(), stalls=(5,))


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", ["digits", "resnet8", "ds_cnn"])
def test_whole_networks_give_the_same_results(name: str) -> None:
    """On the deterministic memory exact to the cycle, and under stalls the same stalls."""
    calm, stalled = agreements(name)
    assert calm.exact
    assert stalled.exact
    assert calm.harness.stall_seed is None
    assert (stalled.cocotb.cycles > calm.cocotb.cycles).all()
    assert (calm.harness.engine, calm.cocotb.engine) == (Engine.VERILATOR, Engine.COCOTB)


@pytest.mark.rtl
@pytest.mark.slow
def test_a_random_pair_gives_the_same_results() -> None:
    for agreement in small_agreements():
        assert agreement.exact, agreement.differences


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_random_pairs_give_the_same_results() -> None:
    """A sample of those in benchmarks/engines.json."""
    for name, _, design, options in pairs(3, 5, most_macs=SMALL_MACS):
        for agreement in compare_engines(design, **options):
            assert agreement.exact, (name, agreement.differences)


@pytest.mark.rtl
@pytest.mark.slow
def test_every_field_is_compared() -> None:
    """A change of any, in an array too, is a difference."""
    result = small_agreements()[0].harness
    for field in dataclasses.fields(SimulationResult):
        value = getattr(result, field.name)
        if isinstance(value, np.ndarray):
            other: Any = value.copy()
            other.flat[-1] += 1
        else:
            other = "other"
        changed = _Changed(result, field.name, other)
        expected = set() if field.name in ("engine", "cycles_per_s") else {field.name}
        differing = differing_fields(result, changed)  # type: ignore[arg-type]  # a stand-in
        assert set(differing) == expected, field.name


class _Changed:
    """Result in which a field has another value, and the JSON is as it was."""

    def __init__(self, result: SimulationResult, name: str, value: Any) -> None:
        self._result, self._name, self._value = result, name, value

    def __getattr__(self, name: str) -> Any:
        return self._value if name == self._name else getattr(self._result, name)


@pytest.mark.rtl
@pytest.mark.slow
def test_json_is_compared() -> None:
    result = small_agreements()[0].harness
    counters = {**result.counters, "cycles": result.counters["cycles"] + 1}
    other = dataclasses.replace(result, counters=counters)
    assert differing_fields(result, other) == ("counters", "to_json")


@pytest.mark.rtl
@pytest.mark.slow
def test_the_api_takes_an_engine(tmp_path: Path) -> None:
    """Its JSON names the engine, and nothing else differs but the rate."""
    runs = [cosilico.simulate(small_design(), engine=engine) for engine in ("verilator", "cocotb")]
    first, second = (json.loads(json.dumps(run.to_json())) for run in runs)
    assert (first.pop("engine"), second.pop("engine")) == ("verilator", "cocotb")
    del first["cycles_per_s"], second["cycles_per_s"]
    assert first == second
    with pytest.raises(ValueError, match=r"^engine must be verilator or cocotb, not 'icarus'$"):
        cosilico.simulate("ds_cnn", "tiny", engine="icarus")


@pytest.mark.rtl
@pytest.mark.slow
def test_waves_are_written(tmp_path: Path) -> None:
    """The VCD names the accelerator's ports."""
    from testbench.validation.simulate import simulate

    path = tmp_path / "waves.vcd"
    result = simulate(small_design(), images=1, waves=path, engine=Engine.COCOTB)
    assert result.exact
    with path.open() as file:
        header = file.read(200_000)
    assert header.startswith("$version Generated by Verilated")
    assert "trace_execute_done" in header
