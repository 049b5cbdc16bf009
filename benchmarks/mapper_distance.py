"""How far the mapper is from the best mapping: exhaustive search on random single layers.

Every layer's legal mappings are enumerated: tile rows × tile columns × pixels at once × output
groups together or not, and for a convolution with splits every block shape of the accumulator
rows. Each is scheduled and walked by the exact cycle model.

    python benchmarks/mapper_distance.py [--layers 240] [--seed 0] [--out FILE]
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from sim.arrays.geometry import ceil_div
from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import Hw, accelerator_row
from sim.mapping.execution import lets_pixels
from sim.mapping.mapper import plan_network
from sim.mapping.tiling import lay_out
from sim.plan import network_tables
from sim.realizability import check
from sim.schedule.timed import time_schedule
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic
from sim.spec.network import LayerKind, Network
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from sim.timing import calibration
from testbench.cases.layers import add, fully_connected, mean, pool, random_tensor, windowed

MOST_MAPPINGS = 4000
"""Most mappings that are all tried; in place of a layer with more, another layer is drawn."""

Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Cycles of the mapper's choice and of the best of all mappings of one layer."""

    space: str
    kind: str
    chosen: int
    best: int
    mappings: int

    @property
    def excess(self) -> float:
        """Relative distance of the mapper's choice from the best mapping."""
        return self.chosen / self.best - 1


