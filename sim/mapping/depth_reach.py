"""Depths of local memory with which a network is mapped alike: every comparison with the depth is noted.

Whatever asks whether vectors fit in a bank asks here. The mapping is the same for every depth that answers all these questions as
the mapped one did.
"""

from sim.arrays.kernel import in_place

__all__ = ["ANY_DEPTH", "LEAST", "MOST", "any_depth", "fits_depth"]

LEAST, MOST = range(2)
"""Places of the least and the largest depth in a reach: int64[2]."""

ANY_DEPTH = 1 << 60
"""MOST where nothing was refused."""


@in_place
def any_depth(reach):
    """Begin a reach: nothing was asked."""
    reach[LEAST], reach[MOST] = 0, ANY_DEPTH


@in_place
def fits_depth(vectors, depth, reach):
    """Whether so many vectors fit in a bank of that depth; the reach is narrowed to depths that say the same."""
    if vectors > depth:
        reach[MOST] = min(reach[MOST], vectors - 1)
        return False
    reach[LEAST] = max(reach[LEAST], vectors)
    return True
