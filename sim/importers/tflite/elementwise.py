"""Lowering of activations, padding, requantization and changes of shape."""

import numpy as np

from sim.importers.quantization import (
    activation_clamp,
    ratio_multiplier,
    relu6_clamp,
)
from sim.importers.tflite.lowering import Lowering, Pending, image_shape, lowers
from sim.importers.tflite.model import TfliteOperator
from sim.spec.network import LayerKind, Padding

__all__ = ["rescale"]

_MOST_NEGATIVE = -128


_RESCALED = "fused into the layer before where that is exact, else a `depthwise` of one tap of 1"


@lowers("RELU", becomes=_RESCALED, conditions="any output scale")
def _relu(lowering: Lowering, operator: TfliteOperator) -> None:
    out = lowering.output(operator)
    rescale(lowering, operator, activation_clamp("RELU", out.scale, out.zero_point))


@lowers("RELU_N1_TO_1", becomes=_RESCALED, conditions="any output scale")
def _relu_n1_to_1(lowering: Lowering, operator: TfliteOperator) -> None:
    out = lowering.output(operator)
    rescale(lowering, operator, activation_clamp("RELU_N1_TO_1", out.scale, out.zero_point))


@lowers("RELU6", becomes=_RESCALED, conditions="input and output quantized alike")
def _relu6(lowering: Lowering, operator: TfliteOperator) -> None:
    out = lowering.output(operator)
    if not out.quantized_like(lowering.tensor(operator, 0)):
        # TensorFlow Lite Micro clamps the input's integers and passes over the output's scale.
        lowering.model.refuse(operator, "input and output must be quantized alike")
    rescale(lowering, operator, relu6_clamp(out.scale, out.zero_point))


@lowers(
    "QUANTIZE",
    becomes="a `depthwise` of one tap of 1",
    conditions="int8 to int8; others only at the model's ends",
)
def _quantize(lowering: Lowering, operator: TfliteOperator) -> None:
    rescale(lowering, operator, (-128, 127))


def rescale(lowering: Lowering, operator: TfliteOperator, clamp: tuple[int, int]) -> None:
    """Another scale, then a clamp; in one scale a clamp alone, of the layer before if possible."""
    tensor, out = lowering.tensor(operator, 0), lowering.output(operator)
    source = lowering.followed(operator, tensor.index)
    if out.shape != tensor.shape:
        lowering.model.refuse(operator, f"output must have shape {tensor.shape}, not {out.shape}")
    if out.quantized_like(tensor) and lowering.fuse_clamp(operator, clamp):
        return
    try:
        multipliers = ratio_multiplier(tensor.scale, out.scale, source.channels)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    lowering.emit_scaled(operator, source, multipliers, clamp)


_PADDED = (
    "the padding of the convolution or pooling that alone reads it, where that is exact; else "
    "a `depthwise` of one tap of 1, for channels a 1×1 `conv`"
)


@lowers("PAD", becomes=_PADDED, conditions="constant widths, none of the batch")
def _pad(lowering: Lowering, operator: TfliteOperator) -> None:
    _padded(lowering, operator, lowering.output(operator).zero_point)


@lowers(
    "PADV2",
    becomes=_PADDED,
    conditions="the value is the zero point, or -128 before `MAX_POOL_2D`",
)
def _pad_v2(lowering: Lowering, operator: TfliteOperator) -> None:
    value = lowering.constant(operator, 2, "int8").reshape(-1)
    if len(value) != 1:
        lowering.model.refuse(operator, f"value must be one number, not {len(value)}")
    _padded(lowering, operator, int(value[0]))


