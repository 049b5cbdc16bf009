"""A small U-Net of random numbers as an int8 TensorFlow Lite model: halved twice, enlarged in three ways, with skip connections."""

import numpy as np

from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_tensors import Activation, TensorDraw

__all__ = ["unet_model"]

_SAME = 0


def unet_model(seed: int, images: int = 2, size: int = 12, channels: int = 6) -> RandomModel:
    """Draw the weights and the inputs of a U-Net for images of ``size`` × ``size`` × 3."""
    draw = TensorDraw(np.random.default_rng(seed))
    writer = draw.writer

    def conv(source: Activation, outputs: int, dilation: int = 1) -> Activation:
        _, height, width, inputs = source.shape
        shape = (1, height, width, outputs)
        out = draw.activation(shape, 0.05, 3)
        weights = draw.rng.integers(-127, 128, (outputs, 3, 3, inputs))
        scale = 0.6 / (75 * np.sqrt(9 * inputs))
        given = writer.constant(weights, "int8", scales=[scale] * outputs)
        writer.operator(
            "CONV_2D", [source.index, given], [out.index],
            Padding=_SAME, StrideH=1, StrideW=1, DilationHFactor=dilation, DilationWFactor=dilation,
            FusedActivationFunction=1,
        )  # fmt: skip
        return out

    def halved(source: Activation) -> Activation:
        _, height, width, inputs = source.shape
        out = draw.like(source, (1, height // 2, width // 2, inputs))
        writer.operator(
            "MAX_POOL_2D", [source.index], [out.index],
            Padding=_SAME, StrideH=2, StrideW=2, FilterHeight=2, FilterWidth=2,
        )  # fmt: skip
        return out

    def resized(source: Activation, name: str, *, centred: bool) -> Activation:
        _, height, width, inputs = source.shape
        out = draw.like(source, (1, 2 * height, 2 * width, inputs))
        sizes = writer.constant([2 * height, 2 * width], "int32")
        writer.operator(
            name, [source.index, sizes], [out.index], AlignCorners=False, HalfPixelCenters=centred
        )
        return out

    def enlarged(source: Activation, outputs: int) -> Activation:
        _, height, width, inputs = source.shape
        shape = (1, 2 * height, 2 * width, outputs)
        out = draw.activation(shape, 0.05, 3)
        weights = draw.rng.integers(-127, 128, (outputs, 2, 2, inputs))
        given = writer.constant(weights, "int8", scales=[0.6 / (75 * np.sqrt(inputs))] * outputs)
        ends = [writer.constant(shape, "int32"), given, source.index]
        writer.operator("TRANSPOSE_CONV", ends, [out.index], Padding=_SAME, StrideH=2, StrideW=2)
        return out

    def joined(*parts: Activation) -> Activation:
        shape = (*parts[0].shape[:3], sum(part.shape[3] for part in parts))
        out = draw.like(parts[0], shape)
        writer.operator("CONCATENATION", [part.index for part in parts], [out.index], Axis=3)
        return out

    image = draw.activation((1, size, size, 3), 0.05, 3)
    first = conv(image, channels)
    second = conv(halved(first), 2 * channels)
    deep = conv(halved(second), 3 * channels, dilation=2)
    up = enlarged(deep, 2 * channels)
    wide = conv(joined(up, second, resized(deep, "RESIZE_BILINEAR", centred=True)), 2 * channels)
    nearest = resized(wide, "RESIZE_NEAREST_NEIGHBOR", centred=False)
    last = conv(joined(nearest, first, resized(wide, "RESIZE_BILINEAR", centred=False)), 2)
    x = draw.rng.integers(-128, 128, (images, size, size, 3)).astype(np.int8)
    return RandomModel(writer.finish([image.index], [last.index]), x)
