"""CRC-32 of a stream of bus beats."""

from functools import reduce
from operator import xor
from typing import Any

from amaranth.hdl import Cat, Const

__all__ = ["CRC_BITS", "CRC_RESIDUE", "CRC_START", "crc_step"]

CRC_BITS = 32

CRC_START = 0xFFFFFFFF
"""Register before the first bit; a check word is the complement of the register after the last."""

CRC_RESIDUE = 0xDEBB20E3
"""Register after data and, in little endian order, the data's own check word."""

_POLYNOMIAL = 0xEDB88320
"""IEEE 802.3, clause 3.2.9, lowest bit first, as in zlib."""


def crc_step(register: Any, word: Any) -> Any:
    """Return the CRC register after all bits of `word`, the lowest first.

    Every bit of the result is one exclusive or of bits of `register` and `word`.
    """
    inputs = [*register, *word]
    # Which inputs each bit of the register is the sum of, as a mask
    state = [1 << index for index in range(CRC_BITS)]
    for index in range(CRC_BITS, len(inputs)):
        feedback = state[0] ^ 1 << index
        state = [*state[1:], 0]
        state = [mask ^ feedback * (_POLYNOMIAL >> bit & 1) for bit, mask in enumerate(state)]
    return Cat(
        reduce(xor, [value for i, value in enumerate(inputs) if mask >> i & 1], Const(0, 1))
        for mask in state
    )
