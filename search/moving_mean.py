"""The moving mean of rewards or costs, from which a sample's advantage is measured."""

__all__ = ["MovingMean"]

_MEMORY = 0.95
"""Share of the mean that stays at each value (NAHAS's moving baseline)."""


class MovingMean:
    """Mean of the values so far, the latest of which count most.

    Attributes
    ----------
    mean : float or None
        The first value, moved by a twentieth towards each that follows; None before the first.
    """

    def __init__(self) -> None:
        self.mean: float | None = None

    def advantage(self, value: float) -> float:
        """Value above the mean so far, 0 for the first; the value then enters the mean."""
        before = value if self.mean is None else self.mean
        self.mean = _MEMORY * before + (1 - _MEMORY) * value
        return value - before
