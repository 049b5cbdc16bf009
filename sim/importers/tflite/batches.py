"""Lowering of dilated convolutions that are written as convolutions of interleaved parts of an image.

SPACE_TO_BATCH_ND makes the pixels of every n-th row and column an image of a batch, a convolution computes each, and
BATCH_TO_SPACE_ND interleaves them again: a convolution whose taps are n rows and columns apart. Borders hold the zero point, as
TensorFlow Lite fills them; TensorFlow Lite Micro pads with what its memory holds, unless nothing is padded.
"""

from dataclasses import replace

from sim.importers.tflite.lowering import OPERATORS, Lowering, Pending, lowers
from sim.importers.tflite.model import TfliteOperator
from sim.spec.network import Padding

__all__: list[str] = []

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_VALID = 1
_RULE = "must be read by one convolution, and that by one BATCH_TO_SPACE_ND"


@lowers(
    "SPACE_TO_BATCH_ND",
    becomes="with the convolution and the `BATCH_TO_SPACE_ND` behind it, a dilated convolution",
    conditions="of an image, before one convolution of stride 1 without padding and one `BATCH_TO_SPACE_ND` of the same "
    "block, which crops no more than was padded",
)
def _space_to_batch(lowering: Lowering, operator: TfliteOperator) -> None:
    refuse = lowering.model.refuse
    convolution = lowering.only_reader(operator.outputs[0])
    if convolution is None or convolution.name not in _CONVOLUTIONS:
        refuse(operator, _RULE)
    back = lowering.only_reader(convolution.outputs[0])
    if back is None or back.name != "BATCH_TO_SPACE_ND":
        refuse(operator, _RULE)
    block, padded = _numbers(lowering, operator)
    other, cropped = _numbers(lowering, back)
    if block != other:
        refuse(back, f"block must be that of SPACE_TO_BATCH_ND, {block}, not {other}")
    options = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    options["Padding"] = _VALID
    for name, value in options.items():
        if convolution.options[name] != value:
            rule = f"{name} must be {value} between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND"
            refuse(convolution, f"{rule}, not {convolution.options[name]}")
    tensors = lowering.model.tensors
    for moving in (operator, back):
        if not tensors[moving.inputs[0]].quantized_like(tensors[moving.outputs[0]]):
            refuse(moving, "input and output must be quantized alike")
    source = lowering.quantized(operator, operator.inputs[0])
    if len(source.shape) != 4:
        refuse(operator, f"input must be an image of four axes, not of shape {source.shape}")
    for size, ends, step in zip(source.shape[1:3], padded, block, strict=True):
        if (size + sum(ends)) % step:
            rule = f"padded input must be a multiple of the block {block}"
            refuse(operator, f"{rule}, not {size} and {ends}")
    before = lowering.pending.get(source.index, Pending(source.index, Padding()))
    around = before.padding
    sides = [
        around.top + padded[0][0] - cropped[0][0],
        around.bottom + padded[0][1] - cropped[0][1],
        around.left + padded[1][0] - cropped[1][0],
        around.right + padded[1][1] - cropped[1][1],
    ]
    if min(sides) < 0:
        refuse(back, f"crops must be at most what was padded, not {cropped}")
    top, bottom, left, right = sides
    lowering.pending[operator.outputs[0]] = Pending(
        before.source, Padding(top=top, bottom=bottom, left=left, right=right)
    )
    options["DilationHFactor"], options["DilationWFactor"] = block
    dilated = replace(convolution, outputs=back.outputs, options={**convolution.options, **options})
    OPERATORS[convolution.name].lower(lowering, dilated)
    lowering.lowered |= {convolution.index, back.index}


@lowers(
    "BATCH_TO_SPACE_ND",
    becomes="part of a dilated convolution",
    conditions="behind a convolution of what `SPACE_TO_BATCH_ND` made",
)
def _batch_to_space(lowering: Lowering, operator: TfliteOperator) -> None:
    lowering.model.refuse(operator, "must follow a convolution of what SPACE_TO_BATCH_ND made")


def _numbers(
    lowering: Lowering, operator: TfliteOperator
) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Block, and the paddings or crops: before and behind of rows and of columns."""
    block = lowering.constant(operator, 1, "int32")
    sides = lowering.constant(operator, 2, "int32")
    if block.shape != (2,) or sides.shape != (2, 2):
        rule = "block and widths must have shapes (2,) and (2, 2)"
        lowering.model.refuse(operator, f"{rule}, not {block.shape} and {sides.shape}")
    if block.min() < 1 or sides.min() < 0:
        rule = "block must be 1 or more and widths 0 or more"
        lowering.model.refuse(operator, f"{rule}, not {block.tolist()} and {sides.tolist()}")
    rows, columns = block.tolist()
    return (rows, columns), [(before, after) for before, after in sides.tolist()]
