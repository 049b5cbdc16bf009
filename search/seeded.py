"""A network of a family with the weights that training of a seed begins with, to run where no accuracy matters."""

from collections.abc import Sequence

import torch

from search.architecture import LayerShape
from search.child_accuracy import take_statistics
from search.children import build_from_layers
from search.export import export
from sim.scales import activation_scale
from sim.spec.network import Network

__all__ = ["seeded_network"]

_IMAGES = 16
"""Images of noise that ranges and statistics are taken from."""


def seeded_network(layers: Sequence[LayerShape], *, name: str, seed: int) -> Network:
    """Network of the given shapes with the weights that training of a seed begins with, quantized on noise."""
    child = build_from_layers(layers, seed)
    height, width, channels = layers[0].in_shape
    noise = torch.Generator().manual_seed(seed)
    images = torch.rand(_IMAGES, channels, height, width, generator=noise)
    take_statistics(child, images)
    return export(child, images, name=name, input_scale=activation_scale(0.0, 1.0))
