"""Pickles of byte arrays from strangers: read without executing anything that they name."""

import io
import pickle
from typing import Any

import numpy as np

from sim.spec.errors import DesignFileError

__all__ = ["read_array_pickle"]


def read_array_pickle(content: bytes, what: str) -> Any:
    """Value of a pickle of dicts, lists, numbers, text and NumPy arrays of unsigned bytes.

    Raises
    ------
    DesignFileError
        If the pickle names anything else, or is damaged. ``what`` names it.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except DesignFileError as error:
        raise DesignFileError(f"{what} {error}") from None
    except Exception:  # whatever Python's reader raises on damaged bytes
        raise DesignFileError(f"{what} must be a pickle of arrays, but is damaged") from None


class _BytesType:
    """Stands for ``numpy.dtype``: takes note that it is that of unsigned bytes."""

    def __init__(self, name: str = "", *_: Any) -> None:
        if name != "u1":
            raise DesignFileError(f"must hold arrays of unsigned bytes, not {name[:20]!r}")

    def __setstate__(self, state: Any) -> None:
        """Pass over byte order and flags, which bytes do not need."""


class _ArrayState(np.ndarray):
    """Byte array that takes its content from a pickle's state, which is checked."""

    def __setstate__(self, state: Any) -> None:
        """Check shape and length, then copy; NumPy's own method is not called."""
        _, shape, kind, fortran, data = state
        raw = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(kind, _BytesType) or not isinstance(raw, bytes):
            raise DesignFileError("must hold arrays of unsigned bytes")
        array = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")
        self.resize(array.shape, refcheck=False)
        self[...] = array


def _reconstruct(*_: Any) -> _ArrayState:
    return _ArrayState((0,), np.uint8)


class _Unpickler(pickle.Unpickler):
    """Knows four names, of which none is NumPy's own code."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            "_reconstruct": _reconstruct,
            "ndarray": _ArrayState,
            "dtype": _BytesType,
        }
        if module.partition(".")[0] == "numpy" and name in known:
            return known[name]
        if (module, name) == ("_codecs", "encode"):
            return _encoded
        raise DesignFileError(f"must hold arrays alone, not {f'{module}.{name}'[:60]!r}")


def _encoded(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise DesignFileError(f"must hold bytes as latin1, not {encoding[:20]!r}")
    return text.encode("latin1")
