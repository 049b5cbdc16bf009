"""The front of several figures: rows that no other row beats in all of them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["GrowingFront", "least_rows"]


def least_rows(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows that no other row beats, in rising order; of equal rows the first.

    Parameters
    ----------
    values : float64[n, m]
        To be minimized; a row beats another if it is nowhere larger.
    """
    order = np.lexsort(values.T[::-1])  # stable: who beats a row is before it
    kept = np.empty((values.shape[1], len(values)))
    rows: list[int] = []
    for row in order:
        count = len(rows)
        if not _beaten(kept[:, :count], values[row]):
            kept[:, count] = values[row]
            rows.append(int(row))
    return np.array(sorted(rows), np.int64)


def _beaten(front: NDArray[np.float64], row: NDArray[np.float64]) -> bool:
    """Whether any column of ``front`` float64[m, n] is nowhere larger than a row float64[m]."""
    if not front.shape[1]:
        return False
    smaller = front[0] <= row[0]
    for figures, figure in zip(front[1:], row[1:], strict=True):
        smaller &= figures <= figure
    return bool(smaller.any())


class GrowingFront:
    """Front of rows that come in batches, each with a key by which equal rows are ordered.

    No more than the front and a batch are in memory.

    Parameters
    ----------
    figures : int
        Figures of a row.
    keys : int
        Numbers of a key.

    Attributes
    ----------
    values : float64[n, figures]
    keys : int64[n, keys]
        In rising order.
    """

    def __init__(self, figures: int, keys: int) -> None:
        self.values = np.zeros((0, figures))
        self.keys = np.zeros((0, keys), np.int64)

    def add(self, values: NDArray[np.float64], keys: NDArray[np.int64]) -> None:
        """Add rows whose keys are behind those of all rows before.

        Parameters
        ----------
        values : float64[n, figures]
            To be minimized.
        keys : int64[n, keys]
        """
        columns = np.ascontiguousarray(self.values.T)
        fresh = np.array([not _beaten(columns, row) for row in values], np.bool_)
        values, keys = values[fresh], keys[fresh]
        own = least_rows(values)
        values, keys = values[own], keys[own]
        # None of the front equals a row that it does not beat
        stay = np.ones(len(self.values), np.bool_)
        for row in values:
            stay &= (self.values < row).any(axis=1)
        self.values = np.concatenate([self.values[stay], values])
        self.keys = np.concatenate([self.keys[stay], keys])
