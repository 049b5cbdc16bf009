"""The network space: architectures, their decisions, and the layers that they unroll to."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.network import LayerKind, Padding

if TYPE_CHECKING:  # a space is described without torch
    from search.supernet import Supernet

__all__ = ["SKIP", "Architecture", "Block", "LayerShape", "NetworkSpace"]

SKIP = 0
"""Expansion of a block that is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One network of a space.

    Parameters
    ----------
    widths : tuple of int
        Output channels of each stage; the stem has those of stage 0.
    kernels, expansions : tuple of int
        Depthwise kernel and expansion of each block. Expansion 1 has no expanding
        convolution; expansion 0 leaves the block out (its kernel is then the space's first).
    head : int
        Channels of the last 1x1 convolution, 0 for none.
    """

    widths: tuple[int, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    head: int

    @property
    def key(self) -> str:
        """Short name that identifies the architecture within its space."""
        blocks = "_".join(
            f"k{kernel}e{expansion}" if expansion else "skip"
            for kernel, expansion in zip(self.kernels, self.expansions, strict=True)
        )
        return f"w{'-'.join(map(str, self.widths))}_{blocks}_h{self.head}"

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Block:
    """An inverted residual's fixed part: its stage and stride, and choices of its own.

    Parameters
    ----------
    stage, stride : int
    kernels, expansions : tuple of int or None
        Choices, ascending; None for those of the space.
    """

    stage: int
    stride: int
    kernels: tuple[int, ...] | None = None
    expansions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """A layer before it has weights; shapes are (height, width, channels)."""

    name: str
    kind: LayerKind
    inputs: tuple[str, ...]
    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    relu6: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpace:
    """MobileNet-style networks: 3x3 stem, inverted residuals, 1x1 head, pool, classifier.

    A block with stride 1 whose stage is that of its input has a residual add; it may be left out
    where ``skip`` allows that.

    Parameters
    ----------
    image : (int, int, int)
        Height, width and channels of the input.
    classes : int
    stage_widths : tuple of tuple of int
        Choices of each stage's width, ascending; multiples of 8 fill the SIMD units.
    blocks : tuple of Block
    kernels, expansions, heads : tuple of int
        Choices, ascending. Head 0 is none.
    stem_stride : int
        Stride of the stem, 1 or 2.
    skip : bool
        Whether blocks with a residual add may be left out.
    """

    image: tuple[int, int, int]
    classes: int
    stage_widths: tuple[tuple[int, ...], ...]
    blocks: tuple[Block, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    heads: tuple[int, ...]
    stem_stride: int = 1
    skip: bool = True

    @property
    def size(self) -> int:
        """Number of different architectures; a block that is left out has no kernel."""
        sizes = [len(widths) for widths in (*self.stage_widths, self.heads)]
        for i in range(len(self.blocks)):
            sizes.append(
                len(self.block_kernels(i)) * len(self.block_expansions(i)) + self.may_skip(i)
            )
        return math.prod(sizes)

    def supernet(self) -> "Supernet":
        """Make the network that holds the weights of all architectures of the space."""
        from search.supernet import Supernet

        return Supernet(self)

    def block_kernels(self, index: int) -> tuple[int, ...]:
        """Choices of the kernel of block ``index``."""
        return self.blocks[index].kernels or self.kernels

    def block_expansions(self, index: int) -> tuple[int, ...]:
        """Choices of the expansion of block ``index``, without :data:`SKIP`."""
        return self.blocks[index].expansions or self.expansions

    def source_stage(self, index: int) -> int:
        """Stage whose width block ``index`` reads."""
        return self.blocks[index - 1].stage if index else 0

    def has_residual(self, index: int) -> bool:
        """Whether block ``index`` has a residual add."""
        block = self.blocks[index]
        return block.stride == 1 and block.stage == self.source_stage(index)

    def may_skip(self, index: int) -> bool:
        """Whether block ``index`` may be left out."""
        return self.skip and self.has_residual(index)

    @property
    def decisions(self) -> dict[str, tuple[int, ...]]:
        """Choices of every decision by name."""
        decisions = {f"width{i}": widths for i, widths in enumerate(self.stage_widths)}
        for i in range(len(self.blocks)):
            decisions[f"kernel{i}"] = self.block_kernels(i)
            skip = (SKIP,) if self.may_skip(i) else ()
            decisions[f"expansion{i}"] = (*skip, *self.block_expansions(i))
        return decisions | {"head": self.heads}

    def architecture(self, choices: Mapping[str, int]) -> Architecture:
        """Architecture of the chosen index of every decision."""
        value = {name: values[choices[name]] for name, values in self.decisions.items()}
        blocks = range(len(self.blocks))
        expansions = tuple(value[f"expansion{i}"] for i in blocks)
        return Architecture(
            widths=tuple(value[f"width{i}"] for i in range(len(self.stage_widths))),
            kernels=tuple(
                value[f"kernel{i}"] if expansions[i] != SKIP else self.block_kernels(i)[0]
                for i in blocks
            ),
            expansions=expansions,
            head=value["head"],
        )

    def choices(self, architecture: Architecture) -> dict[str, int]:
        """Chosen index of every decision.

        Raises
        ------
        ValueError
            If the architecture is not in the space.
        """
        value = {f"width{i}": width for i, width in enumerate(architecture.widths)}
        value |= {f"kernel{i}": kernel for i, kernel in enumerate(architecture.kernels)}
        value |= {f"expansion{i}": factor for i, factor in enumerate(architecture.expansions)}
        value["head"] = architecture.head
        choices = {}
        for name, values in self.decisions.items():
            if value.get(name) not in values:
                raise ValueError(f"{name} must be one of {list(values)}, not {value.get(name)!r}")
            choices[name] = values.index(value[name])
        return choices

    def encode(self, architecture: Architecture) -> NDArray[np.float32]:
        """One-hot choices of all decisions, one after the other."""
        choices = self.choices(architecture)
        return np.concatenate(
            [np.eye(len(values))[choices[name]] for name, values in self.decisions.items()]
        ).astype(np.float32)

    def layers(self, architecture: Architecture) -> tuple[LayerShape, ...]:
        """Layers of the architecture in execution order, reading the tensor ``input``."""
        unrolled = _Unrolled(self.image)
        unrolled.conv("stem", architecture.widths[0], kernel=3, stride=self.stem_stride, relu6=True)
        for i, block in enumerate(self.blocks):
            expansion = architecture.expansions[i]
            if expansion == SKIP:
                continue
            source, channels = unrolled.last, unrolled.shape[2]
            if expansion > 1:
                unrolled.conv(f"block{i}_expand", channels * expansion, relu6=True)
            unrolled.depthwise(f"block{i}_depthwise", architecture.kernels[i], block.stride)
            unrolled.conv(f"block{i}_project", architecture.widths[block.stage])
            if self.has_residual(i):
                unrolled.add(f"block{i}_add", source)
        if architecture.head:
            unrolled.conv("head", architecture.head, relu6=True)
        unrolled.pool("pool")
        unrolled.classifier("classifier", self.classes)
        return tuple(unrolled.layers)


class _Unrolled:
    """Layers so far; each call appends a layer that reads the last."""

    def __init__(self, image: tuple[int, int, int]) -> None:
        self.layers: list[LayerShape] = []
        self.shape = image
        self.last = "input"

    def conv(
        self, name: str, channels: int, *, kernel: int = 1, stride: int = 1, relu6: bool = False
    ) -> None:
        self._window(name, LayerKind.CONV, channels, kernel, stride, relu6)

    def depthwise(self, name: str, kernel: int, stride: int) -> None:
        self._window(name, LayerKind.DEPTHWISE, self.shape[2], kernel, stride, True)

    def add(self, name: str, source: str) -> None:
        self._append(name, LayerKind.ADD, (source, self.last), self.shape)

    def pool(self, name: str) -> None:
        kind = LayerKind.GLOBAL_AVERAGE_POOL
        self._append(name, kind, (self.last,), (1, 1, self.shape[2]))

    def classifier(self, name: str, classes: int) -> None:
        self._append(name, LayerKind.FULLY_CONNECTED, (self.last,), (1, 1, classes))

    def _window(
        self, name: str, kind: LayerKind, channels: int, kernel: int, stride: int, relu6: bool
    ) -> None:
        height, width, _ = self.shape
        self._append(
            name,
            kind,
            (self.last,),
            (-(-height // stride), -(-width // stride), channels),
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=Padding.same((height, width), (kernel, kernel), (stride, stride)),
            relu6=relu6,
        )

    def _append(
        self,
        name: str,
        kind: LayerKind,
        inputs: tuple[str, ...],
        out_shape: tuple[int, int, int],
        **window: Any,
    ) -> None:
        self.layers.append(
            LayerShape(
                name=name,
                kind=kind,
                inputs=inputs,
                in_shape=self.shape,
                out_shape=out_shape,
                **window,
            )
        )
        self.shape, self.last = out_shape, name
