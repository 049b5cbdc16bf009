"""Agreement of the two engines: random pairs and whole networks in the C++ harness and in cocotb.

    python benchmarks/engines.py [--pairs N] [--seed SEED] [--no-networks]

Every pair runs in both, on the deterministic memory; every third configuration besides on the DRAM or
under random stalls, and every fifth in the synthesis view. All figures of the results are compared,
field by field, and with reference and model. Writes ``benchmarks/engines.json``; exits with 1 if anything
differs.
"""

import argparse
import json
import platform
import runpy
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.progress import track

from hwgen import verilator
from record import processor
from sim.networks.named import named_network
from sim.spec.design import Design, load
from sim.spec.files import write_atomic
from sim.spec.memories import DETERMINISTIC, DRAM, FixedLatency
from sim.spec.spaces import HARDWARE_SPACES, TINY
from sim.spec.views import View
from testbench.cases.random_networks import Case, draw_group
from testbench.validation.engines import EngineAgreement, compare_engines

OUT = Path(__file__).parent / "engines.json"
PROCESSES = 8
"""Designs at once, each in a process that waits for builds and runs most of the time."""

PAIRS = 44
PER_CONFIGURATION = 4
MOST_MACS = 256
"""Multipliers of the largest accelerator drawn: others take minutes to build in both engines."""

SLOW = FixedLatency(latency=70, outstanding=2, width_bytes=4, clock_mhz=150, burst_gap=3)
"""Memory with limits, words and a clock of its own."""

OTHER_MEMORY_EVERY, SYNTHESIS_EVERY = 3, 5
NETWORKS = ("resnet8", "ds_cnn")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRun:
    """Runs of one design in both engines.

    Parameters
    ----------
    name : str
    kind : str
        ``pair`` or ``network``.
    view : View
    agreements : list of EngineAgreement
    seconds : float
        With builds that were not kept from before.
    """

    name: str
    kind: str
    view: View
    agreements: list[EngineAgreement]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return what the results file keeps."""
        runs = [
            {
                "memory": str(each.harness.memory),
                "stall_seed": each.harness.stall_seed,
                "descriptors": each.harness.descriptors,
                "cycles": int(each.cocotb.cycles.sum()),
                "fields_that_differ": list(each.differences),
                "mismatched_activations": each.cocotb.mismatched_activations,
                "mismatched_cycles": each.cocotb.mismatched_cycles,
            }
            for each in self.agreements
        ]
        return {"name": self.name, "kind": self.kind, "view": str(self.view), "runs": runs}


def main() -> int:
    """Run everything, write the file, print a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-networks", action="store_true", help="random pairs alone")
    arguments = parser.parse_args()
    began = time.perf_counter()
    drawn = list(pairs(arguments.pairs, arguments.seed))
    # Neighbours have different configurations, so that processes do not wait for the same build
    work = [item for place in range(PER_CONFIGURATION) for item in drawn[place::PER_CONFIGURATION]]
    if not arguments.no_networks:
        work += list(networks())
    done: list[PairRun] = []
    document: dict[str, Any] = {}
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(run, *item) for item in work]
        ended = as_completed(waiting)
        for future in track(ended, description="engines", total=len(work), transient=True):
            done.append(future.result())
            document = summary(_ordered(done), arguments.seed, time.perf_counter() - began)
            write_atomic(OUT, json.dumps(document, indent=1) + "\n")
    print(
        f"{document['pairs']} pairs and {document['networks']} networks in {document['runs_of_each']} "
        f"runs of each engine: {document['differences']} differences"
    )
    return int(document["differences"] != 0)


def pairs(
    count: int, seed: int, *, most_macs: int = MOST_MACS
) -> Iterator[tuple[str, str, Design, dict[str, Any]]]:
    """Yield random pairs of both spaces, those of a configuration together, and how to run them."""
    spaces = list(HARDWARE_SPACES.values())
    for group in range(-(-count // PER_CONFIGURATION)):
        first = group * PER_CONFIGURATION
        size = min(PER_CONFIGURATION, count - first)
        space = spaces[group % len(spaces)]
        cases = draw_group(group, first, size, space, seed, max_macs=most_macs)
        for place, case in enumerate(cases):
            yield case.title, "pair", _design(case), _options(case, group, place)


def networks() -> Iterator[tuple[str, str, Design, dict[str, Any]]]:
    """Yield whole networks on the default of ``tiny``."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(__file__).parent.parent / "examples" / "handwritten"
        runpy.run_path(str(directory / "make_weights.py"))["main"](Path(folder))
        yield "digits", "network", load(Path(folder) / "design.json"), {"stalls": (1,)}
    for name in NETWORKS:
        design = Design(network=named_network(name, 0), accelerator=TINY.default)
        yield name, "network", design, {"stalls": (1,)}


def run(name: str, kind: str, design: Design, options: dict[str, Any]) -> PairRun:
    """Run a design in both engines."""
    began = time.perf_counter()
    agreements = compare_engines(design, **options)
    view = options.get("view", View.SIMULATION)
    seconds = time.perf_counter() - began
    return PairRun(name=name, kind=kind, view=view, agreements=agreements, seconds=seconds)


def summary(runs: list[PairRun], seed: int, seconds: float) -> dict[str, Any]:
    """Return the results file's content."""
    agreements = [each for run in runs for each in run.agreements]
    differences = sum(
        len(each.differences) + each.cocotb.mismatched_activations + each.cocotb.mismatched_cycles
        for each in agreements
    )
    return {
        "command": "python benchmarks/engines.py",
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "python": platform.python_version(),
        "verilator": verilator.version(),
        "seed": seed,
        "seconds": round(seconds),
        "pairs": sum(run.kind == "pair" for run in runs),
        "networks": sum(run.kind == "network" for run in runs),
        "runs_of_each": len(agreements),
        "descriptors": sum(each.cocotb.descriptors for each in agreements),
        "differences": differences,
        "cases": [run.to_json() for run in runs],
    }


def _ordered(runs: list[PairRun]) -> list[PairRun]:
    """Return runs in an order that does not depend on which ended first."""

    def key(each: PairRun) -> tuple[str, ...]:
        return (each.kind, each.view, each.name, json.dumps(each.to_json()))

    return sorted(runs, key=key)


def _design(case: Case) -> Design:
    return Design(network=case.network, accelerator=case.config)


def _options(case: Case, group: int, place: int) -> dict[str, Any]:
    options: dict[str, Any] = {"inputs": case.images, "batch": case.batch}
    if group % SYNTHESIS_EVERY == SYNTHESIS_EVERY - 1:
        options["view"] = View.SYNTHESIS
    if group % OTHER_MEMORY_EVERY == 0 and place == 0:
        options["stalls"] = (group,)
    if group % OTHER_MEMORY_EVERY == 0 and place == 1:
        options["memories"] = (DETERMINISTIC, DRAM, SLOW)
    return options


if __name__ == "__main__":
    sys.exit(main())
