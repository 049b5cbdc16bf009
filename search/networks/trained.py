"""Networks of a family as a search sees them where each was trained before: with a known accuracy."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.networks.family import NetworkFamily
from search.networks.members import members_of
from sim.spec.network import Network

__all__ = ["TrainedNetworks"]

_KEPT = 256
"""Networks that are kept in memory."""


class TrainedNetworks:
    """Networks of a family with their accuracies: :class:`search.networks.known.KnownNetworks`.

    Decisions, members and choices are the family's.

    Parameters
    ----------
    family : NetworkFamily
    accuracies : mapping of str to float
        By key, for every member of the family and no other.

    Raises
    ------
    ValueError
        If a member has no accuracy, or an accuracy no member.
    """

    def __init__(self, family: NetworkFamily, accuracies: Mapping[str, float]) -> None:
        self._family, self._accuracies = family, dict(accuracies)
        if family.size != len(self._accuracies):  # before the members of a large family are counted
            raise ValueError(
                f"networks must be the {family.size:,} of their family, not {len(self._accuracies):,}"
            )
        self._members = {member.key: member for member in members_of(family)}
        for key in self._members:
            if key not in self._accuracies:
                raise ValueError(f"networks must have one for {key!r}")
        self._network = lru_cache(maxsize=_KEPT)(self._made)

    @property
    def decisions(self) -> Mapping[str, tuple[int, ...]]:
        """Choices of every decision by name."""
        return self._family.decisions

    @property
    def size(self) -> int:
        """Number of different members."""
        return len(self._members)

    def architecture(self, choices: Mapping[str, int]) -> Any:
        """Member of the chosen index of every decision."""
        return self._family.architecture(choices)

    def choices(self, architecture: Any) -> dict[str, int]:
        """Chosen index of every decision."""
        return self._family.choices(architecture)

    def encode(self, architecture: Any) -> NDArray[np.float32]:
        """One-hot choices of all decisions, one after the other: float32[choices]."""
        return self._family.encode(architecture)

    def network(self, architecture: Any) -> Network:
        """Network of a member without weights, which no cost depends on."""
        return self._network(architecture.key)

    def known_accuracy(self, architecture: Any) -> float:
        """Accuracy of a member."""
        return self._accuracies[architecture.key]

    def _made(self, key: str) -> Network:
        from search.export import shape_network  # needs torch, which a table of accuracies does not

        return shape_network(self._family.layers(self._members[key]), name=key)
