"""Images of layers' pixels and tensors of layers' channels, of an exported program's graph."""

import torch
from torch import Tensor, fx

from sim.importers.pytorch.float_network import FloatLayer
from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import IMAGE, arguments_of, break_rule, image_shape, pair
from sim.mosaics import (
    Pair,
    averaging_parts,
    interpolating_parts,
    pairs,
    placed,
    transposed_parts,
    window_of,
)
from sim.spec.network import LayerKind, PixelPlace

__all__ = ["ENLARGING", "averaged_within", "transposed"]

_LARGEST = 127


def _nearest(graph: Graph, node: fx.Node, value: Value) -> Value:
    factors, shape = _factors(node, value)
    copy = FloatLayer(
        name=f"{graph.layer_name(node)}_copy",
        kind=LayerKind.MAX_POOL,
        inputs=(value.tensor,),
        shape=value.shape,
    )
    place = PixelPlace(step=factors, times=factors)
    return graph.join(node, [copy], shape, (place,), positive=value.positive)


def _bilinear(graph: Graph, node: fx.Node, value: Value) -> Value:
    factors, shape = _factors(node, value)
    if arguments_of(node)["align_corners"]:
        break_rule(node, "align_corners must be False", True)
    made = pairs(
        *(
            interpolating_parts(size, factor, centred=True)
            for size, factor in zip(value.shape, factors, strict=False)
        )
    )
    if max(max(down.taps) * max(right.taps) for down, right in made) > _LARGEST:
        rule = f"factors must be so small that weights are at most {_LARGEST}"
        break_rule(node, rule, factors)
    return _weighed(graph, node, value, made, shape)


