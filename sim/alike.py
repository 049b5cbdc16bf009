"""Accelerators of a grid that a mapping of a network cannot tell apart.

Register files and weight stores that hold everything are as good as larger ones, and so are local memories with whose depth
every question of the mapper has the same answer (:mod:`sim.mapping.depth_reach`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.arrays.tables import Hw
from sim.mapping.execution import most_rows
from sim.plan import Tables

__all__ = ["Alike"]

Array = NDArray[np.int64]


class Alike:
    """Figures of a network on accelerators so far, for others that are alike.

    Parameters
    ----------
    forms : sequence of (network, layer table, tensor table)
        Of :func:`sim.plan.network_tables`.
    """

    def __init__(self, forms: Sequence[Tables]) -> None:
        self._forms = forms
        self._rows: dict[int, tuple[int, int]] = {}
        self._figures: dict[Hw, list[tuple[int, int, Array]]] = {}

    def find(self, hw: Hw) -> Array | None:
        """Figures of an accelerator that is alike; None if none was noted."""
        for least, most, figures in self._figures.get(self._but_depth(hw), ()):
            if least <= hw.bank_depth <= most:
                return figures
        return None

    def note(self, hw: Hw, figures: Array, reach: Array) -> None:
        """Note the figures of an accelerator that the network runs on.

        Parameters
        ----------
        hw : Hw
        figures : int64[n]
            They must not change.
        reach : int64[2]
            Least and largest depth of local memory with which the network is mapped alike; of a program of several
            images the depth counts itself.
        """
        least, most = (hw.bank_depth, hw.bank_depth) if hw.images > 1 else map(int, reach)
        self._figures.setdefault(self._but_depth(hw), []).append((least, most, figures))

    def _but_depth(self, hw: Hw) -> Hw:
        """Give all that matters of an accelerator but the depth of its local memories."""
        if hw.simd not in self._rows:
            each = [most_rows(layers, tensors, hw) for _, layers, tensors in self._forms]
            self._rows[hw.simd] = (max(most for most, _ in each), max(total for _, total in each))
        most, total = self._rows[hw.simd]
        own = {"bank_depth": 0, "store_rows": min(hw.store_rows, total)}
        if hw.weight_rows >= most:  # nothing is split, so no accumulators are saved
            own |= {"weight_rows": most, "accumulator_rows": 0}
        return hw._replace(**own)
