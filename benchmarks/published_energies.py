"""Energy of ResNet-50 on accelerators with the multipliers and the buffers of published accelerators.

Run as ``python benchmarks/published_energies.py [--out FILE]``: predicts a ResNet-50 with seeded weights on each, at the clock of
``edge``, and writes cycles and the energy by part. The page sets them beside what was published.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from published_pages import PUBLISHED, own_accelerator
from sim.cost.energy import Activity, energy
from sim.model import predict
from sim.networks.imagenet import IMAGE
from sim.networks.seeded import seeded_network
from sim.networks.topology import LayerShape, conv, fully_connected, pool
from sim.spec.documents import read_json
from sim.spec.files import write_atomic
from sim.spec.network import LayerKind, Network

__all__ = ["resnet_50"]

_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
"""Blocks, their inner channels, and the stride of the first (He et al., 2016, table 1)."""

_EXPANSION = 4
"""Channels of a block's output for each of its inner channels."""


def resnet_50() -> Network:
    """Make a ResNet-50 at 224 with seeded weights; a block's stride is in its middle convolution."""
    layers = [
        conv("stem", IMAGE.name, 64, 7, 2, relu=True),
        LayerShape(name="pool", kind=LayerKind.MAX_POOL, inputs=("stem",), kernel=3, stride=2),
    ]
    for stage, (blocks, channels, stride) in enumerate(_STAGES, 1):
        for block in range(blocks):
            layers += _block(
                f"stage{stage}.{block}",
                layers[-1].name,
                channels,
                stride if block == 0 else 1,
                whole=block == 0,
            )
    layers += [pool("mean", layers[-1].name), fully_connected("classifier", "mean", 1000)]
    return seeded_network("resnet_50", IMAGE, layers, seed=0)


def _block(
    name: str, source: str, channels: int, stride: int, *, whole: bool
) -> tuple[LayerShape, ...]:
    """Return a bottleneck; where it is ``whole``, its shortcut has a convolution."""
    shortcut = conv(f"{name}.shortcut", source, _EXPANSION * channels, 1, stride)
    inputs = (shortcut.name if whole else source, f"{name}.expand")
    return (
        conv(f"{name}.reduce", source, channels, relu=True),
        conv(f"{name}.window", f"{name}.reduce", channels, 3, stride, relu=True),
        conv(f"{name}.expand", f"{name}.window", _EXPANSION * channels),
        *((shortcut,) if whole else ()),
        LayerShape(name=f"{name}.add", kind=LayerKind.ADD, inputs=inputs, relu=True),
    )


def measured(network: Network, entry: dict[str, Any]) -> dict[str, Any]:
    """Cycles of an image on the accelerator of an entry, its energy by part, and that of as many idle cycles, pJ."""
    config = own_accelerator(entry)
    prediction = predict(config, network)
    idle = Activity(
        total_cycles=prediction.total_cycles,
        execute_busy=0,
        read_bytes=0,
        write_bytes=0,
        descriptor_bytes=0,
        layers=(),
    )
    return {
        "macs": entry["macs"],
        "accelerator": config.to_json(),
        "predicted_cycles": prediction.total_cycles,
        "utilization": round(prediction.utilization, 4),
        "energy": {part: round(own, 1) for part, own in asdict(energy(config, prediction)).items()},
        "idle": round(energy(config, idle).total, 1),
    }


def main() -> None:
    """Predict the network on the accelerator of each entry and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    out = parser.parse_args().out
    published = read_json(PUBLISHED, "published accelerators")
    network = resnet_50()
    results = {
        "command": "python benchmarks/published_energies.py",
        "network": network.name,
        "macs": sum(layer.macs for layer in network.layers),
        "runs": [measured(network, entry) for entry in published["accelerators"]],
    }
    write_atomic(out, json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
