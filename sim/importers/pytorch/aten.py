"""PyTorch modules as networks of layers, read from what torch.export makes of them."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from sim.importers.errors import printable
from sim.importers.pytorch.activations import ACTIVATIONS
from sim.importers.pytorch.elementwise import ELEMENTWISE
from sim.importers.pytorch.enlarging import ENLARGING
from sim.importers.pytorch.float_network import FloatNetwork
from sim.importers.pytorch.functions import FUNCTIONS
from sim.importers.pytorch.graph import Graph
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.pooling import POOLS
from sim.importers.pytorch.quantized import QUANTIZED
from sim.importers.pytorch.shapes import VIEWS
from sim.importers.pytorch.weighted import WEIGHTED

__all__ = ["export_module", "read_program"]


def export_module(module: nn.Module, image: Tensor | Sequence[Tensor]) -> ExportedProgram:
    """Program of a module, which is set to inference mode, for images [1, C, H, W] of its inputs.

    Raises
    ------
    UnsupportedModuleError
        If ``torch.export`` cannot trace the module.
    """
    module.eval()
    given = (image,) if isinstance(image, Tensor) else tuple(image)
    with warnings.catch_warnings():
        # torch copies a class of its own that it has deprecated
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return torch.export.export(module, given)
        except Exception as error:  # whatever the module's code or the tracer raises
            reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise UnsupportedModuleError(f"module cannot be exported: {reason}") from error


def read_program(program: ExportedProgram, *, name: str) -> FloatNetwork:
    """Layers of an exported program: activations fused, batch normalization folded.

    The program is decomposed to PyTorch's core ATen operators first. A layer with weights bears
    the name of its module, any other the name of its node. Flattening leaves no layer: a tensor
    keeps its height, width and channels, and a linear layer's weights are put in their order. So
    does the output.

    ===================================  ==========================================================
    module                               layer
    ===================================  ==========================================================
    ``Conv2d``                           ``conv``, ``depthwise``; zero padding around it on any side
    ``Conv2d``, other groups             a ``conv`` with zeros, or a ``depthwise`` of repeated channels
    ``Conv1d``, pools of signals         those of an image of height 1
    ``BatchNorm2d``, ``BatchNorm1d``     folded into the layer before, else a 1×1 ``depthwise``
    ``ReLU``, ``ReLU6``, ``Hardtanh``,   the clamp of the layer before, else of a 1×1 ``max_pool``
    ``clamp``
    ``Linear``                           ``fully_connected``
    ``+``, ``torch.add``                 ``add`` of two tensors of one shape
    ``AdaptiveAvgPool2d(1)``, ``mean``   ``mean``
    ``AvgPool2d``, ``AdaptiveAvgPool2d`` ``average_pool``; a ``depthwise`` if padding is counted
    ``MaxPool2d``, ``AdaptiveMaxPool2d`` ``max_pool``
    ``ConvTranspose2d``, ``Upsample``    a ``conv`` or ``depthwise`` for each place between pixels, or a copy,
                                         whose pixels are stored in turn
    ``torch.cat``                        copies side by side
    ``Sigmoid``, ``Tanh``, ``SiLU``,     a function: an activation table behind the layer before, else behind a
    ``Hardswish``, ``GELU``, ...         1×1 ``max_pool``
    ``Softmax``, ``LogSoftmax``,         none: at the end of the module the host computes them
    ``Sigmoid``
    ===================================  ==========================================================

    Raises
    ------
    UnsupportedModuleError
        One line that names the operation, its node and the rule.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            core = program.run_decompositions()
        except Exception as error:  # whatever operators raise on arguments that do not fit
            reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            line = printable(f"program cannot be decomposed: {reason}")
            raise UnsupportedModuleError(line) from error
    readers = WEIGHTED | POOLS | ENLARGING | ELEMENTWISE | VIEWS | FUNCTIONS | QUANTIZED
    readers |= ACTIVATIONS
    return Graph(core, readers).read(name)
