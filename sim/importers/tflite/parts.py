"""Lowering of concatenations, and of what takes parts out of a tensor: splits and slices."""

from dataclasses import dataclass

import numpy as np

from sim.importers.quantization import ratio_multiplier
from sim.importers.tflite.laid import lay, made_alone
from sim.importers.tflite.lowering import Lowering, image_shape, lowers
from sim.importers.tflite.model import TfliteOperator
from sim.spec.network import LayerKind, PixelPlace, TensorSpec

__all__: list[str] = []

_TAKEN = (
    "a 1×1 `conv` that selects channels; rows and columns by a kernel with a single 1, `depthwise` "
    "where all channels are taken"
)


@dataclass(frozen=True, slots=True)
class _Range:
    """Part of an axis: every ``step``-th of its indices from ``begin`` on, ``count`` of them."""

    begin: int
    count: int
    step: int = 1


@lowers(
    "CONCATENATION",
    becomes="nothing: its inputs are stored side by side; an input that is stored elsewhere already is copied by a "
    "`depthwise` of one tap of 1",
    conditions="over channels, or an image's height or width; inputs quantized as the output; no fused activation",
)
def _concatenation(lowering: Lowering, operator: TfliteOperator) -> None:
    out, refuse = lowering.output(operator), lowering.model.refuse
    if operator.options["FusedActivationFunction"] != 0:
        refuse(operator, "must have no fused activation")
    rank, axis = len(out.shape), operator.options["Axis"]
    if (rank == 4 and axis % rank in (1, 2)) or (rank == 3 and axis % rank == 1):
        _joined_pixels(lowering, operator, axis % rank)
        return
    if axis not in (-1, rank - 1):
        refuse(
            operator,
            f"must be over channels, or over an image's height or width, not over axis {axis}",
        )
    sources = []
    for position in range(len(operator.inputs)):
        tensor = lowering.tensor(operator, position)
        if not tensor.quantized_like(out):
            refuse(operator, f"input {tensor.name!r} must be quantized as the output")
        if tensor.shape[:-1] != out.shape[:-1]:
            rule = f"input {tensor.name!r} must have shape {(*out.shape[:-1], 'n')}"
            refuse(operator, f"{rule}, not {tensor.shape}")
        sources.append(_as_it_lies(lowering, operator, position))
    channels = sum(source.channels for source in sources)
    if channels != out.shape[-1]:
        refuse(operator, f"output must have {channels} channels, not {out.shape[-1]}")
    lowering.concatenate(operator, sources)


def _joined_pixels(lowering: Lowering, operator: TfliteOperator, axis: int) -> None:
    """Put images below each other or side by side: each is stored where it lies."""
    out, refuse = lowering.output(operator), lowering.model.refuse
    parts, places, begin = [], [], 0
    for position, index in enumerate(operator.inputs):
        tensor = lowering.tensor(operator, position)
        if not tensor.quantized_like(out):
            refuse(operator, f"input {tensor.name!r} must be quantized as the output")
        others = [
            (n, m)
            for i, (n, m) in enumerate(zip(tensor.shape, out.shape, strict=False))
            if i != axis
        ]
        if len(tensor.shape) != len(out.shape) or any(n != m for n, m in others):
            rule = f"input {tensor.name!r} must have the output's shape {out.shape} but for axis {axis}"
            refuse(operator, f"{rule}, not {tensor.shape}")
        _as_it_lies(lowering, operator, position)
        twice = operator.inputs.count(index) > 1
        parts.append(made_alone(lowering, operator, position, dense=True, twice=twice))
        below = axis == len(out.shape) - 3  # of an image of 3 axes the height is 1
        places.append(PixelPlace(begin=(begin, 0) if below else (0, begin)))
        begin += tensor.shape[axis]
    if begin != out.shape[axis]:
        refuse(
            operator,
            f"output must have {begin} rows or columns along axis {axis}, not {out.shape[axis]}",
        )
    order = list(lowering.layers)
    if (made := [order.index(part.name) for part in parts]) != sorted(made):
        # layers store their parts in their order, which must not change what lies over what
        both = sorted(zip(made, parts, places, strict=True), key=lambda item: item[0])
        parts, places = [part for _, part, _ in both], [place for _, _, place in both]
    lay(lowering, operator, parts, places, image_shape(out.shape))


