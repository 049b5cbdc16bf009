"""The supernet of a family of which a single network is searched for."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from search.children import Child
from search.networks.family import NetworkFamily

__all__ = ["FixedSupernet"]


class FixedSupernet(nn.Module):
    """A family's supernet, whose gates have a single choice for every decision.

    Parameters
    ----------
    family : NetworkFamily
    choices : mapping of decision to int
        Index of the single choice among the family's.
    """

    def __init__(self, family: NetworkFamily, choices: Mapping[str, int]) -> None:
        super().__init__()
        self._choices = dict(choices)
        self._sizes = {name: len(values) for name, values in family.decisions.items()}
        self.whole = family.supernet()

    def forward(self, images: Tensor, gates: Mapping[str, Tensor]) -> Tensor:
        """Logits [N, classes] of images [N, C, H, W]; ``gates`` has a weight [1] for every decision."""
        wide = {
            name: pad(gates[name], (index, self._sizes[name] - index - 1))
            for name, index in self._choices.items()
        }
        logits: Tensor = self.whole(images, wide)
        return logits

    def forward_architecture(self, images: Tensor, architecture: Any) -> Tensor:
        """Logits of the network."""
        logits: Tensor = self.whole.forward_architecture(images, architecture)
        return logits

    def inherit(self, child: Child, architecture: Any) -> None:
        """Copy the network's weights into its static network."""
        self.whole.inherit(child, architecture)
