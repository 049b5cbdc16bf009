"""The device that networks are trained on."""

import os
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["place_of", "placed", "training_device"]

Module = TypeVar("Module", bound=nn.Module)


def training_device() -> torch.device:
    """CUDA's first device where CUDA is there, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    # Without it, cuBLAS has no deterministic kernels, and torch refuses those it has.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device("cuda")


def placed(module: Module) -> Module:
    """Module with its weights on :func:`training_device`.

    Modules of this package take inputs from wherever they are and return outputs to there, so that
    everything else, draws and data included, stays on the CPU and is alike on every machine.
    """
    moved: Module = module.to(training_device())
    return moved


def place_of(module: nn.Module) -> torch.device:
    """Device of a module's weights."""
    weight: Tensor = next(module.parameters())
    return weight.device
