"""Checked access to JSON objects and npz files: each fault is one line naming field and rule."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.errors import DesignFileError

__all__ = ["field_value", "integer_pair", "names", "npz_arrays", "npz_bytes", "read_bytes"]


def field_value(data: Any, name: str, kind: type, where: str) -> Any:
    """Value of a field that must be there and of a type; ``where`` names the object."""
    if not isinstance(data, dict):
        raise DesignFileError(f"{where} must be an object, not {data!r}")
    if name not in data:
        raise DesignFileError(f"{where}.{name} must be given")
    value = data[name]
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise DesignFileError(f"{where}.{name} must be of type {kind.__name__}, not {value!r}")
    return value


def names(items: list[Any], where: str) -> list[str]:
    """Items of a list that must all be strings."""
    for item in items:
        if not isinstance(item, str):
            raise DesignFileError(f"{where} must hold names, not {item!r}")
    return items


def integer_pair(value: Any, where: str, low: int) -> tuple[int, int]:
    """Two integers that must be at least ``low``."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(x, int) and not isinstance(x, bool) and x >= low for x in value)
    ):
        raise DesignFileError(f"{where} must be two integers of at least {low}, not {value!r}")
    return (value[0], value[1])


def npz_bytes(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Content of an npz file with these arrays; the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes allow_pickle for one
    return buffer.getvalue()


def npz_arrays(data: bytes, what: str) -> dict[str, NDArray[Any]]:
    """Arrays of an npz file's content; ``what`` names the file in the error."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, KeyError, AttributeError):
        raise DesignFileError(f"{what} is truncated or not an npz file") from None


def read_bytes(path: Path, what: str) -> bytes:
    """Content of a file; ``what`` names it in the error."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DesignFileError(f"{what} {path} cannot be read: {error.strerror}") from None
