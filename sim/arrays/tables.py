"""Networks, accelerators and schedules as int64 arrays, the form the numba kernels read."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import FIELDS, ExecuteOp
from sim.spec.network import WINDOW_POOLS, Layer, LayerKind, Network, PixelPlace

__all__ = [
    "COLUMNS",
    "Hw",
    "LayerColumn",
    "TensorColumn",
    "accelerator_row",
    "layer_table",
    "tensor_table",
]


class Hw(NamedTuple):
    """An accelerator as kernels read it, or the part of it that a layer has.

    Parameters
    ----------
    pes_x, pes_y : int
        Columns and rows of PEs.
    simd, lanes : int
        SIMD units of a lane, lanes of a PE.
    bank_depth : int
        Vectors of a local memory bank.
    weight_rows, accumulator_rows : int
        Register-file rows of weights in each half, and of accumulators.
    bus_bytes : int
        Bytes of a bus beat.
    earn, cost : int
        Credit that a cycle earns, and that a beat costs.
    images : int
        Images that a program computes.
    clock_mhz : int
        Clock.
    store_rows : int
        Rows of the weight store; 0 without.
    """

    pes_x: int
    pes_y: int
    simd: int
    lanes: int
    bank_depth: int
    weight_rows: int
    bus_bytes: int
    earn: int
    cost: int
    accumulator_rows: int
    images: int
    clock_mhz: int
    store_rows: int


class TensorColumn(IntEnum):
    """Columns of the tensor table.

    Rows are in the order of :attr:`sim.spec.network.Network.tensors`: row 0 is the network's input, row i + 1 layer i's output;
    concatenations follow, then states, then further inputs.
    """

    HEIGHT = 0
    WIDTH = 1
    CHANNELS = 2
    OUTPUT = 3
    """Whether the host reads the tensor in external memory."""
    ROOT = 4
    """Row of the largest concatenation that the tensor is part of, or that it is; -1: of none."""
    PLACE = 5
    """First channel group of the tensor there."""
    MADE = 6
    """Layer that completes the tensor; -1 of inputs."""
    STEP_Y = 7
    """Rows from a pixel to its neighbour in the mosaic that the tensor is a part of; 0 of other tensors."""
    STEP_X = 8
    """Its columns."""
    BEGIN_Y = 9
    """Row of its first pixel there."""
    BEGIN_X = 10
    """Column of its first pixel there."""
    TIMES_Y = 11
    """Rows that each of its pixels fills."""
    TIMES_X = 12
    """Columns that each fills."""


class LayerColumn(IntEnum):
    """Columns of the layer table."""

    OP = 0
    INPUT = 1
    INPUT2 = 2
    KERNEL_Y = 3
    KERNEL_X = 4
    STRIDE_Y = 5
    STRIDE_X = 6
    PAD_Y = 7
    PAD_X = 8
    PAD_VALUE = 9
    ZERO_POINT = 10
    CLAMP_LOW = 11
    CLAMP_HIGH = 12
    TWIN = 13
    """First layer of the same operation and shapes: it runs in the same time on the same tile."""
    SHARED = 14
    """Whether one weight block serves all output groups."""
    MAXIMUM = 15
    """The descriptor's ``maximum``: DEPTHWISE takes the largest tap."""
    WINDOW_PIXELS = 16
    """Kernel columns of a first layer whose input's columns are windows; 0 where they are pixels."""
    WINDOW_STRIDE = 17
    """Its pixels from one window to the next."""
    WINDOW_PAD = 18
    """Pixels of its first window before the image row."""
    IMAGE_WIDTH = 19
    """Pixels of an image row of its input."""
    IMAGE_CHANNELS = 20
    """Channels of these pixels."""
    ALONE = 21
    """Whether the layer is the network's first, a convolution, and alone reads the network's input."""
    TABLE = 22
    """Whether an activation table is behind the clamp."""

    FACTORS = 23
    """Row of the tensor whose values are the layer's weights, of a product of activations; else 0."""

    INTERLEAVES = 24
    """Whether the layer makes such a tensor, from a vector of its input for each FACTOR_BYTES of its output's."""


