"""SqueezeNet 1.1, ResNet-50 and an SSD head on MobileNetV2 in RTL: every bit, and every descriptor in its predicted cycles."""

import numpy as np
import pytest

from classic_models import CLASSIC_MODELS, classic_model
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.design import Design
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.validation.simulate import simulate
from testbench.validation.simulation_result import SimulationResult


def run(
    name: str, space: HardwareSpace, resolution: int, share: int, classes: int
) -> SimulationResult:
    content = classic_model(name, resolution=resolution, share=share, classes=classes)
    network = lower_tflite(parse_tflite(content, "model"), name).network
    x = np.random.default_rng(6).integers(-128, 128, (1, *network.input.shape)).astype(np.int8)
    result = simulate(Design(accelerator=space.default, network=network), inputs=x)
    assert result.exact, name
    assert result.predicted_cycles == result.measured_cycles
    return result


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIC_MODELS)
def test_small_forms_are_exact(name: str) -> None:
    result = run(name, TINY, 32, 16, 10)
    assert len(result.named_outputs) == (2 if name == "ssd_mobilenet_v2" else 1)


@pytest.mark.rtl
@pytest.mark.long
@pytest.mark.parametrize("name", CLASSIC_MODELS)
def test_whole_networks_are_exact(name: str) -> None:
    """An image of 224 × 224 on the default of the larger space; their cycles are printed."""
    classes = 21 if name == "ssd_mobilenet_v2" else 1000
    result = run(name, EDGE, 224, 1, classes)
    print(f"{name}: {result.measured_cycles:,} cycles warm, {result.cold_cycles:,} cold")
