"""Tensors of an ONNX model that are put together from channels or pixels of layers, and copies for that."""

import math

import numpy as np
from numpy.typing import NDArray

from sim.importers.joints import selecting_layer
from sim.importers.limits import excess
from sim.importers.onnx.lowering import OnnxLowering
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Target
from sim.spec.network import PixelPlace, TensorSpec

__all__ = ["chosen", "lay"]


def chosen(
    lowering: OnnxLowering, node: OnnxNode, source: TensorSpec, channels: NDArray[np.int64]
) -> TensorSpec:
    """Append a layer that copies some channels of a tensor, each as often as it is named; return the copy."""
    shape = (source.height, source.width, len(channels))
    if broken := excess(shape, "activation"):
        node.refuse(broken)
    lowering.count(node, math.prod(shape))
    name = lowering.free_name(node)
    output = TensorSpec.of_shape(name, shape, source.scale, source.zero_point)
    lowering.enter(node, selecting_layer(name, source, output, channels), "")
    return output


def lay(
    lowering: OnnxLowering,
    node: OnnxNode,
    parts: list[TensorSpec],
    places: list[PixelPlace],
    target: Target,
    size: tuple[int, int],
) -> TensorSpec:
    """Let a tensor be a mosaic of tensors that are made for it alone."""
    shape = (*size, parts[0].channels)
    lowering.count(node, math.prod(shape))
    try:
        spec = target.quantization.tensor(lowering.free_name(node), shape)
        lowering.joints.lay(parts, places, spec)
    except ValueError as error:
        node.refuse(str(error))
    lowering.origins[spec.name] = target.tensor
    return spec
