"""Settings of the networks that are searched."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from search.entry_points import entry_point
from search.networks.family import NetworkFamily
from search.networks.fixed import FIXED, FixedFamily, fixed_choices
from search.networks.plans import NETWORK_PLANS, NetworkPlan, Stage
from search.sections import Section, integer, optional, required, ruled, several
from sim.spec.errors import DesignFileError
from sim.spec.rules import Choice, EntryPoint, Integer, Rising, Shape, Text, Truth

__all__ = ["NetworkSettings", "StageSettings"]

_KERNELS = Rising(Integer(1, 11), 6)
_EXPANSIONS = Rising(Integer(1, 16), 8)
_WIDTHS = Rising(Integer(1, 4096), 16)
_HEADS = Rising(Integer(0, 4096), 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings(Section):
    """A stage of a network space: blocks of the same width.

    Parameters
    ----------
    widths : tuple of int
        Choices of the output channels; multiples of 8 fill the SIMD units.
    blocks : int
        Inverted residuals; 0 in the first stage only, which is then the stem alone.
    stride : int
        Of the first block, 1 or 2.
    kernels, expansions : tuple of int or None
        Choices of the stage's blocks; those of the space if not given.
    """

    widths: tuple[int, ...] = required(_WIDTHS)
    blocks: int = integer(1, 0, 64)
    stride: int = integer(1, 1, 2)
    kernels: tuple[int, ...] | None = optional(_KERNELS)
    expansions: tuple[int, ...] | None = optional(_EXPANSIONS)

    def __post_init__(self) -> None:
        """Check the fields."""
        Section.__post_init__(self)
        _require_odd(self.kernels)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings(Section):
    """A section ``[network]``: a space that is built in, changed where a field is given.

    Parameters
    ----------
    space : str
        Space to start from: digits, fashion, mobilenet_v2 and efficientnet (NAHAS's S1 and S2), fbnet.
    image : tuple of int or None
        Height and width that all images are resized to; the data's own if not given.
    stem_stride : int or None
        Stride of the first convolution, 1 or 2.
    kernels : tuple of int or None
        Choices of every block's depthwise kernel, odd.
    expansions : tuple of int or None
        Choices of every block's expansion.
    heads : tuple of int or None
        Choices of the last 1x1 convolution's channels, 0 for none.
    skip : bool or None
        Whether blocks with a residual add may be left out.
    stages : list of tables
        All stages, in the place of the space's; the width of the first is also the stem's.
    entry : str or None
        A space of your own as "package:object", in the place of all other fields but image and fixed. It is
        called with the image's (height, width, channels) and the number of classes.
    version : str
        Text that is changed with the code behind entry: a search is resumed only with the same.
    fixed : "largest", "smallest", table or None
        A single network, in the place of the space: the search is then of its accelerator. It has the last
        or the first choice of every decision, or those of a table by the decision's name, width0 of the
        first stage, kernel0 and expansion0 of the first block, head; a decision that is not in the table
        has its first choice.
    folder : Path
        Folder of the experiment's file; not a field of the section.
    """

    space: str | None = optional(Choice(tuple(NETWORK_PLANS)))
    image: tuple[int, int] | None = optional(Shape(2, 2, 1, 4096))
    stem_stride: int | None = optional(Integer(1, 2))
    kernels: tuple[int, ...] | None = optional(_KERNELS)
    expansions: tuple[int, ...] | None = optional(_EXPANSIONS)
    heads: tuple[int, ...] | None = optional(_HEADS)
    skip: bool | None = optional(Truth())
    stages: tuple[StageSettings, ...] = several(StageSettings)
    entry: str | None = optional(EntryPoint())
    version: str = ruled("", Text(100))
    fixed: str | Mapping[str, int] | None = optional(FIXED)
    folder: Path = field(default=Path(), compare=False)

    def __post_init__(self) -> None:
        """Check the fields, and that what they describe is a space."""
        Section.__post_init__(self)
        _require_odd(self.kernels)
        if self.entry is not None:
            for name in (*_PLAN_FIELDS, "space", "stages"):
                if getattr(self, name) not in (None, ()):
                    raise ValueError(f"{name} must not be given beside entry")
        for i, stage in enumerate(self.stages):
            if not stage.blocks and i:
                raise ValueError(f"stages[{i}].blocks must be an integer in 1 … 64, not 0")

    def size(self, default: str) -> tuple[int, int] | None:
        """Height and width that images are resized to, None for their own."""
        if self.image is not None or self.entry is not None:
            return self.image
        return NETWORK_PLANS[self.space or default].image

    def plan(self, default: str) -> NetworkPlan:
        """Plan of the space; ``default`` names the one to start from where none is given."""
        changes: dict[str, Any] = {
            name: getattr(self, name) for name in _PLAN_FIELDS if getattr(self, name) is not None
        }
        if self.stages:
            changes["stages"] = tuple(
                Stage(
                    widths=stage.widths,
                    blocks=stage.blocks,
                    stride=stage.stride,
                    kernels=stage.kernels,
                    expansions=stage.expansions,
                )
                for stage in self.stages
            )
        return replace(NETWORK_PLANS[self.space or default], **changes)

    def require_fixed(self, default: str) -> None:
        """Raise ``ValueError`` unless the fixed network is one of the space, where that is built in."""
        if self.fixed is not None and self.entry is None:
            fixed_choices(self.plan(default).space((1, 1, 1), 1).decisions, self.fixed)

    def family(self, image: tuple[int, int, int], classes: int, *, default: str) -> NetworkFamily:
        """Networks for images (height, width, channels) of a number of classes.

        Raises
        ------
        DesignFileError
            If ``entry`` names nothing that makes a family, or ``fixed`` no network of it.
        """
        if self.entry is None:
            family: NetworkFamily = self.plan(default).space(image, classes)
        else:
            family = self._own_family(self.entry, image, classes)
        if self.fixed is None:
            return family
        try:
            return FixedFamily(family, fixed_choices(family.decisions, self.fixed))
        except ValueError as error:
            raise DesignFileError(f"network.{error}") from None

    def _own_family(self, entry: str, image: tuple[int, int, int], classes: int) -> NetworkFamily:
        family = entry_point(entry, self.folder, "network.entry")(image, classes)
        for name in (
            "decisions",
            "size",
            "architecture",
            "choices",
            "encode",
            "layers",
            "supernet",
        ):
            if not hasattr(family, name):
                raise DesignFileError(
                    f"network.entry must make a network family, but {entry!r} has no {name!r}"
                )
        made: NetworkFamily = family
        return made


def _require_odd(kernels: tuple[int, ...] | None) -> None:
    for kernel in kernels or ():
        if kernel % 2 == 0:
            raise ValueError(f"kernels must be odd, not {kernel!r}")


_PLAN_FIELDS = ("stem_stride", "kernels", "expansions", "heads", "skip")