@lowers("SPLIT", becomes=_TAKEN, conditions="in equal parts; input and outputs quantized alike")
def _split(lowering: Lowering, operator: TfliteOperator) -> None:
    axis = _axis(lowering, operator, 0, 1)
    size, parts = lowering.tensor(operator, 1).shape[axis], operator.options["NumSplits"]
    if parts != len(operator.outputs) or size % max(1, parts):
        rule = f"NumSplits must be the number of outputs and divide {size}"
        lowering.model.refuse(operator, f"{rule}, not {parts}")
    _split_at(lowering, operator, 1, axis, [size // parts] * parts)


@lowers("SPLIT_V", becomes=_TAKEN, conditions="constant sizes; input and outputs quantized alike")
def _split_v(lowering: Lowering, operator: TfliteOperator) -> None:
    axis = _axis(lowering, operator, 2, 0)
    sizes = _integers(lowering, operator, 1)
    whole = lowering.tensor(operator, 0).shape[axis]
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = whole - sum(sizes) - 1
    if sum(sizes) != whole or min(sizes) < 1 or len(sizes) != len(operator.outputs):
        rule = f"sizes must be one of 1 or more for each output, {whole} in all"
        lowering.model.refuse(operator, f"{rule}, not {sizes}")
    _split_at(lowering, operator, 0, axis, sizes)


@lowers("SLICE", becomes=_TAKEN, conditions="constant begin and size; the batch stays whole")
def _slice(lowering: Lowering, operator: TfliteOperator) -> None:
    shape = lowering.tensor(operator, 0).shape
    begins, sizes = (_integers(lowering, operator, position) for position in (1, 2))
    if len(begins) != len(shape) or len(sizes) != len(shape):
        rule = f"begin and size must have {len(shape)} numbers"
        lowering.model.refuse(operator, f"{rule}, not {len(begins)} and {len(sizes)}")
    ranges = [
        _Range(begin, whole - begin if size == -1 else size)
        for begin, size, whole in zip(begins, sizes, shape, strict=True)
    ]
    _take(lowering, operator, 0, 0, ranges)


@lowers(
    "STRIDED_SLICE",
    becomes=_TAKEN,
    conditions="constant ends and positive strides; no new axes; the batch stays whole",
)
def _strided_slice(lowering: Lowering, operator: TfliteOperator) -> None:
    refuse, options = lowering.model.refuse, operator.options
    shape = lowering.tensor(operator, 0).shape
    lists = [_integers(lowering, operator, position) for position in (1, 2, 3)]
    for option in ("EllipsisMask", "NewAxisMask", "ShrinkAxisMask"):
        if options[option]:
            refuse(operator, f"option {option} must be 0, not {options[option]}")
    if any(len(numbers) != len(shape) for numbers in lists):
        refuse(operator, f"begin, end and strides must have {len(shape)} numbers each")
    ranges = []
    for axis, (begin, end, step) in enumerate(zip(*lists, strict=True)):
        whole = shape[axis]
        if step < 1:
            refuse(operator, f"strides must be positive, not {lists[2]}")
        first = 0 if options["BeginMask"] >> axis & 1 else _within(begin, whole)
        last = whole if options["EndMask"] >> axis & 1 else _within(end, whole)
        ranges.append(_Range(first, -(-(last - first) // step), step))
    _take(lowering, operator, 0, 0, ranges)


def _within(index: int, size: int) -> int:
    """Index from the front, within an axis."""
    return min(max(index + size if index < 0 else index, 0), size)


def _axis(lowering: Lowering, operator: TfliteOperator, position: int, data: int) -> int:
    """Axis that an operator's input names, of the tensor that is its input ``data``."""
    rank, axes = len(lowering.tensor(operator, data).shape), _integers(lowering, operator, position)
    if len(axes) != 1 or not -rank <= axes[0] < rank or axes[0] % rank == 0:
        lowering.model.refuse(operator, f"axis must be one of 1 … {rank - 1}, not {axes}")
    return axes[0] % rank


def _integers(lowering: Lowering, operator: TfliteOperator, position: int) -> list[int]:
    numbers: list[int] = lowering.constant(operator, position, "int32").reshape(-1).tolist()
    return numbers


def _split_at(
    lowering: Lowering, operator: TfliteOperator, position: int, axis: int, sizes: list[int]
) -> None:
    """Take each output that is read."""
    shape, begin = lowering.tensor(operator, position).shape, 0
    for output, size in enumerate(sizes):
        if lowering.is_read(operator.outputs[output]):
            ranges = [_Range(0, whole) for whole in shape]
            ranges[axis] = _Range(begin, size)
            _take(lowering, operator, position, output, ranges)
        begin += size


def _as_it_lies(lowering: Lowering, operator: TfliteOperator, position: int) -> TensorSpec:
    """Network tensor of an input whose last axis are channels as they lie in memory."""
    spec = lowering.source(operator, position)
    shape = lowering.tensor(operator, position).shape
    if image_shape(shape) != spec.shape:
        rule = f"input must have the shape {spec.shape} in which it is computed"
        lowering.model.refuse(operator, f"{rule}, not {shape}")
    return spec


def _take(
    lowering: Lowering, operator: TfliteOperator, position: int, output: int, ranges: list[_Range]
) -> None:
    """Append the layer that takes a part of a tensor: a window with a single weight of 1."""
    refuse = lowering.model.refuse
    tensor, out = lowering.tensor(operator, position), lowering.output_at(operator, output)
    for part, whole in zip(ranges, tensor.shape, strict=True):
        if part.begin < 0 or part.count < 1 or part.begin + (part.count - 1) * part.step >= whole:
            refuse(
                operator,
                f"parts must lie within the input of shape {tensor.shape}, and not be empty",
            )
    if ranges[0] != _Range(0, 1, ranges[0].step):
        refuse(operator, "the batch must stay whole")
    expected = tuple(part.count for part in ranges)
    if out.shape != expected:
        refuse(operator, f"output must have shape {expected}, not {out.shape}")
    if not out.quantized_like(tensor):
        refuse(operator, "input and output must be quantized alike")
    source = _as_it_lies(lowering, operator, position)
    rows, columns, channels = [_Range(0, 1)] * (4 - len(ranges)) + ranges[1:]
    # windows of the right number begin in the image's first rows and columns
    kernel = tuple(
        whole - (part.count - 1) * part.step
        for part, whole in zip((rows, columns), source.shape, strict=False)
    )
    spots = (rows.begin, columns.begin)
    count = channels.count
    if (count, channels.step) == (source.channels, 1):
        kind, weights = LayerKind.DEPTHWISE, np.zeros((*kernel, count), np.int8)
        weights[spots] = 1
    else:
        kind, weights = LayerKind.CONV, np.zeros((count, *kernel, source.channels), np.int8)
        taken = channels.begin + channels.step * np.arange(count)
        weights[np.arange(count), spots[0], spots[1], taken] = 1
    multiplier, shift = ratio_multiplier(tensor.scale, out.scale, count)
    lowering.emit(
        operator,
        kind,
        (source,),
        (rows.count, columns.count, count),
        position=output,
        kernel=kernel,
        stride=(rows.step, columns.step),
        weights=weights,
        bias=np.zeros(count, np.int32),
        multiplier=multiplier,
        shift=shift,
    )
