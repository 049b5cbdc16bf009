"""Weight blocks: a layer's parameter and register-file rows as the LOAD unit streams them."""

from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import LayerColumn
from sim.mapping.splits import split_bounds
from sim.spec.accelerator import (
    DOT_WIDTH,
    RECORD_BYTES,
    REQUANTIZER_PHASES,
    TABLE_ROW_ENTRIES,
    TABLE_ROWS,
    AcceleratorConfig,
)
from sim.spec.activation_table import TABLE_ENTRIES, ActivationTable
from sim.spec.network import (
    ADD_LEFT_SHIFT,
    FACTOR_BYTES,
    WINDOW_POOLS,
    Layer,
    LayerKind,
    TensorSpec,
)

__all__ = ["RECORD", "layer_stream", "table_rows"]

RECORD = np.dtype(
    {
        "names": ["bias", "multiplier", "left", "right"],
        "formats": ["<i4", "<u4", "u1", "u1"],
        "offsets": [0, 4, 8, 9],
        "itemsize": RECORD_BYTES,
    }
)
"""One channel's requantization record (docs/explanation/hardware.md, Parameters)."""


def layer_stream(
    layer: Layer,
    inputs: list[TensorSpec],
    config: AcceleratorConfig,
    table: NDArray[np.int64],
    plan: NDArray[np.int64],
) -> bytes:
    """All weight blocks of a layer, one after another, in the order in which LOADs name them.

    Round after round of output-channel groups; in it split after split; in it group after group:
    with the last split the group's parameter rows, then the split's register-file rows, each in whole
    bus beats. Of the last group come the channels that there are. Where PE columns split the groups, their
    groups in the same lane give their rows by turns. ADD, MULTIPLY, MEAN and pools have a single block, which LOAD
    gives to all lanes; of MULTIPLY it has parameters only. FACTORS have the blocks of the factors of a vector.

    Parameters
    ----------
    table, plan : int64 arrays
        The layer's rows of the layer table and of the layer plan.
    """
    simd, bus = config.simd_units, config.bus_bytes
    if layer.kind is LayerKind.ADD:
        return b"".join(_parameter_rows(_add_records(layer, inputs, simd), simd, bus))
    if layer.kind in (LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.MEAN, *WINDOW_POOLS):
        taps = layer.kernel[0] * layer.kernel[1] if layer.kind in WINDOW_POOLS else 1
        parameters = _parameter_rows(_pool_records(layer, inputs[0], simd), simd, bus)
        return b"".join(parameters) + _unit_weights(taps, simd).tobytes()
    if layer.kind is LayerKind.MULTIPLY:
        return b"".join(_parameter_rows(_product_records(layer, inputs, simd), simd, bus))
    interleaves = layer.kind is LayerKind.FACTORS
    channels = FACTOR_BYTES * simd if interleaves else layer.output.channels
    groups = -(-channels // simd)
    if interleaves:
        records = _factor_records(inputs[0].zero_point, channels)
    else:
        records = _channel_records(layer, inputs[0].zero_point, groups * simd)
    records = records.reshape(groups, -1)
    if layer.kind is LayerKind.DEPTHWISE:
        splits = [_depthwise_rows(layer.weights, groups, simd)]
    else:
        weights = _factor_weights(simd) if interleaves else layer.weights
        splits = _dense_rows(weights, groups, simd, table, plan)
    lanes, spread = config.compute_lanes // int(plan[LayerPlan.PIXELS]), int(plan[LayerPlan.SPREAD])
    per_round = lanes * max(1, spread)
    stream: list[bytes] = []
    for first in range(0, groups, per_round):
        for rows in splits:
            blocks: list[list[bytes]] = []
            for group in range(first, min(groups, first + per_round)):
                own = min(simd, channels - group * simd)
                block = []
                if rows is splits[-1]:
                    block += _parameter_rows(records[group, :own], simd, bus)
                sent = -(-DOT_WIDTH * own // bus) * bus
                row_bytes = rows[group].reshape(-1, DOT_WIDTH * simd)
                block += [row.tobytes() for row in row_bytes[:, :sent]]
                blocks.append(block)
            stream += _by_turns(blocks, lanes) if spread else chain.from_iterable(blocks)
    return b"".join(stream)


def table_rows(table: ActivationTable, config: AcceleratorConfig) -> bytes:
    """Rows of an activation table, four entries each, in whole beats.

    The entries are in the order of their inputs' bits: those of 0 … 127, then those of -128 … -1.
    """
    entries = np.roll(table.values, TABLE_ENTRIES // 2).reshape(TABLE_ROWS, TABLE_ROW_ENTRIES)
    beats = -(-TABLE_ROW_ENTRIES // config.bus_bytes)
    return b"".join(row.tobytes().ljust(beats * config.bus_bytes, b"\0") for row in entries)


def _by_turns(blocks: list[list[bytes]], lanes: int) -> list[bytes]:
    """Rows of a round's blocks, of which each PE column has ``lanes``: of a lane row after row, column by column."""
    return [
        row
        for lane in range(lanes)
        for turn in zip(*blocks[lane::lanes], strict=True)
        for row in turn
    ]


def _parameter_rows(records: NDArray[np.void], simd: int, bus: int) -> list[bytes]:
    """Parameter rows of a block, each in whole beats: a row without records has a beat.

    ``records`` are those of its channels, or of the operands of ADD one row each.
    """
    width = simd // REQUANTIZER_PHASES
    if records.ndim == 2:
        rows = list(records)
    else:
        rows = [records[place : place + width] for place in range(0, simd, width)]
    parts = []
    for row in rows:
        beats = -(-RECORD_BYTES * width // bus) if len(row) else 1
        parts.append(row.tobytes().ljust(beats * bus, b"\0"))
    return parts


def _dense_rows(
    weights: NDArray[np.int8],
    groups: int,
    simd: int,
    table: NDArray[np.int64],
    plan: NDArray[np.int64],
) -> list[NDArray[np.int8]]:
    """[group, row, unit, element] of every split : rows by input group, ky, kx, quad."""
    k, kh, kw, c = weights.shape
    quads = -(-c // DOT_WIDTH)
    padded = np.zeros((groups * simd, kh, kw, quads * DOT_WIDTH), np.int8)
    padded[:k, :, :, :c] = weights
    whole = padded.reshape(groups, simd, kh, kw, quads, DOT_WIDTH)
    per_group = simd // DOT_WIDTH
    splits = []
    for index in range(int(plan[LayerPlan.SPLITS])):
        y0, y1, x0, x1, first, end = split_bounds(
            table[LayerColumn.KERNEL_Y],
            table[LayerColumn.KERNEL_X],
            quads,
            plan[LayerPlan.SPLIT_TAP_ROWS],
            plan[LayerPlan.SPLIT_TAP_COLUMNS],
            plan[LayerPlan.SPLIT_STEPS],
            index,
        )
        cuts = [first, *range((first // per_group + 1) * per_group, end, per_group), end]
        parts = [
            whole[:, :, y0:y1, x0:x1, low:high]
            .transpose(0, 2, 3, 4, 1, 5)
            .reshape(groups, -1, simd, DOT_WIDTH)
            for low, high in pairwise(cuts)
        ]
        splits.append(np.concatenate(parts, axis=1))
    return splits


def _depthwise_rows(weights: NDArray[np.int8], groups: int, simd: int) -> NDArray[np.int8]:
    """[group, row, unit, element] : element t mod 4 of row t div 4 is tap t = kx · kh + ky."""
    kh, kw, c = weights.shape
    rows = -(-kh * kw // DOT_WIDTH)
    padded = np.zeros((rows * DOT_WIDTH, groups * simd), np.int8)
    padded[: kh * kw, :c] = weights.transpose(1, 0, 2).reshape(kh * kw, c)
    return padded.reshape(rows, DOT_WIDTH, groups, simd).transpose(2, 0, 3, 1).copy()


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


def _factor_weights(simd: int) -> NDArray[np.int8]:
    """1×1 weights that put FACTOR_BYTES factors of a vector's channels side by side: v, two constants, and -1 - v."""
    weights = np.zeros((simd, FACTOR_BYTES, 1, 1, simd), np.int8)
    channel = np.arange(simd)
    weights[channel, 0, 0, 0, channel], weights[channel, -1, 0, 0, channel] = 1, -1
    return weights.reshape(FACTOR_BYTES * simd, 1, 1, simd)


def _factor_records(zero_point: int, count: int) -> NDArray[np.void]:
    """Records of factors, whose sums need nothing but their constants."""
    records = np.zeros(count, RECORD)
    biases = np.array([0, *golden.factor_constants(zero_point), -1])
    records["bias"] = np.tile(biases, count // FACTOR_BYTES)
    records["multiplier"], records["left"], records["right"] = golden.IDENTITY
    return records


def _product_records(layer: Layer, inputs: list[TensorSpec], simd: int) -> NDArray[np.void]:
    """Records of a product, the same in every channel.

    With a's zero point z, which the last tap injects, and b's y, (a - z)·(b - y) is a·(b - y) + z·(-1 - b) + z·(1 + y).
    """
    records = np.zeros(simd, RECORD)
    shift = int(layer.shift[0])
    records["bias"] = inputs[0].zero_point * (1 + inputs[1].zero_point)
    records["multiplier"] = layer.multiplier[0]
    records["left"], records["right"] = max(shift, 0), max(-shift, 0)
    return records


def _unit_weights(taps: int, simd: int) -> NDArray[np.int8]:
    """Rows [row, unit, element] that weigh ``taps`` taps by 1 and the rest of the last row by 0."""
    rows = -(-taps // DOT_WIDTH)
    weights = (np.arange(rows * DOT_WIDTH) < taps).astype(np.int8).reshape(rows, 1, DOT_WIDTH)
    return np.broadcast_to(weights, (rows, simd, DOT_WIDTH)).copy()


def _pool_records(layer: Layer, source: TensorSpec, simd: int) -> NDArray[np.void]:
    """Records that requantize a sum, or a maximum, in every channel."""
    records = np.zeros(simd, RECORD)
    pixels = source.height * source.width
    if layer.kind is LayerKind.MEAN:
        shift = int(layer.shift[0])
        records["bias"] = np.int64(-pixels * source.zero_point).astype(np.int32)
        records["multiplier"] = layer.multiplier[0]
        records["left"], records["right"] = max(shift, 0), max(-shift, 0)
        return records
    if layer.kind is LayerKind.MAX_POOL:
        constants = golden.IDENTITY
    else:
        average = layer.kind is LayerKind.AVERAGE_POOL
        constants = golden.pool_reciprocal(layer.kernel[0] * layer.kernel[1] if average else pixels)
    records["multiplier"], records["left"], records["right"] = constants
    return records