def _padded(lowering: Lowering, operator: TfliteOperator, value: int) -> None:
    source = lowering.source(operator)
    tensor, out = lowering.tensor(operator, 0), lowering.output(operator)
    if not out.quantized_like(tensor):
        lowering.model.refuse(operator, "input and output must be quantized alike")
    data = lowering.tensor(operator, 1).data
    if data is None or data.dtype not in (np.int32, np.int64):
        lowering.model.refuse(operator, "widths must be constant integers")
    rank = len(tensor.shape)
    if data.shape != (rank, 2) or data.min() < 0 or data[0].any():
        rule = "widths must be two of 0 or more for each axis, and 0 for the batch"
        lowering.model.refuse(operator, f"{rule}, not {data.tolist()}")
    expected = tuple(int(n + sum(w)) for n, w in zip(tensor.shape, data.tolist(), strict=True))
    if out.shape != expected:
        lowering.model.refuse(operator, f"output must have shape {expected}, not {out.shape}")
    if rank < 3:
        rule = f"input must be an image or a signal, not of shape {tensor.shape}"
        lowering.model.refuse(operator, rule)
    lowering.image(operator, 3)
    # A signal is an image of height 1.
    widths = [(0, 0)] * (4 - rank) + [(int(a), int(b)) for a, b in data.tolist()]
    padding = Padding(top=widths[1][0], bottom=widths[1][1], left=widths[2][0], right=widths[2][1])
    if widths[3] == (0, 0) and _taken_over(lowering, out.index, value, tensor.zero_point):
        lowering.pending[out.index] = Pending(tensor.index, padding)
        return
    if value != tensor.zero_point:
        rule = f"value must be the zero point {tensor.zero_point}, not {value}"
        lowering.model.refuse(operator, rule)
    multipliers = ratio_multiplier(tensor.scale, out.scale, out.shape[-1])
    if widths[3] == (0, 0):
        lowering.emit_scaled(operator, source, multipliers, padding=padding)
        return
    weights = np.zeros((out.shape[-1], 1, 1, source.channels), np.int8)
    chosen = np.arange(source.channels)
    weights[chosen + widths[3][0], 0, 0, chosen] = 1
    lowering.emit(
        operator,
        LayerKind.CONV,
        (source,),
        (out.shape[1], out.shape[2], out.shape[3]),
        padding=padding,
        weights=weights,
        bias=np.zeros(out.shape[-1], np.int32),
        multiplier=multipliers[0],
        shift=multipliers[1],
    )


def _taken_over(lowering: Lowering, index: int, value: int, zero_point: int) -> bool:
    """Whether what alone reads a padded tensor, behind changes of its axes, pads with that value."""
    reader = lowering.only_reader(index)
    while reader is not None and reader.name in ("EXPAND_DIMS", "RESHAPE"):
        index, following = reader.outputs[0], lowering.model.tensors[reader.outputs[0]]
        if image_shape(following.shape) != image_shape(
            lowering.model.tensors[reader.inputs[0]].shape
        ):
            return False
        reader = lowering.only_reader(index)
    # Where the reader pads with the same value, and only there, its padding can be widened.
    injected = {
        "CONV_2D": zero_point,
        "DEPTHWISE_CONV_2D": zero_point,
        "MAX_POOL_2D": _MOST_NEGATIVE,
        "SPACE_TO_BATCH_ND": zero_point,
    }
    return (
        reader is not None
        and len(lowering.model.tensors[index].shape) == 4
        and reader.inputs[0] == index
        and injected.get(reader.name) == value
    )


_ALIAS = "nothing: another shape of the same values"
_KNOWN = "output shape known when the model was made"


@lowers("RESHAPE", becomes=_ALIAS, conditions=_KNOWN)
def _reshape(lowering: Lowering, operator: TfliteOperator) -> None:
    lowering.alias(operator)


@lowers("SQUEEZE", becomes=_ALIAS, conditions=_KNOWN)
def _squeeze(lowering: Lowering, operator: TfliteOperator) -> None:
    lowering.alias(operator)


@lowers("EXPAND_DIMS", becomes=_ALIAS, conditions=_KNOWN)
def _expand_dims(lowering: Lowering, operator: TfliteOperator) -> None:
    lowering.alias(operator)


@lowers(
    "TRANSPOSE",
    becomes="nothing: the order of values is kept account of",
    conditions="the batch stays first; read by `FULLY_CONNECTED`, which takes the order into its weights, by functions and clamps, by `ADD`, "
    "`SUB`, `MUL`, `MAXIMUM` and `MINIMUM` of two activations in one order, by `ADD`, `SUB`, `MUL` and `PRELU` with a constant that is one number for each "
    "channel as computed, by `MEAN` and `REDUCE_MAX`, or an output; by any other, such as convolutions, pools, `PAD`, `CONCATENATION`, parts and `MUL` "
    "by an activation of another shape, only where a further one restores the order",
)
def _transpose(lowering: Lowering, operator: TfliteOperator) -> None:
    tensor, out = lowering.tensor(operator, 0), lowering.output(operator)
    axes = lowering.constant(operator, 1, "int32").reshape(-1).tolist()
    if sorted(axes) != list(range(len(tensor.shape))) or axes[0] != 0:
        rule = f"axes must be an order of the {len(tensor.shape)} with the batch first"
        lowering.model.refuse(operator, f"{rule}, not {axes}")
    expected = tuple(tensor.shape[axis] for axis in axes)
    if out.shape != expected:
        lowering.model.refuse(operator, f"output must have shape {expected}, not {out.shape}")
    if not out.quantized_like(tensor):
        lowering.model.refuse(operator, "input and output must be quantized alike")
    _, order = lowering.ordered(operator)
    lowering.reorder(operator, order.transpose([axis - 1 for axis in axes[1:]]))
