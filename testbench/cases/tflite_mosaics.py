"""Operators of random TensorFlow Lite models that become mosaics: larger images, averages at borders."""

import numpy as np

from testbench.cases.tflite_tensors import MOST_VALUES, Activation, TensorDraw

__all__ = ["MOSAICS", "bordered", "interpolated", "joined_pixels", "nearest", "transposed"]

MOSAICS = (
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "TRANSPOSE_CONV",
)
"""Operators that are drawn here."""

_SAME = 0


def _larger(
    draw: TensorDraw, source: Activation, name: str, factors: tuple[int, ...], *, centred: bool
) -> Activation | None:
    down, right = (int(factor) for factor in draw.rng.choice(factors, 2))
    _, height, width, channels = source.shape
    shape = (1, height * down, width * right, channels)
    if down * right == 1 or np.prod(shape) > MOST_VALUES:
        return None
    out = draw.like(source, shape)
    size = draw.writer.constant(shape[1:3], "int32")
    draw.writer.operator(
        name, [source.index, size], [out.index], AlignCorners=False, HalfPixelCenters=centred
    )
    return out


def nearest(draw: TensorDraw, source: Activation) -> Activation | None:
    """Each pixel several times."""
    centred = bool(draw.rng.random() < 0.5)
    return _larger(draw, source, "RESIZE_NEAREST_NEIGHBOR", (1, 2, 3, 4), centred=centred)


def interpolated(draw: TensorDraw, source: Activation) -> Activation | None:
    """Weighted means of the pixels around each place."""
    centred = bool(draw.rng.random() < 0.5)
    return _larger(draw, source, "RESIZE_BILINEAR", (1, 2, 2, 4), centred=centred)


def transposed(draw: TensorDraw, source: Activation) -> Activation | None:
    """A transposed convolution; with VALID also of an output that is smaller than it could be."""
    rng, (_, height, width, inputs) = draw.rng, source.shape
    kernel, stride = rng.integers(1, 6, 2), rng.integers(1, 4, 2)
    padding, channels = int(rng.integers(2)), int(rng.choice([1, 4, 9]))
    sizes = np.array([height, width])
    ends = sizes * stride if padding == _SAME else (sizes - 1) * stride + np.maximum(kernel, stride)
    if rng.random() < 0.2:
        ends = np.maximum(1, ends - rng.integers(0, stride))
    shape = (1, int(ends[0]), int(ends[1]), channels)
    if np.prod(shape) > MOST_VALUES:
        return None
    # the interpreter's kernel clamps nothing and reads biases of every size
    weights = draw.weights((channels, int(kernel[0]), int(kernel[1]), inputs))
    out = draw.activation(shape)
    fitting = 60 / (75 * 90 * np.sqrt(weights.size / channels))
    reals = fitting * 2.0 ** rng.uniform(-1.5, 1, channels)
    scales = (reals * out.scale / source.scale).astype(np.float32)
    ends_of_inputs = [
        draw.writer.constant(shape, "int32"),
        draw.writer.constant(weights, "int8", scales=scales.tolist()),
        source.index,
    ]
    if rng.random() < 0.7:
        bias = rng.normal(0, 75 * 90, channels).astype(np.int32)
        given = (np.float32(source.scale) * scales).tolist()
        ends_of_inputs.append(draw.writer.constant(bias, "int32", scales=given))
    draw.writer.operator(
        "TRANSPOSE_CONV", ends_of_inputs, [out.index],
        StrideH=int(stride[0]), StrideW=int(stride[1]), Padding=padding,
    )  # fmt: skip
    return out


def bordered(draw: TensorDraw, source: Activation) -> Activation:
    """Averages of windows that reach over the border."""
    rng, (_, height, width, channels) = draw.rng, source.shape
    kernel, stride = rng.integers(2, 6, 2), rng.integers(1, 4, 2)
    out = draw.like(source, (1, -(-height // stride[0]), -(-width // stride[1]), channels))
    draw.writer.operator(
        "AVERAGE_POOL_2D", [source.index], [out.index],
        FilterHeight=int(kernel[0]), FilterWidth=int(kernel[1]), StrideH=int(stride[0]), StrideW=int(stride[1]),
        Padding=_SAME, FusedActivationFunction=int(rng.integers(4)),
    )  # fmt: skip
    return out


def joined_pixels(draw: TensorDraw, source: Activation) -> Activation | None:
    """The activation above, below or beside others; itself twice at times."""
    rng, axis = draw.rng, int(draw.rng.integers(1, 3))
    parts = [source]
    for _ in range(int(rng.integers(1, 3))):
        own = draw.like(source, source.shape)
        widths = draw.writer.constant(np.zeros((4, 2)), "int32")
        if rng.random() < 0.3:
            parts.append(source)
            continue
        draw.writer.operator("PAD", [source.index, widths], [own.index])
        parts.append(own)
    shape = list(source.shape)
    shape[axis] *= len(parts)
    if np.prod(shape) > MOST_VALUES:
        return None
    rng.shuffle(parts)
    out = draw.like(source, tuple(shape))
    place = axis if rng.random() < 0.5 else axis - 4
    draw.writer.operator("CONCATENATION", [part.index for part in parts], [out.index], Axis=place)
    return out
