"""Union of vectors of which at most one vector is not zero."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Union"]


class Union(wiring.Component):
    """Bitwise or of `count` vectors.

    Latency: none, combinational.

    Parameters
    ----------
    count : int
        Vectors.
    width : int
        Bits of each.

    Members
    -------
    vectors : In(width).array(count)
        At most one vector is not 0.
    vector : Out(width)
        The vector that is not 0, or 0.
    """

    def __init__(self, count: int, width: int) -> None:
        """Create a union of `count` vectors."""
        self.count = count
        self.width = width
        super().__init__({"vectors": In(width).array(count), "vector": Out(width)})

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        union: Any = 0
        for vector in self.vectors:
            union = union | vector
        m.d.comb += self.vector.eq(union)
        return m
