"""Calibration by traces on systems of others: error before and after, on networks that took no part.

Behind each system of ``testbench/traces/foreign_systems.py`` the default accelerator of the tiny space runs random
networks in RTL. Their traces are what ``cosilico calibrate --trace`` would be given; other random networks and
named networks then show the error. The seed draws networks, pixels and the traffic of other masters; that of the
committed figures was first used when the method was done. Writes ``benchmarks/foreign_systems.json``.

    python benchmarks/foreign_systems.py [--system NAME] [--runs 12] [--held-out 12] [--seed 2026]
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.progress import track

from record import processor
from sim.networks.named import named_network
from sim.realizability import map_realizable
from sim.spec.files import cache_root, write_atomic
from sim.spec.network import Network
from sim.spec.queued_memory import QueuedMemory
from sim.spec.spaces import TINY
from sim.timing import calibration as calibrations
from testbench.rtl.harness import Harness, build
from testbench.traces.calibrate import calibrate_runs
from testbench.traces.evidence import errors_of
from testbench.traces.foreign_systems import FOREIGN_SYSTEMS, random_networks, run_on
from testbench.traces.traced_run import TracedRun, Walker

OUT = Path(__file__).parent / "foreign_systems.json"
NAMED = ("ds_cnn", "autoencoder", "mobilenet_v1_025", "resnet8")
AIM = 0.02
"""Mean error on held-out networks that a deterministic system is to have."""
AIM_RANDOM_TRAFFIC = 0.05
"""Mean error on held-out networks where another master's traffic is random."""
SEEDS = 1000
"""Seeds of runs that belong to each seed of the command line."""


def runs_of(
    system: str, harness: Harness, networks: Sequence[Network], seed: int
) -> list[TracedRun]:
    """Run networks behind a system, each with traffic of its own."""
    return [
        run_on(system, harness, map_realizable(harness.config, network), network.name, seed + index)
        for index, network in enumerate(track(networks, description=system))
    ]


def measure(system: str, harness: Harness, arguments: argparse.Namespace) -> dict[str, Any]:
    """Calibrate against a system and judge it by other networks."""
    count = arguments.runs + arguments.held_out
    networks = list(random_networks(harness.config, count, arguments.seed))
    first_seed = SEEDS * arguments.seed
    runs = runs_of(system, harness, networks[: arguments.runs], first_seed)
    held_out = first_seed + arguments.runs
    others = runs_of(system, harness, networks[arguments.runs :], held_out)
    named_networks = [named_network(name) for name in NAMED]
    named = runs_of(system, harness, named_networks, held_out + arguments.held_out)
    calibration = calibrations.default()
    walker = Walker(calibration)
    fitted = calibrate_runs(harness.config, runs, calibration, name=system, limit=1.0)
    first = QueuedMemory(clock_mhz=harness.config.clock_mhz, access_bytes=harness.config.bus_bytes)
    return {
        "runs": [run.name for run in runs],
        "report": fitted.to_json(),
        "random": _errors(others, first, fitted.memory, walker),
        "named": _errors(named, first, fitted.memory, walker),
        "networks": [
            {"name": run.name, "measured_cycles": run.total, "predicted_cycles": total}
            for run, (_, _, total) in zip(
                [*others, *named], walker.predict([*others, *named], fitted.memory), strict=True
            )
        ],
    }


def _errors(
    runs: Sequence[TracedRun], first: QueuedMemory, fitted: QueuedMemory, walker: Walker
) -> dict[str, Any]:
    return {
        "before": errors_of(runs, first, walker).to_json(),
        "after": errors_of(runs, fitted, walker).to_json(),
    }


def main() -> None:
    """Measure all systems, or that which is named, and write their results; others stay."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--system", choices=FOREIGN_SYSTEMS)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--held-out", type=int, default=12)
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    harness = build(TINY.default)
    systems = [arguments.system] if arguments.system else list(FOREIGN_SYSTEMS)
    results = {system: measure(system, harness, arguments) for system in systems}
    for system, figures in results.items():
        before, after = figures["random"]["before"], figures["random"]["after"]
        named = figures["named"]["after"]
        aim = AIM_RANDOM_TRAFFIC if system == "shared bus" else AIM
        verdict = "met" if max(after["mean"], named["mean"]) <= aim else "missed"
        print(
            f"{system}: mean {before['mean']:.1%} before, {after['mean']:.2%} after on random networks "
            f"(worst {after['worst']:.2%}), {named['mean']:.2%} on named networks "
            f"(worst {named['worst']:.2%}); {aim:.0%} {verdict}"
        )
    with FileLock(cache_root() / "foreign_systems.lock"):  # systems may be measured side by side
        known = json.loads(OUT.read_text(encoding="utf-8"))["systems"] if OUT.exists() else {}
        merged = known | results
        document = {
            "command": f"python benchmarks/foreign_systems.py --seed {arguments.seed}",
            "processor": processor(),
            "accelerator": harness.config.to_json(),
            "seed": arguments.seed,
            "systems": {system: merged[system] for system in FOREIGN_SYSTEMS if system in merged},
        }
        write_atomic(OUT, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
