"""Weight blocks: a layer's parameter and register-file rows as the LOAD unit streams them."""

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.spec.network import ADD_LEFT_SHIFT, Layer, LayerKind, TensorSpec

__all__ = ["RECORD", "layer_stream"]

RECORD = np.dtype(
    {
        "names": ["bias", "multiplier", "left", "right"],
        "formats": ["<i4", "<u4", "u1", "u1"],
        "offsets": [0, 4, 8, 9],
        "itemsize": 16,
    }
)
"""One channel's requantization record (docs/hardware.md, Parameters)."""


def layer_stream(layer: Layer, inputs: list[TensorSpec], simd_units: int) -> bytes:
    """All lanes' rows of a layer, one after another, in the order of output-channel groups.

    ADD and GLOBAL_AVERAGE_POOL give one lane's rows, which LOAD broadcasts.
    """
    if layer.kind is LayerKind.ADD:
        return _add_records(layer, inputs, simd_units).tobytes()
    if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        ones = np.zeros((simd_units, 4), np.int8)
        ones[:, 0] = 1
        count = inputs[0].height * inputs[0].width
        return _pool_records(count, simd_units).tobytes() + ones.tobytes()
    groups = -(-layer.output.channels // simd_units)
    rows = (_depthwise_rows if layer.kind is LayerKind.DEPTHWISE else _dense_rows)(
        layer.weights, groups, simd_units
    )
    records = _channel_records(layer, inputs[0].zero_point, groups * simd_units)
    blocks = records.view(np.uint8).reshape(groups, -1)
    return np.concatenate([blocks, rows.reshape(groups, -1).view(np.uint8)], axis=1).tobytes()


def _dense_rows(weights: NDArray[np.int8], groups: int, simd: int) -> NDArray[np.int8]:
    """[group, row, unit, element] : rows in the order input group, ky, kx, quad."""
    k, kh, kw, c = weights.shape
    quads = -(-c // 4)
    padded = np.zeros((groups * simd, kh, kw, quads * 4), np.int8)
    padded[:k, :, :, :c] = weights
    split = padded.reshape(groups, simd, kh, kw, quads, 4)
    per_group = simd // 4
    parts = [
        split[:, :, :, :, first : first + per_group]
        .transpose(0, 2, 3, 4, 1, 5)
        .reshape(groups, -1, simd, 4)
        for first in range(0, quads, per_group)
    ]
    return np.concatenate(parts, axis=1)


def _depthwise_rows(weights: NDArray[np.int8], groups: int, simd: int) -> NDArray[np.int8]:
    """[group, row, unit, element] : element t mod 4 of row t div 4 is tap t."""
    kh, kw, c = weights.shape
    rows = -(-kh * kw // 4)
    padded = np.zeros((rows * 4, groups * simd), np.int8)
    padded[: kh * kw, :c] = weights.reshape(kh * kw, c)
    return padded.reshape(rows, 4, groups, simd).transpose(2, 0, 3, 1).copy()


def _channel_records(layer: Layer, zero_point: int, channels: int) -> NDArray[np.void]:
    """Records of all channels; the input's zero point is folded into the bias (wrapping)."""
    axes = (0, 1) if layer.kind is LayerKind.DEPTHWISE else (1, 2, 3)
    sums = layer.weights.astype(np.int64).sum(axis=axes)
    records = np.zeros(channels, RECORD)
    used = records[: layer.output.channels]
    used["bias"] = (layer.bias.astype(np.int64) - zero_point * sums).astype(np.int32)
    used["multiplier"] = layer.multiplier
    used["left"] = np.maximum(layer.shift, 0)
    used["right"] = np.maximum(-layer.shift, 0)
    return records


def _add_records(layer: Layer, inputs: list[TensorSpec], simd: int) -> NDArray[np.void]:
    """Rows for operand a, operand b and the sum; each the same record S/4 times."""
    records = np.zeros((3, simd // 4), RECORD)
    for row, tensor in zip(records, inputs, strict=False):
        row["bias"] = -tensor.zero_point
        row["left"] = ADD_LEFT_SHIFT
    records["multiplier"] = layer.multiplier[:, None]
    records["left"] += np.maximum(layer.shift, 0).astype(np.uint8)[:, None]
    records["right"] = np.maximum(-layer.shift, 0)[:, None]
    return records


def _pool_records(count: int, simd: int) -> NDArray[np.void]:
    """The reciprocal of the pixel count, exact for round-half-away division."""
    multiplier, left, right = golden.pool_reciprocal(count)
    records = np.zeros(simd, RECORD)
    records["multiplier"], records["left"], records["right"] = multiplier, left, right
    return records