class Layer:
    """One layer on one accelerator, to be mapped in every way."""

    def __init__(self, tables: tuple[Network, Array, Array], hw: Hw) -> None:
        _, self.layers, self.tensors = tables
        self.hw = hw
        failure, *_, self.plan, self.tensor_plan, _ = plan_network(self.layers, self.tensors, hw, 0)
        self.realizable = failure == Failure.NONE
        self.constants = calibration.default().array

    def cycles(self, plan: Array) -> int:
        """Cycles of a mapping, by a walk over its schedule."""
        timed = time_schedule(
            self.layers, self.tensors, self.hw, plan, self.tensor_plan, self.constants, False
        )
        return int(timed[1])

    def mappings(self) -> Iterator[Array]:
        """Layer plans of all legal mappings of the layer."""
        layer, (source, target), hw = self.layers[0], self.tensors, self.hw
        for tile_y in range(1, ceil_div(target[0], hw.pes_y) + 1):
            for tile_x in range(1, ceil_div(target[1], hw.pes_x) + 1):
                for whole in (True, False):
                    for pixels in self._pixels():
                        plan = self.plan.copy()
                        lay_out(layer, source, target, hw, plan[0], tile_y, tile_x, pixels, whole)
                        if _vectors(plan[0], whole) <= hw.bank_depth:
                            yield from self._blocks(plan)

    def _pixels(self) -> list[int]:
        """Return numbers of pixels that the operation and the window ring let be computed at once."""
        lanes = int(self.hw.lanes)
        powers = [2**power for power in range(lanes.bit_length())]
        return [n for n in powers if lets_pixels(self.layers[0], n, lanes, lanes)]

    def _blocks(self, plan: Array) -> Iterator[Array]:
        """Layer plans with every block shape that the accumulator rows hold."""
        rows, columns = int(plan[0, LayerPlan.TILE_Y]), int(plan[0, LayerPlan.TILE_X])
        pixels = int(plan[0, LayerPlan.PIXELS])
        if plan[0, LayerPlan.SPLITS] == 1:
            shapes = [(rows, columns)]
        else:
            most = int(self.hw.accumulator_rows)
            sets = ceil_div(columns, pixels)
            shapes = [
                (high, min(columns, wide * pixels))
                for high in range(1, min(rows, most) + 1)
                for wide in range(1, min(sets, most // high) + 1)
                if high == min(rows, most // wide) or wide == min(sets, most // high)
            ]
        for high, wide in shapes:
            blocked = plan.copy()
            blocked[0, LayerPlan.BLOCK_ROWS], blocked[0, LayerPlan.BLOCK_COLUMNS] = high, wide
            yield blocked


def _vectors(plan: Array, whole: bool) -> int:
    """Vectors per bank of a plan's operands and outputs."""
    outputs = -(-int(plan[LayerPlan.ROUNDS]) // int(plan[LayerPlan.PIXELS])) if whole else 1
    return int(plan[LayerPlan.OUT_ADDRESS]) + outputs * int(plan[LayerPlan.OUT_PLANE])


def measure(count: int, seed: int) -> list[Distance]:
    """Distances of ``count`` random layers, tiny and edge in turn."""
    rng = np.random.default_rng(seed)
    distances: list[Distance] = []
    for _ in track(range(count), description="layers"):
        distances.append(_draw(TINY if len(distances) % 2 else EDGE, rng))
    return distances


def random_layer(config: AcceleratorConfig, rng: np.random.Generator) -> Network:
    """A network of one layer of any kind, images up to 40 × 40, up to 6 channel groups."""

    def channels() -> int:
        return int(rng.integers(1, 6 * config.simd_units + 1))

    height, width = (int(size) for size in rng.integers(1, 41, 2))
    source = random_tensor("input", height, width, channels(), rng)
    kind = LayerKind(rng.choice([str(kind) for kind in LayerKind]))
    if kind is LayerKind.ADD:
        layer = add("layer", source, source, rng)
    elif kind is LayerKind.GLOBAL_AVERAGE_POOL:
        layer = pool("layer", source)
    elif kind is LayerKind.MEAN:
        layer = mean("layer", source, rng)
    elif kind is LayerKind.FULLY_CONNECTED:
        source = random_tensor("input", 1, 1, channels(), rng)
        layer = fully_connected("layer", source, channels(), rng)
    else:
        kernel, stride = int(rng.choice([1, 3, 5])), int(rng.integers(1, 3))
        layer = windowed("layer", kind, source, kernel, stride, rng, channels())
    return Network(name="layer", input=source, layers=(layer,))


def _draw(space: HardwareSpace, rng: np.random.Generator) -> Distance:
    while True:
        config = space.at(int(rng.integers(len(space))))
        if check(config):
            continue
        network = random_layer(config, rng)
        if check(config, network):
            continue
        hw = accelerator_row(config)
        layer = Layer(network_tables(network)[0], hw)
        if not layer.realizable:
            continue
        cycles, mappings = [], 0
        for plan in layer.mappings():
            mappings += 1
            if mappings > MOST_MAPPINGS:
                break
            cycles.append(layer.cycles(plan))
        if mappings > MOST_MAPPINGS or not cycles:
            continue
        return Distance(
            space=space.name,
            kind=str(network.layers[0].kind),
            chosen=layer.cycles(layer.plan),
            best=min(cycles),
            mappings=mappings,
        )


def summary(distances: list[Distance]) -> dict[str, Any]:
    """Return numbers of layers, mappings and best choices, and distances by kind and in all."""
    kinds = sorted({distance.kind for distance in distances})
    groups = {kind: [distance for distance in distances if distance.kind == kind] for kind in kinds}
    excess = {
        kind: [distance.excess for distance in group]
        for kind, group in (groups | {"all": distances}).items()
    }
    return {
        "mappings": sum(distance.mappings for distance in distances),
        "best": sum(distance.excess <= 0 for distance in distances),
        "kinds": {
            kind: {"layers": len(values), "mean": float(np.mean(values)), "worst": max(values)}
            for kind, values in excess.items()
        },
    }


def main() -> None:
    """Measure the mapper's distances; print their summary and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--layers", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    figures = summary(measure(arguments.layers, arguments.seed))
    write_atomic(arguments.out, json.dumps(figures, indent=1) + "\n")
    for kind, row in figures["kinds"].items():
        print(
            f"{kind:22} {row['layers']:4} layers  mean {row['mean']:.3%}  worst {row['worst']:.2%}"
        )
    print(f"best of all: {figures['best']}; {figures['mappings']} mappings walked")


if __name__ == "__main__":
    main()
