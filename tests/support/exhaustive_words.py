"""Kernel of a proof by exhaustion: pairs of functions for every value of their bits, 64 values in a word."""

import numpy as np
from numba import njit

__all__ = ["BLOCK_BITS", "first_difference"]

BLOCK_BITS = 12
"""Bits that number the values of a block: functions are computed for all of it, conjunction by conjunction."""

_WORD_BITS = 6
_WORDS = 1 << (BLOCK_BITS - _WORD_BITS)


@njit(cache=True)
def first_difference(conjunctions, places, pairs, bits, stop, step):
    """First block in which a pair of functions differs, or -1.

    Parameters
    ----------
    conjunctions : int64[n, 3]
        Place that each is written to, and the two literals that it is of: twice the place, and 1 more if negated.
        Place 0 is false, places from 1 on are the bits, the lowest first.
    places : int
    pairs : int64[m, 2]
        Literals that must be the same. Their places are not written to again.
    bits : int
        At least ``BLOCK_BITS``.
    stop, step : int
        Blocks 0, ``step``, … below ``stop``.
    """
    values = np.zeros((places, _WORDS), np.uint64)
    full = ~np.uint64(0)
    for bit in range(_WORD_BITS):
        pattern = np.uint64(0)
        for place in range(1 << _WORD_BITS):
            if place >> bit & 1:
                pattern |= np.uint64(1) << np.uint64(place)
        values[1 + bit, :] = pattern
    for block in range(0, stop, step):
        for bit in range(_WORD_BITS, bits):
            for word in range(_WORDS):
                set_bit = (block * _WORDS + word) >> (bit - _WORD_BITS) & 1
                values[1 + bit, word] = full if set_bit else np.uint64(0)
        for row in range(conjunctions.shape[0]):
            to, left, right = conjunctions[row, 0], conjunctions[row, 1], conjunctions[row, 2]
            turn_left = full if left & 1 else np.uint64(0)
            turn_right = full if right & 1 else np.uint64(0)
            a, b = left >> 1, right >> 1
            for word in range(_WORDS):
                values[to, word] = (values[a, word] ^ turn_left) & (values[b, word] ^ turn_right)
        different = np.uint64(0)
        for row in range(pairs.shape[0]):
            left, right = pairs[row, 0], pairs[row, 1]
            turn = full if (left ^ right) & 1 else np.uint64(0)
            for word in range(_WORDS):
                different |= values[left >> 1, word] ^ values[right >> 1, word] ^ turn
        if different:
            return block
    return -1
