"""Access times of on-chip memories at 45 nm.

CACTI 7 (as in the package ``hwcomponents-cacti`` 1.0.40, MIT licence): 45 nm, ITRS-HP cells and periphery,
360 K, scratch RAM, one bank, optimized for area within 60 % of the least delay. A memory with two ports
reads with the first and writes with the second. Rows of 64 and of 512 bits give the same times, or less, for
the same number of bytes.
"""

from bisect import bisect_left

from sim.timing.clock_reach import MACRO_KB, SLICE_BITS

__all__ = ["access_ns"]

_KB = (0.5, 1, 2, 4, 8, 16, 32, 64)
_TWO_PORT_NS = (0.200, 0.226, 0.234, 0.298, 0.324, 0.382, 0.494, 0.773)
_SINGLE_PORT_NS = (0.187, 0.208, 0.217, 0.269, 0.287, 0.325, 0.408, 0.605)


def access_ns(width: int, depth: int, *, single_port: bool = False) -> float:
    """Time from the clock edge to the data at the output of one of a memory's macros, in ns.

    The table's next larger size counts.
    """
    size = min(_slice_kb(width, depth), MACRO_KB)
    return (_SINGLE_PORT_NS if single_port else _TWO_PORT_NS)[bisect_left(_KB, size)]


def _slice_kb(width: int, depth: int) -> float:
    """Size of the memory, or of one of its slices, in KiB."""
    return min(width, SLICE_BITS) * depth / 8192
