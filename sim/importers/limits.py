"""Sizes up to which a model is imported; a small file can declare any."""

import math
from collections.abc import Sequence

__all__ = ["MOST_MACS", "MOST_VALUES", "MOST_WEIGHTS", "excess"]

MOST_VALUES = 1 << 24
"""Of one activation: 16 MB; 4096 × 4096 pixels of one channel."""

MOST_WEIGHTS = 1 << 28
"""Of a network."""

MOST_MACS = 1 << 36
"""Of one inference; ResNet-50 has 2^32."""


def excess(shape: Sequence[int], what: str) -> str:
    """The rule that an activation of a shape breaks, empty if it breaks none; ``what`` names it."""
    values = math.prod(shape)
    if values <= MOST_VALUES:
        return ""
    return f"{what} must have at most {MOST_VALUES} values, not {values} of shape {tuple(shape)}"
