"""The hypervolume of two costs: how much of the plane a set of designs beats."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.pareto import pareto_front

__all__ = ["hypervolume"]


def hypervolume(
    first: NDArray[Any],
    second: NDArray[Any],
    eligible: NDArray[np.bool_],
    reference: tuple[float, float],
) -> float:
    """Area between the Pareto front of two costs and a reference point (Zitzler & Thiele, 1998).

    Parameters
    ----------
    first, second : number[n]
        To be minimized.
    eligible : bool[n]
        Which positions count.
    reference : tuple of two numbers
        Costs that a design must be below, in both, to count.
    """
    inside = eligible & (first < reference[0]) & (second < reference[1])
    volume, height = 0.0, reference[1]
    for row in pareto_front(first, second, inside):  # by rising first, so by falling second
        volume += (reference[0] - float(first[row])) * (height - float(second[row]))
        height = float(second[row])
    return volume
