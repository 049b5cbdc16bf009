"""The protocol between a search and networks whose accuracies are known before it begins."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sim.spec.network import Network

__all__ = ["KnownNetworks"]


@runtime_checkable
class KnownNetworks(Protocol):
    """Networks that are told apart by decisions, each with an accuracy that needs no training.

    Decisions, size, architecture, choices and encode are those of a
    :class:`search.networks.family.NetworkFamily`.
    """

    @property
    def decisions(self) -> Mapping[str, tuple[int, ...]]:
        """Choices of every decision by name."""
        ...

    @property
    def size(self) -> int:
        """Number of different members."""
        ...

    def architecture(self, choices: Mapping[str, int]) -> Any:
        """Member of the chosen index of every decision."""
        ...

    def choices(self, architecture: Any) -> dict[str, int]:
        """Chosen index of every decision; ``architecture`` of it is the member again."""
        ...

    def encode(self, architecture: Any) -> NDArray[np.float32]:
        """One-hot choices of all decisions, one after the other: float32[choices]."""
        ...

    def network(self, architecture: Any) -> Network:
        """Network of a member, whose name is the member's key."""
        ...

    def known_accuracy(self, architecture: Any) -> float:
        """Share of test images that a member classifies correctly, after its training."""
        ...
