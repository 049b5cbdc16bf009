"""Ways to choose the range of an activation that int8 covers, where a network is quantized here."""

from enum import StrEnum

__all__ = ["RangeMethod"]


class RangeMethod(StrEnum):
    """A way to choose what range of an activation int8 covers; values beyond it saturate.

    ``MIN_MAX``: all values on the calibration images. ``PERCENTILE``: 99.99 % of them.
    ``MSE``: the part of the range with the least mean squared error of quantization.
    """

    MIN_MAX = "min_max"
    PERCENTILE = "percentile"
    MSE = "mse"
