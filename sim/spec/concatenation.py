"""Concatenations: tensors that consist of the channels or of the pixels of others."""

from dataclasses import dataclass

import numpy as np

from sim.spec.rules import Integer
from sim.spec.tensors import EXTENT, NAME, TensorSpec

__all__ = ["Concatenation", "PixelPlace", "require_parts"]

_BEGIN = Integer(0, EXTENT.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelPlace:
    """Where the pixels of a part lie in a mosaic: pixel (y, x) at ``begin`` + (y, x) · ``step``.

    Parameters
    ----------
    begin : (int, int)
        Row and column of the first pixel.
    step : (int, int)
        Rows and columns from a pixel to its neighbour.
    times : (int, int)
        Rows and columns that each pixel fills, from its place on; at most ``step``.
    """

    begin: tuple[int, int] = (0, 0)
    step: tuple[int, int] = (1, 1)
    times: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        """Check ranges."""
        for first, step, times in zip(self.begin, self.step, self.times, strict=True):
            _BEGIN.require(first, "begin of a pixel place")
            EXTENT.require(step, "step of a pixel place")
            Integer(1, step).require(times, "times of a pixel place")

    def rectangles(self, size: tuple[int, int]) -> list[tuple[slice, slice]]:
        """Rows and columns of the whole that a part of ``size`` fills: a pair for each of the times."""
        made = []
        for places in np.ndindex(*self.times):
            rows, columns = (
                slice(first + place, first + place + (count - 1) * step + 1, step)
                for first, place, count, step in zip(
                    self.begin, places, size, self.step, strict=True
                )
            )
            made.append((rows, columns))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenation:
    """A tensor of the channels of others, its parts; nothing is computed. With ``pixels`` it is a mosaic.

    The parts of a mosaic have all of its channels, and some of its pixels. Later parts lie over earlier parts.

    Parameters
    ----------
    name : str
    parts : tuple of str
        Names of the tensors, two or more, in the order of their channels: outputs of layers, or other
        concatenations. No tensor is a part of two.
    output : TensorSpec
        ``output.name == name``; quantized as all parts are.
    starts : tuple of int
        First channel of each part, where channels of no part lie between them; without it parts lie side
        by side. A network as it is given has none: the mapper lays parts out in whole vectors.
    pixels : tuple of PixelPlace
        Of a mosaic: the place of each part, one or more in the order of the layers that make them. Nothing else reads these
        parts.
    """

    name: str
    parts: tuple[str, ...]
    output: TensorSpec
    starts: tuple[int, ...] = ()
    pixels: tuple[PixelPlace, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without the parts."""
        NAME.require(self.name, "name of a concatenation")
        if self.output.name != self.name:
            raise ValueError(f"output of concatenation {self.name!r} must bear its name")
        if self.pixels and len(self.pixels) != len(self.parts):
            raise ValueError(f"pixels of concatenation {self.name!r} must be one for each part")
        if len(self.parts) < (1 if self.pixels else 2):
            raise ValueError(
                f"concatenation {self.name!r} must have 2 parts or more, not {len(self.parts)}"
            )
        if self.starts and len(self.starts) != len(self.parts):
            raise ValueError(f"starts of concatenation {self.name!r} must be one for each part")


def require_parts(joint: Concatenation, parts: list[TensorSpec]) -> None:
    """Check a concatenation against its parts.

    Raises
    ------
    ValueError
        If sizes, channels or quantization do not fit together.
    """
    out = joint.output
    for part in parts:
        if not joint.pixels and (part.height, part.width) != (out.height, out.width):
            size, given = (out.height, out.width), (part.height, part.width)
            rule = f"must have its size {size}, not {given}"
            raise ValueError(f"part {part.name!r} of concatenation {joint.name!r} {rule}")
        if (part.scale, part.zero_point) != (out.scale, out.zero_point):
            rule = "must be quantized as it is"
            raise ValueError(f"part {part.name!r} of concatenation {joint.name!r} {rule}")
    if joint.pixels:
        _require_mosaic(joint, parts)
        return
    if joint.starts:
        ends = [start + part.channels for start, part in zip(joint.starts, parts, strict=True)]
        if any(start < end for start, end in zip(joint.starts, [0, *ends[:-1]], strict=True)):
            raise ValueError(f"starts of concatenation {joint.name!r} must rise from part to part")
        channels = ends[-1]
    else:
        channels = sum(part.channels for part in parts)
    if out.channels != channels:
        rule = f"must have {channels} channels, those of its parts, not {out.channels}"
        raise ValueError(f"concatenation {joint.name!r} {rule}")


def _require_mosaic(joint: Concatenation, parts: list[TensorSpec]) -> None:
    out = joint.output
    filled = np.zeros((out.height, out.width), bool)
    for part, place in zip(parts, joint.pixels, strict=True):
        what = f"part {part.name!r} of concatenation {joint.name!r}"
        if part.channels != out.channels:
            raise ValueError(f"{what} must have its {out.channels} channels, not {part.channels}")
        size = (part.height, part.width)
        ends = [
            first + (count - 1) * step + times
            for first, count, step, times in zip(
                place.begin, size, place.step, place.times, strict=True
            )
        ]
        if ends[0] > out.height or ends[1] > out.width:
            raise ValueError(
                f"{what} must end within {(out.height, out.width)}, not at {tuple(ends)}"
            )
        for rectangle in place.rectangles(size):
            filled[rectangle] = True
    if not filled.all():
        row, column = np.argwhere(~filled)[0].tolist()
        raise ValueError(
            f"parts of concatenation {joint.name!r} must fill all of its pixels, not leave {(row, column)}"
        )
