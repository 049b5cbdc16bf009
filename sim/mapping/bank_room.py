"""Banks for which a plan is the same: their depths, as far as the mapper has asked what fits.

A plan depends on a bank's depth by nothing but answers to that question. It is therefore the same for all depths at which each of them is.
"""

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place

__all__ = ["BEYOND", "LEAST", "MOST", "any_depth", "fits", "note_depths"]

LEAST, BEYOND = range(2)
"""Places of the least depth, and of the least that is too large."""

MOST = 1 << 40
"""More vectors than any bank has."""


def any_depth() -> NDArray[np.int64]:
    """Depths [LEAST, BEYOND) as long as nothing was asked."""
    return np.array([0, MOST], np.int64)


@in_place
def fits(size, depth, depths):
    """Whether so many vectors fit into a bank; ``depths`` are then those with the same answer."""
    if size <= depth:
        depths[LEAST] = max(depths[LEAST], size)
        return True
    depths[BEYOND] = min(depths[BEYOND], size)
    return False


@in_place
def note_depths(least, beyond, depths):
    """Leave of ``depths`` those from ``least`` on before ``beyond``."""
    depths[LEAST] = max(depths[LEAST], least)
    depths[BEYOND] = min(depths[BEYOND], beyond)
