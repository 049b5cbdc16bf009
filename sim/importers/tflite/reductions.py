"""Lowering of means and of largest values over an image, or along one of its axes."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.importers.kernels import window_fields, window_steps
from sim.importers.quantization import mean_multiplier
from sim.importers.tflite.laid import require_signed
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.spec.network import LayerKind, TensorSpec

__all__: list[str] = []


class _Reduced(NamedTuple):
    """A tensor whose channels are each reduced to single values: of all pixels, or of each row or column.

    ``order`` has the place in memory of each value of the result.
    """

    source: TensorSpec
    kernel: tuple[int, int]
    order: NDArray[np.int32]

    @property
    def whole(self) -> bool:
        """Whether nothing but channels is left."""
        return self.kernel == self.source.shape[:2]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the result."""
        height, width, channels = self.source.shape
        return height // self.kernel[0], width // self.kernel[1], channels


@lowers(
    "MEAN",
    becomes="`mean`; along one of two axes a `depthwise` of a row or column of ones",
    conditions="over height, width or both, axes kept or not; any output scale",
)
def _mean(lowering: Lowering, operator: TfliteOperator) -> None:
    reduced, tensor, out = _reduced(lowering, operator)
    source, channels = reduced.source, reduced.source.channels
    try:
        multiplier, shift = mean_multiplier(tensor.scale, out.scale, math.prod(reduced.kernel))
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    if reduced.whole:
        lowering.emit(
            operator, LayerKind.MEAN, (source,), reduced.shape, multiplier=multiplier, shift=shift
        )
    else:
        require_signed(lowering, operator)
        lowering.emit(
            operator,
            LayerKind.DEPTHWISE,
            (source,),
            reduced.shape,
            kernel=reduced.kernel,
            weights=np.ones((*reduced.kernel, channels), np.int8),
            bias=np.zeros(channels, np.int32),
            multiplier=np.full(channels, multiplier[0], np.int32),
            shift=np.full(channels, shift[0], np.int32),
        )
    lowering.give_order(operator, reduced.order)


@lowers(
    "REDUCE_MAX",
    becomes="`max_pool`, several where the image is larger than 7×7",
    conditions="over height and width together, axes kept or not; input and output quantized alike",
)
def _reduce_max(lowering: Lowering, operator: TfliteOperator) -> None:
    reduced, tensor, out = _reduced(lowering, operator)
    source = reduced.source
    if not out.quantized_like(tensor):
        lowering.model.refuse(operator, "input and output must be quantized alike")
    if not reduced.whole:
        rule = "must be over height and width together"
        lowering.model.refuse(operator, f"{rule}, not over axes {_given(lowering, operator)}")
    steps = window_steps(source.shape[:2]) or [((1, 1), (1, 1))]
    for place, (kernel, size) in enumerate(steps):
        shape = (*size, source.channels)
        fields = window_fields(source.shape[:2], kernel, size)
        if place == len(steps) - 1:
            lowering.emit(operator, LayerKind.MAX_POOL, (source,), shape, **fields)
            break
        scale = (source.scale, source.zero_point)
        source = lowering.emit_inner(
            operator, source, scale, kind=LayerKind.MAX_POOL, shape=shape, **fields
        )
    lowering.give_order(operator, reduced.order)


def _reduced(
    lowering: Lowering, operator: TfliteOperator
) -> tuple[_Reduced, TfliteTensor, TfliteTensor]:
    """Return the tensor that a reduction reads, and its input and output; axes that are no image's are refused.

    The model's axes may lie in memory in any order.
    """
    tensor, out = lowering.tensor(operator, 0), lowering.output(operator)
    given = _given(lowering, operator)
    source, order = lowering.ordered(operator)
    rank = len(tensor.shape)
    wrong = [axis for axis in given if not -rank <= axis < rank]
    if wrong:
        lowering.model.refuse(operator, f"axes must be among {rank}, not {wrong[0]}")
    axes = sorted({axis % rank for axis in given} - {0})
    left = [axis for axis in range(1, rank) if axis not in axes]
    sizes = tuple(tensor.shape[axis] for axis in left)
    moved = order.transpose([axis - 1 for axis in (*left, *axes)])
    places = moved.reshape(math.prod(sizes), -1)  # [results, values of each]
    kernel = _kernel(places, source)
    if kernel is None or (not axes and kernel != source.shape[:2]):
        rule = "must be over height, width or both"
        if axes and not _has_channels(places, source):
            shape = source.shape
            rule = f"must be over whole rows, columns or both of the image of shape {shape} as computed"
        lowering.model.refuse(operator, f"{rule}, not over axes {given}")
    if _longer_than_1(out.shape) != _longer_than_1(sizes):
        rule = f"output must have {math.prod(sizes)} values along axes {left}"
        lowering.model.refuse(operator, f"{rule}, not shape {out.shape}")
    _, width, channels = source.shape
    row, column = places[:, 0] // (width * channels), places[:, 0] // channels % width
    pixel = (row // kernel[0]) * (width // kernel[1]) + column // kernel[1]
    results = pixel * channels + places[:, 0] % channels
    return _Reduced(source, kernel, results.reshape(out.shape[1:]).astype(np.int32)), tensor, out


def _given(lowering: Lowering, operator: TfliteOperator) -> list[int]:
    """Axes of a reduction as the model has them."""
    given: list[int] = lowering.constant(operator, 1, "int32").reshape(-1).tolist()
    return given


def _has_channels(places: NDArray[np.int32], source: TensorSpec) -> bool:
    """Whether a result is made of values of several channels."""
    channel = places % source.channels
    return bool((channel != channel[:, :1]).any())


def _kernel(places: NDArray[np.int32], source: TensorSpec) -> tuple[int, int] | None:
    """Rows and columns that each result is made of; None where it is made of several channels, or of parts."""
    height, width, channels = source.shape
    values = [places // (width * channels), places // channels % width, places % channels]
    rows, columns, depth = (bool((axis == axis[:, :1]).all()) for axis in values)
    kernel = (1 if rows else height, 1 if columns else width)
    return kernel if depth and places.shape[1] == math.prod(kernel) else None


def _longer_than_1(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]
