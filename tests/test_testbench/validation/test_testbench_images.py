"""Programs of several images in RTL: every activation and cycle of each."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from chain_cases import random_chain
from cosilico.generation import generate_design
from cosilico.run_folder import PROGRAM_MANIFEST
from hwgen.program import compile_design
from sampled import sampled
from sim import golden
from sim.arrays.plan_columns import LayerPlan
from sim.plan import map_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.spaces import TINY
from testbench.validation.simulate import simulate

WIDE = dataclasses.replace(TINY.default, local_memory_kb=64)
SHORT = dataclasses.replace(TINY.default, local_memory_kb=16)
"""Local memories that hold all images of all layers, and of the last layers only."""


def design(config: AcceleratorConfig, seed: int = 17) -> Design:
    return Design(network=random_chain(np.random.default_rng(seed)), accelerator=config)


def images_together(made: Design, batch: int) -> set[int]:
    mapped = map_network(made.accelerator, made.network, batch)
    return set(mapped.layer_plan[:, LayerPlan.IMAGES].tolist())


def test_inputs_and_outputs_of_a_program_lie_one_behind_the_other() -> None:
    made = design(WIDE)
    single, four = compile_design(made), compile_design(made, 4)
    assert (single.images, four.images) == (1, 4)
    first, last = sorted((four.input, four.output), key=lambda place: place.address)
    assert first.address + 4 * first.size_bytes <= last.address
    assert last.address + 4 * last.size_bytes <= four.header_address
    assert [probe.image for probe in four.probes].count(3) == len(single.probes)


@pytest.mark.parametrize("batch", sampled([1, 3], lambda batch: batch == 3))
def test_the_manifest_of_a_program_tells_its_images(tmp_path: Path, batch: int) -> None:
    generate_design(design(SHORT), batch).write(tmp_path)
    assert json.loads((tmp_path / PROGRAM_MANIFEST).read_text())["images"] == batch


@pytest.mark.rtl
@pytest.mark.parametrize("stalls", [None, 5])
@pytest.mark.parametrize("batch", [2, 4])
@pytest.mark.parametrize(
    "config", sampled([WIDE, SHORT], lambda config: config is SHORT), ids=["wide", "short"]
)
def test_every_image_of_a_program_is_exact(
    config: AcceleratorConfig, batch: int, stalls: int | None
) -> None:
    """The last run is not full: what it makes of the copies is left out."""
    made = design(config)
    assert images_together(made, batch) == ({batch} if config is WIDE else {1, batch})
    shape = (batch + 1, *made.network.input.shape)
    x = np.random.default_rng(3).integers(-128, 128, shape, np.int8)
    result = simulate(made, inputs=x, batch=batch, stalls=stalls)
    assert result.exact
    assert (result.images, result.batch, len(result.cycles)) == (batch + 1, batch, 2)
    assert result.cycles_per_image == result.measured_cycles / batch
    expected = golden.run(made.network, x)[made.network.output.name]
    np.testing.assert_array_equal(result.outputs, expected)


@pytest.mark.rtl
def test_without_images_one_program_runs() -> None:
    result = simulate(design(SHORT), batch=3)
    assert result.exact
    assert result.images == 3
    assert len(result.cycles) == 1
    assert result.measured_cycles == result.predicted_cycles
