"""Local memories below those of `edge` against weight stores and wider buses: where the optimum of all three lies.

`edge` has no local memory of less than 128 KiB, and MobileNetV2 needs no more, so that its optimum lies at the end of the list. The
space here goes down to 16 KiB and up to 50 GB/s around the optima of `edge`. Under the default's area and under half of it stand
the accelerators of fewest warm and of fewest cold cycles, the fewest warm cycles for each pair of local memory and weight
store, and the best memories for each bandwidth.

    python benchmarks/small_memories.py [--out benchmarks/small_memories.json] [--networks NAME ...] [--jobs 2]

Nothing in the file depends on the machine; `benchmarks/pages.py` makes tables of it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.enumeration import census
from memory_trade import BUDGETS, ENTRIES, best_row, within_share, write_trades
from sim.cost.area import area
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE, HardwareSpace

__all__ = ["SPACE", "main", "trade"]

SPACE = HardwareSpace(
    name="small_memories",
    clock_mhz=EDGE.clock_mhz,
    values={
        "pes_x": (4, 6, 7, 8),
        "pes_y": (4, 6, 7, 8),
        "simd_units": (32, 64, 128),
        "compute_lanes": (1, 2, 4),
        "local_memory_kb": (16, 32, 64, 96, 128, 256),
        "register_file_kb": (8, 16, 32),
        "io_bandwidth_gbps": (12.5, 20.0, 25.0, 37.5, 50.0),
        "weight_store_kb": EDGE.values["weight_store_kb"],
    },
    default=AcceleratorConfig(
        pes_x=8,
        pes_y=7,
        simd_units=32,
        compute_lanes=4,
        local_memory_kb=128,
        register_file_kb=8,
        io_bandwidth_gbps=25.0,
        clock_mhz=EDGE.clock_mhz,
        weight_store_kb=4096,
    ),
)
"""Around the optima of `edge`; its default is that of MobileNetV2."""


def main() -> None:
    """Enumerate each network's accelerators; write all results anew after each network."""
    write_trades(__doc__ or "", Path(__file__), SPACE, lambda table, _: trade(table, SPACE))


def trade(table: CostTable, space: HardwareSpace) -> dict[str, Any]:
    """Census of an enumerated space, its optima, and the fewest cycles of its memories and bandwidths."""
    budget = area(EDGE.default).total
    within = {name: within_share(table, budget * share) for name, share in BUDGETS.items()}
    return {
        "points": len(table),
        "census": census(table),
        "optima": {
            name: {entry: _figures(table, allowed, column) for entry, column in ENTRIES.items()}
            for name, allowed in within.items()
        },
        "pairs": {name: _pairs(table, space, allowed) for name, allowed in within.items()},
        "bandwidths": {
            name: [
                {"io_bandwidth_gbps": value}
                | {
                    entry: _figures(
                        table, allowed & _has(table, "io_bandwidth_gbps", value), column
                    )
                    for entry, column in ENTRIES.items()
                }
                for value in space.values["io_bandwidth_gbps"]
            ]
            for name, allowed in within.items()
        },
    }


def _pairs(
    table: CostTable, space: HardwareSpace, allowed: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """Fewest warm cycles for each local memory, by weight store; None where none fits."""
    pairs = []
    for local in space.values["local_memory_kb"]:
        fewest = {}
        for store in space.values["weight_store_kb"]:
            own = _has(table, "local_memory_kb", local) & _has(table, "weight_store_kb", store)
            row = best_row(table, allowed & own)
            fewest[str(store)] = None if row is None else int(table["cycles"][row])
        pairs.append({"local_memory_kb": local, "warm": fewest})
    return pairs


def _has(table: CostTable, field: str, value: float) -> NDArray[np.bool_]:
    return np.array([getattr(config, field) == value for config in table.configs])


def _figures(table: CostTable, allowed: NDArray[np.bool_], column: str) -> dict[str, Any] | None:
    row = best_row(table, allowed, column)
    return None if row is None else table.figures(row)


if __name__ == "__main__":
    main()
