"""Arrays in npz files: the one reader of arrays that come from outside, and their writer."""

import ast
import io
import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sim.spec.archives import ARCHIVE_LIMIT_BYTES, open_archive, open_file, read_member
from sim.spec.errors import DesignFileError

__all__ = ["npz_arrays", "npz_bytes", "read_arrays"]

MAX_DIMENSIONS = 8
"""Most axes of an array."""

_SUFFIX = ".npy"
_MAGIC = b"\x93NUMPY"
_CHUNK_VALUES = 1 << 20
_HEADER_LIMIT_BYTES = 4096
_TYPES = ("b1", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8")


def npz_bytes(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Content of an npz file with these arrays; the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes an array for allow_pickle
    return buffer.getvalue()


def read_arrays(
    path: Path,
    what: str,
    *,
    finite: bool = False,
    limit_bytes: int = ARCHIVE_LIMIT_BYTES,
) -> dict[str, NDArray[Any]]:
    """Arrays of an npz file, in the machine's byte order.

    Parameters
    ----------
    path : Path
    what : str
        Names the kind of file in errors: "weights file".
    finite : bool
        Refuse NaN and infinities.
    limit_bytes : int
        Most bytes of the file, and of all arrays together.

    Raises
    ------
    DesignFileError
        One line that names the file, the array and the rule. Nothing is unpacked before
        names, methods, sizes, types and shapes have been checked; no file holds objects.
    """
    with open_file(path, what, limit_bytes) as file:
        return _arrays(file, f"{what} {path}", finite, limit_bytes)


def npz_arrays(
    data: bytes, what: str, *, finite: bool = False, limit_bytes: int = ARCHIVE_LIMIT_BYTES
) -> dict[str, NDArray[Any]]:
    """Arrays of an npz file's content, as :func:`read_arrays`; ``what`` names the file."""
    return _arrays(io.BytesIO(data), what, finite, limit_bytes)


def _arrays(file: BinaryIO, what: str, finite: bool, limit_bytes: int) -> dict[str, NDArray[Any]]:
    arrays = {}
    with open_archive(file, what, limit_bytes, "an npz file") as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(_SUFFIX)
            if name == info.filename:
                raise DesignFileError(f"member {name!r} of {what} must be an array, as X.npy")
            content = read_member(archive, info, what)
            arrays[name] = _array(content, f"array {name!r} of {what}")
            if finite and not _is_finite(arrays[name]):
                raise DesignFileError(f"array {name!r} of {what} must hold finite numbers")
    return arrays


def _array(content: bytearray, what: str) -> NDArray[Any]:
    start, header = _header(content, what)
    kind, shape, fortran = header["descr"], header["shape"], header["fortran_order"]
    if not isinstance(kind, str) or kind[:1] not in "<>|=" or kind[1:] not in _TYPES:
        rule = "must hold integers, floats or booleans"
        raise DesignFileError(f"{what} {rule}, not {repr(kind)[:40]}")
    if (
        not isinstance(shape, tuple)
        or len(shape) > MAX_DIMENSIONS
        or any(type(size) is not int or size < 0 for size in shape)
        or type(fortran) is not bool
    ):
        rule = f"must have a shape of at most {MAX_DIMENSIONS} sizes"
        raise DesignFileError(f"{what} {rule}, not {repr(shape)[:40]}")
    stored = np.dtype(kind)
    needed, there = math.prod(shape) * stored.itemsize, len(content) - start
    if needed != there:
        raise DesignFileError(f"{what} must have the {needed} bytes of its shape, not {there}")
    values: NDArray[Any] = np.frombuffer(content, stored, offset=start)
    if stored.kind == "b":
        values = values.view(np.uint8) != 0
    native = values.astype(stored.newbyteorder("="), copy=False)
    return native.reshape(shape, order="F" if fortran else "C")


def _header(content: bytearray, what: str) -> tuple[int, dict[str, Any]]:
    """Position behind the header, and its three fields."""
    width = {1: 2, 2: 4, 3: 4}.get(content[6] if len(content) > 6 else 0, 0)
    start = 8 + width
    length = int.from_bytes(content[8:start], "little")
    header: Any = None
    if content.startswith(_MAGIC) and width and length <= _HEADER_LIMIT_BYTES:
        try:
            header = ast.literal_eval(content[start : start + length].decode("latin-1").strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            header = None
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
        raise DesignFileError(f"{what} must begin with the header of an npy file")
    return start + length, header


def _is_finite(array: NDArray[Any]) -> bool:
    if array.dtype.kind != "f":
        return True
    flat = array.reshape(-1, order="A")
    step = _CHUNK_VALUES
    return all(bool(np.isfinite(flat[i : i + step]).all()) for i in range(0, len(flat), step))
