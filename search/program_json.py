"""JSON text in the archive of a PyTorch program."""

import json
from typing import Any

from sim.spec.errors import DesignFileError

__all__ = ["json_bytes", "parse_json"]


def parse_json(content: bytes | bytearray, what: str) -> Any:
    """Value of a text; ``what`` names it in the error.

    Raises
    ------
    DesignFileError
        If it is no JSON, or nested or written in digits beyond what Python reads.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # of text, of digits, of depth
        raise DesignFileError(f"{what} is not JSON that can be read") from None


def json_bytes(value: Any) -> bytes:
    """Text of a value."""
    return json.dumps(value).encode()
