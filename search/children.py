"""Static child networks: one architecture as a plain torch module."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

from search.architecture import LayerShape
from search.device import place_of, placed
from sim.spec.network import LayerKind

__all__ = ["Child", "build_from_layers", "execute", "padded"]


Weighted = Callable[[LayerShape, Tensor], Tensor]
"""Computes a layer that has weights from its input."""


def execute(layers: Sequence[LayerShape], images: Tensor, weighted: Weighted) -> dict[str, Tensor]:
    """Output of every layer by name, and ``input``; ``weighted`` computes those with weights."""
    made = {"input": images}
    for layer in layers:
        x = made[layer.inputs[0]]
        if layer.kind is LayerKind.ADD:
            y = x + made[layer.inputs[1]]
        elif layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
            y = x.mean((2, 3), keepdim=True)  # [N, C, 1, 1]
        else:
            y = weighted(layer, x)
        made[layer.name] = y
    return made


def padded(layer: LayerShape, x: Tensor) -> Tensor:
    """Input of a conv or depthwise layer with its padding, channels innermost in memory.

    Depthwise gradients take half the time in that layout on a CPU.
    """
    edge = layer.padding
    wide = pad(x, (edge.left, edge.right, edge.top, edge.bottom))
    return wide.contiguous(memory_format=torch.channels_last)


class Child(nn.Module):
    """Executes layer shapes in order: convolution, batch normalization, ReLU6; linear at the end.

    Parameters
    ----------
    layers : sequence of LayerShape

    Members
    -------
    convs, norms : nn.ModuleDict
        Convolution (without bias) and batch normalization of each conv and depthwise layer.
    linears : nn.ModuleDict
        The fully connected layers, whose input has one pixel.
    """

    def __init__(self, layers: Sequence[LayerShape]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.convs = nn.ModuleDict()
        self.norms = nn.ModuleDict()
        self.linears = nn.ModuleDict()
        for layer in self.layers:
            inputs, outputs = layer.in_shape[2], layer.out_shape[2]
            if layer.kind in (LayerKind.CONV, LayerKind.DEPTHWISE):
                groups = inputs if layer.kind is LayerKind.DEPTHWISE else 1
                self.convs[layer.name] = nn.Conv2d(
                    inputs, outputs, layer.kernel, layer.stride, groups=groups, bias=False
                )
                self.norms[layer.name] = nn.BatchNorm2d(outputs)
            elif layer.kind is LayerKind.FULLY_CONNECTED:
                self.linears[layer.name] = nn.Linear(inputs, outputs)
        placed(self)

    def conv(self, name: str) -> nn.Conv2d:
        """Return the convolution of a conv or depthwise layer."""
        return cast(nn.Conv2d, self.convs[name])

    def norm(self, name: str) -> nn.BatchNorm2d:
        """Return the batch normalization of a conv or depthwise layer."""
        return cast(nn.BatchNorm2d, self.norms[name])

    def linear(self, name: str) -> nn.Linear:
        """Return the weights of a fully connected layer."""
        return cast(nn.Linear, self.linears[name])

    def activations(self, images: Tensor) -> dict[str, Tensor]:
        """Output of every layer by name, float32[N, C, P, Q], where the weights are."""
        return execute(self.layers, images.to(place_of(self)), self._weighted)

    def _weighted(self, layer: LayerShape, x: Tensor) -> Tensor:
        if layer.kind is LayerKind.FULLY_CONNECTED:
            y: Tensor = self.linears[layer.name](x.flatten(1))  # [N, classes]
            return y[:, :, None, None]
        out: Tensor = self.norms[layer.name](self.convs[layer.name](padded(layer, x)))
        return relu6(out) if layer.relu6 else out

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] of images [N, C, H, W], where the images are."""
        return self.activations(images)[self.layers[-1].name].flatten(1).to(images.device)


def build_from_layers(layers: Sequence[LayerShape], seed: int) -> Child:
    """Child with weights drawn from ``seed``; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Child(layers)
