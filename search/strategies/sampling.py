"""Generators of chance whose state is text, and draws of points from a space."""

import json
from typing import Any

import numpy as np

from sim.spec.spaces import HardwareSpace

__all__ = ["Dice"]


class Dice:
    """Seeded draws of points, given by an index of each field's values.

    Parameters
    ----------
    hardware : HardwareSpace
    seed : int
    """

    def __init__(self, hardware: HardwareSpace, seed: int) -> None:
        self._sizes = hardware.sizes
        self.random = np.random.default_rng(seed)

    def point(self) -> tuple[int, ...]:
        """Return a point, each as probable as any other."""
        return tuple(int(self.random.integers(size)) for size in self._sizes)

    def neighbours(self, point: tuple[int, ...]) -> list[tuple[int, ...]]:
        """All points with another value of a single field, in a random order."""
        others = [
            (*point[:field], index, *point[field + 1 :])
            for field, size in enumerate(self._sizes)
            for index in range(size)
            if index != point[field]
        ]
        return [others[i] for i in self.random.permutation(len(others))]

    def mutant(self, point: tuple[int, ...]) -> tuple[int, ...]:
        """Return a point with another value of a field, both drawn; the point itself where there is no other."""
        fields = [field for field, size in enumerate(self._sizes) if size > 1]
        if not fields:
            return point
        field = fields[int(self.random.integers(len(fields)))]
        index = int(self.random.integers(self._sizes[field] - 1))
        index += index >= point[field]
        return (*point[:field], index, *point[field + 1 :])

    def state(self) -> str:
        """All that decides the draws from here on."""
        return json.dumps(self.random.bit_generator.state)

    def restore(self, state: str) -> None:
        """Go on from what :meth:`state` returned."""
        document: Any = json.loads(state)
        self.random.bit_generator.state = document