EXTRA_COLUMNS = (
    "layer", "after_load", "after_execute", "after_store", "round", "pass", "image", "final",
)  # fmt: skip
"""Columns of a schedule row beside the descriptor's fields.

They are the layer, the rows of the descriptors whose tokens it waits for (-1: none), output-group
round, spatial pass, the image (0 for weights, which are for all), and whether an EXECUTE completes a
chunk of rounds of its image.
"""

_NAMES = dict.fromkeys(
    [field.name for fields in FIELDS.values() for field in fields] + list(EXTRA_COLUMNS)
)
COLUMNS: dict[str, int] = {name: i for i, name in enumerate(_NAMES)}
"""Column of every descriptor field (a name shared by two queues has one column) in a schedule."""

_OPS = {
    LayerKind.CONV: ExecuteOp.CONV,
    LayerKind.FULLY_CONNECTED: ExecuteOp.CONV,
    LayerKind.DEPTHWISE: ExecuteOp.DEPTHWISE,
    LayerKind.ADD: ExecuteOp.ADD,
    LayerKind.GLOBAL_AVERAGE_POOL: ExecuteOp.POOL,
    LayerKind.AVERAGE_POOL: ExecuteOp.DEPTHWISE,
    LayerKind.MAX_POOL: ExecuteOp.DEPTHWISE,
    LayerKind.MEAN: ExecuteOp.POOL,
    LayerKind.FACTORS: ExecuteOp.CONV,
    LayerKind.MULTIPLY: ExecuteOp.DEPTHWISE,
}

_PER_CHANNEL = (
    LayerKind.CONV, LayerKind.FULLY_CONNECTED, LayerKind.DEPTHWISE, LayerKind.FACTORS,
)  # fmt: skip
"""Kinds with weights and parameters of their own for every output channel."""

_AS_THEY_ARE = (LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.FACTORS, *WINDOW_POOLS)
"""Kinds that keep the input's quantization: the zero point goes through with the values."""


def accelerator_row(config: AcceleratorConfig, images: int = 1) -> Hw:
    """Return what kernels read of an accelerator.

    Parameters
    ----------
    config : AcceleratorConfig
    images : int
        Images that a program computes.
    """
    if images < 1:
        raise ValueError(f"images must be positive, not {images!r}")
    earn, cost = config.pacing
    return Hw(
        pes_x=config.pes_x,
        pes_y=config.pes_y,
        simd=config.simd_units,
        lanes=config.compute_lanes,
        bank_depth=config.bank_depth,
        weight_rows=config.weight_rows,
        bus_bytes=config.bus_bytes,
        earn=earn,
        cost=cost,
        accumulator_rows=config.accumulator_rows,
        images=images,
        clock_mhz=config.clock_mhz,
        store_rows=config.store_rows,
    )


def tensor_table(network: Network, simd: int = 1) -> NDArray[np.int64]:
    """Columns :class:`TensorColumn` : int64[n_tensors, len(TensorColumn)].

    ``simd``, the channels of a group, only matters where tensors are concatenated.
    """
    tensors = network.tensors
    table = np.zeros((len(tensors), len(TensorColumn)), np.int64)
    for row, tensor in zip(table, tensors.values(), strict=True):
        row[: len(tensor.shape)] = tensor.shape
        row[TensorColumn.OUTPUT] = tensor.name in network.outputs
    table[:, TensorColumn.ROOT] = -1
    table[:, TensorColumn.MADE] = np.arange(-1, len(tensors) - 1)
    table[len(tensors) - len(network.further_inputs) :, TensorColumn.MADE] = -1
    _concatenate(table, network, simd)
    return table


