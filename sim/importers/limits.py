"""Sizes up to which a model is imported; a small file can declare any."""

import math
from collections.abc import Sequence

from sim.spec.network import MACS_LIMIT, VALUES_LIMIT, WEIGHTS_LIMIT, Padding

__all__ = ["MOST_MACS", "MOST_VALUES", "MOST_WEIGHTS", "excess", "excessive_layer"]

MOST_VALUES = VALUES_LIMIT
"""Most values of one activation: 16 MB; 4096 × 4096 pixels of one channel."""

MOST_WEIGHTS = WEIGHTS_LIMIT
"""Most weights of a network."""

MOST_MACS = MACS_LIMIT
"""Most MACs of one layer and inference, taps of pools counted alike; all of ResNet-50 has 2^32."""


def excess(shape: Sequence[int], what: str) -> str:
    """The rule that an activation of a shape breaks, empty if it breaks none; ``what`` names it."""
    values = math.prod(shape)
    if values <= MOST_VALUES:
        return ""
    return f"{what} must have at most {MOST_VALUES} values, not {values} of shape {tuple(shape)}"


def excessive_layer(
    name: str,
    source: Sequence[int],
    shape: Sequence[int],
    padding: Padding,
    taps: int,
) -> str:
    """The rule that a layer of real numbers breaks, empty if it breaks none.

    Parameters
    ----------
    name : str
    source, shape : (int, int, int)
        Height, width and channels of its input and output.
    padding : Padding
    taps : int
        Products or comparisons for one output value.
    """
    padded = (*padding.around((source[0], source[1])), source[2])
    if broken := excess(padded, f"padded input of layer {name!r}"):
        return broken
    macs = math.prod(shape) * taps
    if macs > MOST_MACS:
        return f"layer {name!r} must have at most {MOST_MACS} MACs, not {macs}"
    return ""
