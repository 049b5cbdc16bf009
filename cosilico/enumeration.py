"""A network on every accelerator of a space: the answer that a search is judged by."""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.table import Table

from cosilico.accelerators import named_space
from cosilico.console import Column, fitted_table, output_console
from cosilico.evaluation import evaluate_chunks
from cosilico.extras import require_module
from cosilico.folder import check_file
from cosilico.gateware import current_calibration, current_silicon_fits
from cosilico.inputs import network_files
from cosilico.networks import network_argument
from cosilico.progress import Report, progress_bar
from cosilico.summary import accelerator_text
from sim.cost.area import area_budget as space_budget
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.files import file_to_replace, write_atomic
from sim.spec.memories import DETERMINISTIC, MemorySystem, require_fixed
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = ["census", "enumerate_network", "enumerate_to_file"]


def census(table: CostTable) -> dict[str, int]:
    """Numbers of accelerators that are realizable and that break each rule, most first, then by code."""
    broken = Counter(code for codes in table.violations for code in set(codes))
    most_first = sorted(broken.items(), key=lambda item: (-item[1], item[0]))
    return {"realizable": int(table.realizable.sum())} | dict(most_first)


def enumerate_network(
    network: Network,
    space: Iterable[AcceleratorConfig],
    report: Report,
    *,
    jobs: int = 1,
    memory: MemorySystem = DETERMINISTIC,
    images: int = 1,
) -> CostTable:
    """Evaluate a network on every accelerator of a space, or on any others, in ``jobs`` processes.

    The costs are those of a program of so many ``images``. Accelerators of a space have to fit its FPGA.
    """
    configs = tuple(space)
    fpga = space.fpga if isinstance(space, HardwareSpace) else None
    if fpga is not None:
        current_silicon_fits()
    chunks = []
    report("accelerators", 0, len(configs))
    done = 0
    for chunk in evaluate_chunks(network, configs, jobs, memory=memory, images=images, fpga=fpga):
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
    memory: MemorySystem = DETERMINISTIC,
) -> None:
    """Write the enumeration as CSV or Parquet, as ``out`` ends.

    Prints which rules the accelerators break and the fastest within the area budget.

    Parameters
    ----------
    network_name : str
        See :func:`cosilico.networks.network_argument`.
    space_name : str
    out : Path
    area_budget : float, optional
        mm² of the area proxy; the area of the space's default if not given.
    seed : int
        Of a named network's weights, which change no figure.
    jobs : int, optional
        Processes; one per core if not given.
    memory : MemorySystem
        What lies behind the ports.
    """
    require_fixed(memory)
    write = _writer(out)
    check_file(out, "--out", network_files(network_name))
    space = named_space(space_name)
    current_calibration()
    network = network_argument(network_name, seed)
    with progress_bar() as report:
        table = enumerate_network(
            network, space, report, jobs=jobs or os.cpu_count() or 1, memory=memory
        )
    write_atomic(out, write(table))
    console = output_console()
    behind = "" if memory == DETERMINISTIC else f", {memory} memory"
    title = f"{network.name} on the {space.name} space{behind}"
    console.print(_census_table(table, title, console.width))
    budget = space_budget(space) if area_budget is None else area_budget
    console.print(_optimum_line(table, budget), highlight=False, soft_wrap=True)
    realizable = int(table.realizable.sum())
    print(f"{out}: {len(table)} accelerators, {realizable} realizable")


def _census_table(table: CostTable, title: str, width: int) -> Table:
    columns = (
        Column("accelerators"),
        Column("points", right=True),
        Column("share", right=True, rank=1),
    )
    rows = []
    for name, points in census(table).items():
        label = name if name == "realizable" else f"break {name}"
        rows.append((label, f"{points:,}", f"{100 * points / len(table):.1f} %"))
    return fitted_table(width, columns, rows, title=title)


def _optimum_line(table: CostTable, budget: float) -> str:
    row = table.optimum(budget)
    if row is None:
        return f"no realizable accelerator has an area of at most {budget:.3f} mm²"
    config, cost = table.configs[row], table.row(row)
    cycles = cost["cycles"]
    cold = f" ({cost['cold_cycles']:,} cold)" if cost["store_bytes"] else ""
    return (
        f"fastest within {budget:.3f} mm²: {accelerator_text(config.to_json())}\n"
        f"  {cycles:,} cycles{cold}, {cycles / (config.clock_mhz * 1000):.3f} ms, "
        f"{cost['area']:.3f} mm², {cost['energy'] * 1e-6:.2f} µJ"
    )


def _writer(out: Path) -> Callable[[CostTable], str | bytes]:
    """Form that a file's name asks for; a device has none and gets CSV."""
    device = file_to_replace(out) is None
    if not device and out.suffix not in (".csv", ".parquet"):
        raise CosilicoError(f"--out must end in .csv or .parquet, not {str(out)!r}")
    if out.suffix != ".parquet":
        return _csv
    require_module("cosilico enumerate to a .parquet file", "pyarrow")
    return _parquet


def _csv(table: CostTable) -> str:
    columns = table.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _parquet(table: CostTable) -> bytes:
    import pyarrow
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(table.columns()), buffer)
    return buffer.getvalue()
