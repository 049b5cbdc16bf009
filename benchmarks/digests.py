"""Digests of what the project computes, for comparing two versions of its code.

Run as ``python benchmarks/digests.py [--json FILE] [SECTION ...]``. Sections:

``plans``     plans, schedules and placements of every named network on ten accelerators, five of
              each space, for programs of 1 and of 3 images
``cycles``    their predictions, on the deterministic memory and on the DRAM
``sweep``     cycles, traffic and violations of 200 accelerators of each space, on every network
``verilog``   both views of the ten accelerators
``search``    the design and the evaluations of a short seeded co-search

A version that changes nothing measurable prints the same digests.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hwgen.emit import emit
from search.driver import run_search
from search.experiment import load_experiment
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS
from sim.cost.costs import evaluate_many
from sim.model import predict
from sim.networks.named import NAMED_NETWORKS, named_network
from sim.plan import map_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.memories import DETERMINISTIC, DRAM
from sim.spec.network import Network
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace
from sim.spec.views import View

PER_SPACE = 5
SWEPT = 200
IMAGES = (1, 3)

EXPERIMENT = """
name = "digest"
[task]
name = "digits"
[search]
warmup_epochs = 1
rounds = 2
refine_updates = 4
designs_per_update = 32
[train]
epochs = 2
"""


class Digest:
    """SHA-256 over numbers, words and arrays, whatever integer or float types hold them."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, *values: Any) -> None:
        """Add values to the digest, in order."""
        for value in values:
            if isinstance(value, np.ndarray):
                kind = np.int64 if value.dtype.kind in "iub" else np.float64
                self._hash.update(f"{value.shape}".encode())
                self._hash.update(np.ascontiguousarray(value, kind).tobytes())
            elif isinstance(value, float):
                self._hash.update(f"{value:.12g}\n".encode())
            else:
                self._hash.update(f"{value}\n".encode())

    def __str__(self) -> str:
        """Return the digest in hexadecimal."""
        return self._hash.hexdigest()


def main() -> None:
    """Print the digest of each section, a line each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    digests = {}
    for name in arguments.sections or SECTIONS:
        started = time.perf_counter()
        digest = Digest()
        cases = SECTIONS[name](digest)
        digests[name] = str(digest)
        print(
            f"{name:8} {digest} {cases:,} cases, {time.perf_counter() - started:.0f} s", flush=True
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(digests, indent=1) + "\n")


def accelerators(space: HardwareSpace, count: int) -> list[AcceleratorConfig]:
    """Return the space's default and random points that can be generated."""
    random = np.random.default_rng(12)
    chosen = [space.default]
    while len(chosen) < count:
        point = space.at(int(random.integers(len(space))))
        if not check(point):
            chosen.append(point)
    return chosen


def ten() -> Iterator[AcceleratorConfig]:
    """Ten accelerators: five of each space."""
    for name in ("tiny", "edge"):
        yield from accelerators(HARDWARE_SPACES[name], PER_SPACE)


def pairs() -> Iterator[tuple[Network, AcceleratorConfig, int]]:
    """Every named network on the ten accelerators, in programs of 1 and of 3 images."""
    for name in sorted(NAMED_NETWORKS):
        network = named_network(name)
        for config in ten():
            for images in IMAGES:
                yield network, config, images


def plans(digest: Digest) -> int:
    """Digest every array of the mapper and the scheduler."""
    cases = 0
    for network, config, images in pairs():
        mapped = map_network(config, network, images)
        digest.add(int(mapped.failure), mapped.layer, mapped.needed, mapped.available)
        plan, rows = mapped.layer_plan, mapped.rows
        if not config.store_rows:
            # What only a weight store needs says nothing here
            plan = np.delete(plan, LayerPlan.STORE_ROW, axis=1)
            rows = np.delete(rows, [COLUMNS["store"], COLUMNS["store_row"]], axis=1)
        digest.add(mapped.column, plan, mapped.tensor_plan, rows, mapped.end)
        cases += 1
    return cases


def cycles(digest: Digest) -> int:
    """Digest predictions, or the words in which they are refused."""
    cases = 0
    for network, config, images in pairs():
        for memory in (DETERMINISTIC, DRAM):
            try:
                prediction = predict(config, network, images=images, memory=memory)
            except CosilicoError as error:
                digest.add(str(error))
            else:
                digest.add(
                    prediction.start, prediction.issued, prediction.done, *prediction.spilled
                )
                digest.add(*prediction.counters(config).values(), prediction.descriptor_bytes)
                for layer in prediction.layers:
                    digest.add(layer.name, layer.cycles, layer.execute_busy)
            cases += 1
    return cases


def sweeps(digest: Digest) -> int:
    """Digest evaluations that keep no schedule."""
    cases = 0
    columns = ("cycles", "execute_busy", "read_bytes", "write_bytes")
    for name in sorted(NAMED_NETWORKS):
        network = named_network(name)
        for space in ("tiny", "edge"):
            random = np.random.default_rng(13)
            points = random.integers(len(HARDWARE_SPACES[space]), size=SWEPT)
            configs = [HARDWARE_SPACES[space].at(int(point)) for point in points]
            table = evaluate_many(configs, network, columns=columns)
            digest.add(*(table[column] for column in columns))
            digest.add(table.excess, table.violations)
            cases += SWEPT
    return cases


def verilog(digest: Digest) -> int:
    """Digest the Verilog of both views of the accelerator."""
    cases = 0
    for config in ten():
        for view in View:
            digest.add(emit(config, view))
            cases += 1
    return cases


def search(digest: Digest) -> int:
    """Add the design that a search ends with, and what it was chosen by."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = folder / "digest.toml"
        experiment.write_text(EXPERIMENT)
        result = run_search(load_experiment(experiment), folder / "out", seed=3)
        digest.add(json.dumps(result.design.accelerator.to_json(), sort_keys=True))
        for layer in result.design.network.layers:
            digest.add(layer.name, layer.kind)
            digest.add(*(array for array in (layer.weights, layer.bias) if array is not None))
        for record in result.history:
            digest.add(record["cycles"], record["area"], record["energy"], record.realizable)
        digest.add(result.int8_accuracy, result.float_accuracy)
        return len(result.history)


SECTIONS: dict[str, Callable[[Digest], int]] = {
    "plans": plans,
    "cycles": cycles,
    "sweep": sweeps,
    "verilog": verilog,
    "search": search,
}

if __name__ == "__main__":
    main()
