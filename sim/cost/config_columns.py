"""Accelerators by column, for functions that depend on a few of their fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig

__all__ = ["FEW", "ConfigColumns"]

FEW = 64
"""Accelerators up to which sums of many functions are faster for each alone than by columns."""

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
    configs : sequence of AcceleratorConfig
        The accelerators.
    """

    values: Mapping[str, Sequence[Any]]
    places: Mapping[str, NDArray[np.int64]]
    configs: Sequence[AcceleratorConfig]

    @classmethod
    def of(cls, configs: Sequence[AcceleratorConfig]) -> "ConfigColumns":
        """Columns of any accelerators."""
        values: dict[str, list[Any]] = {}
        places = {}
        for name in _NAMES:
            known: dict[Any, int] = {}
            row = [known.setdefault(getattr(config, name), len(known)) for config in configs]
            values[name], places[name] = list(known), np.array(row, np.int64)
        return cls(values=values, places=places, configs=configs)

    def __len__(self) -> int:
        """Return the number of accelerators."""
        return len(self.places[_NAMES[0]])

    def look_up(
        self,
        names: Sequence[str],
        function: Callable[[AcceleratorConfig], float | NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """Values of a function that depends on the fields of these names alone : float64[n], or of k numbers float64[n, k].

        It is asked once for all accelerators that are alike in them.
        """
        if not len(self):
            return np.zeros(0)
        key = np.zeros(len(self), np.int64)
        combinations = 1
        for name in names:
            key = key * len(self.values[name]) + self.places[name]
            combinations *= len(self.values[name])
        if combinations > 4 * len(self):
            _, key = np.unique(key, return_inverse=True)
            combinations = int(key.max()) + 1
        first = np.full(combinations, -1)
        first[key[::-1]] = np.arange(len(self))[::-1]
        asked = np.flatnonzero(first >= 0)
        known = np.array([function(self.configs[int(first[place])]) for place in asked], np.float64)
        places = np.zeros(combinations, np.int64)
        places[asked] = np.arange(len(asked))
        taken: NDArray[np.float64] = known[places[key]]
        return taken

    def select(self, chosen: NDArray[np.bool_]) -> "ConfigColumns":
        """Columns of the chosen accelerators."""
        places = {name: place[chosen] for name, place in self.places.items()}
        configs = self.configs
        if not chosen.all():
            configs = [self.configs[place] for place in np.flatnonzero(chosen).tolist()]
        return ConfigColumns(values=self.values, places=places, configs=configs)
