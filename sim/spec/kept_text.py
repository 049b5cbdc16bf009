"""Texts that depend on bytes alone, such as digests of sources: computed once, then read from the cache."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable

from sim.spec.files import cache_root, write_atomic

__all__ = ["KEPT_FOLDER", "kept_text"]

KEPT_FOLDER = "sources"
"""Folder of the cache with a folder for every text."""

_FILE = "text"


def kept_text(states: Iterable[bytes], compute: Callable[[], str]) -> str:
    """Return what ``compute`` returns, which must depend on nothing but these bytes.

    A file that is damaged counts as absent; where none can be written, every process computes its own.

    Parameters
    ----------
    states : iterable of bytes
        All that the text depends on, in order; also what computes it, if that may change.
    compute : callable
    """
    key = hashlib.sha256()
    for state in states:
        key.update(len(state).to_bytes(8, "little") + state)
    folder = cache_root() / KEPT_FOLDER / key.hexdigest()[:24]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        sealed, _, text = (folder / _FILE).read_text(encoding="utf-8").partition("\n")
        if sealed == _seal(text):
            os.utime(folder)  # it counts as used
            return text
    text = compute()
    with contextlib.suppress(OSError):
        write_atomic(folder / _FILE, f"{_seal(text)}\n{text}")
    return text


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
