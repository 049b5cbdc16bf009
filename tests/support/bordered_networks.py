"""Networks whose tiles have border rows with many stores, on accelerators that compute them apart."""

import numpy as np

from accelerators import small_accelerator
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, Padding
from testbench.cases.layers import padded, random_tensor

__all__ = ["bordered_networks"]


def bordered_networks(count: int, seed: int) -> list[tuple[AcceleratorConfig, Network]]:
    """Draw layers with few steps whose outputs a window reads across the PEs' tiles.

    The first layer is a 1×1 or a depthwise convolution, and then comes a depthwise window.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(count):
        lanes = int(rng.choice([1, 2, 4]))
        pes_y, pes_x = (int(pes) for pes in rng.choice([1, 2, 3], 2))
        config = small_accelerator(
            max(2, pes_y),
            pes_x,
            compute_lanes=lanes,
            simd_units=8,
            local_memory_kb=8 * lanes,
            register_file_kb=2,
            io_bandwidth_gbps=1.0,
            clock_mhz=200,
        )
        height, width = (int(size) for size in rng.integers(10, 24, 2))
        source = random_tensor("input", height, width, int(rng.integers(4, 9)), rng)
        first = (LayerKind.CONV, (1, 1), Padding(), int(rng.integers(4, 20)))
        if rng.random() < 0.4:
            first = (LayerKind.DEPTHWISE, (3, 3), Padding(top=1, bottom=1, left=1, right=1), 0)
        kind, taps, padding, channels = first
        layers: list[Layer] = [padded("first", kind, source, taps, (1, 1), padding, rng, channels)]
        reach = int(rng.integers(1, 3))
        around = Padding(top=reach, bottom=reach, left=reach, right=reach)
        taps = (2 * reach + 1, 2 * reach + 1)
        layers.append(
            padded("window", LayerKind.DEPTHWISE, layers[0].output, taps, (1, 1), around, rng)
        )
        drawn.append((config, Network(name="bordered", input=source, layers=tuple(layers))))
    return drawn
