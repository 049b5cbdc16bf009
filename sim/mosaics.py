"""Images that are put together from the pixels of several layers: what each layer computes, axis by axis.

A layer reads windows of an image, ``stride`` apart, and its pixels lie ``step`` apart in the whole. Later layers lie over
earlier layers, and the layers of an image are those of its rows with each of those of its columns.
"""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from sim.spec.network import Padding, PixelPlace

__all__ = [
    "AxisPart",
    "Window",
    "averaging_parts",
    "interpolating_parts",
    "pairs",
    "placed",
    "transposed_parts",
    "window_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPart:
    """Rows of an image that a layer computes, or its columns.

    Parameters
    ----------
    count : int
        Rows.
    begin, step, times : int
        Where they lie in the whole, as of :class:`sim.spec.network.PixelPlace`.
    taps : tuple of int
        Of a row's window: weights of interpolation or of averages; rows of a transposed kernel, -1 where there is none.
    before, after : int
        Padding.
    stride : int
        From a window to its neighbour.
    divisor : int
        Sum of the weights that meet pixels.
    """

    count: int
    begin: int
    taps: tuple[int, ...]
    step: int = 1
    times: int = 1
    before: int = 0
    after: int = 0
    stride: int = 1
    divisor: int = 1


Pair = tuple[AxisPart, AxisPart]
"""A layer's rows and its columns."""


def pairs(rows: list[AxisPart], columns: list[AxisPart]) -> list[Pair]:
    """Layers of an image, in their order."""
    return list(product(rows, columns))


def placed(pair: Pair) -> PixelPlace:
    """Where the pixels of a layer lie."""
    rows, columns = pair
    return PixelPlace(
        begin=(rows.begin, columns.begin),
        step=(rows.step, columns.step),
        times=(rows.times, columns.times),
    )


class Window(NamedTuple):
    """Kernel, stride and padding of a layer."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding


def window_of(pair: Pair) -> Window:
    """Window of a layer."""
    rows, columns = pair
    return Window(
        (len(rows.taps), len(columns.taps)),
        (rows.stride, columns.stride),
        Padding(top=rows.before, bottom=rows.after, left=columns.before, right=columns.after),
    )


def interpolating_parts(size: int, factor: int, *, centred: bool) -> list[AxisPart]:
    """Rows of an image ``factor`` times as high, with a weighted mean of two rows between them.

    ``centred``: pixels are where their middles are, not their first corners. Beyond the outermost rows, these are
    repeated. Weights are over ``divisor``, which is a power of two if the factor is.
    """
    parts = [AxisPart(count=size, begin=0, step=factor, times=factor, taps=(1,))]
    if size == 1 or factor == 1:
        return parts
    between = centred and factor % 2 == 0  # then no pixel's middle is a pixel's middle in the input
    whole = 2 * factor if between else factor
    for place in range(0 if between else 1, factor):
        part = 2 * place + 1 if between else place
        begin = place + (factor // 2 if centred else 0)
        taps = (whole - part, part)
        parts.append(AxisPart(count=size - 1, begin=begin, step=factor, taps=taps, divisor=whole))
    return parts


def transposed_parts(
    sizes: tuple[int, int], taps: int, stride: int, padding: int
) -> list[AxisPart]:
    """Rows of a transposed convolution from ``sizes[0]`` rows to ``sizes[1]``: those of each remainder by the stride.

    Row ``y`` of the input meets row ``y · stride - padding + tap`` of the output.
    """
    parts = []
    for remainder in range(min(stride, sizes[1])):
        begin = (remainder - padding) % stride
        if begin >= sizes[1]:
            continue
        own = tuple(range(taps))[remainder::stride][::-1] or (-1,)
        first = (begin + padding - remainder) // stride - (len(own) - 1)
        count = -(-(sizes[1] - begin) // stride)
        parts.append(
            _fitted(AxisPart(count=count, begin=begin, step=stride, taps=own), first, sizes[0], -1)
        )
    return parts


def averaging_parts(
    size: int, taps: int, stride: int, padding: int, windows: int
) -> list[AxisPart]:
    """Rows of windows that reach over the border, by how many of their rows are in the image: the fewest first.

    Those with as many rows or more lie side by side, so that each part is computed as if all of its windows had just so
    many.
    """
    starts = [window * stride - padding for window in range(windows)]
    real = [min(start + taps, size) - max(start, 0) for start in starts]
    parts = []
    for most in sorted(set(real)):
        own = [window for window in range(windows) if real[window] >= most]
        part = AxisPart(count=len(own), begin=own[0], taps=(1,) * taps, stride=stride, divisor=most)
        parts.append(_fitted(part, starts[own[0]], size, 0))
    return parts


def _fitted(part: AxisPart, first: int, size: int, nothing: int) -> AxisPart:
    """The part with its first window beginning at row ``first`` of ``size``: by padding, or by taps of nothing."""
    taps, before = part.taps, max(0, -first)
    taps = (nothing,) * max(0, first) + taps
    after = (part.count - 1) * part.stride + len(taps) - before - size
    taps += (nothing,) * max(0, 1 - part.stride - after)
    return AxisPart(
        count=part.count,
        begin=part.begin,
        step=part.step,
        times=part.times,
        taps=taps,
        before=before,
        after=max(0, after),
        stride=part.stride,
        divisor=part.divisor,
    )
