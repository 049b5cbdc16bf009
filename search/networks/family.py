"""The protocol between a search and a family of networks that share a supernet's weights."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from search.architecture import LayerShape

if TYPE_CHECKING:  # a family is described without torch
    from torch import Tensor

    from search.children import Child

__all__ = ["Member", "NetworkFamily", "SharedNetwork"]


class Member(Protocol):
    """A network of a family: what its decisions are chosen to be. Equal choices are equal objects."""

    @property
    def key(self) -> str:
        """Short name that identifies it within its family: letters, digits, ``_`` and ``-``."""
        ...

    def to_json(self) -> dict[str, Any]:
        """All that it is, as a JSON object."""
        ...


class SharedNetwork(Protocol):
    """The supernet of a family, a :class:`torch.nn.Module`.

    Inputs may be anywhere; outputs are where the images are (:mod:`search.device`).
    """

    def forward(self, images: "Tensor", gates: "Mapping[str, Tensor]") -> "Tensor":
        """Logits float32[N, classes] of images float32[N, C, H, W].

        ``gates`` has a weight for every choice of every decision, by the decision's name; the
        logits' gradient with respect to it teaches the decisions.
        """
        ...

    def forward_architecture(self, images: "Tensor", architecture: Any) -> "Tensor":
        """Logits of a member: those of :meth:`forward` under its one-hot gates."""
        ...

    def inherit(self, child: "Child", architecture: Any) -> None:
        """Copy the weights that a member uses into its static network."""
        ...


class NetworkFamily(Protocol):
    """Networks for images of one size and a number of classes, told apart by decisions."""

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

    def layers(self, architecture: Any) -> tuple[LayerShape, ...]:
        """Layers in execution order, reading the tensor ``input``; the last gives the logits."""
        ...

    def supernet(self) -> Any:
        """Make a :class:`SharedNetwork` with weights from torch's global generator."""
        ...
