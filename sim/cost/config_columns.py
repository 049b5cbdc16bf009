"""Accelerators by column, for functions that depend on a few of their fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["ConfigColumns"]

_NAMES = tuple(field.name for field in fields(AcceleratorConfig))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConfigColumns:
    """n accelerators: every field as its values and the place of each accelerator's among them.

    Parameters
    ----------
    values : mapping of str to sequence
        Values of each field, each once.
    places : mapping of str to int64[n]
        Of each accelerator, the place of its value.
    """

    values: Mapping[str, Sequence[Any]]
    places: Mapping[str, NDArray[np.int64]]

    @classmethod
    def of(cls, configs: Sequence[AcceleratorConfig]) -> "ConfigColumns":
        """Columns of any accelerators."""
        values: dict[str, list[Any]] = {}
        places = {}
        for name in _NAMES:
            known: dict[Any, int] = {}
            row = [known.setdefault(getattr(config, name), len(known)) for config in configs]
            values[name], places[name] = list(known), np.array(row, np.int64)
        return cls(values=values, places=places)

    @classmethod
    def of_space(cls, space: HardwareSpace) -> "ConfigColumns":
        """Columns of all points of a space, in the order of its flat index."""
        rest = np.arange(len(space))
        places = {name: np.zeros(len(space), np.int64) for name in _NAMES}
        for name, size in zip(reversed(list(space.values)), reversed(space.sizes), strict=True):
            rest, places[name] = np.divmod(rest, size)
        values: dict[str, Sequence[Any]] = {name: [getattr(space.default, name)] for name in _NAMES}
        return cls(values=values | dict(space.values), places=places)

    def __len__(self) -> int:
        """Return the number of accelerators."""
        return len(self.places[_NAMES[0]])

    def look_up(
        self, names: Sequence[str], function: Callable[[AcceleratorConfig], float]
    ) -> NDArray[np.float64]:
        """Values of a function that depends on the fields of these names alone : float64[n].

        It is asked once for all accelerators that are alike in them.
        """
        if not len(self):
            return np.zeros(0)
        key = np.zeros(len(self), np.int64)
        combinations = 1
        for name in names:
            key = key * len(self.values[name]) + self.places[name]
            combinations *= len(self.values[name])
        if combinations > max(len(self), 1 << 16):
            _, key = np.unique(key, return_inverse=True)
            combinations = int(key.max()) + 1
        first = np.full(combinations, -1)
        first[key[::-1]] = np.arange(len(self))[::-1]
        table = np.zeros(combinations)
        for place in np.flatnonzero(first >= 0):
            table[place] = function(self.config(int(first[place])))
        return table[key]

    def select(self, chosen: NDArray[np.bool_]) -> "ConfigColumns":
        """Columns of the chosen accelerators."""
        places = {name: place[chosen] for name, place in self.places.items()}
        return ConfigColumns(values=self.values, places=places)

    def config(self, index: int) -> AcceleratorConfig:
        """Return an accelerator."""
        return AcceleratorConfig(
            **{name: self.values[name][self.places[name][index]] for name in _NAMES}
        )
