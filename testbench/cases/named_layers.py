"""Every layer of a named network on its own, for validation on several accelerators."""

import dataclasses

import numpy as np

from sim.networks.imagenet import IMAGENET_NETWORKS
from sim.networks.named import named_network
from sim.plan import map_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, TensorSpec
from sim.spec.spaces import EDGE, TINY
from testbench.cases.layers import windowed
from testbench.cases.random_networks import Case, Stratum, describe_case

__all__ = ["LAYER_CONFIGS", "LAYER_NETWORKS", "edge_accelerator", "layer_cases", "single_layer"]

LAYER_NETWORKS = tuple(IMAGENET_NETWORKS)
"""Named networks whose layers a campaign runs, for they are large. The others run whole."""


def edge_accelerator(
    pes_x: int, pes_y: int, lanes: int, simd: int, local_kb: int, register_kb: int
) -> AcceleratorConfig:
    """An accelerator with the bandwidth and the clock of the edge space's default, without a weight store."""
    return dataclasses.replace(
        EDGE.default,
        pes_x=pes_x,
        pes_y=pes_y,
        compute_lanes=lanes,
        simd_units=simd,
        local_memory_kb=local_kb,
        register_file_kb=register_kb,
        weight_store_kb=0,
    )


LAYER_CONFIGS: tuple[AcceleratorConfig, ...] = (
    EDGE.default,
    edge_accelerator(1, 1, 1, 16, 512, 8),
    edge_accelerator(2, 2, 2, 32, 1024, 16),
    edge_accelerator(4, 4, 2, 32, 512, 32),
    dataclasses.replace(edge_accelerator(6, 2, 2, 16, 512, 16), io_bandwidth_gbps=15.0),
    dataclasses.replace(edge_accelerator(1, 2, 8, 128, 1024, 128), io_bandwidth_gbps=25.0),
    dataclasses.replace(TINY.default, local_memory_kb=64, register_file_kb=16),
    dataclasses.replace(
        edge_accelerator(8, 7, 4, 32, 128, 8), weight_store_kb=4096, io_bandwidth_gbps=25.0
    ),
    dataclasses.replace(TINY.default, local_memory_kb=64, register_file_kb=16, weight_store_kb=256),
)
"""The default, which has a weight store, then from the smallest grid up: 6 columns, 8 lanes, and one of the tiny space; then the fastest for MobileNetV2 within the default's area, and one of the tiny space with a weight store."""


def layer_cases(name: str, config: AcceleratorConfig) -> list[Case]:
    """One case per layer of a named network, with one seeded image each."""
    network = named_network(name)
    cases = []
    for index, layer in enumerate(network.layers):
        rng = np.random.default_rng([index, len(network.layers)])
        alone = single_layer(network, layer, rng)
        stratum = Stratum(kind=layer.kind, kernel=layer.kernel[0], stride=layer.stride[0])
        cases.append(describe_case(index, stratum, map_network(config, alone), rng, image_count=1))
    return cases


def single_layer(network: Network, layer: Layer, rng: np.random.Generator) -> Network:
    """A layer with its own weights; ADD gets its second operand from a 1x1 depthwise layer."""
    source = network.tensors[layer.inputs[0]]
    before: tuple[Layer, ...] = ()
    if layer.kind is LayerKind.ADD:
        other = network.tensors[layer.inputs[1]]
        branch = windowed("branch", LayerKind.DEPTHWISE, source, 1, 1, rng, plain=True)
        before = (dataclasses.replace(branch, output=_named(other, "branch")),)
        layer = dataclasses.replace(layer, inputs=(source.name, "branch"))
    return Network(name=f"{network.name} {layer.name}", input=source, layers=(*before, layer))


def _named(tensor: TensorSpec, name: str) -> TensorSpec:
    return dataclasses.replace(tensor, name=name)
