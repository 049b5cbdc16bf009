"""Evaluations whose speed and whose figures ``benchmarks/speed.py`` compares between two trees.

Run by its path, with the tree that is measured in PYTHONPATH. ``speed_cases.py time`` answers each line of its input, the name of
a timed case, with the CPU seconds of an evaluation and a digest of its figures. ``speed_cases.py figures SHARE`` prints a digest
for every part of so large a share of the compared points.
"""

import hashlib
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sim.cost import costs
from sim.cost.costs import evaluate_many
from sim.model import predict_mapped, predict_stream
from sim.networks.named import named_network
from sim.plan import map_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.spec.network import LayerKind, Network
from sim.spec.spaces import EDGE, NAHAS, TINY, HardwareSpace
from sim.stream import stream_of
from testbench.cases.layers import random_tensor, windowed
from testbench.cases.products import product_network
from testbench.cases.random_graphs import random_graph
from testbench.cases.tabled import tabled

Work = tuple[int, Callable[[], object]]
"""Evaluations of a timed case, and what makes all of them."""

TIMED = 60
"""Points of a timed case, drawn by chance."""

STRETCH = 1_000
"""Neighbours in the order of an enumeration: the memories and buses of a grid of PEs and lanes."""

JOINT_SPACE = Path(__file__).parents[1] / "examples" / "joint_space.toml"
JOINT_GRIDS = 54
"""Grids of PEs, SIMD units and lanes of that space."""
JOINT_NETWORKS = 8
"""Networks of the timed part of a joint space: as many as a part of ``cosilico joint`` has, about."""

SEED = 17
CHUNK = 500
"""Points of a digest."""

PREDICTED = 12
"""One of so many points is predicted descriptor by descriptor, too."""

SLOW = FixedLatency(latency=90, write_latency=40, outstanding=3, width_bytes=8, burst_gap=2)
"""A memory that is neither as wide as most ports nor takes any number of bursts."""


class Compared(NamedTuple):
    """Points of a space on which a network's figures are compared.

    Parameters
    ----------
    network : Network
    space : HardwareSpace
    points : int
        Points, drawn by chance.
    memory : FixedLatency
    images : int
        Images of a program.
    first : int
        First of neighbours in the order of an enumeration; less than 0 for points drawn by chance.
    """

    network: Network
    space: HardwareSpace
    points: int
    memory: FixedLatency = DETERMINISTIC
    images: int = 1
    first: int = -1


