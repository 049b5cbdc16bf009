"""Fits of silicon: what is drawn, how often modules are there, and coefficients that come back."""

import itertools
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from accelerators import SMALLEST
from hwgen.emit import VerilogOptions
from hwgen.kept_emissions import kept_emission
from hwgen.memory_modules import MemoryStyle
from hwgen.module_names import module_kind, module_size
from hwgen.synthesis import samples, silicon_fitting
from hwgen.synthesis.fitting import fit_error, fit_modules, non_negative_least_squares
from hwgen.synthesis.module_counts import module_counts, require_counts
from hwgen.synthesis.sample_accelerators import MOST_UNITS, SAMPLES, SamplePlan, sample_plan
from hwgen.synthesis.samples import DesignSample, ModuleSample, sample_design
from hwgen.synthesis.silicon_fitting import fit_fpga
from hwgen.synthesis.sources import module_sources
from hwgen.synthesis.targets import FpgaFamily, FpgaFlow
from sampled import sampled as with_sample
from silicon_fits import made_up_fit, sampled
from sim.cost.silicon_fit import AREA, FPGA_FIGURES, FitError
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE, NAHAS, TINY, HardwareSpace

SPACES = (TINY, EDGE, NAHAS)
STYLES = (MemoryStyle.MACRO, MemoryStyle.FPGA, MemoryStyle.MACRO)


def emitted(config: AcceleratorConfig, style: MemoryStyle) -> Counter[tuple[str, str]]:
    """Modules of an accelerator's Verilog by kind and size."""
    emission = kept_emission(config, VerilogOptions(memories=style, trace=False))
    sources = module_sources(emission, style)
    counts = Counter({sources[-1].name: 1})
    for source in reversed(sources):
        for child, number in source.children.items():
            counts[child] += counts[source.name] * number
    kinds: Counter[tuple[str, str]] = Counter()
    for name, number in counts.items():
        kinds[module_kind(name), module_size(name)] += number
    return kinds


