"""IDX files, the form of MNIST and its relatives, plain or compressed by gzip."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.tasks.settings import DATA_LIMIT_BYTES
from sim.spec.archives import read_bytes
from sim.spec.errors import DesignFileError

__all__ = ["idx_file", "read_idx"]

_UNSIGNED_BYTES = 8
_UNPACKED_LIMIT_BYTES = 1 << 31


def idx_file(folder: Path, name: str) -> Path:
    """Return the file of a name in a folder: plain or with ``.gz``, as it is there.

    Names of the forms ``train-images-idx3-ubyte`` and ``train-images.idx3-ubyte`` are both in use.

    Raises
    ------
    DesignFileError
        If there is none.
    """
    for text in (
        name,
        f"{name}.gz",
        name.replace("-idx", ".idx"),
        f"{name.replace('-idx', '.idx')}.gz",
    ):
        if (folder / text).is_file():
            return folder / text
    raise DesignFileError(f"folder {folder} must hold {name} or {name}.gz")


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Array of an IDX file of bytes with the given number of dimensions (LeCun et al., MNIST).

    Raises
    ------
    DesignFileError
        If the file is not of this form; nothing larger than its header states is unpacked.
    """
    what = f"IDX file {path}"
    content = read_bytes(path, "IDX file", DATA_LIMIT_BYTES)
    if path.suffix == ".gz":
        content = _unpacked(content, what)
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, _UNSIGNED_BYTES, dimensions)):
        raise DesignFileError(
            f"{what} must begin with the header of bytes in {dimensions} dimensions"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, 4))
    needed, there = math.prod(shape), len(content) - start
    if needed != there:
        raise DesignFileError(f"{what} must have the {needed} bytes of its shape, not {there}")
    return np.frombuffer(content, np.uint8, needed, start).reshape(shape)


def _unpacked(content: bytes, what: str) -> bytes:
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(content, _UNPACKED_LIMIT_BYTES)
    except (zlib.error, gzip.BadGzipFile):
        raise DesignFileError(f"{what} must be compressed by gzip, but is damaged") from None
    if unpacker.unconsumed_tail:
        raise DesignFileError(f"{what} must unpack to at most {_UNPACKED_LIMIT_BYTES} bytes")
    if not unpacker.eof:
        raise DesignFileError(f"{what} must be compressed by gzip, but is truncated")
    return data
