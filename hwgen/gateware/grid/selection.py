"""Selection: which of a PE's banks feeds a lane, and which lane a bank stores."""

from typing import Any

from amaranth.hdl import Mux, Signal

__all__ = ["select"]


def select(m: Any, name: str, vectors: Any, mask: Any, base: Any) -> list[Any]:
    """Return for every index i the vector ``(i & mask) | base``; 0 beyond the last vector.

    One multiplexer of two per vector and index bit: each stage replaces one bit of all indices.

    Parameters
    ----------
    m : Module
        Module that gets the multiplexers.
    name : str
        Name of the selected vectors.
    vectors : sequence of Value
        Vectors of the same width.
    mask, base : Value
        Bits of an index, at least ⌈log2(number of vectors)⌉ of them.
    """
    count = len(vectors)
    bits = (count - 1).bit_length()
    stage = list(vectors)
    for bit in range(bits):
        chosen = []
        for index in range(1 << bits):
            selected = Signal(len(vectors[0]), name=f"{name}_{bit}_{index}")
            shifted = base[bit] | mask[bit] if index >> bit & 1 else base[bit]
            low, high = (
                stage[source] if source < len(stage) else 0
                for source in (index & ~(1 << bit), index | 1 << bit)
            )
            m.d.comb += selected.eq(Mux(shifted, high, low))
            chosen.append(selected)
        stage = chosen
    return stage[:count]
