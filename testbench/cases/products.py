"""Random networks that multiply an activation by a vector for each channel, as squeeze-and-excitation does."""

import dataclasses

import numpy as np

from sim.realizability import attempt
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, TensorSpec
from sim.spec.spaces import HardwareSpace
from testbench.cases.layers import factors, fully_connected, mean, multiply, pool, windowed
from testbench.cases.random_networks import (
    TRIES,
    Case,
    describe_case,
    draw_group_of,
    next_batch,
)
from testbench.cases.tabled import tabled

__all__ = ["PRODUCTS_PER_CONFIG", "draw_product_group", "product_network"]

PRODUCTS_PER_CONFIG = 6
"""Cases that share a configuration, for a build takes longer than their runs."""

_EXTREMES = (-128, 127, 0, -1)
"""Zero points that are drawn as often as all others."""


def product_network(
    config: AcceleratorConfig, rng: np.random.Generator, name: str = "product"
) -> Network:
    """A network with a product of an activation and a vector that is made of it, of the input, or of another product.

    The activation is the input or a layer's output, of any size from a pixel on; what reads the product wants its halo, or none.
    """
    simd = config.simd_units

    def channels() -> int:
        edge = int(rng.integers(1, 4)) * simd + int(rng.integers(-1, 2))
        return max(1, edge if rng.random() < 0.5 else int(rng.integers(1, 3 * simd + 1)))

    most = int(rng.choice([1, 3, 6, 12]))
    height, width = (int(size) for size in rng.integers(1, most + 1, 2))
    source = TensorSpec(
        name="input", height=height, width=width, channels=channels(), scale=1.0,
        zero_point=_zero_point(rng),
    )  # fmt: skip
    layers: list[Layer] = []

    def append(layer: Layer) -> TensorSpec:
        moved = dataclasses.replace(layer.output, zero_point=_zero_point(rng))
        alike = (LayerKind.FACTORS, LayerKind.GLOBAL_AVERAGE_POOL)
        layers.append(layer if layer.kind in alike else dataclasses.replace(layer, output=moved))
        return layers[-1].output

    current = source
    if rng.random() < 0.7:
        current = append(windowed("producer", LayerKind.CONV, current, 1, 1, rng, channels()))
    for turn in range(int(rng.integers(1, 3))):
        pooled = current
        if current.shape[:2] != (1, 1) or rng.random() < 0.3:
            averaged = rng.random() < 0.3
            own = f"squeeze{turn}"
            pooled = append(pool(own, current) if averaged else mean(own, current, rng))
        if rng.random() < 0.7:
            reduced = append(fully_connected(f"reduce{turn}", pooled, channels(), rng))
            pooled = append(fully_connected(f"excite{turn}", reduced, current.channels, rng))
        vector = append(factors(f"factors{turn}", pooled))
        if rng.random() < 0.2:  # another tensor is multiplied by the same factors
            current = append(
                windowed(f"other{turn}", LayerKind.DEPTHWISE, current, 3, 1, rng, plain=True)
            )
        current = append(multiply(f"product{turn}", current, vector, rng))
        if rng.random() < 0.3:
            current = append(windowed(f"next{turn}", LayerKind.DEPTHWISE, current, 3, 1, rng))
    if rng.random() < 0.5:
        current = append(windowed("consumer", LayerKind.CONV, current, 1, 1, rng, channels()))
    return Network(name=name, input=source, layers=tuple(layers))


def _zero_point(rng: np.random.Generator) -> int:
    if rng.random() < 0.5:
        return int(rng.choice(_EXTREMES))
    return int(rng.integers(-128, 128))


def draw_product_group(
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1``, half of them with activation tables.

    See :func:`testbench.cases.random_networks.draw_group_of`.
    """
    return draw_group_of(_try_case, group, first, size, space, seed, max_macs=max_macs)


def _try_case(index: int, config: AcceleratorConfig, rng: np.random.Generator) -> Case | None:
    with_tables = dataclasses.replace(config, activation_table=1)
    for _ in range(TRIES):
        network = product_network(with_tables, rng, f"product{index}")
        if index % 2:
            network = tabled(network, rng)
        _, mapped = attempt(with_tables, network, next_batch(rng))
        if mapped is not None:
            return describe_case(index, "product", mapped, rng)
    return None
