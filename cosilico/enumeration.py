"""A network on every accelerator of a space: the answer that a search is judged by."""

import csv
import io
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.gateware import current_calibration
from cosilico.networks import load_network
from cosilico.progress import Report, progress_bar
from sim import area, energy, model
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace

__all__ = ["Enumeration", "enumerate_network", "enumerate_to_file", "named_space"]

_CHUNK = 960
"""Accelerators evaluated between two movements of the progress bar."""


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


def named_space(name: str) -> HardwareSpace:
    """Hardware space of a name that a user gave."""
    if name not in HARDWARE_SPACES:
        known = ", ".join(HARDWARE_SPACES)
        raise CosilicoError(f"space must be one of {known}, not {name!r}")
    return HARDWARE_SPACES[name]


def enumerate_network(network: Network, space: HardwareSpace, report: Report) -> Enumeration:
    """Evaluate a network on every accelerator of a space."""
    configs = tuple(space)
    tables = []
    for start in range(0, len(configs), _CHUNK):
        report("accelerators", start, len(configs))
        tables.append(model.evaluate_many(configs[start : start + _CHUNK], network))
    report("accelerators", len(configs), len(configs))
    violations = [codes for table in tables for codes in table.violations]
    cycles, execute_busy, read_bytes, write_bytes = (
        np.concatenate([getattr(table, name) for table in tables])
        for name in ("cycles", "execute_busy", "read_bytes", "write_bytes")
    )
    energies = np.zeros(len(configs))
    for i, config in enumerate(configs):
        if not violations[i]:
            activity = energy.Activity(
                execute_busy=int(execute_busy[i]),
                read_bytes=int(read_bytes[i]),
                write_bytes=int(write_bytes[i]),
                layers=network.layers,
            )
            energies[i] = energy.energy(config, activity).total
    return Enumeration(
        configs=configs,
        violations=violations,
        cycles=cycles,
        execute_busy=execute_busy,
        read_bytes=read_bytes,
        write_bytes=write_bytes,
        area=np.array([area.area(config).total for config in configs]),
        energy=energies,
    )


def enumerate_to_file(network_path: Path, space_name: str, out: Path) -> None:
    """Write the enumeration as CSV, or as Parquet if ``out`` ends in ``.parquet``."""
    space = named_space(space_name)
    current_calibration()
    parquet = out.suffix == ".parquet"
    if parquet and find_spec("pyarrow") is None:
        raise CosilicoError(f"{out} must end in .csv, as pyarrow is not installed")
    network = load_network(network_path)
    with progress_bar() as report:
        table = enumerate_network(network, space, report)
    write_atomic(out, _parquet(table) if parquet else _csv(table))
    realizable = int(table.realizable.sum())
    print(f"{out}: {len(table.configs)} accelerators, {realizable} realizable")


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
