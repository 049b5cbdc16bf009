"""Pairs of a joint space with their costs: those that no other pair beats, or some that were drawn."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.errors import DesignFileError

__all__ = ["KnownPairs", "read_front_rows"]

_COLUMNS = {"network": int, "accelerator": int, "predicted_cycles": int, "energy": float}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownPairs:
    """Realizable pairs, k of them, with their costs: :class:`sim.cost.objective.Costs`.

    Parameters
    ----------
    network, accelerator : int64[k]
        Numbers of the pair.
    columns : dict of str to array
        ``cycles`` int64[k], ``energy`` float64[k] in pJ and ``area`` float64[k] in mm².
    """

    network: NDArray[np.int64]
    accelerator: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column by its name."""
        return self.columns[column]

    def select(self, rows: NDArray[np.int64]) -> "KnownPairs":
        """Pairs of the given rows, in their order."""
        return KnownPairs(
            network=self.network[rows],
            accelerator=self.accelerator[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
        )

    @property
    def realizable(self) -> NDArray[np.bool_]:
        """All are: bool[k]."""
        return np.ones(len(self.network), np.bool_)


def read_front_rows(path: Path, areas: NDArray[np.float64], networks: int) -> KnownPairs:
    """Read the front that an enumeration wrote.

    Parameters
    ----------
    path : Path
    areas : float64[m]
        Of all accelerators.
    networks : int
        How many there are.

    Raises
    ------
    DesignFileError
        If the file is absent, or a line is no pair of the enumeration.
    """
    rows: list[list[float]] = []
    try:
        with path.open(newline="") as lines:
            for line, row in enumerate(csv.DictReader(lines), 2):
                try:
                    values = [kind(row[name]) for name, kind in _COLUMNS.items()]
                    if not (0 <= values[0] < networks and 0 <= values[1] < len(areas)):
                        raise ValueError
                except (KeyError, TypeError, ValueError):
                    raise DesignFileError(
                        f"front {path}: line {line} must be a pair of the enumeration"
                    ) from None
                rows.append(values)
    except OSError as error:
        raise DesignFileError(f"front {path} must be a file: {error.strerror}") from None
    network, accelerator, cycles, energy = (
        np.array([row[place] for row in rows]) for place in range(len(_COLUMNS))
    )
    points = accelerator.astype(np.int64)
    return KnownPairs(
        network=network.astype(np.int64),
        accelerator=points,
        columns={
            "cycles": cycles.astype(np.int64),
            "energy": energy.astype(np.float64),
            "area": areas[points],
        },
    )