def compared() -> Iterator[Compared]:
    """Networks and spaces of the comparison: more than 50,000 points."""
    mobilenet, resnet = named_network("mobilenet_v2"), named_network("resnet8")
    autoencoder, spotter = named_network("autoencoder"), named_network("ds_cnn")
    yield Compared(mobilenet, EDGE, 12_000)
    yield Compared(mobilenet, NAHAS, 4_000)
    yield Compared(mobilenet, TINY, 1_000)
    yield Compared(resnet, TINY, 8_000)
    yield Compared(resnet, EDGE, 3_000)
    yield Compared(autoencoder, TINY, 4_000)
    yield Compared(autoencoder, EDGE, 2_000)
    yield Compared(spotter, TINY, 4_000)
    yield Compared(mobilenet, EDGE, 1_000, SLOW)
    yield Compared(resnet, TINY, 1_000, SLOW)
    yield Compared(resnet, TINY, 500, images=3)
    yield Compared(autoencoder, EDGE, 500, images=4)
    random = np.random.default_rng(SEED)
    for index in range(12):
        for space in (TINY, EDGE):
            graph = random_graph(space.default, random, f"graph{index}")
            yield Compared(graph, space, 300)
            yield Compared(product_network(space.default, random, f"product{index}"), space, 250)
    for network, space in ((resnet, TINY), (spotter, TINY), (mobilenet, EDGE)):
        yield Compared(tabled(network, random), _with_tables(space), 1_500)
    for first in range(0, len(EDGE), len(EDGE) // 6):
        yield Compared(mobilenet, EDGE, 1_000, first=first)
        yield Compared(autoencoder, TINY, 500, first=first // 8)


def _with_tables(space: HardwareSpace) -> HardwareSpace:
    """The space with an activation table in every accelerator."""
    return replace(space, default=replace(space.default, activation_table=1))


def digests(share: float) -> Iterator[tuple[str, int, str]]:
    """(points, their number, digest of all figures) of every part of a share of the compared points."""
    random = np.random.default_rng(SEED)
    for number, case in enumerate(compared()):
        count = max(1, round(share * case.points))
        if case.first < 0:
            chosen = random.choice(len(case.space), case.points, replace=False)[:count]
        else:
            chosen = np.arange(case.first, min(case.first + count, len(case.space)))
        for first in range(0, len(chosen), CHUNK):
            configs = [case.space.at(int(i)) for i in chosen[first : first + CHUNK]]
            name = (
                f"{number} {case.network.name} {case.space.name} {case.images} {case.first} {first}"
            )
            yield name, len(configs), _digest(case, configs)


def _digest(case: Compared, configs: list[AcceleratorConfig]) -> str:
    table = evaluate_many(configs, case.network, memory=case.memory, images=case.images)
    digest = hashlib.sha256()
    for values in table.values.values():
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(repr((table.violations, table.excess.tolist())).encode())
    for config in configs[::PREDICTED]:
        _add_predictions(digest, case, config)
    return digest.hexdigest()[:16]


def _add_predictions(digest: Any, case: Compared, config: AcceleratorConfig) -> None:
    """Add descriptors and every field of warm, cold and streamed predictions of a point."""
    if check(config):
        return
    try:
        mapped = map_network(config, case.network, case.images)
    except CosilicoError:
        return
    if mapped.refusal is not None:
        digest.update(repr(mapped.refusal).encode())
        return
    digest.update(mapped.rows.tobytes() + mapped.cold_rows.tobytes())
    predictions = [predict_mapped(mapped, memory=case.memory, cold=cold) for cold in (False, True)]
    stream = stream_of(mapped)
    if stream is not None:
        digest.update(stream.mapped.rows.tobytes() + stream.first.rows.tobytes())
        predictions.extend(predict_stream(stream, memory=case.memory))
    for prediction in predictions:
        for field in prediction.__slots__:
            value = getattr(prediction, field)
            if isinstance(value, np.ndarray):
                digest.update(value.tobytes())
            else:
                digest.update(repr(value).encode())


def _figures(configs: list[AcceleratorConfig], network: Network, **more: Any) -> list[object]:
    """Evaluate accelerators; give all figures and violations."""
    table = evaluate_many(configs, network, **more)
    return [*(values.tolist() for values in table.values.values()), table.violations]


def _drawn() -> tuple[list[AcceleratorConfig], Network]:
    random = np.random.default_rng(SEED)
    chosen = random.choice(len(EDGE), TIMED, replace=False)
    return [EDGE.at(int(i)) for i in chosen], named_network("mobilenet_v2")


def _warm() -> Work:
    configs, network = _drawn()
    return TIMED, lambda: _figures(configs, network, columns=("cycles",))


def _all_columns() -> Work:
    configs, network = _drawn()
    return TIMED, lambda: _figures(configs, network)


def _separate() -> Work:
    configs, network = _drawn()
    return TIMED, lambda: [_figures([config], network) for config in configs]


def _stretch() -> Work:
    first = 317 * STRETCH
    configs, network = [EDGE.at(first + i) for i in range(STRETCH)], named_network("mobilenet_v2")
    return STRETCH, lambda: _figures(configs, network)


def _joint() -> Work:
    """Networks of NAS-Bench-201 on the accelerators of two grids of PEs and lanes each; of trees that have them."""
    cells = importlib.import_module("sim.networks.cell_graphs")
    bench = importlib.import_module("sim.networks.nas_bench_201")
    shapes = importlib.import_module("sim.networks.shapes")
    space = importlib.import_module("cosilico.accelerators").named_space(str(JOINT_SPACE))
    random = np.random.default_rng(SEED)
    graphs = list(cells.graphs(sorted(cells.all_cells(), key=bench.cell_name)))
    networks = [
        shapes.shape_network(f"network{number}", bench.nas_bench_201(graphs[number]))
        for number in random.choice(len(graphs), JOINT_NETWORKS, replace=False)
    ]
    own = len(space) // JOINT_GRIDS  # memories, bandwidths and stores change first
    configs = [
        space.at(int(grid) * own + place)
        for grid in random.choice(JOINT_GRIDS, 2, replace=False)
        for place in range(own)
    ]
    columns = "cycles", "energy"
    return len(networks) * len(configs), lambda: [
        _figures(configs, network, columns=columns) for network in networks
    ]


def _large() -> Work:
    """A stem of three layers on a large image, which runs tile by tile."""
    random = np.random.default_rng(SEED)
    source = random_tensor("input", 1024, 1024, 3, random)
    stem = windowed("stem", LayerKind.CONV, source, 3, 2, random, 32, plain=True)
    spatial = windowed("spatial", LayerKind.DEPTHWISE, stem.output, 3, 1, random, plain=True)
    dense = windowed("dense", LayerKind.CONV, spatial.output, 1, 1, random, 32, plain=True)
    network = Network(name="large", input=source, layers=(stem, spatial, dense))
    configs = _drawn()[0][:6]
    return len(configs), lambda: _figures(configs, network)


def _several() -> Work:
    configs, network = _drawn()[0][:2], named_network("resnet8")
    return len(configs), lambda: _figures(configs, network, images=4)


JOINT = "NAS-Bench-201 on a joint space, cycles and energy"
"""Case that a tree has only with the networks of the benchmark."""

CASES: dict[str, Callable[[], Work]] = {
    "random points of edge, MobileNetV2, warm cycles": _warm,
    "the same, all columns": _all_columns,
    "the same, a call for each point": _separate,
    "neighbours of edge, MobileNetV2, all columns": _stretch,
    JOINT: _joint,
    "a stem on 1,024 x 1,024 pixels, all columns": _large,
    "ResNet-8, 4 images per program, all columns": _several,
}
"""Timed cases by name."""


def has_joint(root: Path) -> bool:
    """Whether a checkout has the networks of the joint space."""
    return (root / "sim" / "networks" / "nas_bench_201.py").is_file()


def forget() -> None:
    """Begin without what earlier evaluations left, in trees that keep any."""
    for name in ("_row", "_rules"):
        if kept := getattr(costs, name, None):
            kept.cache_clear()
    try:
        memo = importlib.import_module("sim.mapping.memo")
    except ImportError:
        return
    memo.forget()


def answer() -> None:
    """Answer the names of timed cases until the input ends, each from nothing known."""
    root = Path(costs.__file__).parents[2]
    ready = {name: prepare() for name, prepare in CASES.items() if name != JOINT or has_joint(root)}
    for _, work in ready.values():
        work()  # kernels are compiled
    print("ready", flush=True)
    for line in sys.stdin:
        count, work = ready[line.strip()]
        forget()
        started = time.process_time()
        figures = work()
        seconds = time.process_time() - started
        digest = hashlib.sha256(repr(figures).encode()).hexdigest()[:16]
        print(f"{seconds / count:.9f} {digest}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "time":
        answer()
    else:
        for part, points, digest in digests(float(sys.argv[2])):
            print(f"{part}\t{points}\t{digest}", flush=True)
