"""Random networks on accelerators that are short of something, with windows of any shape."""

import numpy as np

from sim.realizability import attempt
from sim.spec.accelerator import DOT_WIDTH, AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec
from testbench.cases.layers import add, fully_connected, mean, padded, pool, random_tensor
from testbench.cases.random_networks import Case, Stratum, describe_case, next_batch

__all__ = ["draw_stress", "random_accelerator", "random_windows"]

MOST_LAYERS = 5
MOST_CHANNELS = 70
LARGEST_IMAGE = 14
KERNELS = (1, 1, 2, 3, 4, 5)
DEPTHWISE_KERNELS = (1, 2, 3, 4, 5, 7, 8, 9)
LARGEST_STRIDE = 3

CLOCK_MHZ = 200
MOST_BUS_BYTES = 128


def draw_stress(count: int, seed: int) -> list[Case]:
    """Draw realizable pairs: few weight rows, narrow or wide buses, short banks, any padding."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    while len(cases) < count:
        config, network = random_accelerator(rng), random_windows(rng)
        _, mapped = attempt(config, network, next_batch(rng))
        if mapped is not None:
            stratum = Stratum(kind=network.layers[-1].kind)
            cases.append(describe_case(len(cases), stratum, mapped, rng, image_count=1))
    return cases


def random_accelerator(rng: np.random.Generator) -> AcceleratorConfig:
    """Random accelerator: few PEs, 8 … 64 weight rows, any bus that the generator can build."""
    simd = int(rng.choice([4, 8, 16, 32, 64]))
    bus = 1 << int(rng.integers(0, min(DOT_WIDTH * simd, MOST_BUS_BYTES).bit_length()))
    megabytes_per_s = int(rng.integers(bus * CLOCK_MHZ // 2, bus * CLOCK_MHZ)) + 1
    return AcceleratorConfig(
        pes_x=int(rng.choice([1, 2, 3, 6])),
        pes_y=int(rng.choice([1, 2, 3])),
        simd_units=simd,
        compute_lanes=int(rng.choice([1, 2, 4, 8])),
        local_memory_kb=int(rng.choice([1, 2, 4, 8, 16, 32])),
        register_file_kb=int(rng.choice([1, 1, 2, 3])),
        io_bandwidth_gbps=megabytes_per_s / 1000,
        clock_mhz=CLOCK_MHZ,
    )


def random_windows(rng: np.random.Generator) -> Network:
    """Random network of 1 … 5 layers whose kernels, strides and paddings are drawn side by side."""
    height, width = (int(x) for x in rng.integers(1, LARGEST_IMAGE + 1, 2))
    current = source = random_tensor("input", height, width, _channels(rng), rng)
    layers: list[Layer] = []
    for index in range(int(rng.integers(1, MOST_LAYERS + 1))):
        layers += _layers(index, current, rng)
        current = layers[-1].output
    return Network(name="stress", input=source, layers=tuple(layers))


def _layers(index: int, source: TensorSpec, rng: np.random.Generator) -> list[Layer]:
    draw = rng.random()
    if draw < 0.45:
        return [_windows(f"conv{index}", LayerKind.CONV, source, rng)]
    if draw < 0.63:
        return [_windows(f"depthwise{index}", LayerKind.DEPTHWISE, source, rng)]
    if draw < 0.7:
        return [_windows(f"largest{index}", LayerKind.MAX_POOL, source, rng)]
    if draw < 0.76:
        return [_windows(f"average{index}", LayerKind.AVERAGE_POOL, source, rng)]
    if draw < 0.85:
        branch = padded(
            f"branch{index}", LayerKind.DEPTHWISE, source, (1, 1), (1, 1), Padding(), rng
        )
        return [branch, add(f"add{index}", source, branch.output, rng)]
    if draw < 0.89:
        return [pool(f"pool{index}", source)]
    if draw < 0.93:
        return [mean(f"mean{index}", source, rng)]
    return [fully_connected(f"connected{index}", source, _channels(rng), rng)]


def _windows(name: str, kind: LayerKind, source: TensorSpec, rng: np.random.Generator) -> Layer:
    kernels = KERNELS if kind is LayerKind.CONV else DEPTHWISE_KERNELS
    while True:
        taps = int(rng.choice(kernels)), int(rng.choice(kernels))
        top, bottom, left, right = (int(rng.integers(0, taps[i // 2] + 1)) for i in range(4))
        if kind is LayerKind.AVERAGE_POOL:
            top = bottom = left = right = 0
        rows, columns = source.height + top + bottom, source.width + left + right
        if rows >= taps[0] and columns >= taps[1]:
            break
    strides = int(rng.integers(1, LARGEST_STRIDE + 1)), int(rng.integers(1, LARGEST_STRIDE + 1))
    padding = Padding(top=top, bottom=bottom, left=left, right=right)
    return padded(name, kind, source, taps, strides, padding, rng, _channels(rng))


def _channels(rng: np.random.Generator) -> int:
    """Random number of channels, often very small."""
    return int(rng.integers(1, 5 if rng.random() < 0.3 else MOST_CHANNELS + 1))
