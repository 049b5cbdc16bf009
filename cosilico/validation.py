"""Model against RTL from the command line: a design, or random (configuration, layer) pairs."""

import os
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from cosilico.enumeration import named_space
from cosilico.gateware import current_calibration
from cosilico.progress import progress_bar
from cosilico.simulation import print_simulation, simulate_file
from testbench.validate import Outcome, validate_random

__all__ = ["validate_design", "validate_pairs"]

FILE_WIDTH = 120
"""Columns of the table where no terminal says its own."""


def validate_design(design_path: Path) -> int:
    """Run a design's images in RTL, print every layer; return the number of differences."""
    return print_simulation(simulate_file(design_path))


def validate_pairs(count: int, space_name: str, seed: int) -> int:
    """Run random pairs in RTL, print a table; return the number of differences."""
    space = named_space(space_name)
    current_calibration()
    outcomes = []
    with progress_bar() as report:
        found = validate_random(
            count,
            space,
            seed,
            jobs=os.cpu_count() or 1,
            progress=lambda done: report("pairs in RTL", done, count),
        )
        outcomes = sorted(found, key=lambda outcome: outcome.case.index)
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    console.print(_table(outcomes))
    cycles = sum(outcome.timing_differences for outcome in outcomes)
    bits = sum(outcome.bit_differences for outcome in outcomes)
    console.print(
        f"{len(outcomes)} pairs: {cycles} cycle counts and {bits} activations differ",
        style="red" if cycles or bits else "green",
    )
    return cycles + bits


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(
        title="random pairs: cycles of one image, differences over all",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("layer", no_wrap=True)
    table.add_column("accelerator", no_wrap=True)
    table.add_column("mapping")
    for name in ("predicted", "measured", "cycle diff.", "bit diff."):
        table.add_column(name, justify="right", min_width=max(map(len, name.split())))
    for outcome in outcomes:
        case, config = outcome.case, outcome.case.config
        traits = {
            f"{case.passes} passes": case.passes > 1,
            "partial": case.partial_tile,
            "spills": case.spills,
        }
        table.add_row(
            str(case.stratum),
            f"{config.pes_x}x{config.pes_y} L{config.compute_lanes} S{config.simd_units} "
            f"{config.local_memory_kb}+{config.register_file_kb}K",
            ", ".join(name for name, holds in traits.items() if holds),
            f"{outcome.predicted_cycles:,}",
            f"{outcome.measured_cycles:,}",
            str(outcome.timing_differences),
            str(outcome.bit_differences),
        )
    return table
