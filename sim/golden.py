"""Bit-exact integer reference of every layer kind (TensorFlow Lite Micro's int8 arithmetic)."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sim.spec.inputs import split
from sim.spec.network import (
    ADD_LEFT_SHIFT,
    FACTOR_BYTES,
    WINDOW_POOLS,
    Concatenation,
    Layer,
    LayerKind,
    Network,
    TensorSpec,
)

__all__ = [
    "IDENTITY",
    "POOL_COUNT_LIMIT",
    "PoolReciprocal",
    "accumulate",
    "add_concatenations",
    "concatenate",
    "divide_half_away",
    "factor_constants",
    "pool_reciprocal",
    "requantize",
    "run",
    "run_layer",
]

Activations: TypeAlias = NDArray[np.int8]
"""int8[N, height, width, channels]."""

POOL_COUNT_LIMIT = 1 << 22
"""`pool_reciprocal` is exact for smaller counts."""

_FLOAT32_EXACT = 1 << 24
"""float32 holds every integer up to this magnitude, so sums that stay below are exact."""

_BLOCK_ELEMENTS = 1 << 21
"""Gathered inputs per matrix product; bounds the memory of wide layers."""


class PoolReciprocal(NamedTuple):
    """Requantizer constants of a division: a record's ``multiplier``, ``left`` and ``right``."""

    multiplier: int
    left: int
    right: int


IDENTITY = PoolReciprocal(1 << 30, 1, 0)
"""Requantizer constants that leave every value below 2^30 as it is."""


def requantize(
    acc: NDArray[np.integer[Any]],
    multiplier: NDArray[np.int32] | int,
    shift: NDArray[np.int32] | int,
) -> NDArray[np.int32]:
    """Multiply int32 by a real number, rounding twice as gemmlowp does.

    The accumulator is shifted left by ``max(shift, 0)``, wrapping in int32; the saturating
    rounding doubling high product with ``multiplier`` is then divided by 2^max(-shift, 0), ties
    away from zero.

    Parameters
    ----------
    acc : int32[...]
        Accumulators; wider integers wrap to int32 first.
    multiplier : int32, broadcast against `acc`
        Q31 significand, 0 … 2^31 - 1.
    shift : int32, broadcast against `acc`
        Positive shifts left; -31 … 31.

    Returns
    -------
    int32[...]
    """
    significand = np.asarray(multiplier, np.int64)
    exponent = np.asarray(shift, np.int64)
    wide = _wrap(_wrap(acc).astype(np.int64) << np.maximum(exponent, 0)).astype(np.int64)
    # The nudge of gemmlowp and its truncating division are floor(x + 1/2) for any sign as long
    # as the multiplier is not negative, which also excludes the one product that saturates.
    high = (wide * significand + (1 << 30)) >> 31
    return _shift_right_half_away(high, np.maximum(-exponent, 0)).astype(np.int32)


