"""Networks of the headline figures in RTL, on the present gateware.

    python benchmarks/headline.py [--images 3] [--jobs 2] [--work DIR] [--out benchmarks/headline.json]

MobileNetV2 and EfficientNet-Lite0 with seeded weights run on the default of `edge` and on the best accelerator of each number
of MACs (`benchmarks/memory_trade.json`): cold, warm on each image, and as a stream if there can be any. Activations are compared
with the integer reference, descriptors, totals and counters with the model. What was ended goes on with the same command.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from claim import require_counts
from cosilico.cache import document_digest, source_digest
from cosilico.progress import progress_bar
from cosilico.tasks import run_all
from hwgen import verilator
from hwgen.gateware_hash import gateware_hash
from record import processor
from sim.networks.imagenet import IMAGENET_NETWORKS
from sim.networks.named import named_network
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.spaces import EDGE
from sim.stream import stream_of
from testbench.validation.journal import Journal
from testbench.validation.simulate import simulate

__all__ = ["DEFAULT", "headline_cases", "main", "measure"]

TRADE = Path(__file__).with_name("memory_trade.json")

DEFAULT = "default"
"""Name of the default of `edge` among the accelerators of a network; the others are called by their MACs."""

IMAGES = 3

Case = tuple[str, str, AcceleratorConfig]
"""Network, the accelerator's name, and the accelerator."""


def main(words: Sequence[str] | None = None) -> None:
    """Run what the journal lacks, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=IMAGES, help=f"random images [{IMAGES}]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=Path("build/evidence/headline"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    given = parser.parse_args(words)
    try:
        require_counts(images=given.images, jobs=given.jobs)
        runs = measure(headline_cases(), given.work, images=given.images, jobs=given.jobs)
    except CosilicoError as error:
        parser.exit(2, f"headline: {error}\n")
    results = {
        "command": "python benchmarks/headline.py",
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "verilator": verilator.version(),
        "gateware_hash": gateware_hash(),
        "images": given.images,
        "runs": runs,
    }
    write_atomic(given.out, json.dumps(results, indent=1) + "\n")
    differing = sum(run["mismatched_activations"] + run["mismatched_cycles"] for run in runs)
    print(f"{len(runs)} pairs, {differing} activations and cycle counts differ")


def headline_cases() -> list[Case]:
    """Return the pairs: each network on the default and on its best accelerators, by their MACs."""
    trade = json.loads(TRADE.read_text(encoding="utf-8"))
    cases = []
    for network in IMAGENET_NETWORKS:
        cases.append((network, DEFAULT, EDGE.default))
        cases += [
            (network, size, AcceleratorConfig.from_json(best["accelerator"]))
            for size, best in trade[network]["sizes"].items()
        ]
    return cases


def measure(cases: Sequence[Case], work: Path, *, images: int, jobs: int) -> list[dict[str, Any]]:
    """Run pairs in RTL; return what was measured of each, in their order.

    Parameters
    ----------
    cases : sequence of Case
    work : Path
        Folder of the journal.
    images : int
        Random images of seed 0.
    jobs : int
        Processes.
    """
    identity = {
        "gateware": gateware_hash(),
        "sources": source_digest("sim", "hwgen", "testbench"),
        "images": images,
    }
    work.mkdir(parents=True, exist_ok=True)
    journal = Journal(work / f"runs-{document_digest(identity)[:16]}.jsonl", identity)
    tasks = {
        f"{network}:{document_digest(config.to_json())[:16]}": (network, config, images)
        for network, _, config in cases
    }
    with progress_bar() as report:
        run_all(tasks, run_pair, journal, jobs, report, step="pairs")
    return [
        {"network": network, "name": name, "accelerator": config.to_json()} | journal.records[key]
        for key, (network, name, config) in zip(tasks, cases, strict=True)
    ]


def run_pair(network_name: str, config: AcceleratorConfig, images: int) -> Mapping[str, Any]:
    """Run a named network on an accelerator; return its figures in plain numbers."""
    network = named_network(network_name)
    mapped = map_realizable(config, network)
    result = simulate(
        Design(network=network, accelerator=config),
        images=images,
        mapped=mapped,
        stream=stream_of(mapped) is not None,
    ).to_json()
    busy = result["counters"]["execute_busy"]
    return {name: result[name] for name in _KEPT} | {"execute_busy": busy}


_KEPT = (
    "view", "macs_per_cycle", "predicted_cold_cycles", "cold_cycles", "predicted_warm_cycles", "warm_cycles",
    "predicted_stream_cycles", "stream_cycles", "descriptors", "mismatched_activations", "mismatched_cycles",
    "utilization", "busy_utilization",
)  # fmt: skip


if __name__ == "__main__":
    main()
