"""Timed work of the model, for ``benchmarks/speed.py``: answers each line of its input, the name of a case.

Run by a path, with the tree that is measured in PYTHONPATH; uses only what trees of long ago have, too. An answer is the
CPU seconds of an evaluation and a digest of its figures.
"""

import hashlib
import sys
import time
from collections.abc import Callable

import numpy as np

from sim.cost.costs import evaluate_many
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network
from sim.spec.spaces import EDGE
from testbench.cases.layers import random_tensor, windowed

POINTS = 60
STRETCH = 1_000
"""Neighbours of a grid that are evaluated together: one grid of PEs and lanes."""

Work = tuple[int, Callable[[], object]]


def main() -> None:
    """Answer until the input ends."""
    cases: dict[str, Callable[[], Work]] = {
        "random points": random_points,
        "random points, all columns": all_columns,
        "one by one, all columns": one_by_one,
        "a stretch of edge, all columns": stretch,
        "1,024 x 1,024 pixels": large,
        "4 images, 16 layers": lambda: several(8),
        "4 images, 32 layers": lambda: several(16),
    }
    ready = {name: prepare() for name, prepare in cases.items()}
    for _, work in ready.values():
        work()  # kernels are compiled
    print("ready", flush=True)
    for line in sys.stdin:
        count, work = ready[line.strip()]
        started = time.process_time()
        found = work()
        seconds = time.process_time() - started
        digest = hashlib.sha256(repr(found).encode()).hexdigest()[:16]
        print(f"{seconds / count:.9f} {digest}", flush=True)


def points(count: int, seed: int) -> list[AcceleratorConfig]:
    """Points of the edge space by chance."""
    random = np.random.default_rng(seed)
    return [EDGE.at(int(i)) for i in random.choice(len(EDGE), count, replace=False)]


def figures(configs: list[AcceleratorConfig], network: Network, **more: object) -> list[object]:
    """Evaluate accelerators; give all figures and violations."""
    table = evaluate_many(configs, network, **more)  # type: ignore[arg-type]  # of any tree
    return [*(values.tolist() for values in table.values.values()), table.violations]


def random_points() -> Work:
    """Cycles of MobileNetV2."""
    configs, network = points(POINTS, 0), named_network("mobilenet_v2")
    return POINTS, lambda: figures(configs, network, columns=("cycles",))


def all_columns() -> Work:
    """Cold runs, area and energy, too."""
    configs, network = points(POINTS, 0), named_network("mobilenet_v2")
    return POINTS, lambda: figures(configs, network)


def one_by_one() -> Work:
    """A call for each accelerator, as a search makes them."""
    configs, network = points(POINTS, 0), named_network("mobilenet_v2")
    return POINTS, lambda: [figures([config], network) for config in configs]


def stretch() -> Work:
    """Neighbours in the order of an enumeration."""
    network, first = named_network("mobilenet_v2"), 317 * STRETCH
    configs = [EDGE.at(first + i) for i in range(STRETCH)]
    return STRETCH, lambda: figures(configs, network)


def large() -> Work:
    """A stem of three layers on a large image, which runs tile by tile."""
    random = np.random.default_rng(0)
    source = random_tensor("input", 1024, 1024, 3, random)
    layers: list[Layer] = []
    for name, kind, kernel, stride in (
        ("stem", LayerKind.CONV, 3, 2),
        ("spatial", LayerKind.DEPTHWISE, 3, 1),
        ("dense", LayerKind.CONV, 1, 1),
    ):
        current = layers[-1].output if layers else source
        more = () if kind is LayerKind.DEPTHWISE else (32,)
        layers.append(windowed(name, kind, current, kernel, stride, random, *more, plain=True))
    network = Network(name="large", input=source, layers=tuple(layers))
    configs = points(6, 3)
    return len(configs), lambda: figures(configs, network)


def several(pairs: int) -> Work:
    """Four images per program, through longer and longer networks of equal layers."""
    random = np.random.default_rng(0)
    source = random_tensor("input", 14, 14, 96, random)
    layers: list[Layer] = []
    for index in range(pairs):
        current = layers[-1].output if layers else source
        layers.append(windowed(f"d{index}", LayerKind.CONV, current, 1, 1, random, 96, plain=True))
        current = layers[-1].output
        layers.append(windowed(f"s{index}", LayerKind.DEPTHWISE, current, 3, 1, random, plain=True))
    network = Network(name="repeated", input=source, layers=tuple(layers))
    configs = points(2, 4)
    return len(configs), lambda: figures(configs, network, images=4)


if __name__ == "__main__":
    main()
