"""How well transfers hide behind computation: cycles against what the slower of the two needs.

The bound of an inference is the sum over its layers of max(cycles in which EXECUTE is busy, bytes
that LOAD and STORE move over the bus's rate). A program that hides everything but the slower side
takes exactly that. The first table runs in RTL; the second asks the exact model about random points
of the edge space, apart for those whose activations stay in local memory, so that LOAD only streams
weights, and for those that spill.

    python benchmarks/overlap.py [--network mobilenet_v2] [--points 400] [--seed 0] [--model-only]
"""

import argparse

import numpy as np
from rich.progress import track

from cosilico.photographs import default_images
from cosilico.summary import accelerator_text
from sim.model import predict
from sim.networks.named import NAMED_NETWORKS, named_network
from sim.prediction import Prediction
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.errors import NotRealizableError
from sim.spec.network import Network
from sim.spec.spaces import EDGE
from testbench.cases.named_layers import edge_accelerator
from testbench.validation.simulate import simulate

CONFIGS = (
    EDGE.default,
    edge_accelerator(2, 2, 2, 32, 1024, 32),
    edge_accelerator(2, 2, 4, 32, 1024, 32),
    edge_accelerator(4, 2, 2, 64, 1024, 32),
    edge_accelerator(4, 4, 2, 32, 512, 32),
    edge_accelerator(6, 2, 2, 16, 512, 32),
    edge_accelerator(8, 8, 1, 16, 512, 32),
    edge_accelerator(8, 8, 4, 64, 512, 32),
)
"""1,024 … 65,536 MACs whose local memories hold MobileNetV2's activations."""


def bound(config: AcceleratorConfig, prediction: Prediction) -> float:
    """Cycles: sum over layers of max(EXECUTE busy, bytes moved over the bus's rate)."""
    rate = float(config.bytes_per_cycle)
    return sum(
        max(layer.execute_busy, (layer.read_bytes + layer.write_bytes) / rate)
        for layer in prediction.layers
    )


def measured(network: Network) -> None:
    """Print cycles in RTL against the bound, a line per network."""
    images = default_images(network.input).x
    print("| accelerator | MACs | cycles, predicted = measured | bound | ratio |")
    print("|---|---:|---:|---:|---:|")
    for config in CONFIGS:
        result = simulate(Design(network=network, accelerator=config), inputs=images)
        name = accelerator_text(config.to_json())
        if not result.exact:
            raise SystemExit(f"{name}: {result.mismatched_cycles} durations differ")
        least = bound(config, predict(config, network))
        cycles = result.measured_cycles
        print(
            f"| {name} | {config.macs:,} | {cycles:,} | {least:,.0f} | {cycles / least:.3f} |",
            flush=True,
        )


def surveyed(network: Network, points: int, seed: int) -> None:
    """Print the ratios over a sample of the edge space."""
    rng = np.random.default_rng(seed)
    ratios: dict[bool, list[float]] = {False: [], True: []}
    for index in track(rng.permutation(len(EDGE))[:points], description="points"):
        config = EDGE.at(int(index))
        try:
            prediction = predict(config, network)
        except NotRealizableError:
            continue
        ratio = prediction.total_cycles / bound(config, prediction)
        ratios[bool(prediction.spilled)].append(ratio)
    for spills, sample in ratios.items():
        values = np.array(sample)
        print(
            f"{'activations spill' if spills else 'activations stay'}: {len(values)} points, "
            f"median {np.median(values):.3f}, 90 % at most {np.quantile(values, 0.9):.3f}, "
            f"worst {values.max():.3f}, at most 1.1: {np.mean(values <= 1.1):.1%}"
        )


def main() -> None:
    """Print both tables: of runs in RTL, and of the model over the edge space."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--network", choices=NAMED_NETWORKS, default="mobilenet_v2")
    parser.add_argument("--points", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model-only", action="store_true")
    arguments = parser.parse_args()
    network = named_network(arguments.network)
    if not arguments.model_only:
        measured(network)
    surveyed(network, arguments.points, arguments.seed)


if __name__ == "__main__":
    main()
