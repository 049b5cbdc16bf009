"""Everything that the three strategies of NAHAS share: pairs as sequences of decisions."""

from collections.abc import Sequence
from typing import Any

from search.strategies.co_search import CoSearch
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Nahas"]


class Nahas(CoSearch):
    """A search whose result is the best feasible pair that was judged (Zhou et al., 2021).

    A controller's decisions are those of the network, then the fields of the accelerator.
    """

    @property
    def network_sizes(self) -> tuple[int, ...]:
        """Number of choices of each of the network's decisions."""
        return tuple(map(len, self.networks.decisions.values()))

    @property
    def pair_sizes(self) -> tuple[int, ...]:
        """Number of choices of each decision of a pair."""
        return (*self.network_sizes, *self.hardware.sizes)

    def member(self, indices: Sequence[int]) -> Any:
        """Network of an index of each of its decisions."""
        chosen = zip(self.networks.decisions, indices, strict=True)
        return self.networks.architecture({name: int(index) for name, index in chosen})

    def pair(self, indices: Sequence[int]) -> tuple[Any, AcceleratorConfig]:
        """Network and accelerator of an index of each decision of both."""
        decisions = len(self.networks.decisions)
        return self.member(indices[:decisions]), self.hardware.config(indices[decisions:])

    def canonical(self, indices: Sequence[int]) -> list[int]:
        """Indices that are alike for equal pairs: a block that is left out has no kernel."""
        chosen = self.networks.choices(self.pair(indices)[0])
        network = [int(chosen[name]) for name in self.networks.decisions]
        return [*network, *indices[len(network) :]]