def divide_half_away(total: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Divide integers by a positive count, rounding to nearest, ties away from zero."""
    magnitude: NDArray[np.int64] = (np.abs(total) + count // 2) // count
    return np.sign(total) * magnitude


def pool_reciprocal(count: int) -> PoolReciprocal:
    """Requantizer constants that divide the sum of ``count`` int8 values exactly.

    For every |x| <= 128 · count the rounding doubling high product of ``x << left`` with
    ``multiplier``, then the rounding shift right by ``right``, equals x / count rounded to
    nearest, ties away from zero. ``x << left`` does not overflow int32.

    Notes
    -----
    With k = floor(log2(count)) the constants compute x · 2^(k+2) / count in fixed point. The
    multiplier's rounding moves that by e <= count · 2^-23 < 1/2. A tie of x / count is an integer
    here, so it is met exactly; any other quotient is at least 2^(k+1) / count >= 1 + 1/count away
    from it, more than 1/2 + e, so it cannot be rounded onto a tie. A power of two has no
    error, only a multiplier that must be halved to fit.

    Raises
    ------
    ValueError
        If ``count`` is not in 1 … ``POOL_COUNT_LIMIT`` - 1.
    """
    if not 1 <= count < POOL_COUNT_LIMIT:
        raise ValueError(f"count must be in 1 … {POOL_COUNT_LIMIT - 1}, not {count!r}")
    exponent = count.bit_length() - 1
    if count == 1 << exponent:
        return PoolReciprocal(1 << 30, 2, exponent + 1)
    return PoolReciprocal(((1 << (32 + exponent)) // count + 1) // 2, 2, exponent + 2)


def run(network: Network, x: Activations) -> dict[str, Activations]:
    """Compute all tensors of a network.

    Parameters
    ----------
    network : Network
    x : int8[N, height, width, channels]
        Quantized images in the shape of ``network.input``; of several inputs int8[N, values] as
        :func:`sim.spec.inputs.split` divides them; of a network with states in the order of its runs, the first of which
        finds the initial values.

    Returns
    -------
    dict of str to int8[N, height, width, channels]
        Every tensor by name, the inputs included, in order of computation. States are as each run finds them.

    Raises
    ------
    TypeError, ValueError
        If `x` is not int8 or not of the input's shape.
    """
    if x.dtype != np.int8:
        raise TypeError(f"x must be int8, not {x.dtype}")
    given = split(network.inputs, x)
    if not network.states:
        return _run(network, given)
    kept = {state.name: state.initial[None] for state in network.states}
    runs = []
    for number in range(len(x)):
        image = {name: values[number : number + 1] for name, values in given.items()}
        runs.append(_run(network, image | kept))
        kept = {state.name: runs[-1][state.next] for state in network.states}
    return {name: np.concatenate([values[name] for values in runs]) for name in runs[0]}


def _run(network: Network, values: dict[str, Activations]) -> dict[str, Activations]:
    """Add all further tensors to a network's inputs and states."""
    specs = network.tensors
    for layer in network.layers:
        sources = [specs[name] for name in layer.inputs]
        values[layer.name] = run_layer(layer, sources, [values[name] for name in layer.inputs])
        add_concatenations(network, values)
    return values


def add_concatenations(network: Network, values: dict[str, Activations]) -> None:
    """Add the concatenations all of whose parts are there to a network's tensors so far."""
    ready = True
    while ready:
        ready = False
        for joint in network.concatenations:
            if joint.name not in values and values.keys() >= set(joint.parts):
                values[joint.name] = concatenate(joint, [values[name] for name in joint.parts])
                ready = True


def concatenate(joint: Concatenation, parts: list[Activations]) -> Activations:
    """Put parts side by side, or one over the other in a mosaic; channels of no part are the zero point."""
    if joint.pixels:
        return _mosaic(joint, parts)
    starts = joint.starts or np.cumsum([0, *(part.shape[3] for part in parts[:-1])])
    shape = (len(parts[0]), *joint.output.shape)
    out = np.full(shape, joint.output.zero_point, np.int8)
    for start, part in zip(starts, parts, strict=True):
        out[..., start : start + part.shape[3]] = part
    return out


def _mosaic(joint: Concatenation, parts: list[Activations]) -> Activations:
    out = np.empty((len(parts[0]), *joint.output.shape), np.int8)
    for place, part in zip(joint.pixels, parts, strict=True):
        for rows, columns in place.rectangles((part.shape[1], part.shape[2])):
            out[:, rows, columns] = part
    return out


def run_layer(layer: Layer, sources: list[TensorSpec], inputs: list[Activations]) -> Activations:
    """Compute one layer: ``inputs[i]`` int8[N, *sources[i].shape] to int8[N, *output.shape]."""
    results = _results(layer, sources, inputs)
    return results if layer.table is None else layer.table.look_up(results)


def _results(layer: Layer, sources: list[TensorSpec], inputs: list[Activations]) -> Activations:
    """Clamped results of a layer, from which its table makes the output."""
    if layer.kind is LayerKind.ADD:
        return _add(layer, sources, inputs)
    if layer.kind is LayerKind.FACTORS:
        return _factors(sources[0], inputs[0])
    if layer.kind is LayerKind.MULTIPLY:
        return _multiply(layer, sources, inputs)
    if layer.kind in (LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.MEAN):
        return _mean(layer, sources[0], inputs[0])
    if layer.kind in WINDOW_POOLS:
        return _pool(layer, inputs[0])
    out = np.empty((len(inputs[0]), *layer.output.shape), np.int8)
    pixels = layer.output.height * layer.output.width
    widest = max(layer.weights[0].size, layer.output.channels)
    step = max(1, _BLOCK_ELEMENTS // (pixels * widest))
    for start in range(0, len(out), step):
        block = slice(start, start + step)
        acc = accumulate(layer, sources[0], inputs[0][block])
        y = requantize(acc, layer.multiplier, layer.shift).astype(np.int64)
        out[block] = (y + layer.result_zero_point).clip(*layer.clamp)
    return out


def accumulate(layer: Layer, source: TensorSpec, x: Activations) -> NDArray[np.int64]:
    """Sums of products and bias of a layer with weights, before requantization.

    int8[N, *source.shape] to int64[N, *output.shape].
    """
    compute = _depthwise if layer.kind is LayerKind.DEPTHWISE else _convolve
    # b' = b - z_in·Σw, with z_in injected by the padding: every tap then reads an int8 value
    folded = layer.bias.astype(np.int64) - source.zero_point * _weight_sums(layer)
    return compute(layer, _pad(layer, x, source.zero_point)) + folded


def _add(layer: Layer, sources: list[TensorSpec], inputs: list[Activations]) -> Activations:
    total = np.zeros(inputs[0].shape, np.int64)
    for i, (source, x) in enumerate(zip(sources, inputs, strict=True)):
        scaled = (x.astype(np.int64) - source.zero_point) << ADD_LEFT_SHIFT
        total += requantize(scaled, int(layer.multiplier[i]), int(layer.shift[i]))
    y = requantize(total, int(layer.multiplier[2]), int(layer.shift[2])).astype(np.int64)
    return (y + layer.result_zero_point).clip(*layer.clamp).astype(np.int8)


def factor_constants(zero_point: int) -> tuple[int, int]:
    """Two int8 values that sum up to -``zero_point``: what FACTORS puts beside a value."""
    most = min(-zero_point, 127)
    return most, -zero_point - most


def _factors(source: TensorSpec, x: Activations) -> Activations:
    """Each value v, two constants and -1 - v: int8[N, 1, 1, C] to int8[N, 1, 1, 4·C]."""
    parts = [x, *(np.full_like(x, value) for value in factor_constants(source.zero_point)), ~x]
    return np.stack(parts, axis=-1).reshape(*x.shape[:3], FACTOR_BYTES * x.shape[3])


def _multiply(layer: Layer, sources: list[TensorSpec], inputs: list[Activations]) -> Activations:
    """Product of every pixel and a vector, which comes as its factors."""
    centred = inputs[0].astype(np.int64) - sources[0].zero_point
    factors = inputs[1].astype(np.int64).reshape(len(inputs[1]), 1, 1, -1, FACTOR_BYTES)
    products = centred * factors[..., :-1].sum(axis=-1)
    y = requantize(products, int(layer.multiplier[0]), int(layer.shift[0])).astype(np.int64)
    return (y + layer.result_zero_point).clip(*layer.clamp).astype(np.int8)


def _mean(layer: Layer, source: TensorSpec, x: Activations) -> Activations:
    """Mean of all pixels: in the input's quantization by a division, in another by requantizing."""
    total = x.sum(axis=(1, 2), keepdims=True, dtype=np.int64)
    count = source.height * source.width
    if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        return divide_half_away(total, count).clip(*layer.clamp).astype(np.int8)
    centred = total - count * source.zero_point
    y = requantize(centred, int(layer.multiplier[0]), int(layer.shift[0])).astype(np.int64)
    return (y + layer.result_zero_point).clip(*layer.clamp).astype(np.int8)


def _pool(layer: Layer, x: Activations) -> Activations:
    """Largest or mean value of every window, tap by tap."""
    windows = _windows(layer, _pad(layer, x, -128))  # [n, P, Q, C, kh, kw]
    taps = [windows[..., ky, kx] for ky in range(layer.kernel[0]) for kx in range(layer.kernel[1])]
    if layer.kind is LayerKind.MAX_POOL:
        largest = taps[0].copy()
        for tap in taps[1:]:
            np.maximum(largest, tap, out=largest)
        return largest.clip(*layer.clamp)
    total = np.zeros(windows.shape[:4], np.int64)
    for tap in taps:
        total += tap
    return divide_half_away(total, len(taps)).clip(*layer.clamp).astype(np.int8)


def _convolve(layer: Layer, padded: Activations) -> NDArray[np.int64]:
    """Sum of products of a convolution or fully connected layer: int64[n, P, Q, K]."""
    real = _exact_float(layer)
    windows = _windows(layer, padded)  # [n, P, Q, C, kh, kw]
    filters: NDArray[Any] = layer.weights.reshape(layer.output.channels, -1).astype(real)
    gathered: NDArray[Any] = windows.transpose(0, 1, 2, 4, 5, 3).astype(real, order="C")
    sums: NDArray[Any] = gathered.reshape(-1, filters.shape[1]) @ filters.T
    return sums.astype(np.int64).reshape(len(padded), *layer.output.shape)


def _depthwise(layer: Layer, padded: Activations) -> NDArray[np.int64]:
    """Sum of products of a depthwise layer, tap by tap: int64[n, P, Q, C]."""
    real = _exact_float(layer)
    windows = _windows(layer, padded.astype(real))  # [n, P, Q, C, kh, kw]
    filters = layer.weights.astype(real)
    sums = np.zeros(windows.shape[:4], real)
    for ky in range(layer.kernel[0]):
        for kx in range(layer.kernel[1]):
            sums += windows[..., ky, kx] * filters[ky, kx]
    return sums.astype(np.int64)


def _pad(layer: Layer, x: Activations, zero_point: int) -> Activations:
    pad = layer.padding
    if not (pad.top or pad.bottom or pad.left or pad.right):
        return x
    widths = ((0, 0), (pad.top, pad.bottom), (pad.left, pad.right), (0, 0))
    return np.pad(x, widths, constant_values=zero_point)


def _windows(layer: Layer, padded: NDArray[Any]) -> NDArray[Any]:
    """View of every output pixel's taps: [n, P, Q, C, kh, kw]."""
    view = sliding_window_view(padded, layer.kernel, axis=(1, 2))
    return view[:, :: layer.stride[0], :: layer.stride[1]]


def _weight_sums(layer: Layer, *, magnitude: bool = False) -> NDArray[np.int64]:
    """Sum of each output channel's weights, or of their magnitudes: int64[K]."""
    weights = layer.weights.astype(np.int64)
    axes = (0, 1) if layer.kind is LayerKind.DEPTHWISE else (1, 2, 3)
    sums: NDArray[np.int64] = (np.abs(weights) if magnitude else weights).sum(axis=axes)
    return sums


def _exact_float(layer: Layer) -> type[np.float32] | type[np.float64]:
    """Floating type in which this layer's sums are exact in any order of summation.

    No partial sum exceeds 128·Σ|w|: below 2^24 float32 holds all of them, and below 2^53, which
    would take 2^39 taps to reach, float64 does.
    """
    bound = 128 * int(_weight_sums(layer, magnitude=True).max())
    return np.float32 if bound <= _FLOAT32_EXACT else np.float64


def _wrap(value: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Keep the low 32 bits as a two's complement number."""
    return np.asarray(value).astype(np.int32)  # C-style truncation: numpy wraps integer casts


def _shift_right_half_away(value: NDArray[np.int64], shift: NDArray[np.int64]) -> NDArray[np.int64]:
    """Divide by 2^shift, rounding to nearest, ties away from zero."""
    # 2^(shift-1) for ties, minus 1 for negatives: they would otherwise round up, to zero.
    half = (np.int64(1) << shift) >> 1
    return (value + half - ((value < 0) & (shift > 0))) >> shift
