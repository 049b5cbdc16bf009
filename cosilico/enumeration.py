"""A network on every accelerator of a space: the answer that a search is judged by."""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from cosilico.accelerators import named_space
from cosilico.console import Column, fitted_table, output_console
from cosilico.evaluation import evaluate_chunks
from cosilico.folder import check_file
from cosilico.gateware import current_calibration
from cosilico.inputs import network_files
from cosilico.networks import network_argument
from cosilico.progress import Report, progress_bar
from cosilico.summary import accelerator_text
from sim.cost.area import area
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.files import file_to_replace, write_atomic
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = ["Enumeration", "census", "enumerate_network", "enumerate_to_file"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enumeration:
    """One row per accelerator, in the space's order.

    Parameters
    ----------
    configs : tuple of AcceleratorConfig
    violations : list of tuple of str
        Codes of the broken rules; empty where realizable.
    cycles, execute_busy, read_bytes, write_bytes : int64[n]
        Of one image; 0 where not realizable.
    area : float64[n]
        mm² of the area proxy.
    energy : float64[n]
        pJ of the energy proxy, one image; 0 where not realizable.
    """

    configs: tuple[AcceleratorConfig, ...]
    violations: list[tuple[str, ...]]
    cycles: NDArray[np.int64]
    execute_busy: NDArray[np.int64]
    read_bytes: NDArray[np.int64]
    write_bytes: NDArray[np.int64]
    area: NDArray[np.float64]
    energy: NDArray[np.float64]

    @property
    def realizable(self) -> NDArray[np.bool_]:
        """Where no rule is broken: bool[n]."""
        return np.array([not codes for codes in self.violations], np.bool_)

    def cost(self, objective: str) -> NDArray[np.float64]:
        """What "latency" or "edp" minimizes: float64[n], meaningless where not realizable."""
        cycles = self.cycles.astype(np.float64)
        return cycles * self.energy if objective == "edp" else cycles

    def optimum(self, area_budget: float, objective: str = "latency") -> int | None:
        """Row of least cost within the budget, then of least area; None if none fits."""
        rows = np.flatnonzero(self.realizable & (self.area <= area_budget))
        if not len(rows):
            return None
        return int(rows[np.lexsort((self.area[rows], self.cost(objective)[rows]))[0]])

    def front(self) -> list[int]:
        """Rows that no other beats in both cycles and area, by rising cycles."""
        rows = np.flatnonzero(self.realizable)
        rows = rows[np.lexsort((self.area[rows], self.cycles[rows]))]
        best, front = np.inf, []
        for row in rows:
            if self.area[row] < best:
                best = self.area[row]
                front.append(int(row))
        return front

    def columns(self) -> dict[str, list[Any]]:
        """Return the table by column: the fields of the accelerator, then what was found."""
        fields = {name: [] for name in self.configs[0].to_json()}  # type: dict[str, list[Any]]
        for config in self.configs:
            for name, value in config.to_json().items():
                fields[name].append(value)
        return fields | {
            "macs_per_cycle": [config.macs for config in self.configs],
            "violations": [" ".join(codes) for codes in self.violations],
            "predicted_cycles": self.cycles.tolist(),
            "execute_busy": self.execute_busy.tolist(),
            "read_bytes": self.read_bytes.tolist(),
            "write_bytes": self.write_bytes.tolist(),
            "area": self.area.tolist(),
            "energy": self.energy.tolist(),
        }


def census(table: Enumeration) -> dict[str, int]:
    """How many accelerators are realizable, and how many break each rule, most first."""
    broken = Counter(code for codes in table.violations for code in set(codes))
    return {"realizable": int(table.realizable.sum())} | dict(broken.most_common())


def enumerate_network(
    network: Network, space: HardwareSpace, report: Report, *, jobs: int = 1
) -> Enumeration:
    """Evaluate a network on every accelerator of a space, in ``jobs`` processes."""
    configs = tuple(space)
    chunks = []
    report("accelerators", 0, len(configs))
    done = 0
    for chunk in evaluate_chunks(network, configs, jobs):
        chunks.append(chunk)
        done += len(chunk.cycles)
        report("accelerators", done, len(configs))
    columns = (
        np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("cycles", "execute_busy", "read_bytes", "write_bytes", "area", "energy")
    )
    cycles, execute_busy, read_bytes, write_bytes, areas, energies = columns
    return Enumeration(
        configs=configs,
        violations=[codes for chunk in chunks for codes in chunk.violations],
        cycles=cycles,
        execute_busy=execute_busy,
        read_bytes=read_bytes,
        write_bytes=write_bytes,
        area=areas,
        energy=energies,
    )


def enumerate_to_file(
    network_name: str,
    space_name: str,
    out: Path,
    *,
    area_budget: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
) -> None:
    """Write the enumeration as CSV or Parquet, as ``out`` ends.

    Prints which rules the accelerators break and the fastest one within the area budget.

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
    """
    write = _writer(out)
    check_file(out, "--out", network_files(network_name))
    space = named_space(space_name)
    current_calibration()
    network = network_argument(network_name, seed)
    with progress_bar() as report:
        table = enumerate_network(network, space, report, jobs=jobs or os.cpu_count() or 1)
    write_atomic(out, write(table))
    console = output_console()
    title = f"{network.name} on the {space.name} space"
    console.print(_census_table(table, title, console.width))
    budget = area(space.default).total if area_budget is None else area_budget
    console.print(_optimum_line(table, budget), highlight=False, soft_wrap=True)
    realizable = int(table.realizable.sum())
    print(f"{out}: {len(table.configs)} accelerators, {realizable} realizable")


def _census_table(table: Enumeration, title: str, width: int) -> Table:
    columns = (
        Column("accelerators"),
        Column("points", right=True),
        Column("share", right=True, rank=1),
    )
    rows = []
    for name, points in census(table).items():
        label = name if name == "realizable" else f"break {name}"
        rows.append((label, f"{points:,}", f"{100 * points / len(table.configs):.1f} %"))
    return fitted_table(width, columns, rows, title=title)


def _optimum_line(table: Enumeration, budget: float) -> str:
    row = table.optimum(budget)
    if row is None:
        return f"no realizable accelerator has an area of at most {budget:.3f} mm²"
    config, cycles = table.configs[row], int(table.cycles[row])
    return (
        f"fastest within {budget:.3f} mm²: {accelerator_text(config.to_json())}\n"
        f"  {cycles:,} cycles, {cycles / (config.clock_mhz * 1000):.3f} ms, "
        f"{table.area[row]:.3f} mm², {table.energy[row] * 1e-6:.2f} µJ"
    )


def _writer(out: Path) -> Callable[[Enumeration], str | bytes]:
    """Form that a file's name asks for; a device has none and gets CSV."""
    device = file_to_replace(out) is None
    if not device and out.suffix not in (".csv", ".parquet"):
        raise CosilicoError(f"--out must end in .csv or .parquet, not {str(out)!r}")
    if out.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise CosilicoError(f"{out} must end in .csv, as pyarrow is not installed")
    return _parquet if out.suffix == ".parquet" else _csv


def _csv(table: Enumeration) -> str:
    columns = table.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _parquet(table: Enumeration) -> bytes:
    import pyarrow
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(table.columns()), buffer)
    return buffer.getvalue()
