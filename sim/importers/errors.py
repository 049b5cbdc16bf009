"""Models that cannot be imported."""

from sim.spec.errors import CosilicoError

__all__ = ["UnsupportedModelError"]


class UnsupportedModelError(CosilicoError):
    """The model has an operator, type or parameter that the hardware has no arithmetic for."""