def _factors(node: fx.Node, value: Value) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """Whole factors of height and width, and the larger image's shape."""
    shape = image_shape(node)
    height, width, _ = value.shape
    factors = (shape[0] // height, shape[1] // width)
    given = arguments_of(node)
    # scales that are no whole numbers place pixels elsewhere, though sizes may be the same
    scales = given.get("scale_factors") or list(factors)
    if (shape[0] % height, shape[1] % width) != (0, 0) or list(scales) != list(factors):
        break_rule(node, f"size must be a whole multiple of {(height, width)}", shape[:2])
    return factors, shape


def averaged_within(
    graph: Graph,
    node: fx.Node,
    value: Value,
    window: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
    shape: tuple[int, int, int],
) -> Value:
    """Average what of each window lies in the image; ``window`` has its size, stride and padding."""
    made = pairs(
        *(
            averaging_parts(size, taps, step, before, windows)
            for size, taps, step, before, windows in zip(value.shape, *window, shape, strict=False)
        )
    )
    return _weighed(graph, node, value, made, shape)


def _weighed(
    graph: Graph, node: fx.Node, value: Value, made: list[Pair], shape: tuple[int, int, int]
) -> Value:
    """Weighted means of windows, a layer for each pair of rows and columns."""
    channels, name = value.shape[2], graph.layer_name(node)
    parts = []
    for place, (down, right) in enumerate(made):
        unit = 1 / (down.divisor * right.divisor)
        weights = torch.outer(torch.tensor(down.taps), torch.tensor(right.taps)).double() * unit
        parts.append(
            _part(
                f"{name}_{place}",
                value,
                (down, right),
                weights.expand(channels, 1, *weights.shape),
                torch.zeros(channels, dtype=torch.float64),
                torch.full((channels,), unit, dtype=torch.float64),
                depthwise=channels > 1,
            )
        )
    places = tuple(map(placed, made))
    return graph.join(node, parts, shape, places, positive=value.positive)


def transposed(graph: Graph, node: fx.Node, value: Value) -> Value:
    """Append a layer for each remainder of a transposed convolution's rows and columns by the stride."""
    given = arguments_of(node)
    weight = graph.constant(node, given["weight"], "weight").double()
    rank, groups = weight.ndim, given["groups"]
    if rank < IMAGE:
        weight = weight.unsqueeze(2)
    if pair(given["dilation"], rank) != (1, 1):
        break_rule(node, "dilation of a transposed convolution must be 1", given["dilation"])
    inputs, each, *taps = weight.shape
    outputs, shape = each * groups, image_shape(node)
    # [C, K / g, kh, kw] to [K, C / g, kh, kw]
    arranged = weight.reshape(groups, inputs // groups, each, *taps).transpose(1, 2)
    arranged = arranged.reshape(outputs, inputs // groups, *taps)
    depthwise = groups == inputs == outputs > 1
    if groups > 1 and not depthwise:
        spread = arranged.new_zeros((groups, each, groups, inputs // groups, *taps))
        every = torch.arange(groups)
        spread[every, :, every] = arranged.reshape(groups, each, inputs // groups, *taps)
        arranged = spread.reshape(outputs, inputs, *taps)
    made = pairs(
        *(
            transposed_parts((size, larger), kernel, step, before)
            for size, larger, kernel, step, before in zip(
                value.shape,
                shape,
                taps,
                pair(given["stride"], rank),
                pair(given["padding"], rank, 0),
                strict=False,
            )
        )
    )
    bias = graph.bias(node, given["bias"], outputs)
    scales = graph.weight_scales(node, given["weight"], each, 1)
    if scales is not None:
        scales = scales.repeat(groups)
    padded = torch.nn.functional.pad(arranged, (0, 1, 0, 1))  # -1 takes the zeros
    name = graph.layer_name(node, given["weight"])
    parts = [
        _part(
            f"{name}_{place}",
            value,
            (down, right),
            padded[:, :, list(down.taps)][..., list(right.taps)],
            bias,
            scales,
            depthwise=depthwise,
        )
        for place, (down, right) in enumerate(made)
    ]
    return graph.join(node, parts, shape, tuple(map(placed, made)))


def _part(
    name: str,
    value: Value,
    made: Pair,
    weight: Tensor,
    bias: Tensor,
    scales: Tensor | None,
    *,
    depthwise: bool,
) -> FloatLayer:
    window = window_of(made)
    return FloatLayer(
        name=name,
        kind=LayerKind.DEPTHWISE if depthwise else LayerKind.CONV,
        inputs=(value.tensor,),
        shape=(made[0].count, made[1].count, len(weight)),
        kernel=window.kernel,
        stride=window.stride,
        padding=window.padding,
        weight=weight,
        bias=bias,
        weight_scales=scales,
    )


def _cat(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    sources = [graph.values[source] for source in given["tensors"] if source in graph.values]
    rank = len(node.meta["val"].shape)
    if len(sources) != len(given["tensors"]):
        break_rule(node, "constants cannot be joined to an image", len(given["tensors"]))
    axis, shape = given["dim"] % rank, image_shape(node)
    if axis == 0 or (rank < 3 and shape[:2] != (1, 1)):
        break_rule(node, "tensors must be joined behind the batch", given["dim"])
    parts, places, begin = [], [], 0
    down = axis == 2 and rank == IMAGE
    for place, source in enumerate(sources):
        graph.unpadded(node, source)
        channels = source.shape[2]
        parts.append(
            FloatLayer(
                name=f"{graph.layer_name(node)}_{place}",
                kind=LayerKind.CONV,
                inputs=(source.tensor,),
                shape=source.shape,
                weight=torch.eye(channels, dtype=torch.float64)[:, :, None, None],
                bias=torch.zeros(channels, dtype=torch.float64),
                weight_scales=torch.ones(channels, dtype=torch.float64),
            )
        )
        places.append(PixelPlace(begin=(begin, 0) if down else (0, begin)))
        begin += source.shape[0 if down else 1]
    if len(parts) == 1:
        return graph.append(node, parts[0], positive=value.positive)
    positive = all(source.positive for source in sources)
    pixels = tuple(places) if axis > 1 else ()
    return graph.join(node, parts, shape, pixels, positive=positive)


ENLARGING = {
    "aten.upsample_nearest2d.vec": Reader(read=_nearest, takes_views=False),
    "aten.upsample_bilinear2d.vec": Reader(read=_bilinear, takes_views=False),
    "aten.cat.default": Reader(read=_cat, takes_views=False),
}
"""Readers of images and tensors that consist of others, by ATen's names."""
