"""Damaged programs from the command line, each followed by the good program."""

import os
from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cosilico.console import output_console
from cosilico.progress import progress_bar
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.views import View
from testbench.faults.damage import KINDS
from testbench.faults.recovery import CONFIGS, Recovery, Subject, recoveries
from testbench.rtl.memory_model import FREEDOMS, MemoryModel

__all__ = ["validate_recovery"]

VIEWS = (View.SIMULATION, View.SYNTHESIS)


def validate_recovery(count: int, seed: int, *, jobs: int | None = None) -> int:
    """Run at least ``count`` damaged programs, each followed by the good program; print how they ended.

    They are spread evenly over the accelerators of ``testbench.faults.recovery.CONFIGS`` in both views, and,
    for one of these, over the memories that use a freedom of AXI, behind which only bits are compared.

    Returns
    -------
    int
        Damaged programs behind which something was wrong: an AXI rule broken, no end, damage that
        check words should have shown, or another output or cycle of the good program.
    """
    setups = _setups()
    each = -(-count // len(setups))
    results: list[Recovery] = []
    failures: list[str] = []
    with progress_bar() as report:
        report("damaged programs in RTL", 0, each * len(setups))
        for number, (name, config, view, memory) in enumerate(setups):
            subject = Subject.of(config, view, memory)
            drawn = recoveries(
                subject, each, seed * len(setups) + number, jobs=jobs or os.cpu_count() or 1
            )
            for recovery in drawn:
                results.append(recovery)
                report("damaged programs in RTL", len(results), each * len(setups))
                if recovery.failure:
                    damaged = recovery.damaged
                    failures.append(
                        f"{name}: seed {seed * len(setups) + number}, program {damaged.index} "
                        f"({damaged.kind}): {recovery.failure}"
                    )
    console = output_console()
    for failure in failures:
        console.print(failure, style="red", highlight=False, soft_wrap=True)
    console.print(_table(results))
    console.print(
        f"{len(results)} damaged programs: {len(failures)} are not recovered from",
        style="red" if failures else "green",
    )
    return len(failures)


def _setups() -> list[tuple[str, AcceleratorConfig, View, MemoryModel]]:
    """List name, accelerator, view and memory of every setup that damaged programs run on."""
    exact = [
        (f"accelerator {number}, {view} view", config, view, MemoryModel())
        for view in VIEWS
        for number, config in enumerate(CONFIGS)
    ]
    first: View = VIEWS[0]
    free = [
        (f"accelerator 0, memory of {name}", CONFIGS[0], first, memory)
        for name, memory in FREEDOMS.items()
    ]
    return exact + free


def _table(results: Sequence[Recovery]) -> Table:
    """Make the table of how many programs of each kind ended in each way."""
    endings = sorted({recovery.ending for recovery in results if recovery.ending})
    counts = Counter((recovery.damaged.kind, recovery.ending) for recovery in results)
    table = Table(title="how damaged programs ended", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("damage", no_wrap=True)
    for ending in endings:
        table.add_column(ending.lower(), justify="right")
    for kind in KINDS:
        table.add_row(kind, *(f"{counts[kind, ending]:,}" for ending in endings))
    return table
