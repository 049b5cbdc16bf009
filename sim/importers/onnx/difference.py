"""Where an imported ONNX network can differ from onnxruntime, and how often it does on a sample.

onnxruntime computes clamp(round_half_even(float32(sum) · float32(multiplier)) + zero point). The
accelerator multiplies by the same multiplier in fixed point and rounds once or twice, ties away
from zero. Both results are the integer below or above the real product, so that they differ by
1 at most, before a layer's activation table.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.importers.folder import ImportedNetwork
from sim.importers.host import UNIT_FACTOR
from sim.spec.network import ADD_LEFT_SHIFT, FACTOR_BYTES, Layer, LayerKind, Network, TensorSpec

__all__ = [
    "SEED",
    "LayerDifference",
    "difference_bound",
    "differences",
    "onnxruntime_layer",
    "report",
]

SEED = 1
"""Seed of the random inputs that are compared."""

_SAMPLE_MACS = 1 << 28
_MOST_MACS = 1 << 34
"""Most MACs of all that is compared; layers behind this many are not."""

_MOST_GATHERED = 1 << 25
"""Values that the windows of one comparison have in all; larger layers are not compared."""

_MOST_IMAGES = 8

_WINDOWS = (LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.FULLY_CONNECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDifference:
    """One layer against onnxruntime, given the same input.

    Parameters
    ----------
    layer, node : str
        Of the network and of the model.
    bound : int
        Largest possible difference of a value.
    reason : str
    values, differing : int
        Values that were compared on random int8 inputs, and how many of them differ; 0 of 0 where
        that would be very much work.
    """

    layer: str
    node: str
    bound: int
    reason: str
    values: int
    differing: int


def differences(imported: ImportedNetwork) -> tuple[LayerDifference, ...]:
    """Compare every layer of an imported ONNX model, by itself, with onnxruntime's formula."""
    network = imported.network
    nodes, results = imported.source["nodes"], imported.source.get("results", {})
    rng = np.random.default_rng(SEED)
    rows = []
    left = _MOST_MACS
    for layer in network.layers:
        pixels, taps = math.prod(layer.output.shape[:2]), math.prod(layer.kernel)
        channels = network.tensors[layer.inputs[0]].channels
        gathered = max(pixels * taps * channels, math.prod(layer.output.shape))
        images = max(1, min(_MOST_IMAGES, _SAMPLE_MACS // max(1, layer.macs)))
        images = min(images, _MOST_GATHERED // gathered)
        left -= images * max(layer.macs, gathered)
        if left < 0:
            images = 0
        scale = results.get(layer.name)
        rows.append(_difference(network, layer, nodes[layer.name], rng, images, scale))
    return tuple(rows)


def report(rows: Sequence[LayerDifference]) -> dict[str, object]:
    """JSON object of the comparison."""
    return {
        "schema": 1,
        "reference": "onnxruntime: clamp(round_half_even(float32(sum) * multiplier) + zero_point)",
        "seed": SEED,
        "layers": [asdict(row) for row in rows],
    }


def _difference(
    network: Network,
    layer: Layer,
    node: str,
    rng: np.random.Generator,
    images: int,
    scale: float | None,
) -> LayerDifference:
    bound, reason = difference_bound(layer)
    if not images:
        return LayerDifference(
            layer=layer.name, node=node, bound=bound, reason=reason, values=0, differing=0
        )
    sources = [network.tensors[name] for name in layer.inputs]
    inputs = [
        rng.integers(-128, 128, (images, *source.shape)).astype(np.int8) for source in sources
    ]
    ours = golden.run_layer(layer, sources, inputs)
    theirs = onnxruntime_layer(layer, sources, inputs, scale)
    return LayerDifference(
        layer=layer.name,
        node=node,
        bound=bound,
        reason=reason,
        values=ours.size,
        differing=int((ours != theirs).sum()),
    )


def difference_bound(layer: Layer) -> tuple[int, str]:
    """Largest possible difference of a layer's value, and its reason."""
    bound, reason = _bound_of_results(layer)
    if layer.table is None or not bound:
        return bound, reason
    steps = np.abs(np.diff(layer.table.values.astype(int)))
    return int(steps.max()), f"{reason}, before the activation table"


def _bound_of_results(layer: Layer) -> tuple[int, str]:
    """Largest difference before an activation table."""
    if layer.kind in (LayerKind.MAX_POOL, LayerKind.FACTORS):
        return 0, "nothing is rounded"
    if layer.kind in (*_WINDOWS, LayerKind.MEAN, LayerKind.MULTIPLY):
        # 2^30 · 2^(shift - 31): a whole number from a shift of 1 on
        if bool(((layer.multiplier == UNIT_FACTOR[0]) & (layer.shift >= 1)).all()):
            return 0, "every multiplier is a power of two of at least 1: nothing is rounded"
        return 1, "the product with the multiplier is rounded in fixed point"
    if layer.kind is LayerKind.ADD:
        if _adds_integers(layer):
            return 0, "both operands are whole multiples of the sum's step: nothing is rounded"
        return 1, "both operands and their sum are rounded in fixed point"
    return 1, "a half is rounded away from zero, not to even"


def _adds_integers(layer: Layer) -> bool:
    """Whether both operands of a sum are multiplied by powers of two, and neither loses a bit."""
    exponents = layer.shift.astype(int) - 1  # 2^30 · 2^(shift - 31)
    scaled = exponents[:2] + ADD_LEFT_SHIFT
    powers = (layer.multiplier == UNIT_FACTOR[0]).all()
    return bool(powers and (scaled >= 0).all() and (scaled + exponents[2] >= 0).all())


def onnxruntime_layer(
    layer: Layer,
    sources: list[TensorSpec],
    inputs: list[NDArray[np.int8]],
    result_scale: float | None = None,
) -> NDArray[np.int8]:
    """One layer by onnxruntime's formulas, of its operators on int8 and uint8.

    ``result_scale`` is that of its results before an activation table.
    """
    table, x = layer.table, inputs[0]
    zero_point = layer.output.zero_point if table is None else table.zero_point
    if layer.kind in (LayerKind.MAX_POOL, LayerKind.FACTORS):
        return golden.run_layer(layer, sources, inputs)
    if layer.kind is LayerKind.ADD:
        scale = np.float32(layer.output.scale if result_scale is None else result_scale)
        total = np.zeros(x.shape, np.float32)
        for source, operand in zip(sources, inputs, strict=True):
            ratio = np.float32(source.scale) / scale
            total += ratio * (operand.astype(np.int32) - source.zero_point).astype(np.float32)
        rounded = np.rint(total)
    elif layer.kind is LayerKind.AVERAGE_POOL:
        rounded = np.rint(_window_means(layer, x, sources[0].zero_point))
    else:
        if layer.kind is LayerKind.MULTIPLY:
            vector = (
                inputs[1]
                .reshape(len(x), 1, 1, -1, FACTOR_BYTES)[..., :-1]
                .sum(axis=-1, dtype=np.int64)
            )
            acc = (x.astype(np.int64) - sources[0].zero_point) * vector
        elif layer.kind is LayerKind.MEAN:
            count = sources[0].height * sources[0].width
            total_pixels = x.sum(axis=(1, 2), keepdims=True, dtype=np.int64)
            acc = total_pixels - count * sources[0].zero_point
        else:
            acc = golden.accumulate(layer, sources[0], x)
        exponents = layer.shift.astype(np.int32) - 31
        multiplier = np.ldexp(layer.multiplier.astype(np.float64), exponents).astype(np.float32)
        rounded = np.rint(acc.astype(np.int32).astype(np.float32) * multiplier)
    result: NDArray[np.int8] = (
        (rounded.astype(np.float64) + zero_point).clip(*layer.clamp).astype(np.int8)
    )
    return result if table is None else table.look_up(result)


def _window_means(layer: Layer, x: NDArray[np.int8], zero_point: int) -> NDArray[np.float32]:
    """Mean of every window less the zero point, in single precision."""
    height, width = layer.output.height, layer.output.width
    down, right = layer.stride
    total = np.zeros((len(x), *layer.output.shape), np.int32)
    for top in range(layer.kernel[0]):
        for left in range(layer.kernel[1]):
            rows = slice(top, top + down * (height - 1) + 1, down)
            total += x[:, rows, left : left + right * (width - 1) + 1 : right]
            total -= zero_point
    return total.astype(np.float32) / np.float32(layer.kernel[0] * layer.kernel[1])
