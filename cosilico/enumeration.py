"""A network on every accelerator of a space: the answer that a search is judged by."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from cosilico.accelerators import named_space
from cosilico.cache import document_digest, source_digest
from cosilico.console import Column, fitted_table, output_console
from cosilico.enumeration_parts import (
    Enumeration,
    census_of,
    keep_enumeration,
    part_file,
    part_ranges,
    write_part,
)
from cosilico.evaluation import evaluate_chunks
from cosilico.folder import Contents, check_file, passing_folder
from cosilico.gateware import current_calibration
from cosilico.inputs import network_files
from cosilico.networks import network_argument
from cosilico.progress import Report, progress_bar
from cosilico.summary import accelerator_text
from cosilico.table_forms import TableForm, form_of
from cosilico.tasks import run_all
from sim.cost.area import area_budget as space_budget
from sim.cost.costs import evaluate_many
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import file_to_replace, temporary_folder, write_stream
from sim.spec.limits import NO_LIMITS
from sim.spec.memories import DETERMINISTIC, MemorySystem, require_fixed
from sim.spec.network import Network
from sim.spec.network_json import network_digest
from sim.spec.spaces import HardwareSpace
from testbench.validation.journal import Journal, lock_file

__all__ = ["census", "enumerate_network", "enumerate_to_file", "sorted_census"]

JOURNAL = "parts.jsonl"
"""File of the parts that are done, with the census and the optimum of each."""


def census(table: CostTable) -> dict[str, int]:
    """Numbers of accelerators that are realizable and that break each rule, most first, then by code."""
    return sorted_census(census_of(table))


def sorted_census(counts: Mapping[str, int]) -> dict[str, int]:
    """Put the realizable first, then the rules, most first, then by code."""
    rules = {code: number for code, number in counts.items() if code != "realizable"}
    most_first = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    return {"realizable": counts.get("realizable", 0)} | dict(most_first)


def enumerate_network(
    network: Network,
    space: Iterable[AcceleratorConfig],
    report: Report,
    *,
    jobs: int = 1,
    memory: MemorySystem = DETERMINISTIC,
    images: int = 1,
    scheduler: str | None = None,
) -> CostTable:
    """Evaluate a network on every accelerator of a space, or on any others, in ``jobs`` processes or on a cluster.

    The costs are those of a program of so many ``images``. Accelerators of a space have to keep its limits.
    """
    configs = tuple(space)
    limits = space.limits if isinstance(space, HardwareSpace) else NO_LIMITS
    chunks = []
    report("accelerators", 0, len(configs))
    done = 0
    for chunk in evaluate_chunks(
        network, configs, jobs, memory=memory, images=images, limits=limits, scheduler=scheduler
    ):
        chunks.append(chunk)
        done += len(chunk)
        report("accelerators", done, len(configs))
    return CostTable.concatenate(chunks)


def enumerate_to_file(
    network_name: str,
    space_name: str,
    out: Path,
    *,
    area_budget: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
    scheduler: str | None = None,
    memory: MemorySystem = DETERMINISTIC,
    resume: bool = False,
    force: bool = False,
) -> None:
    """Write the enumeration as CSV or Parquet, as ``out`` ends, in the memory that some of its parts take.

    Parts lie in a folder beside the file until all are done: an enumeration that was ended at any instant goes
    on with ``resume``. Prints which rules the accelerators break and the fastest within the area budget.

    Parameters
    ----------
    network_name : str
        See :func:`cosilico.networks.network_argument`.
    space_name : str
        See :func:`cosilico.accelerators.named_space`.
    out : Path
    area_budget : float, optional
        mm²; the area of the space's default if not given.
    seed : int
        Of a named network's weights, which change no figure.
    jobs : int, optional
        Processes; one per core if not given.
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to evaluate the parts, in place of processes.
    memory : MemorySystem
        What lies behind the ports.
    resume, force : bool
        Go on with the parts that an earlier call left, or begin anew.

    Raises
    ------
    CosilicoError
        If an argument is wrong, or there are parts of an earlier call and neither is said.
    """
    require_fixed(memory)
    form = form_of(out, "cosilico enumerate")
    check_file(out, "--out", network_files(network_name))
    space = named_space(space_name)
    current_calibration()
    network = network_argument(network_name, seed)
    budget = space_budget(space) if area_budget is None else area_budget
    identity = {
        "network": network_digest(network),
        "space": document_digest(space.to_json()),
        "memory": str(memory),
        "area budget": repr(budget),
        "sources": source_digest("sim"),
    }
    with _parts_folder(out, space, form, identity, resume=resume, force=force) as folder:
        enumeration = Enumeration(
            network=network,
            space=replace(space, values=dict(space.values)),  # as it can be sent
            memory=memory,
            area_budget=budget,
            folder=folder.resolve(),
            suffix=form.suffix,
        )
        records = _evaluate(enumeration, identity, jobs or os.cpu_count() or 1, scheduler)
        with write_stream(out) as stream:
            files = [part_file(folder, start, form.suffix) for start, _ in part_ranges(len(space))]
            form.join(files, stream)
    console = output_console()
    behind = "" if memory == DETERMINISTIC else f", {memory} memory"
    title = f"{network.name} on the {space.name} space{behind}"
    counts = sorted_census(sum((Counter(record["census"]) for record in records), Counter()))
    console.print(_census_table(counts, len(space), title, console.width))
    best = [record["optimum"] for record in records if record["optimum"] is not None]
    console.print(
        _optimum_line(network, space, memory, best, budget), highlight=False, soft_wrap=True
    )
    print(f"{out}: {len(space)} accelerators, {counts['realizable']} realizable")


def _parts_folder(
    out: Path,
    space: HardwareSpace,
    form: TableForm,
    identity: Mapping[str, str],
    *,
    resume: bool,
    force: bool,
) -> AbstractContextManager[Path]:
    """Folder of the parts, which goes when all of them are in the file; a device has none that stays."""
    if file_to_replace(out) is None:
        return temporary_folder()
    ranges = part_ranges(len(space))
    folder = out.with_name(f"{out.name}.parts")
    names = [part_file(folder, start, form.suffix).name for start, _ in ranges]
    files = (*names, lock_file(folder / JOURNAL).name, JOURNAL)
    contents = Contents(command="enumerate", identity=identity, files=files, resumable=True)
    return passing_folder(folder, contents, resume=resume, force=force)


def _evaluate(
    enumeration: Enumeration, identity: Mapping[str, str], jobs: int, scheduler: str | None
) -> list[dict[str, Any]]:
    """Write all parts that are not there yet; return the records of all, in order."""
    ranges = {str(start): (start, stop) for start, stop in part_ranges(len(enumeration.space))}
    journal = Journal(enumeration.folder / JOURNAL, {"enumeration": dict(identity)})
    with progress_bar() as report:

        def points(step: str, done: int, total: int) -> None:
            finished = sum(ranges[key][1] - ranges[key][0] for key in journal.records)
            report("accelerators", finished, len(enumeration.space))

        keep_enumeration(enumeration)
        left = [key for key in ranges if key not in journal.records]
        points("", 0, 0)
        # The first part is made here: kernels that are not compiled yet are compiled once
        for key in left if jobs == 1 and scheduler is None else left[:1]:
            journal.append(key, write_part(*ranges[key]))
            points("", 0, 0)
        if len(journal.records) < len(ranges):
            run_all(
                ranges,
                write_part,
                journal,
                jobs,
                points,
                step="parts",
                scheduler=scheduler,
                prepare=keep_enumeration,
                arguments=(enumeration,),
            )
    return [journal.records[key] for key in ranges]


def _census_table(counts: Mapping[str, int], points: int, title: str, width: int) -> Table:
    columns = (
        Column("accelerators"),
        Column("points", right=True),
        Column("share", right=True, rank=1),
    )
    rows = []
    for name, number in counts.items():
        label = name if name == "realizable" else f"break {name}"
        rows.append((label, f"{number:,}", f"{100 * number / points:.1f} %"))
    return fitted_table(width, columns, rows, title=title)


def _optimum_line(
    network: Network,
    space: HardwareSpace,
    memory: MemorySystem,
    optima: Sequence[int],
    budget: float,
) -> str:
    """Say which of the parts' optima is the best."""
    if not optima:
        return f"no realizable accelerator has an area of at most {budget:.3f} mm²"
    table = evaluate_many([space.at(index) for index in optima], network, memory=memory)
    row = table.optimum(budget)
    assert row is not None
    config, cost = table.configs[row], table.row(row)
    cycles = cost["cycles"]
    cold = f" ({cost['cold_cycles']:,} cold)" if cost["store_bytes"] else ""
    return (
        f"fastest within {budget:.3f} mm²: {accelerator_text(config.to_json())}\n"
        f"  {cycles:,} cycles{cold}, {cycles / (config.clock_mhz * 1000):.3f} ms, "
        f"{cost['area']:.3f} mm², {cost['energy'] * 1e-6:.2f} µJ"
    )
