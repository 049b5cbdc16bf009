"""Random int8 models for TensorFlow Lite with products of activations, as in squeeze-and-excitation blocks."""

import numpy as np

from sim.scales import Scale
from testbench.cases.tflite_functions import drawn_function
from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_tensors import Activation, TensorDraw, excited, multiplied

__all__ = ["product_model"]

_USUAL = (-8.0, -2.0)
"""Scales of activations, as powers of two."""


def product_model(rng: np.random.Generator, images: int = 3) -> RandomModel:
    """A model with a product of an activation and a vector, which is computed of the activation in one of several ways.

    The vector is a pooled activation, behind layers or not, or LOGISTIC or HARD_SWISH of these: then it needs an accelerator with
    activation tables. Zero points are the ends of int8 as often as not.
    """
    draw = TensorDraw(rng)
    channels = int(rng.choice([1, 3, 8, 17, 40]))
    shape = (1, *(int(size) for size in rng.integers(1, 7, 2)), channels)
    first = current = _usual(draw, shape)
    if rng.random() < 0.6:
        current = _layer(draw, current, channels)
    name = str(rng.choice(["none", "LOGISTIC", "HARD_SWISH"]))
    if name == "none":
        product = excited(draw, current)
        assert product is not None
    else:
        vector = _function(draw, name, _squeezed(draw, current))
        product = multiplied(draw, current, vector)
    if rng.random() < 0.3:  # what was multiplied is read by others, too
        total = _usual(draw, shape, 4 * max(current.scale, product.scale))
        draw.elementwise("ADD", product, current, total)
        product = total
    if rng.random() < 0.3:
        product = multiplied(draw, product, _squeezed(draw, product))
    last = _layer(draw, product, int(rng.choice([1, 4, 9])))
    x = rng.integers(-128, 128, (images, *shape[1:])).astype(np.int8)
    return RandomModel(draw.writer.finish([first.index], [last.index]), x)


def _usual(draw: TensorDraw, shape: tuple[int, ...], scale: float | None = None) -> Activation:
    power = draw.rng.uniform(*_USUAL)
    return draw.activation(shape, float(np.float32(scale or 2.0**power)))


def _layer(draw: TensorDraw, source: Activation, channels: int) -> Activation:
    """A 1×1 convolution whose output fills int8."""
    depth = source.shape[-1]
    out = _usual(draw, (*source.shape[:-1], channels))
    weights = draw.rng.integers(-127, 128, (channels, 1, 1, depth))
    scale = 60 / (75 * 75 * np.sqrt(depth)) * out.scale / source.scale
    constant = draw.writer.constant(weights, "int8", scales=[float(np.float32(scale))])
    fused = int(draw.rng.choice([0, 0, 1, 3]))
    draw.writer.operator(
        "CONV_2D", [source.index, constant], [out.index], StrideH=1, StrideW=1, DilationHFactor=1,
        DilationWFactor=1, Padding=0, FusedActivationFunction=fused,
    )  # fmt: skip
    return out


def _squeezed(draw: TensorDraw, source: Activation) -> Activation:
    """The mean of an activation's pixels, sometimes behind a convolution."""
    shape = (1, 1, 1, source.shape[-1])
    out = _usual(draw, shape, source.scale / 2)
    axes = draw.writer.constant([1, 2], "int32")
    draw.writer.operator("MEAN", [source.index, axes], [out.index], KeepDims=True)
    return _layer(draw, out, source.shape[-1]) if draw.rng.random() < 0.7 else out


def _function(draw: TensorDraw, name: str, source: Activation) -> Activation:
    near = Scale(float(np.float32(source.scale)), int(draw.rng.choice([-128, 0, 127])))
    function = drawn_function(name, Scale(source.scale, source.zero_point), near, draw.rng)
    out = draw.activation(source.shape, function.output.scale, function.output.zero_point)
    function.write(draw.writer, source.index, out.index)
    return out
