"""A memo for kernels: results by the numbers that they depend on, in one array of a process's thread.

What a layer weighs on its tiles depends on its shape and on the PEs, lanes and registers of an accelerator, and on little else.
Networks share most of their layers' shapes, and accelerators of a grid most of that. A kernel writes all numbers that a result depends
on as a *key*, looks it up, and computes and keeps the result if it is not there.
"""

import threading

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place

__all__ = ["KEY", "empty_memo", "forget", "keep", "look_up", "own_memo"]

# Head of a memo: the number of its slots, a power of two; the words in use behind them; the entries. Then the key that is looked
# for, the slots (the word in which an entry begins, 0: none), and the entries: length of the key, key, result.
_SLOTS, _USED, _ENTRIES = range(3)

KEY = 3
"""Word of a memo in which a key is written."""

_LONGEST = 61
"""Most words of a key."""

_FIRST = KEY + _LONGEST
"""Word of the first slot."""

_FACTOR, _MASK = 0x5BD1E995, (1 << 32) - 1
"""An odd number whose products mix the bits of a key's words, and those bits: products have less than 64."""

SLOTS = 1 << 19
"""Slots of a thread's memo. It forgets everything when half of them are taken, or when it is full."""

WORDS = 12 << 20
"""Words of a thread's memo: 96 MiB, which the system gives as they are used."""


class _Own(threading.local):
    """The memo of each thread."""

    memo: NDArray[np.int64] | None = None


_own = _Own()


def empty_memo(slots: int = SLOTS, words: int = WORDS) -> NDArray[np.int64]:
    """Make a memo with so many slots, a power of two, and words behind them."""
    memo = np.zeros(_FIRST + slots + words, np.int64)
    memo[_SLOTS], memo[_USED] = slots, _FIRST + slots
    return memo


def own_memo() -> NDArray[np.int64]:
    """Return the memo of the calling thread, which lives as long as that."""
    if _own.memo is None:
        _own.memo = empty_memo()
    return _own.memo


def forget() -> None:
    """Begin the calling thread's memo anew."""
    _own.memo = None


@in_place
def _slot(memo, length):
    """Slot of the key of that length, or the free slot in which it would be."""
    mixed = length
    for j in range(length):
        mixed = ((mixed ^ memo[KEY + j]) & _MASK) * _FACTOR
        mixed ^= mixed >> 24
    last = memo[_SLOTS] - 1
    slot = mixed & last
    while True:
        entry = memo[_FIRST + slot]
        if entry == 0:
            return slot
        if memo[entry] == length:
            equal = True
            for j in range(length):
                equal &= memo[entry + 1 + j] == memo[KEY + j]
            if equal:
                return slot
        slot = (slot + 1) & last


@in_place
def look_up(memo, length):
    """Word in which the result of the key begins, the ``length`` words from KEY on; 0 if it is not there."""
    entry = memo[_FIRST + _slot(memo, length)]
    return entry + 1 + length if entry > 0 else 0


@in_place
def keep(memo, length, words):
    """Make room for a result of so many words of the key, which is not there; returns its first word.

    Results that were looked up before may be gone.
    """
    slots = memo[_SLOTS]
    full = memo[_USED] + 1 + length + words > memo.shape[0]
    if full or 2 * memo[_ENTRIES] >= slots:
        for slot in range(slots):
            memo[_FIRST + slot] = 0
        memo[_USED], memo[_ENTRIES] = _FIRST + slots, 0
    entry = memo[_USED]
    memo[_FIRST + _slot(memo, length)] = entry
    memo[entry] = length
    for j in range(length):
        memo[entry + 1 + j] = memo[KEY + j]
    memo[_USED] = entry + 1 + length + words
    memo[_ENTRIES] += 1
    return entry + 1 + length
