"""Activation tables of functions: what PyTorch computes of each int8, quantized again."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from sim.importers.pytorch.float_network import FloatLayer
from sim.scales import Scale
from sim.spec.network import ActivationTable, Layer, TensorSpec

__all__ = ["function_values", "with_function"]

_EVERY = torch.arange(-128, 128)
"""Inputs, in the order of the outputs."""


def function_values(layer: FloatLayer, source: Scale, output: Scale) -> NDArray[np.int8]:
    """Outputs int8[256] of a layer's function, as a program computes them between its own scales.

    Real values are float32; quantization multiplies by the scale's reciprocal and rounds half to even.

    Raises
    ------
    ValueError
        If the function gives other than finite numbers.
    """
    assert layer.function is not None, "the caller has looked"
    x = (_EVERY - source.zero_point).float() * source.scale
    with torch.no_grad():
        # [N, C, H, W], as the operators' constants are made for
        y = layer.function(x[:, None, None, None]).flatten().clamp(*layer.clamp)
    if not y.is_floating_point() or not bool(torch.isfinite(y).all()):
        raise ValueError("its function must give finite numbers for every int8")
    steps = (y * (1.0 / output.scale)).round() + output.zero_point
    values: NDArray[np.int8] = steps.clamp(-128, 127).to(torch.int8).numpy()
    return values


def with_function(layer: Layer, values: NDArray[np.int8], output: Scale) -> Layer:
    """The layer with a function of its results: a table, or a table of its table's entries."""
    spec = layer.output
    if layer.table is None:
        table = ActivationTable(values=values, zero_point=spec.zero_point)
    else:
        table = replace(layer.table, values=values[layer.table.values.astype(np.int64) + 128])
    return replace(layer, output=TensorSpec.of_shape(spec.name, spec.shape, *output), table=table)
