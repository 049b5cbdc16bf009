"""The Pareto front of two costs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pareto_front"]


def pareto_front(
    first: NDArray[Any], second: NDArray[Any], eligible: NDArray[np.bool_]
) -> list[int]:
    """Positions that no other beats in both costs, by rising ``first``; the earliest of equals.

    Parameters
    ----------
    first, second : number[n]
        To be minimized.
    eligible : bool[n]
        Where not, a position is neither in the front nor beats another.
    """
    rows = np.flatnonzero(eligible)
    rows = rows[np.lexsort((second[rows], first[rows]))]
    least, front = np.inf, []
    for row in rows:
        if second[row] < least:
            least = second[row]
            front.append(int(row))
    return front
