"""Comparisons of two activations, slopes of channels, and means of rows or columns in RTL: every bit and every cycle."""

import numpy as np
import pytest

from accelerators import small_accelerator
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.design import Design
from sim.spec.network import LayerKind
from testbench.cases.tflite_extremes import EXTREMES, extreme_model
from testbench.cases.tflite_models import import_random
from testbench.cases.tflite_writer import ModelWriter
from testbench.validation.simulate import simulate

WIDE = small_accelerator(
    2, 2, simd_units=8, compute_lanes=2, local_memory_kb=16, register_file_kb=2, activation_table=1,
    weight_store_kb=64,
)  # fmt: skip
MODELS = 3


@pytest.mark.rtl
@pytest.mark.parametrize("name", EXTREMES)
def test_random_models_are_exact(name: str) -> None:
    for seed in range(MODELS):
        model = extreme_model(name, np.random.default_rng(100 + seed))
        design = Design(accelerator=WIDE, network=import_random(model, seed).network)
        assert simulate(design, images=2).exact, seed


@pytest.mark.rtl
@pytest.mark.parametrize("axis", [1, 2])
def test_means_along_an_axis_are_exact(axis: int) -> None:
    writer = ModelWriter()
    shape = [1, 7, 5, 11]
    image = writer.tensor(tuple(shape), scales=[0.04], zero_points=[9])
    shape[axis] = 1
    result = writer.tensor(tuple(shape), scales=[0.03], zero_points=[-20])
    writer.operator("MEAN", [image, writer.constant([axis], "int32")], [result], KeepDims=True)
    content = writer.finish([image], [result])
    network = lower_tflite(parse_tflite(content, "model"), "mean").network
    assert [layer.kind for layer in network.layers] == [LayerKind.DEPTHWISE]
    assert simulate(Design(accelerator=WIDE, network=network), images=3).exact
