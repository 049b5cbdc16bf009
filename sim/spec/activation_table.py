"""Activation tables: what a layer makes of its clamped results, value by value."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.tensors import INT8

__all__ = ["TABLE_ENTRIES", "ActivationTable"]

TABLE_ENTRIES = 256
"""Entries of a table: an int8 has as many values."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActivationTable:
    """A function of int8 to int8, applied to a layer's results behind their clamp.

    Parameters
    ----------
    values : int8[256]
        Entry v + 128 is the output for the result v.
    zero_point : int
        Of the results that the table reads. The outputs' is that of the layer's output tensor.

    Raises
    ------
    ValueError
        If the entries are not 256 int8 values, or the zero point is no int8.
    """

    values: NDArray[np.int8]
    zero_point: int

    def __post_init__(self) -> None:
        """Check type, shape and zero point."""
        if self.values.dtype != np.int8:
            raise ValueError(f"values of a table must be int8, not {self.values.dtype.name}")
        if self.values.shape != (TABLE_ENTRIES,):
            rule = f"must have shape ({TABLE_ENTRIES},)"
            raise ValueError(f"values of a table {rule}, not {self.values.shape}")
        INT8.require(self.zero_point, "zero_point of a table")

    def look_up(self, results: NDArray[np.integer[Any]]) -> NDArray[np.int8]:
        """Return the entries of results in -128 … 127, in their shape."""
        return self.values[results.astype(np.int64) + TABLE_ENTRIES // 2]