STORED = "store, paced, tables"
CHANGES: dict[str, dict[str, Any]] = {
    "smallest": {},
    "grid": {"pes_x": 3, "pes_y": 2, "compute_lanes": 2, "simd_units": 8, "register_file_kb": 2},
    STORED: {
        "pes_x": 2, "weight_store_kb": 16, "io_bandwidth_gbps": 1.4, "activation_table": 1
    },
}  # fmt: skip
"""Changes to the smallest accelerator."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "style"),
    with_sample(
        itertools.product(CHANGES, (MemoryStyle.MACRO, MemoryStyle.FPGA)),
        lambda case: case == (STORED, MemoryStyle.FPGA),
        fields=True,
    ),
)
def test_modules_are_counted_as_they_are_in_the_netlist(name: str, style: MemoryStyle) -> None:
    config = replace(SMALLEST, **CHANGES[name])
    assert emitted(config, style) == module_counts(config, fpga=style is MemoryStyle.FPGA)


def drawn(space: HardwareSpace, number: int) -> list[AcceleratorConfig]:
    """Random accelerators of a space that can be built, with and without activation tables in turn."""
    generator = random.Random(f"counts of {space.name}")
    points: list[AcceleratorConfig] = []
    while len(points) < number:
        point = space.config([generator.randrange(size) for size in space.sizes])
        point = replace(point, activation_table=len(points) % 2)
        if not check(point):
            points.append(point)
    return points


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "styles"),
    with_sample(
        itertools.product(SPACES, (STYLES, STYLES[:1])),
        lambda case: case[0] is EDGE and len(case[1]) == 1,
        fields=True,
    ),
    ids=[f"{space.name}-{number}" for space in SPACES for number in (len(STYLES), 1)],
)
def test_modules_of_random_accelerators_are_counted(
    space: HardwareSpace, styles: tuple[MemoryStyle, ...]
) -> None:
    for config, style in zip(drawn(space, len(styles)), styles, strict=True):
        fpga = style is MemoryStyle.FPGA
        assert emitted(config, style) == module_counts(config, fpga=fpga), config


def test_a_plan_draws_as_many_of_each_space_and_keeps_what_is_held_out_apart() -> None:
    plan = sample_plan(SPACES)
    both = [*plan.fitted, *plan.held_out]
    assert len(both) == len(set(both)) == SAMPLES + 1  # the last has a paced bus
    assert (len(plan.fitted), len(plan.held_out)) == (43, 24)
    assert all(space.default in plan.fitted for space in SPACES)
    for part in plan:
        assert {config.activation_table for config in part} == {0, 1}
    for config in both:
        assert not check(config)
        assert config.compute_lanes * config.simd_units <= MOST_UNITS
    assert sample_plan(SPACES) == plan
    assert sample_plan(SPACES, seed=2).held_out != plan.held_out


def test_a_smaller_plan_is_a_part_of_a_larger_one() -> None:
    large, small = sample_plan(SPACES), sample_plan(SPACES, samples=27)
    assert set(small.fitted) < set(large.fitted)
    assert set(small.held_out) < set(large.held_out)
    assert len(small.fitted) + len(small.held_out) == 27 + 1
    assert len(sample_plan([TINY], samples=2).fitted) == 2 + 1


def test_every_clock_of_a_plan_has_a_paced_bus() -> None:
    for spaces in (SPACES, [TINY], [EDGE]):
        fitted = sample_plan(spaces).fitted
        paced = {config.clock_mhz for config in fitted if config.pacing[0] < config.pacing[1]}
        assert paced == {space.clock_mhz for space in spaces}
    least = sample_plan([TINY], samples=1).fitted[-1]
    assert (least.io_bandwidth_gbps, least.pacing) == (0.3, (3, 4))


@pytest.mark.parametrize("seed", range(20))
def test_least_squares_without_negative_coefficients_are_scipys(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows, columns = generator.integers(2, 30), generator.integers(1, 8)
    matrix = generator.normal(size=(rows, columns)) * (generator.random((rows, columns)) < 0.7)
    target = generator.normal(size=rows)
    own = non_negative_least_squares(matrix, target)
    known, residual = nnls(matrix, target)
    assert np.all(own >= 0)
    assert np.linalg.norm(matrix @ own - target) == pytest.approx(residual, rel=1e-7, abs=1e-9)
    if rows > columns and np.linalg.matrix_rank(matrix) == columns:
        assert own == pytest.approx(known, rel=1e-6, abs=1e-9)


def test_a_fit_finds_the_coefficients_that_made_the_samples() -> None:
    plan = sample_plan(SPACES)
    known = made_up_fit(5)
    fitted = fit_modules(sampled(plan.fitted, known, fpga=False), [AREA], "cells")
    for sample in sampled(plan.held_out, known, fpga=False):
        for module in sample.modules:
            assert fitted[module.kind].errors[AREA].worst < 1e-4
    for kind in ("simd_unit", "lane", "ram_flip_flop", "fifo", "union", "weight_store", "gather"):
        own = fitted[kind].coefficients[AREA]
        assert own == pytest.approx(known.modules[kind].coefficients[AREA], rel=1e-3), kind


def test_errors_of_a_fit_are_those_of_whole_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = sample_plan(SPACES)
    known = made_up_fit(6, "ecp5", 0)
    both = sampled([*plan.fitted, *plan.held_out], known, fpga=True, noise=0.05)
    by_config = {sample.config: sample for sample in both}
    monkeypatch.setattr(
        silicon_fitting, "sample_design", lambda config, *_, **__: by_config[config]
    )
    seen: list[tuple[str, int, int]] = []
    fit = fit_fpga(plan, FpgaFamily.ECP5, progress=lambda *step: seen.append(step))
    assert (fit.target, fit.clock_mhz) == ("ecp5", 0)
    assert set(fit.fitted) == set(fit.held_out) == set(FPGA_FIGURES)
    assert fit.held_out["lut"].samples == len(plan.held_out)
    # The noise is 2.5 % in the mean; sums over modules have less
    assert 0 < fit.fitted["lut"].mean < 0.025
    assert fit.held_out["lut"].worst < 0.05
    assert seen[0] == ("accelerators", 0, SAMPLES + 1)


def test_an_error_is_relative() -> None:
    pairs = [(11.0, 10.0), (19.0, 20.0), (0.0, 0.0)]
    assert fit_error(pairs) == FitError(samples=3, mean=0.05, worst=0.1)
    assert fit_error([(1.0, 0.0)]).worst == 1
    assert fit_error([]) == FitError(samples=0, mean=0.0, worst=0.0)


def test_a_module_that_is_not_counted_is_a_fault_of_the_table() -> None:
    (sample,) = sampled([SMALLEST], made_up_fit(1), fpga=False)
    require_counts(sample, fpga=False)
    more = ModuleSample(kind="cache", size="", instances=2, figures={})
    message = r"^modules 'cache'  must be counted 2 times, as they are in the netlist of .*, not 0$"
    with pytest.raises(RuntimeError, match=message):
        require_counts(replace(sample, modules=[*sample.modules, more]), fpga=False)


def test_a_sample_is_mapped_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path))
    mapped = []

    def nothing(config: AcceleratorConfig, *_: Any, **__: Any) -> list[Any]:
        mapped.append(config)
        return []

    monkeypatch.setattr(samples, "map_design", nothing)
    monkeypatch.setattr(samples, "instance_counts", lambda modules: {})
    flow = FpgaFlow(family=FpgaFamily.ECP5)
    for config in (SMALLEST, SMALLEST, replace(SMALLEST, pes_x=2)):
        assert sample_design(config, flow) == DesignSample(config=config, modules=[])
    assert mapped == [SMALLEST, replace(SMALLEST, pes_x=2)]
    monkeypatch.setattr(samples, "gateware_hash", lambda: "another")
    sample_design(SMALLEST, flow)
    assert len(mapped) == 3
    assert all(json.loads(file.read_text("utf-8")) == [] for file in tmp_path.rglob("*.json"))


def test_a_plan_may_have_nothing_held_out() -> None:
    least: dict[str, Any] = {name: values[0] for name, values in TINY.values.items()}
    paced = replace(TINY.default, **least | {"io_bandwidth_gbps": 0.3})
    assert sample_plan([TINY], samples=1) == SamplePlan([TINY.default, paced], [])
