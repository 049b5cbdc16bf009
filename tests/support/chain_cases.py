"""Deep random networks: inverted-residual blocks whose skips live long in local memory."""

from collections.abc import Sequence

import numpy as np

from sim.realizability import attempt
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import WINDOW_POOLS, Layer, LayerKind, Network, TensorSpec
from testbench.cases.layers import add, fully_connected, mean, pool, random_tensor, windowed
from testbench.cases.random_networks import Case, Stratum, describe_case

__all__ = ["draw_chains", "random_chain"]

CHAIN = Stratum(kind=LayerKind.ADD)
MOST_BLOCKS = 6
MOST_CHANNELS = 50
SMALLEST, LARGEST = 4, 24


def draw_chains(configs: Sequence[AcceleratorConfig], seed: int) -> list[Case]:
    """Draw one realizable deep network for each configuration.

    Parameters
    ----------
    configs : sequence of AcceleratorConfig
        That the generator can build; those whose register file or local memory is too small for 50
        drawn networks are passed over.
    seed : int
    """
    cases: list[Case] = []
    rng = np.random.default_rng(seed)
    for config in configs:
        for _ in range(50):
            network = random_chain(rng)
            _, mapped = attempt(config, network)
            if mapped is not None:
                cases.append(describe_case(len(cases), CHAIN, mapped, rng))
                break
    return cases


def random_chain(rng: np.random.Generator) -> Network:
    """Random network of 2 … 6 blocks, residual or plain, then a mean of all pixels and a classifier."""
    height, width = (int(x) for x in rng.integers(SMALLEST, LARGEST, 2))
    source = random_tensor("input", height, width, int(rng.integers(1, 20)), rng)
    layers: list[Layer] = []
    current = source
    for index in range(int(rng.integers(2, MOST_BLOCKS))):
        block = _residual if rng.random() < 0.6 else _plain
        layers += block(index, current, rng)
        current = layers[-1].output
    last = pool("pool", current) if rng.random() < 0.5 else mean("pool", current, rng)
    layers.append(last)
    classes = int(rng.integers(2, 12))
    layers.append(fully_connected("classifier", layers[-1].output, classes, rng))
    return Network(name="chain", input=source, layers=tuple(layers))


def _residual(index: int, source: TensorSpec, rng: np.random.Generator) -> list[Layer]:
    """Residual block: expand, depthwise, project, add; the operands in either order."""
    middle, kernel = int(rng.integers(4, MOST_CHANNELS)), int(rng.choice([3, 5]))
    expand = windowed(f"expand{index}", LayerKind.CONV, source, 1, 1, rng, middle, plain=True)
    depthwise = windowed(
        f"depthwise{index}", LayerKind.DEPTHWISE, expand.output, kernel, 1, rng, plain=True
    )
    project = windowed(
        f"project{index}", LayerKind.CONV, depthwise.output, 1, 1, rng, source.channels, plain=True
    )
    operands = [project.output, source]
    if rng.random() < 0.5:
        operands.reverse()
    return [expand, depthwise, project, add(f"add{index}", operands[0], operands[1], rng)]


def _plain(index: int, source: TensorSpec, rng: np.random.Generator) -> list[Layer]:
    """Plain block: one convolution, depthwise layer or pool with stride 1 or 2."""
    stride = int(rng.integers(1, 3))
    draw = rng.random()
    if draw < 0.3:
        kind = WINDOW_POOLS[int(rng.integers(len(WINDOW_POOLS)))]
        return [windowed(f"pool{index}", kind, source, int(rng.choice([2, 3])), stride, rng)]
    if draw < 0.6:
        kernel, channels = int(rng.choice([1, 3])), int(rng.integers(4, MOST_CHANNELS))
        return [windowed(f"conv{index}", LayerKind.CONV, source, kernel, stride, rng, channels)]
    kernel = int(rng.choice([3, 5]))
    return [windowed(f"reduce{index}", LayerKind.DEPTHWISE, source, kernel, stride, rng)]
