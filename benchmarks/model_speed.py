"""Speed of the performance model: (network, accelerator) pairs per second on one core.

Run as ``python benchmarks/model_speed.py [DESIGN]``; without a design, the hand-written example's shapes.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from cosilico.networks import load_network
from sim.model import evaluate_many
from sim.spec.network import Network
from sim.spec.spaces import TINY

REPEATS = 3


def main(network: Network) -> None:
    """Print the best of a few repeats, the mapping included."""
    configs = list(TINY)
    evaluate_many(configs[:10], network)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        table = evaluate_many(configs, network)
        seconds.append(time.perf_counter() - start)
    realizable = sum(not codes for codes in table.violations)
    best = min(seconds)
    print(
        f"{network.name}: {len(network.layers)} layers, {len(configs)} accelerators "
        f"({realizable} realizable) in {best:.2f} s: {len(configs) / best:,.0f} pairs/s"
    )


def example() -> Network:
    """Shapes of the hand-written example."""
    source = Path(__file__).parent.parent / "examples" / "handwritten" / "design.json"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.json"
        path.write_text(json.dumps(json.loads(source.read_text())["network"]))
        return load_network(path)


if __name__ == "__main__":
    main(load_network(Path(sys.argv[1])) if len(sys.argv) > 1 else example())
