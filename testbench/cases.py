"""Random small networks for validation: every layer kind in the middle of real neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.mapper import LayerPlan, TensorPlan
from sim.plan import map_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec
from sim.spec.spaces import HardwareSpace

__all__ = ["Case", "Stratum", "draw_cases", "random_network", "strata"]

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
    return None


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
        layers.append(_windowed("branch", LayerKind.DEPTHWISE, current, 3, 1, rng, plain=True))
        layers.append(_add("layer", current, layers[-1].output, rng))
    elif stratum.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        layers.append(_pool("layer", current))
    elif stratum.kind is LayerKind.FULLY_CONNECTED:
        if rng.random() < 0.5:
            layers.append(_pool("pool", current))
            current = layers[-1].output
        layers.append(_fully_connected("layer", current, _channels(simd, rng), rng))
    elif stratum.kind is LayerKind.DEPTHWISE:
        layers.append(
            _windowed("layer", stratum.kind, current, stratum.kernel, stratum.stride, rng)
        )
    else:
        layers.append(
            _dense("layer", current, _channels(simd, rng), stratum.kernel, stratum.stride, rng)
        )
    if rng.random() < 0.5:
        stride = int(rng.integers(1, 3))
        kernel = int(rng.choice([1, 3, 5]))
        layers.append(
            _windowed("consumer", LayerKind.DEPTHWISE, layers[-1].output, kernel, stride, rng)
        )
    return Network(name=str(stratum), input=source, layers=tuple(layers))


def _channels(simd: int, rng: np.random.Generator) -> int:
    """Around whole vectors as often as anywhere."""
    edge = int(rng.integers(1, 4)) * simd + int(rng.integers(-1, 2))
    return max(1, edge if rng.random() < 0.5 else int(rng.integers(1, 3 * simd + 1)))


def _dense(
    name: str, source: TensorSpec, channels: int, kernel: int, stride: int, rng: np.random.Generator
) -> Layer:
    return _windowed(name, LayerKind.CONV, source, kernel, stride, rng, channels)


def _windowed(
    name: str,
    kind: LayerKind,
    source: TensorSpec,
    kernel: int,
    stride: int,
    rng: np.random.Generator,
    channels: int = 0,
    *,
    plain: bool = False,
) -> Layer:
    size, taps, strides = source.shape[:2], (kernel, kernel), (stride, stride)
    if not plain and rng.random() < 0.2:
        strides = (stride, 3 - stride)
    padding = Padding.same(size, taps, strides)
    if not plain and rng.random() < 0.25 and min(size) >= kernel:
        padding = Padding()
    rows = (size[0] + padding.top + padding.bottom - kernel) // strides[0] + 1
    columns = (size[1] + padding.left + padding.right - kernel) // strides[1] + 1
    depth = source.channels if kind is LayerKind.DEPTHWISE else channels
    shape: tuple[int, ...] = (*taps, source.channels)
    if kind is not LayerKind.DEPTHWISE:
        shape = (depth, *shape)
    weights, bias, multiplier, shift = _parameters(shape, depth, rng)
    return Layer(
        name=name,
        kind=kind,
        inputs=(source.name,),
        output=_output(name, rows, columns, depth, rng),
        kernel=taps,
        stride=strides,
        padding=padding,
        clamp=_clamp(rng),
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
    )


def _fully_connected(
    name: str, source: TensorSpec, channels: int, rng: np.random.Generator
) -> Layer:
    kernel = source.shape[:2]
    shape = (channels, *kernel, source.channels)
    weights, bias, multiplier, shift = _parameters(shape, channels, rng)
    return Layer(
        name=name,
        kind=LayerKind.FULLY_CONNECTED,
        inputs=(source.name,),
        output=_output(name, 1, 1, channels, rng),
        kernel=kernel,
        clamp=_clamp(rng),
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
    )


def _add(name: str, a: TensorSpec, b: TensorSpec, rng: np.random.Generator) -> Layer:
    return Layer(
        name=name,
        kind=LayerKind.ADD,
        inputs=(a.name, b.name),
        output=_output(name, a.height, a.width, a.channels, rng),
        multiplier=rng.integers(1 << 30, 1 << 31, 3).astype(np.int32),
        shift=np.array([-rng.integers(0, 3), -rng.integers(0, 3), -rng.integers(17, 21)], np.int32),
        clamp=_clamp(rng),
    )


def _pool(name: str, source: TensorSpec) -> Layer:
    output = TensorSpec(
        name=name, height=1, width=1, channels=source.channels, scale=source.scale,
        zero_point=source.zero_point,
    )  # fmt: skip
    return Layer(
        name=name, kind=LayerKind.GLOBAL_AVERAGE_POOL, inputs=(source.name,), output=output
    )


def _output(
    name: str, height: int, width: int, channels: int, rng: np.random.Generator
) -> TensorSpec:
    return TensorSpec(
        name=name, height=height, width=width, channels=channels, scale=1.0,
        zero_point=int(rng.integers(-128, 128)),
    )  # fmt: skip


def _clamp(rng: np.random.Generator) -> tuple[int, int]:
    if rng.random() < 0.5:
        return (-128, 127)
    low, high = sorted(int(x) for x in rng.integers(-128, 128, 2))
    return (low, high)


def _parameters(
    shape: tuple[int, ...], channels: int, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """(weights, bias, multiplier, shift) that mostly keep the outputs within int8, sometimes do not."""
    taps = int(np.prod(shape)) // channels
    spread = 74.0 * 74.0 * np.sqrt(taps)
    real = 50.0 / spread * 2.0 ** rng.uniform(-2, 1.5, channels)
    significand, exponent = np.frexp(real)
    multiplier = np.minimum(np.round(significand * (1 << 31)), (1 << 31) - 1)
    bias = rng.normal(0, spread, channels).clip(-(2**31), 2**31 - 1)
    if rng.random() < 0.2:
        bias = rng.integers(-(2**31), 2**31, channels)
        exponent = rng.integers(-31, 3, channels)
    return (
        rng.integers(-127, 128, shape).astype(np.int8),
        bias.astype(np.int32),
        multiplier.astype(np.int32),
        exponent.astype(np.int32),
    )
