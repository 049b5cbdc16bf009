"""Network spaces that are built in, before the size of the images and the classes are known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from search.architecture import Block, NetworkSpace

__all__ = ["DIGITS_SPACE", "NETWORK_PLANS", "NetworkPlan", "Stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Blocks of the same width.

    Parameters
    ----------
    widths : tuple of int
        Choices of the output channels.
    blocks : int
        Inverted residuals; 0 for a stem alone.
    stride : int
        Of the first block.
    kernels, expansions : tuple of int or None
        Choices of the blocks; None for those of the plan.
    """

    widths: tuple[int, ...]
    blocks: int
    stride: int = 1
    kernels: tuple[int, ...] | None = None
    expansions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """A network space without the size of its images and the number of classes.

    Parameters
    ----------
    stages : tuple of Stage
        The width of the first is also the stem's.
    kernels, expansions, heads, stem_stride, skip
        As of :class:`search.architecture.NetworkSpace`.
    image : (int, int) or None
        Height and width that its authors use; None for the data's own.
    """

    stages: tuple[Stage, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    heads: tuple[int, ...]
    stem_stride: int = 1
    skip: bool = True
    image: tuple[int, int] | None = None

    def space(self, image: tuple[int, int, int], classes: int) -> NetworkSpace:
        """Space for images (height, width, channels) of a number of classes."""
        blocks = [
            Block(i, stage.stride if j == 0 else 1, stage.kernels, stage.expansions)
            for i, stage in enumerate(self.stages)
            for j in range(stage.blocks)
        ]
        return NetworkSpace(
            image=image,
            classes=classes,
            stage_widths=tuple(stage.widths for stage in self.stages),
            blocks=tuple(blocks),
            kernels=self.kernels,
            expansions=self.expansions,
            heads=self.heads,
            stem_stride=self.stem_stride,
            skip=self.skip,
        )


_DIGITS = NetworkPlan(
    stages=(
        Stage(widths=(16, 24), blocks=1),
        Stage(widths=(32, 48), blocks=2, stride=2),
        Stage(widths=(48, 64), blocks=2, stride=2),
    ),
    kernels=(3, 5),
    expansions=(1, 2, 4),
    heads=(0, 32, 64),
)
"""For 8x8 images: maps of 8x8, 4x4 and 2x2 pixels."""

_FASHION = NetworkPlan(
    stages=(
        Stage(widths=(8, 16), blocks=1),
        Stage(widths=(16, 24, 32), blocks=2, stride=2),
        Stage(widths=(32, 48, 64), blocks=3, stride=2),
        Stage(widths=(64, 96), blocks=2, stride=2),
    ),
    kernels=(3, 5),
    expansions=(1, 2, 4),
    heads=(0, 64, 128),
)
"""For images of 28x28 pixels or so: maps of 28x28, 14x14, 7x7 and 4x4 pixels."""

_MOBILENET_V2 = NetworkPlan(
    stages=(
        Stage(widths=(32,), blocks=0),
        Stage(widths=(16,), blocks=1, expansions=(1,)),
        Stage(widths=(24,), blocks=2, stride=2),
        Stage(widths=(32,), blocks=3, stride=2),
        Stage(widths=(64,), blocks=4, stride=2),
        Stage(widths=(96,), blocks=3),
        Stage(widths=(160,), blocks=3, stride=2),
        Stage(widths=(320,), blocks=1),
    ),
    kernels=(3, 5, 7),
    expansions=(3, 6),
    heads=(1280,),
    stem_stride=2,
    skip=False,
    image=(224, 224),
)
"""NAHAS's S1: MobileNetV2's 17 blocks, of which the first has no expansion."""

_EFFICIENTNET = replace(
    _MOBILENET_V2,
    stages=(
        *_MOBILENET_V2.stages[:3],
        Stage(widths=(40,), blocks=2, stride=2),
        Stage(widths=(80,), blocks=3, stride=2),
        Stage(widths=(112,), blocks=3),
        Stage(widths=(192,), blocks=4, stride=2),
        Stage(widths=(320,), blocks=1),
    ),
)
"""NAHAS's S2: EfficientNet-B0's 16 blocks, without squeeze-and-excitation and with ReLU6.

It begins as MobileNetV2 does, and has the same choices.
"""

_FBNET = NetworkPlan(
    stages=(
        Stage(widths=(16,), blocks=1),
        Stage(widths=(24,), blocks=4, stride=2),
        Stage(widths=(32,), blocks=4, stride=2),
        Stage(widths=(64,), blocks=4, stride=2),
        Stage(widths=(112,), blocks=4),
        Stage(widths=(184,), blocks=4, stride=2),
        Stage(widths=(352,), blocks=1),
    ),
    kernels=(3, 5),
    expansions=(1, 3, 6),
    heads=(1984,),
    stem_stride=2,
    image=(224, 224),
)
"""FBNet (Wu et al., 2019, Table 1), which DNA searches: 22 layers, kernels 3 and 5, expansions 1, 3 and 6.

Its two candidates with grouped 1x1 convolutions are left out: the accelerator has none. A layer may be
left out where it has a residual add, as in FBNet.
"""

NETWORK_PLANS: Mapping[str, NetworkPlan] = MappingProxyType(
    {
        "digits": _DIGITS,
        "fashion": _FASHION,
        "mobilenet_v2": _MOBILENET_V2,
        "efficientnet": _EFFICIENTNET,
        "fbnet": _FBNET,
    }
)
"""Plans by name."""

DIGITS_SPACE = _DIGITS.space((8, 8, 1), 10)
"""Networks for scikit-learn's digits."""
