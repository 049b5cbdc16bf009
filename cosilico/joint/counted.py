"""Parts of an earlier enumeration, to be priced anew: their cycles and counts are taken, and drawn pairs predicted again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.columns import Costing
from sim.cost.costs import evaluate_many
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError
from sim.spec.limits import Limits
from sim.spec.memories import MemorySystem
from sim.spec.network import Network
from sim.sweep import SweepColumn

__all__ = ["COUNTS", "CountedPart"]

COUNTS = ("execute_busy", "read_bytes", "write_bytes", "store_bytes", "descriptor_bytes")
"""Counts of a run that its energy follows from, beside the cycles and the network."""

_SWEPT = {
    "cycles": SweepColumn.CYCLES,
    "execute_busy": SweepColumn.EXECUTE_BUSY,
    "read_bytes": SweepColumn.READ_BYTES,
    "write_bytes": SweepColumn.WRITE_BYTES,
    "store_bytes": SweepColumn.STORE_BYTES,
    "descriptor_bytes": SweepColumn.DESCRIPTOR_BYTES,
}

_AGAIN = 2
"""Pairs of every network that are predicted again."""


class CountedPart:
    """Cycles, counts and broken rules of a part's pairs, as an enumeration with other prices has them.

    Parameters
    ----------
    file : Path
        Of the part.

    Raises
    ------
    DesignFileError
        If there is no such part, or it has not all counts: an earlier version wrote fewer.
    """

    def __init__(self, file: Path) -> None:
        from pyarrow import ArrowException, parquet

        names = ["network", "accelerator", "predicted_cycles", *COUNTS, "violations"]
        try:
            there = parquet.read_schema(file).names
            missing = ", ".join(name for name in names if name not in there)
            if not missing:
                table = parquet.read_table(file, columns=names)
                columns = {name: table[name].to_numpy() for name in names}
        except (ArrowException, OSError):
            raise DesignFileError(f"counts {file} must be a part of an enumeration") from None
        if missing:
            raise DesignFileError(
                f"counts {file} must be a part with all counts of a run, but has no {missing}: enumerate without --counts"
            )
        self._file = file
        self._columns = columns | {"cycles": columns["predicted_cycles"]}

    def table(
        self,
        configs: Sequence[AcceleratorConfig],
        network: Network,
        number: int,
        columns: Sequence[str],
        memory: MemorySystem,
        limits: Limits,
    ) -> CostTable:
        """Costs of a network with today's prices on all accelerators of the part.

        Parameters
        ----------
        configs : sequence of AcceleratorConfig
            Of the part, in its order.
        network : Network
        number : int
            That of the network in the part.
        columns : sequence of str
            Of the table.
        memory : MemorySystem
            What lies behind the ports.
        limits : Limits
            Of the space.

        Raises
        ------
        DesignFileError
            If the part has not a row for each accelerator, or the model predicts other counts for one of the drawn pairs.
        """
        rows = np.flatnonzero(self._columns["network"] == number)
        if len(rows) != len(configs):
            raise DesignFileError(
                f"counts {self._file} must have {len(configs):,} accelerators of network {number}, not {len(rows):,}"
            )
        violations = [tuple(text.split()) for text in self._columns["violations"][rows]]
        swept = np.zeros((len(rows), len(SweepColumn)), np.int64)
        for name, place in _SWEPT.items():
            swept[:, place] = self._columns[name][rows]
        random = np.random.default_rng(number)
        drawn = random.choice(len(configs), min(_AGAIN, len(configs)), replace=False)
        again = evaluate_many(
            [configs[row] for row in drawn.tolist()],
            network,
            columns=tuple(_SWEPT),
            memory=memory,
            limits=limits,
        )
        self._require_predicted(again, network, drawn, swept, violations)
        realizable = np.array([not codes for codes in violations], np.bool_)
        costing = Costing(configs=configs, network=network, sweep=swept, realizable=realizable)
        return CostTable(
            configs=tuple(configs),
            violations=violations,
            excess=np.zeros(len(rows)),
            values={name: costing[name] for name in columns},
        )

    def _require_predicted(
        self,
        again: CostTable,
        network: Network,
        drawn: NDArray[np.int64],
        swept: NDArray[np.int64],
        violations: Sequence[tuple[str, ...]],
    ) -> None:
        """Raise unless the model predicts the counts of the drawn rows."""
        for place, row in enumerate(drawn.tolist()):
            facts: dict[str, tuple[Any, Any]] = {
                name: (int(again[name][place]), int(swept[row, column]))
                for name, column in _SWEPT.items()
            }
            facts["broken rules"] = (
                " ".join(again.violations[place]) or "none",
                " ".join(violations[row]) or "none",
            )
            for name, (predicted, kept) in facts.items():
                if predicted != kept:
                    raise DesignFileError(
                        f"counts {self._file} must have the {name} that the model predicts, {predicted} for {network.name} on "
                        f"row {row} of its accelerators, not {kept}: enumerate without --counts"
                    )
