"""Random small networks for validation: every layer kind in the middle of real neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.mapper import LayerPlan, TensorPlan
from sim.plan import map_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, TensorSpec
from sim.spec.spaces import HardwareSpace
from testbench.layers import add, fully_connected, pool, windowed

__all__ = ["Case", "Stratum", "describe_case", "draw_cases", "random_network", "strata"]

SIZES = (13, 13, 13, 40)
"""Largest images, one drawn per case; the large one overflows small local memories."""
TRIES = 8
"""Networks drawn for a configuration before another configuration is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """What a case must contain: a layer kind with its kernel and stride."""

    kind: LayerKind
    kernel: int = 1
    stride: int = 1

    def __str__(self) -> str:
        """Short name for tables."""
        if self.kind in (LayerKind.CONV, LayerKind.DEPTHWISE):
            return f"{self.kind} {self.kernel}x{self.kernel}/{self.stride}"
        return str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A configuration, a network around one layer of the stratum, and what the mapping does."""

    index: int
    stratum: Stratum
    config: AcceleratorConfig
    network: Network
    spills: bool
    passes: int
    partial_tile: bool
    images: NDArray[np.int8]


def strata() -> tuple[Stratum, ...]:
    """All layer kinds, kernels and strides, in a fixed order."""
    convs = [Stratum(kind=LayerKind.CONV, kernel=k, stride=s) for k in (1, 3, 5) for s in (1, 2)]
    depthwise = [
        Stratum(kind=LayerKind.DEPTHWISE, kernel=k, stride=s) for k in (3, 5, 7) for s in (1, 2)
    ]
    rest = (LayerKind.ADD, LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.FULLY_CONNECTED)
    return (*convs, *depthwise, *(Stratum(kind=kind) for kind in rest))


def draw_cases(
    count: int,
    space: HardwareSpace,
    seed: int,
    *,
    networks_per_config: int = 3,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw ``count`` realizable cases, the strata in turn.

    Parameters
    ----------
    count : int
    space : HardwareSpace
    seed : int
    networks_per_config : int
        Cases that share a configuration, for a build takes longer than a run.
    max_macs : int, optional
        Pass over larger configurations.
    """
    found: list[Case] = []
    order = strata()
    generator = np.random.default_rng([seed, len(space)])
    config = _draw_config(space, generator, max_macs)
    used = 0
    while len(found) < count:
        stratum = order[len(found) % len(order)]
        if used >= networks_per_config:
            config, used = _draw_config(space, generator, max_macs), 0
        case = _try_case(len(found), stratum, config, generator)
        if case is None:
            used = networks_per_config
            continue
        found.append(case)
        used += 1
    return found


def _draw_config(
    space: HardwareSpace, rng: np.random.Generator, max_macs: int | None
) -> AcceleratorConfig:
    while True:
        config = space.at(int(rng.integers(len(space))))
        if not check(config) and (max_macs is None or config.macs <= max_macs):
            return config


def _try_case(
    index: int, stratum: Stratum, config: AcceleratorConfig, rng: np.random.Generator
) -> Case | None:
    for _ in range(TRIES):
        network = random_network(stratum, config, rng)
        if check(config, network):
            continue
        return describe_case(index, stratum, config, network, rng)
    return None


def describe_case(
    index: int,
    stratum: Stratum,
    config: AcceleratorConfig,
    network: Network,
    rng: np.random.Generator,
) -> Case:
    """Draw two images for a realizable pair and note what its mapping does."""
    mapped = map_network(config, network)
    inner = mapped.tensor_plan[1:-1, TensorPlan.STORED]
    passes = mapped.layer_plan[:, LayerPlan.PASSES_Y] * mapped.layer_plan[:, LayerPlan.PASSES_X]
    source = network.input
    images = rng.integers(-128, 128, (2, *source.shape)).astype(np.int8)
    return Case(
        index=index,
        stratum=stratum,
        config=config,
        network=network,
        spills=bool(inner.any()),
        passes=int(passes.max()),
        partial_tile=bool(source.height % config.pes_y or source.width % config.pes_x),
        images=images,
    )


def random_network(
    stratum: Stratum, config: AcceleratorConfig, rng: np.random.Generator
) -> Network:
    """A layer of the stratum, often with a producer before and a halo-hungry consumer behind."""
    simd = config.simd_units
    height, width = (int(x) for x in rng.integers(1, int(rng.choice(SIZES)) + 1, 2))
    channels = _channels(simd, rng)
    source = TensorSpec(
        name="input", height=height, width=width, channels=channels, scale=1.0,
        zero_point=int(rng.integers(-128, 128)),
    )  # fmt: skip
    layers: list[Layer] = []
    current = source
    if stratum.kind is LayerKind.ADD or rng.random() < 0.7:
        layers.append(_dense("producer", current, _channels(simd, rng), 1, 1, rng))
        current = layers[-1].output
    if stratum.kind is LayerKind.ADD:
        layers.append(windowed("branch", LayerKind.DEPTHWISE, current, 3, 1, rng, plain=True))
        layers.append(add("layer", current, layers[-1].output, rng))
    elif stratum.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        layers.append(pool("layer", current))
    elif stratum.kind is LayerKind.FULLY_CONNECTED:
        if rng.random() < 0.5:
            layers.append(pool("pool", current))
            current = layers[-1].output
        layers.append(fully_connected("layer", current, _channels(simd, rng), rng))
    elif stratum.kind is LayerKind.DEPTHWISE:
        layers.append(windowed("layer", stratum.kind, current, stratum.kernel, stratum.stride, rng))
    else:
        layers.append(
            _dense("layer", current, _channels(simd, rng), stratum.kernel, stratum.stride, rng)
        )
    if rng.random() < 0.5:
        stride = int(rng.integers(1, 3))
        kernel = int(rng.choice([1, 3, 5]))
        layers.append(
            windowed("consumer", LayerKind.DEPTHWISE, layers[-1].output, kernel, stride, rng)
        )
    return Network(name=str(stratum), input=source, layers=tuple(layers))


def _channels(simd: int, rng: np.random.Generator) -> int:
    """Around whole vectors as often as anywhere."""
    edge = int(rng.integers(1, 4)) * simd + int(rng.integers(-1, 2))
    return max(1, edge if rng.random() < 0.5 else int(rng.integers(1, 3 * simd + 1)))


def _dense(
    name: str, source: TensorSpec, channels: int, kernel: int, stride: int, rng: np.random.Generator
) -> Layer:
    return windowed(name, LayerKind.CONV, source, kernel, stride, rng, channels)
