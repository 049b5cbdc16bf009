"""Samples of silicon in a file: they come back, fits are made of them, and what must not be there is named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwgen.synthesis.sample_accelerators import sample_plan
from hwgen.synthesis.samples import DesignSample, ModuleSample, TargetSamples
from hwgen.synthesis.silicon_fitting import fit_samples
from silicon_fits import GATEWARE, made_up_fit, sampled
from silicon_sample_file import SampleFile, load_samples, save_samples
from sim.cost.silicon_fit import AREA, FIGURES
from sim.spec.errors import DesignFileError
from sim.spec.spaces import TINY

PLAN = sample_plan([TINY], samples=12)


def made_up_samples(target: str, clock_mhz: float, *, noise: float = 0.0) -> TargetSamples:
    """Samples whose modules take what a made-up fit says, but for some noise."""
    known = made_up_fit(3, target, clock_mhz)
    fitted, held_out = (sampled(part, known, fpga=clock_mhz == 0, noise=noise) for part in (*PLAN,))
    return TargetSamples(
        target=target,
        feature_nm=known.feature_nm,
        clock_mhz=clock_mhz,
        flow=GATEWARE,
        fitted=fitted,
        held_out=held_out,
    )


def made_up_file() -> SampleFile:
    return SampleFile(
        gateware_hash=GATEWARE,
        tool="none 1",
        spaces=["tiny"],
        seed=1,
        targets=[made_up_samples("cells", 200), made_up_samples("ecp5", 0, noise=0.1)],
    )


def rounded(samples: TargetSamples) -> TargetSamples:
    """Samples with figures of nine digits, as the file has them."""

    def module(of: ModuleSample) -> ModuleSample:
        figures = {name: float(f"{value:.9g}") for name, value in of.figures.items()}
        return replace(of, figures=figures)

    def design(of: DesignSample) -> DesignSample:
        return replace(of, modules=[module(own) for own in of.modules])

    return replace(
        samples,
        fitted=[design(own) for own in samples.fitted],
        held_out=[design(own) for own in samples.held_out],
    )


def test_samples_come_back_and_give_the_same_fits(tmp_path: Path) -> None:
    known = made_up_file()
    file = tmp_path / "samples.json"
    save_samples(known, file)
    assert load_samples(file) == replace(known, targets=[rounded(t) for t in known.targets])
    fits = load_samples(file).fits()
    assert (fits.gateware_hash, fits.tool, fits.spaces, fits.seed) == (
        *(GATEWARE, "none 1"),
        *(["tiny"], 1),
    )
    assert fits.fits == [fit_samples(rounded(samples)) for samples in known.targets]
    cells, fpga = fits.fits
    assert cells.held_out["logic"].worst < 1e-4 < fpga.held_out["lut"].worst
    assert cells.held_out["logic"].samples == len(PLAN.held_out)


def test_equal_modules_stand_in_the_file_once(tmp_path: Path) -> None:
    file = tmp_path / "samples.json"
    save_samples(made_up_file(), file)
    for samples, kept in zip(
        made_up_file().targets, json.loads(file.read_text(encoding="utf-8"))["targets"], strict=True
    ):
        different = {
            (module.size, tuple(float(f"{value:.9g}") for value in module.figures.values()))
            for sample in (*samples.fitted, *samples.held_out)
            for module in sample.modules
            if module.kind == "csr"
        }
        assert [module["kind"] for module in kept["modules"]].count("csr") == len(different)
        assert (len(different) == 1) is (samples.target == "cells")
    cells, noisy = json.loads(file.read_text(encoding="utf-8"))["targets"]
    # An accelerator or a module a line: a change of it shows as a line
    lines = file.read_text(encoding="utf-8").splitlines()
    assert sum('"kind"' in line for line in lines) == len(cells["modules"]) + len(noisy["modules"])


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("schema",), 7, "schema must be an integer in 1 … 1, not 7"),
        (("gateware_hash",), "x", "gateware_hash must be "),
        (("targets", 0, "modules", 0, "figures"), {"watts": 1.0}, "must have figures "),
        (("targets", 0, "fitted", 0, "modules", 0), [100_000, 1], "module must be a place below "),
        (("targets", 0, "held_out", 0, "accelerator", "pes_x"), 0, "accelerator.pes_x must be "),
    ],
)
def test_what_a_file_must_not_have_is_named(
    path: tuple[Any, ...], value: Any, line: str, tmp_path: Path
) -> None:
    document = json.loads(json.dumps(made_up_file().to_json()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file = tmp_path / "samples.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DesignFileError) as caught:
        load_samples(file)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_figures_that_some_cells_lack_are_not_fitted() -> None:
    samples = made_up_samples("cells", 200)
    first, *others = samples.fitted
    bare = replace(
        first,
        modules=[replace(module, figures={AREA: module.figures[AREA]}) for module in first.modules],
    )
    fit = fit_samples(replace(samples, fitted=[bare, *others]))
    assert set(fit.modules["csr"].coefficients) == {AREA} < set(FIGURES)
