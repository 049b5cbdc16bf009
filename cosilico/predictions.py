"""Predictions and verdicts on the terminal and as JSON files."""

import json
from pathlib import Path
from typing import Any

from rich.table import Table

from cosilico.api.checks import CheckResult
from cosilico.api.prediction import PredictedRun
from cosilico.console import FILE_WIDTH, Column, fitted_table, output_console, print_line
from cosilico.folder import check_file
from cosilico.inputs import input_files
from cosilico.profile import profile_of
from cosilico.profile_tables import print_profile
from cosilico.summary import EDP_SCALE, accelerator_text
from cosilico.trace_files import predicted_run
from sim.spec.files import write_atomic

__all__ = ["check_json_file", "print_check", "print_prediction", "write_json"]

_STDOUT = Path("-")


def check_json_file(
    path: Path | None, network: str, accelerator: str | None, *inputs: Path | None
) -> None:
    """Refuse a file of ``--json`` that is an input of the command or cannot be written.

    Raises
    ------
    CosilicoError, OSError
        As :func:`cosilico.folder.check_file`.
    """
    if path is None or path == _STDOUT:
        return
    check_file(path, "--json", input_files(network, accelerator, *inputs))


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document; ``-`` prints it."""
    text = json.dumps(document, indent=1) + "\n"
    if path == _STDOUT:
        print(text, end="")
    else:
        write_atomic(path, text)


def print_prediction(run: PredictedRun) -> None:
    """Print a predicted run: the answer, where cycles are lost, the memories, then every layer."""
    console = output_console()
    known = run.prediction
    images = "" if run.images == 1 else f" for {run.images} images"
    lines = (
        f"{run.design.network.name} on {accelerator_text(run.accelerator.to_json())}",
        f"{run.cycles:,} predicted cycles{images}, {run.milliseconds:.3f} ms at "
        f"{run.accelerator.clock_mhz} MHz, {known.memory} memory",
        f"{1000 * run.images / run.milliseconds:,.0f} inferences per second, "
        f"{100 * run.utilization:.1f} % of the multipliers' cycles used",
        *(
            [f"{known.cold_cycles:,} predicted cycles of the run that fills the weight store"]
            if known.store_bytes
            else []
        ),
        *(
            [f"{run.stream_cycles:,} predicted cycles of each image of a stream"]
            if run.stream_cycles is not None
            else []
        ),
        f"EXECUTE busy {known.execute_busy:,}, waits for LOAD {known.execute_wait_load:,}, "
        f"for STORE {known.execute_wait_store:,} cycles",
        f"area {run.area_mm2:.3f} mm² in 45 nm",
        f"energy {energy_text(run.energy_pj, run.edp)}, in 45 nm",
        *(
            [
                f"energy {energy_text(run.cold_energy_pj, run.cold_edp)} of the run that fills the weight store"
            ]
            if known.store_bytes
            else []
        ),
    )
    for line in lines:
        print_line(console, line)
    program = predicted_run(run.mapped, known)
    print_profile(console, profile_of(program.mapped, known, program.timeline))
    console.print(part_table(run, console.width))
    console.print(prediction_table(run, console.width))


def energy_text(picojoules: float, edp: float) -> str:
    """Return an energy and an energy-delay product, which is in pJ · s."""
    return f"{picojoules * 1e-6:.2f} µJ, energy-delay product {edp * EDP_SCALE:.4g} µJ·ms"


def part_table(run: PredictedRun, width: int = FILE_WIDTH) -> Table:
    """Energy by part, the largest first; of a cold run as well, where the weight store keeps weights."""
    known = [run.energy_by_part]
    columns = [Column("energy"), Column("µJ", right=True), Column("share", right=True, rank=1)]
    if run.prediction.store_bytes:
        known.append(run.cold_energy_by_part)
        columns.append(Column("cold, µJ", right=True, rank=2))
    parts = sorted(known[0], key=lambda part: -known[0][part])
    rows = [
        [
            part.replace("_", " "),
            f"{known[0][part] * 1e-6:.3f}",
            f"{100 * known[0][part] / run.energy_pj:.1f} %",
            *(f"{other[part] * 1e-6:.3f}" for other in known[1:]),
        ]
        for part in parts
        if any(energies[part] for energies in known)
    ]
    return fitted_table(width, columns, rows)


def prediction_table(run: PredictedRun, width: int = FILE_WIDTH) -> Table:
    """Cycles, bytes and energy of every layer, and of the program."""
    columns = (
        Column("layer"),
        Column("kind", rank=4),
        Column("MACs", right=True, rank=3),
        Column("cycles", right=True),
        Column("utilization", right=True, rank=1),
        Column("bytes read", right=True, rank=2),
        Column("bytes written", right=True, rank=2),
        Column("µJ", right=True, rank=1),
    )
    rows = [
        (
            layer["layer"],
            layer["kind"],
            f"{layer['macs']:,}",
            f"{layer['predicted_cycles']:,}",
            f"{100 * layer['utilization']:.1f} %" if layer["macs"] else "",
            f"{layer['read_bytes']:,}",
            f"{layer['write_bytes']:,}",
            f"{layer['energy_pj'] * 1e-6:.3f}",
        )
        for layer in run.layers
    ]
    total = (
        *("total", "", f"{run.design.network.macs:,}", f"{run.cycles:,}"),
        *(f"{100 * run.utilization:.1f} %", f"{run.read_bytes:,}", f"{run.write_bytes:,}"),
        f"{run.energy_pj * 1e-6:.3f}",
    )
    return fitted_table(width, columns, [*rows, total], sections=(len(rows) - 1,))


def print_check(verdict: CheckResult) -> None:
    """Print a verdict: a line if realizable, else a line for every broken rule."""
    console = output_console()
    subject = f"{verdict.network} on {accelerator_text(verdict.accelerator.to_json())}"
    lines = [f"{broken.code}: {broken.detail}" for broken in verdict.violations]
    for line in (f"{subject}: {'realizable' if verdict else 'not realizable'}", *lines):
        print_line(console, line)
