"""TOML files, read within bounds."""

import tomllib
from pathlib import Path
from typing import Any

from sim.spec.archives import read_bytes
from sim.spec.errors import DesignFileError

__all__ = ["read_toml"]

_LIMIT_BYTES = 1 << 20
"""Most bytes of a TOML file."""


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Content of a TOML file; ``what`` ("experiment") names it in the error.

    Raises
    ------
    DesignFileError
        If the file cannot be read, is too large, or is not TOML.
    """
    content = read_bytes(path, what, _LIMIT_BYTES)
    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise DesignFileError(f"{path} must be TOML, not nested so deep") from None
    except ValueError as error:  # also of integers with more digits than Python reads
        raise DesignFileError(f"{path} must be TOML: {error}") from None
