"""Layers of named networks on their own, and the accelerators that they run on."""

import numpy as np
import pytest

from sim.networks.named import named_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import LayerKind
from sim.spec.spaces import EDGE, TINY
from testbench.cases.named_layers import LAYER_CONFIGS, LAYER_NETWORKS, layer_cases, single_layer


def test_the_baseline_and_at_least_five_others() -> None:
    assert LAYER_CONFIGS[0] == EDGE.default
    assert len(set(LAYER_CONFIGS)) == len(LAYER_CONFIGS) >= 6
    for config in LAYER_CONFIGS:
        (TINY if config.clock_mhz == TINY.clock_mhz else EDGE).indices(config)
    assert {config.compute_lanes for config in LAYER_CONFIGS} == {1, 2, 4, 8}
    assert any(config.pes_x == 6 for config in LAYER_CONFIGS)


@pytest.mark.parametrize("name", LAYER_NETWORKS)
def test_every_layer_is_a_case_with_its_own_weights(name: str) -> None:
    network = named_network(name)
    cases = layer_cases(name, EDGE.default)
    assert [case.index for case in cases] == list(range(len(network.layers)))
    for case, layer in zip(cases, network.layers, strict=True):
        alone = case.network.layers[-1]
        assert alone.name == layer.name
        assert alone.weights is layer.weights
        assert alone.output == layer.output
        assert case.network.input.shape == network.tensors[layer.inputs[0]].shape
        assert len(case.network.layers) == (2 if layer.kind is LayerKind.ADD else 1)
        assert case.image_count == 1


def test_the_second_operand_of_a_sum_keeps_its_scale() -> None:
    network = named_network("mobilenet_v2")
    layer = next(layer for layer in network.layers if layer.kind is LayerKind.ADD)
    alone = single_layer(network, layer, np.random.default_rng(0))
    assert alone.tensors["branch"].scale == network.tensors[layer.inputs[1]].scale
    assert alone.layers[-1].inputs == (layer.inputs[0], "branch")


@pytest.mark.parametrize("config", LAYER_CONFIGS, ids=lambda c: f"{c.fingerprint:08x}")
def test_every_layer_is_realizable_everywhere(config: AcceleratorConfig) -> None:
    for name in LAYER_NETWORKS:
        for case in layer_cases(name, config):
            assert check(case.config, case.network) == [], case.network.name
