"""Random pairs of a joint enumeration in RTL, and those of its front.

    python benchmarks/joint_rtl.py [--joint DIR|nas_bench_201] [--work DIR] [--out FILE] [--pairs N] [--seed N] [--smoke]

The networks have seeded weights. Each pair runs cold, warm and, if it can, as a stream. Activations are compared with the integer
reference, descriptors with the model, the warm run's cycles with those of the enumeration. What was ended goes on with the same command.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from claim import require_counts
from cosilico.cache import document_digest, source_digest
from cosilico.joint.benchmark import JointMember, joint_benchmark
from cosilico.joint.known_pairs import KnownPairs
from cosilico.joint.source import joint_digests, read_joint
from cosilico.joint.space import JointSpace
from cosilico.progress import progress_bar
from cosilico.tasks import run_all
from hwgen.gateware_hash import gateware_hash
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from testbench.cases.random_networks import describe_case
from testbench.validation.journal import Journal
from testbench.validation.random_pairs import try_case

__all__ = ["chosen_pairs", "measure"]

PAIRS, SMOKE_PAIRS = 100, 4
"""Random pairs."""

SEED = 1

TOGETHER = 8
"""Pairs of a network that are a task: its weights are made once for them."""

Pair = tuple[int, int, int]
"""Numbers of network and accelerator, and the cycles that are expected of them."""


def main(words: Sequence[str] | None = None) -> None:
    """Run what the journal lacks, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--joint", default="build/evidence/joint", help="folder, or nas_bench_201")
    parser.add_argument("--work", type=Path, default=Path("build/evidence/joint_rtl"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--pairs", type=int, help=f"random pairs [{PAIRS}]")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scheduler")
    parser.add_argument(
        "--smoke", action="store_true", help="few pairs, and only some of the front"
    )
    given = parser.parse_args(words)
    try:
        require_counts(pairs=given.pairs, jobs=given.jobs)
        results = measure(
            given.joint,
            given.work,
            pairs=given.pairs or (SMOKE_PAIRS if given.smoke else PAIRS),
            seed=given.seed,
            of_front=SMOKE_PAIRS if given.smoke else None,
            jobs=given.jobs,
            scheduler=given.scheduler or None,
        )
    except CosilicoError as error:
        parser.exit(2, f"joint_rtl: {error}\n")
    write_atomic(given.out, json.dumps(results, indent=1) + "\n")
    print(json.dumps({part: results[part] for part in ("random", "front")}, indent=1))


def measure(
    subject: str,
    work: Path,
    *,
    pairs: int,
    seed: int,
    of_front: int | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Run pairs of a joint enumeration; return what was compared.

    Parameters
    ----------
    subject : str
        As of :func:`cosilico.joint.source.read_joint`.
    work : Path
        Folder of the journal.
    pairs : int
        Of the sample of the enumeration, evenly spread; all if there are fewer.
    seed : int
        Of the weights and the images.
    of_front : int, optional
        Pairs of the front, evenly spread over it; all if not given.
    jobs, scheduler
        As of :func:`cosilico.tasks.run_all`.

    Raises
    ------
    CosilicoError
        As of :func:`cosilico.joint.source.read_joint`.
    """
    truth = read_joint(subject)
    members = joint_benchmark(truth.benchmark).networks
    drawn, front = chosen_pairs(truth, pairs, of_front)
    identity = {
        **joint_digests(subject),
        "gateware": gateware_hash(),
        "sources": source_digest("sim", "hwgen", "testbench"),
        "seed": seed,
    }
    work.mkdir(parents=True, exist_ok=True)
    journal = Journal(work / f"pairs-{document_digest(identity)[:16]}.jsonl", identity)
    tasks = _tasks(truth, members, sorted({*drawn, *front}), seed, journal)
    with progress_bar() as report:
        run_all(tasks, run_pairs, journal, jobs, report, step="networks", scheduler=scheduler)
    records = {
        (outcome["network"], outcome["accelerator"]): outcome
        for record in journal.records.values()
        for outcome in record["pairs"]
    }
    return {
        "schema": 1,
        "gateware_hash": gateware_hash(),
        "benchmark": truth.benchmark,
        "enumerated": truth.pairs,
        "seed": seed,
        "random": _summed([records[pair[:2]] for pair in drawn]),
        "front": {"whole": of_front is None} | _summed([records[pair[:2]] for pair in front]),
    }


def chosen_pairs(
    truth: JointSpace, pairs: int, of_front: int | None
) -> tuple[list[Pair], list[Pair]]:
    """Pairs of the sample and of the front, evenly spread; all of the front if ``of_front`` is None."""
    return _spread(truth.sample, pairs), _spread(truth.front, of_front)


def _spread(pairs: KnownPairs, count: int | None) -> list[Pair]:
    size = len(pairs.network)
    places = np.linspace(0, size - 1, min(count or size, size)).astype(int)
    numbers = pairs.network, pairs.accelerator, pairs["cycles"]
    return list(zip(*(values[places].tolist() for values in numbers), strict=True))


def _tasks(
    truth: JointSpace,
    members: Sequence[JointMember],
    pairs: Sequence[Pair],
    seed: int,
    journal: Journal,
) -> dict[str, tuple[Any, ...]]:
    """Tasks of all pairs by their names: those that an earlier run has done as it did them, then what is left."""
    tasks: dict[str, tuple[Any, ...]] = dict.fromkeys(journal.records, ())
    known = {
        (outcome["network"], outcome["accelerator"])
        for record in journal.records.values()
        for outcome in record["pairs"]
    }
    left = [pair for pair in pairs if pair[:2] not in known]
    for number, group in groupby(left, lambda pair: pair[0]):
        expected = [pair[1:] for pair in group]
        for first in range(0, len(expected), TOGETHER):
            some = expected[first : first + TOGETHER]
            on = [(point, truth.space.at(point), cycles) for point, cycles in some]
            key = f"{number}:{','.join(str(point) for point, _ in some)}"
            tasks[key] = (number, members[number], on, seed)
    return tasks


def run_pairs(
    number: int,
    member: JointMember,
    on: Sequence[tuple[int, AcceleratorConfig, int]],
    seed: int,
) -> dict[str, Any]:
    """Run a network on some accelerators, each with its number and the cycles that are expected of it."""
    network = member.seeded_network(seed)
    made = []
    for point, config, cycles in on:
        mapped = map_realizable(config, network)
        rng = np.random.default_rng([seed, number, point])
        outcome = try_case(describe_case(0, member.name, mapped, rng, image_count=1))
        made.append(
            {"network": number, "accelerator": point, "enumerated_cycles": cycles}
            | {name: outcome.to_json()[name] for name in _KEPT}
        )
    return {"pairs": made}


_KEPT = (
    "activations", "bit_differences", "descriptors", "timing_differences", "predicted_cycles",
    "measured_cycles", "stream_images", "failure",
)  # fmt: skip


def _summed(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over some pairs, and what differs."""
    sums = (
        "activations", "bit_differences", "descriptors", "timing_differences", "measured_cycles",
    )  # fmt: skip
    return {
        "pairs": len(records),
        "networks": len({record["network"] for record in records}),
        "accelerators": len({record["accelerator"] for record in records}),
        "streams": sum(record["stream_images"] > 0 for record in records),
        **{name: sum(record[name] for record in records) for name in sums},
        "other_than_enumerated": sum(
            record["measured_cycles"] != record["enumerated_cycles"] for record in records
        ),
        "failures": [record["failure"] for record in records if record["failure"]],
    }


if __name__ == "__main__":
    main()
