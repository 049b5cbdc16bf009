"""Every network on every accelerator: parts that are evaluated in processes or on a cluster, and the front of all."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.accelerators import is_space_file, named_space
from cosilico.cache import document_digest, source_digest
from cosilico.enumeration import sorted_census
from cosilico.extras import require_module
from cosilico.folder import Contents, open_folder
from cosilico.gateware import current_calibration
from cosilico.joint.accuracy_kind import AccuracyKind
from cosilico.joint.benchmark import JointMember, joint_benchmark
from cosilico.joint.front import GrowingFront
from cosilico.joint.parts import (
    Joint,
    Part,
    joint_parts,
    keep_joint,
    part_file,
    write_joint_part,
)
from cosilico.progress import Report, progress_bar
from cosilico.tasks import run_all
from sim.cost.area import areas
from sim.spec.archives import read_bytes
from sim.spec.documents import read_json
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic
from sim.spec.memories import DETERMINISTIC, MemorySystem, require_fixed
from sim.spec.spaces import HardwareSpace
from testbench.validation.journal import Journal, lock_file

__all__ = [
    "FRONT_FILE",
    "NETWORKS_FILE",
    "NETWORKS_LIMIT_BYTES",
    "SUMMARY_FILE",
    "enumerate_jointly",
]

JOURNAL = "parts.jsonl"
"""File of the parts that are done, with the census of each."""

NETWORKS_FILE, ACCELERATORS_FILE = "networks.csv", "accelerators.csv"
"""Files of the numbers that parts name."""

FRONT_FILE, SUMMARY_FILE = "front.csv", "joint.json"

NETWORKS_LIMIT_BYTES = 1 << 24


def enumerate_jointly(
    benchmark: str,
    space_name: str,
    out: Path,
    *,
    accuracy: AccuracyKind | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    memory: MemorySystem = DETERMINISTIC,
    counts: Path | None = None,
    resume: bool = False,
    force: bool = False,
) -> None:
    """Evaluate all pairs of a benchmark's networks and a space's accelerators; write them as parts, and their front.

    An enumeration that was ended at any instant goes on with ``resume``. A front of another accuracy is made of the same
    parts in a moment, with ``resume`` as well.

    Parameters
    ----------
    benchmark : str
        See :func:`cosilico.joint.benchmark.joint_benchmark`.
    space_name : str
        See :func:`cosilico.accelerators.named_space`.
    out : Path
        Folder for all files.
    accuracy : AccuracyKind, optional
        That of the front; the benchmark's own if not given.
    jobs : int, optional
        Processes; one per core if not given.
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to evaluate the parts, in place of processes.
    memory : MemorySystem
        What lies behind the ports.
    counts : Path, optional
        Folder of an enumeration of the same pairs, made when area or energy had other prices: its cycles and counts are
        taken, some pairs of every network are predicted again, and all are priced anew.
    resume, force : bool
        Go on with the parts that an earlier call left, or begin anew.

    Raises
    ------
    CosilicoError
        If an argument or a file is wrong, or an extra is not installed.
    """
    require_fixed(memory)
    require_module("cosilico joint", "pyarrow")
    known = joint_benchmark(benchmark)
    kind, networks = known.kind(accuracy), known.networks
    space = named_space(space_name)
    current_calibration()
    identity = {
        "networks": document_digest([network.name for network in networks]),
        "space": document_digest(space.to_json()),
        "memory": str(memory),
        "sources": source_digest("sim"),
    }
    if "family" in known.facts:  # whose names say nothing of the images
        identity["family"] = document_digest(known.facts["family"])
    if counts is not None:
        _require_same_pairs(counts, networks, space, memory)
    parts = joint_parts(len(networks), len(space))
    contents = Contents(
        command="joint", identity=identity, files=tuple(_files(parts)), resumable=True
    )
    inputs = [*known.inputs, *([Path(space_name)] if is_space_file(space_name) else [])]
    inputs += [] if counts is None else [counts / SUMMARY_FILE]
    with open_folder(out, contents, inputs=inputs, resume=resume, force=force) as folder:
        joint = Joint(
            networks=networks,
            space=replace(space, values=dict(space.values)),  # as it can be sent
            memory=memory,
            folder=folder.resolve(),
            counts=None if counts is None else counts.resolve(),
        )
        with progress_bar() as report:
            records = _evaluate(
                joint, parts, identity, report, jobs or os.cpu_count() or 1, scheduler
            )
            front = _front(joint, parts, kind, report)
        write_atomic(folder / NETWORKS_FILE, _csv(_network_rows(networks)))
        write_atomic(folder / ACCELERATORS_FILE, _csv(_accelerator_rows(space)))
        write_atomic(folder / FRONT_FILE, _csv(_front_rows(joint, front, kind)))
        census = sorted_census(sum((Counter(record["census"]) for record in records), Counter()))
        summary = {
            "benchmark": benchmark,
            "accuracy": str(kind),
            "space": space.to_json(),
            "memory": str(memory),
            "networks": len(networks),
            **known.facts,
            "accelerators": len(space),
            "pairs": sum(record["pairs"] for record in records),
            "census": census,
            "front": len(front.keys),
        }
        write_atomic(folder / SUMMARY_FILE, json.dumps(summary, indent=2) + "\n")
    print(
        f"{out}: {len(networks):,} networks × {len(space):,} accelerators = {summary['pairs']:,} pairs, "
        f"{census['realizable']:,} realizable, {len(front.keys):,} in the front ({FRONT_FILE})"
    )


def _require_same_pairs(
    counts: Path, networks: Sequence[JointMember], space: HardwareSpace, memory: MemorySystem
) -> None:
    """Raise unless a folder has the enumeration of these networks and accelerators behind this memory."""
    what = f"counts {counts}"
    document = read_json(counts / SUMMARY_FILE, "joint enumeration")
    summary = document if isinstance(document, dict) else {}
    text = read_bytes(counts / NETWORKS_FILE, "file of networks", NETWORKS_LIMIT_BYTES)
    names = [row.get("name") for row in csv.DictReader(io.StringIO(text.decode(errors="replace")))]
    for name, same in (
        ("networks", names == [network.name for network in networks]),
        ("space", summary.get("space") == json.loads(json.dumps(space.to_json()))),
        ("memory", summary.get("memory") == str(memory)),
    ):
        if not same:
            raise DesignFileError(f"{what} must be of the same {name}")


def _files(parts: Mapping[str, Part]) -> Iterator[str]:
    yield from (part_file(Path(), name).name for name in parts)
    yield lock_file(Path(JOURNAL)).name
    yield from (JOURNAL, NETWORKS_FILE, ACCELERATORS_FILE, FRONT_FILE, SUMMARY_FILE)


def _evaluate(
    joint: Joint,
    parts: Mapping[str, Part],
    identity: Mapping[str, str],
    report: Report,
    jobs: int,
    scheduler: str | None,
) -> list[dict[str, Any]]:
    """Write all parts that are not there yet; return the records of all, in order."""
    journal = Journal(joint.folder / JOURNAL, {"joint enumeration": dict(identity)})
    total = len(joint.networks) * len(joint.space)

    def pairs(step: str, done: int, count: int) -> None:
        report("pairs", sum(record["pairs"] for record in journal.records.values()), total)

    left = [name for name in parts if name not in journal.records]
    pairs("", 0, 0)
    if jobs == 1 and scheduler is None:
        keep_joint(joint)
        for name in left:
            journal.append(name, write_joint_part(name, parts[name]))
            pairs("", 0, 0)
        return [journal.records[name] for name in parts]
    # The first part is made alone: kernels that are not compiled yet are compiled once, and none takes memory here
    for names, processes, address in ((left[:1], 1, None), (left[1:], jobs, scheduler)):
        run_all(
            {name: (name, parts[name]) for name in names},
            write_joint_part,
            journal,
            processes,
            pairs,
            step="parts",
            scheduler=address,
            prepare=keep_joint,
            arguments=(joint,),
        )
    return [journal.records[name] for name in parts]


def _front(
    joint: Joint, parts: Mapping[str, Part], accuracy: AccuracyKind, report: Report
) -> GrowingFront:
    """Front of all pairs in accuracy, cycles, energy and area; one part at a time is in memory."""
    from pyarrow import parquet

    wrong = np.array([1 - network.accuracies[accuracy] for network in joint.networks])
    mm2 = areas(list(joint.space))
    front = GrowingFront(figures=4, keys=2)
    for done, name in enumerate(parts, 1):
        table = parquet.read_table(
            part_file(joint.folder, name),
            columns=["network", "accelerator", "predicted_cycles", "energy"],
            filters=[("least", "=", True)],
        )
        columns = {column: table[column].to_numpy() for column in table.column_names}
        network, accelerator = columns["network"], columns["accelerator"]
        cycles, energy = columns["predicted_cycles"], columns["energy"]
        values = np.stack([wrong[network], cycles, energy, mm2[accelerator]], axis=1)
        front.add(values, np.stack([network, accelerator], axis=1).astype(np.int64))
        report("front", done, len(parts))
    return front


def _network_rows(networks: Sequence[JointMember]) -> Iterator[dict[str, Any]]:
    for number, network in enumerate(networks):
        yield {
            "network": number,
            "name": network.name,
            **network.described,
            **{str(kind): share for kind, share in network.accuracies.items()},
        }


def _accelerator_rows(space: HardwareSpace) -> Iterator[dict[str, Any]]:
    configs = list(space)
    for number, (config, mm2) in enumerate(zip(configs, areas(configs).tolist(), strict=True)):
        document = config.to_json()
        fields = {name: document.get(name, 0) for name in space.values}
        yield {
            "accelerator": number,
            **fields,
            "clock_mhz": config.clock_mhz,
            "area": mm2,
        }


def _front_rows(
    joint: Joint, front: GrowingFront, accuracy: AccuracyKind
) -> Iterator[dict[str, Any]]:
    """Rows of the front, the most accurate first, then the fastest."""
    order: NDArray[np.int64] = np.lexsort(
        (front.keys[:, 1], front.keys[:, 0], front.values[:, 1], front.values[:, 0])
    )
    for row in order:
        number, point = (int(key) for key in front.keys[row])
        _, cycles, energy, size = (float(value) for value in front.values[row])
        network, config = joint.networks[number], joint.space.at(point)
        document = config.to_json()
        yield {
            "network": number,
            "accelerator": point,
            "name": network.name,
            f"{accuracy}_accuracy": network.accuracies[accuracy],
            "predicted_cycles": int(cycles),
            "latency_ms": cycles / (config.clock_mhz * 1000),
            "energy": energy,
            "area": size,
            **{name: document.get(name, 0) for name in joint.space.values},
        }


def _csv(rows: Iterator[dict[str, Any]]) -> str:
    text = io.StringIO()
    first = next(rows, None)
    if first is None:
        return ""
    writer = csv.DictWriter(text, list(first), lineterminator="\n")
    writer.writeheader()
    writer.writerow(first)
    writer.writerows(rows)
    return text.getvalue()
