"""Products of activations in RTL: every bit and every cycle, in both views."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from accelerators import TABLED as WIDE
from accelerators import small_accelerator
from gated_models import GATED_MODELS, gated_model
from mobile_models import MOBILE_MODELS, mobile_model
from sampled import sampled
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.memories import DRAM
from sim.spec.network import LayerKind
from sim.spec.spaces import TINY
from sim.spec.views import View
from testbench.cases.products import PRODUCTS_PER_CONFIG, draw_product_group, product_network
from testbench.cases.tabled import tabled
from testbench.validation.random_pairs import DRAWS, run_case
from testbench.validation.simulate import simulate

NARROW = small_accelerator(
    1, 2, simd_units=8, compute_lanes=4, local_memory_kb=8, io_bandwidth_gbps=0.4,
    weight_store_kb=4, activation_table=1,
)  # fmt: skip
"""The blocks of a vector's factors go to all lanes, and some weights stay on chip."""
EIGHT = small_accelerator(2, 1, compute_lanes=8, local_memory_kb=8, weight_store_kb=16)
"""Two pixels share the lanes while factors are made."""


def test_cases_of_a_group_share_their_accelerator() -> None:
    cases = draw_product_group(0, 4, 4, TINY, 3, max_macs=64)
    assert [case.index for case in cases] == [4, 5, 6, 7]
    assert {case.stratum for case in cases} == {"product"}
    assert all(case.config.activation_table for case in cases)
    assert DRAWS["products"].per_config == PRODUCTS_PER_CONFIG


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("config", "view", "seed", "batch"),
    sampled(
        [(WIDE, View.SIMULATION, 1, 1), (NARROW, View.SYNTHESIS, 2, 2), (EIGHT, View.SIMULATION, 3, 3)],
        lambda case: case[0] is WIDE,
        fields=True,
    ),
    ids=["simulation", "synthesis", "eight lanes"],
)  # fmt: skip
def test_products_are_exact(config: AcceleratorConfig, view: View, seed: int, batch: int) -> None:
    rng = np.random.default_rng(seed)
    products = 0
    for _ in range(8):
        network = product_network(config, rng)
        if config.activation_table and rng.random() < 0.5:
            network = tabled(network, rng)
        design = Design(accelerator=config, network=network)
        result = simulate(design, images=2 * batch, batch=batch, view=view)
        assert result.exact
        products += sum(layer.kind is LayerKind.MULTIPLY for layer in network.layers)
    assert products >= 8


@pytest.mark.rtl
def test_a_dram_and_stalls_change_no_bit_of_a_product() -> None:
    """LOAD waits for the answers to what STORE has written, however long they take."""
    rng = np.random.default_rng(5)
    for _ in range(3):
        design = Design(accelerator=WIDE, network=product_network(WIDE, rng))
        assert simulate(design, images=2, memory=DRAM).mismatched_activations == 0
        assert simulate(design, images=2, stalls=7).mismatched_activations == 0


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_random_products_are_exact_on_accelerators_of_the_space() -> None:
    for case in draw_product_group(1, 0, PRODUCTS_PER_CONFIG, TINY, 3, max_macs=64):
        outcome = run_case(case)
        assert outcome.passed, case.title


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model"),
    sampled(
        [*((name, mobile_model) for name in MOBILE_MODELS), *((name, gated_model) for name in GATED_MODELS)],
        lambda case: case[1] is mobile_model,
        fields=True,
    ),
    ids=(*MOBILE_MODELS, *GATED_MODELS),
)  # fmt: skip
def test_mobile_networks_are_exact_cold_warm_and_in_a_stream(
    name: str, model: Callable[..., bytes]
) -> None:
    """A quarter of their channels and images of 32 × 32, with the weights of some layers on chip."""
    content = model(name, resolution=32, share=4, classes=10)
    imported = lower_tflite(parse_tflite(content, "model"), name)
    config = replace(WIDE, weight_store_kb=64)
    x = np.random.default_rng(6).integers(-128, 128, (3, 32, 32, 3)).astype(np.int8)
    design = Design(accelerator=config, network=imported.network)
    result = simulate(design, inputs=imported.host.prepare(x), stream=True)
    assert result.exact