def _concatenate(table: NDArray[np.int64], network: Network, simd: int) -> None:
    """Fill in which tensors are parts of others, and where."""
    index = {name: i for i, name in enumerate(network.tensors)}
    joints = {joint.name: joint for joint in network.joints}

    def place(name: str, root: int, group: int) -> int:
        row = table[index[name]]
        row[TensorColumn.ROOT], row[TensorColumn.PLACE] = root, group
        if name in joints:
            joint = joints[name]
            starts = joint.starts or (0,) * len(joint.parts)
            for part, pixels in zip(joint.parts, joint.pixels, strict=False):
                _lay_pixels(table[index[part]], pixels)
            row[TensorColumn.MADE] = max(
                place(part, root, group + start // simd)
                for part, start in zip(joint.parts, starts, strict=True)
            )
        return int(row[TensorColumn.MADE])

    parts = {part for joint in network.joints for part in joint.parts}
    for name in joints:
        if name not in parts:
            place(name, index[name], 0)


def _lay_pixels(row: NDArray[np.int64], place: PixelPlace) -> None:
    """Fill in where the pixels of a mosaic's part lie."""
    row[TensorColumn.STEP_Y], row[TensorColumn.STEP_X] = place.step
    row[TensorColumn.BEGIN_Y], row[TensorColumn.BEGIN_X] = place.begin
    row[TensorColumn.TIMES_Y], row[TensorColumn.TIMES_X] = place.times


def layer_table(network: Network) -> NDArray[np.int64]:
    """Columns :class:`LayerColumn` : int64[n_layers, len(LayerColumn)]."""
    tensors = network.tensors
    index = {name: i for i, name in enumerate(tensors)}
    table = np.zeros((len(network.layers), len(LayerColumn)), np.int64)
    first: dict[tuple[object, ...], int] = {}
    alone = network.input.name in network.layers[0].inputs and not any(
        network.input.name in layer.inputs for layer in network.layers[1:]
    )
    for i, (row, layer) in enumerate(zip(table, network.layers, strict=True)):
        source = tensors[layer.inputs[0]]
        _fill(row, layer, index, source.zero_point)
        dense = row[LayerColumn.OP] == ExecuteOp.CONV and not row[LayerColumn.INTERLEAVES]
        row[LayerColumn.ALONE] = i == 0 and alone and dense
        columns = (LayerColumn.OP, LayerColumn.SHARED, LayerColumn.ALONE, LayerColumn.INTERLEAVES)
        flags = (*(int(row[name]) for name in columns), row[LayerColumn.FACTORS] > 0)
        work = (*flags, layer.kernel, layer.stride)
        row[LayerColumn.TWIN] = first.setdefault((*work, source.shape, layer.output.shape), i)
    return table


def _fill(
    row: NDArray[np.int64], layer: Layer, index: dict[str, int], input_zero_point: int
) -> None:
    op = _OPS[layer.kind]
    row[LayerColumn.OP] = op
    row[LayerColumn.INPUT] = index[layer.inputs[0]]
    row[LayerColumn.INPUT2] = index[layer.inputs[-1]]
    if layer.kind is LayerKind.MULTIPLY:
        row[LayerColumn.INPUT2], row[LayerColumn.FACTORS] = (
            row[LayerColumn.INPUT],
            index[layer.inputs[1]],
        )
    row[LayerColumn.INTERLEAVES] = layer.kind is LayerKind.FACTORS
    row[LayerColumn.KERNEL_Y], row[LayerColumn.KERNEL_X] = layer.kernel
    row[LayerColumn.STRIDE_Y], row[LayerColumn.STRIDE_X] = layer.stride
    row[LayerColumn.PAD_Y] = layer.padding.top
    row[LayerColumn.PAD_X] = layer.padding.left
    # POOL sums pixels: beyond the image are none. No value is less than -128.
    pads = {LayerKind.GLOBAL_AVERAGE_POOL: 0, LayerKind.MEAN: 0, LayerKind.MAX_POOL: -128}
    row[LayerColumn.PAD_VALUE] = pads.get(layer.kind, input_zero_point)
    row[LayerColumn.ZERO_POINT] = 0 if layer.kind in _AS_THEY_ARE else layer.result_zero_point
    row[LayerColumn.SHARED] = layer.kind not in _PER_CHANNEL
    row[LayerColumn.MAXIMUM] = layer.kind is LayerKind.MAX_POOL
    row[LayerColumn.CLAMP_LOW], row[LayerColumn.CLAMP_HIGH] = layer.clamp
    row[LayerColumn.TABLE] = layer.table is not None
