"""Model against RTL from the command line: a design, random pairs, or everything."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cosilico.accelerators import named_space
from cosilico.cache import source_digest
from cosilico.cluster import cluster_pool
from cosilico.console import Column, fitted_table, output_console
from cosilico.folder import check_file
from cosilico.gateware import current_calibration
from cosilico.measurements import print_results
from cosilico.progress import progress_bar
from cosilico.simulation import simulate_argument
from cosilico.validation_summary import RESULTS, ResultFiles, summarize, write_summary
from hwgen.verilator import version
from sim.spec.errors import CosilicoError
from sim.spec.memories import DETERMINISTIC, MemorySystem
from sim.spec.views import View
from testbench.judges.tflite_oracle import require_oracle
from testbench.rtl.memory_model import FREEDOMS
from testbench.validation.campaign import Campaign
from testbench.validation.journal import Journal
from testbench.validation.random_pairs import DRAWS, Outcome, validate_random

__all__ = ["validate_design", "validate_everything", "validate_pairs"]

LISTED = 200
"""Most pairs that are listed, each on a line; of more, only those that differ."""


def validate_design(
    network: str,
    *,
    accelerator: str | None = None,
    memory: MemorySystem = DETERMINISTIC,
    view: View = View.SIMULATION,
) -> int:
    """Run a design's or an imported network's images in RTL, print every layer.

    Returns the number of differences. ``accelerator`` and ``memory`` as in
    :func:`cosilico.simulation.simulate_argument`.
    """
    return print_results(
        *simulate_argument(network, accelerator=accelerator, memory=memory, view=view)
    )


def validate_pairs(
    count: int,
    space_name: str,
    seed: int,
    *,
    jobs: int | None = None,
    stalls: bool = False,
    memories: bool = False,
    drawn: int = 0,
    kind: str = "pairs",
    view: View = View.SIMULATION,
    max_macs: int | None = None,
) -> int:
    """Run random pairs in RTL, print a table; return the number of differences and failures.

    ``kind`` is one of ``testbench.validation.random_pairs.DRAWS``. Networks imported from random models are also
    compared with TensorFlow Lite Micro; of pairs drawn for their realizability the verdict is
    compared with what generator and compiler do, and some run. With ``memories`` every pair runs
    behind every other memory as well, with ``drawn`` behind as many random deterministic memories.
    """
    space = named_space(space_name)
    if kind in ("imported", "tables", "states"):
        require_oracle()
    current_calibration()
    outcomes = []
    with progress_bar() as report:
        report("pairs in RTL", 0, count)
        for outcome in validate_random(
            count,
            space,
            seed,
            jobs=jobs or os.cpu_count() or 1,
            stalls=stalls,
            memories=memories,
            drawn=drawn,
            draw=DRAWS[kind],
            view=view,
            max_macs=max_macs,
        ):
            outcomes.append(outcome)
            report("pairs in RTL", len(outcomes), count)
    outcomes.sort(key=lambda outcome: outcome.case.index)
    console = output_console()
    for outcome in outcomes:
        if kind != "pairs" and not outcome.passed:
            console.print(_failure_line(outcome), highlight=False, soft_wrap=True)
    listed = outcomes if count <= LISTED else [x for x in outcomes if not x.passed]
    if listed:
        console.print(_table(listed, console.width))
    return _print_verdict(console, outcomes)


def validate_everything(
    campaign: Campaign,
    journal_file: Path,
    out: Path,
    *,
    files: ResultFiles = RESULTS,
    jobs: int | None = None,
    scheduler: str | None = None,
    force: bool = False,
) -> int:
    """Run a campaign, or what is left of it; return the number of differences and failures.

    Parameters
    ----------
    campaign : Campaign
    journal_file : Path
        Takes every outcome; outcomes of the same campaign and sources are not run again.
    out : Path
        Folder for the results, written when all is done.
    files : ResultFiles
        Their names.
    jobs : int, optional
        Processes; one per core if not given.
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to run the pairs, in place of processes.
    force : bool
        Begin a journal of another campaign or other sources anew, and replace the results.
    """
    check_file(journal_file, "--journal")
    for name in files:
        check_file(out / name, "--out")
        if (out / name).exists() and not force:
            raise CosilicoError(f"{out / name} must be absent, or --force must be given")
    if campaign.imported or campaign.tables or campaign.states:
        require_oracle()
    calibration = current_calibration()
    header = campaign.header(
        sources=source_digest("sim", "hwgen", "testbench"), simulator=f"verilator {version()}"
    )
    journal = Journal(journal_file, header, renew=force)
    console = output_console()
    if journal.records:
        console.print(f"{journal_file}: {len(journal.records)} pairs are done")
    with _pool(scheduler, jobs) as (pool, workers), progress_bar() as report:
        for outcome in campaign.run(journal, workers, report, pool=pool):
            if not outcome.passed:
                console.print(_failure_line(outcome), highlight=False, soft_wrap=True)
    total = sum(part.count for part in campaign.parts())
    if len(journal.records) != total:
        raise CosilicoError(f"{journal_file} must hold {total} pairs, not {len(journal.records)}")
    summary = summarize(campaign, journal, calibration.gateware_hash)
    write_summary(summary, out, files)
    wrong: int = sum(
        record["bit_differences"]
        + record["judged_differences"]
        + record["timing_differences"]
        + bool(record["failure"])
        for record in journal.records.values()
    )
    console.print(
        f"{total} pairs: {wrong} differences; {out / files.text}",
        style="red" if wrong else "green",
        soft_wrap=True,
    )
    return wrong


@contextmanager
def _pool(
    scheduler: str | None, jobs: int | None
) -> Iterator[tuple[AbstractContextManager[Any] | None, int]]:
    """Pool for a campaign, None for one of processes, and how many workers it has."""
    if scheduler is None:
        yield None, jobs or os.cpu_count() or 1
        return
    with cluster_pool(scheduler, "pairs") as (pool, workers):
        yield nullcontext(pool), workers


def _print_verdict(console: Console, outcomes: Sequence[Outcome]) -> int:
    cycles = sum(outcome.timing_differences for outcome in outcomes)
    bits = sum(outcome.bit_differences for outcome in outcomes)
    failures = Counter(outcome.failure for outcome in outcomes if outcome.failure)
    for failure, times in failures.items():
        console.print(f"{times} pairs failed: {failure}", style="red", highlight=False)
    if any(outcome.case.verdict for outcome in outcomes):
        console.print(_verdicts(outcomes), highlight=False, soft_wrap=True)
    judged = sum(outcome.judged_values for outcome in outcomes)
    unlike = sum(outcome.judged_differences for outcome in outcomes)
    wrong = cycles + bits + unlike + sum(failures.values())
    if judged:
        console.print(
            f"{unlike} of {judged:,} activations differ from TensorFlow Lite Micro's",
            style="red" if unlike else "green",
            highlight=False,
        )
    if behind := Counter(name for outcome in outcomes for name in outcome.others):
        console.print(_memories(console.width, outcomes, behind))
    console.print(
        f"{len(outcomes)} pairs: {cycles} cycle counts and {bits} activations differ",
        style="red" if wrong else "green",
    )
    return wrong


def _memories(width: int, outcomes: Sequence[Outcome], behind: Counter[str]) -> Table:
    """Table of what was compared behind each of the other memories."""
    names = ("pairs", "cycle diff.", "EXECUTE diff.", "bit diff.")
    columns = [Column("memory"), *(Column(name, right=True) for name in names)]
    rows = []
    for name, pairs in behind.items():
        compared = [outcome.others[name] for outcome in outcomes if name in outcome.others]
        execute = sum(comparison.execute for comparison in compared)
        cycles = sum(comparison.timing_differences for comparison in compared) - execute
        bits = sum(comparison.bit_differences for comparison in compared)
        shown = "-" if name in FREEDOMS else str(cycles)
        rows.append([name, str(pairs), shown, str(execute), str(bits)])
    return fitted_table(width, columns, rows, title="the same pairs behind other memories")


def _verdicts(outcomes: Sequence[Outcome]) -> str:
    """How many pairs are realizable, how many of these ran, and what stops the others."""
    verdicts = Counter(outcome.case.verdict for outcome in outcomes)
    ran = sum(outcome.comparison is not None for outcome in outcomes)
    return ", ".join([f"{n} {name}" for name, n in sorted(verdicts.items())] + [f"{ran} ran"])


def _failure_line(outcome: Outcome) -> str:
    case = outcome.case
    what = outcome.failure or (
        f"{outcome.bit_differences} activations and {outcome.timing_differences} cycle counts "
        "differ"
    )
    if outcome.judged_differences:
        what += f", {outcome.judged_differences} from TensorFlow Lite Micro's"
    return f"{case.title} on {case.config.to_json()}: {what}"


def _table(outcomes: Sequence[Outcome], width: int) -> Table:
    columns = (
        Column("layer"),
        Column("accelerator", rank=1),
        Column("mapping", rank=2),
        Column("predicted", right=True),
        Column("measured", right=True),
        Column("cycle diff.", right=True),
        Column("bit diff.", right=True),
    )
    rows = []
    for outcome in outcomes:
        case, config = outcome.case, outcome.case.config
        accelerator = (
            f"{config.pes_x}x{config.pes_y} L{config.compute_lanes} S{config.simd_units} "
            f"{config.local_memory_kb}+{config.register_file_kb}K"
        )
        cycles = (f"{outcome.predicted_cycles:,}", f"{outcome.measured_cycles:,}")
        differences = (str(outcome.timing_differences), str(outcome.bit_differences))
        rows.append((case.label, accelerator, ", ".join(case.traits), *cycles, *differences))
    title = "random pairs: cycles of one image, differences over all"
    return fitted_table(width, columns, rows, title=title, tight=True)
