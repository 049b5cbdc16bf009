"""Settings of the digits task."""

from dataclasses import dataclass

from search.sections import choice, integer
from search.tasks.settings import TaskSettings

__all__ = ["DigitsSettings"]

_DIGITS = 1797
"""Images of scikit-learn's digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsSettings(TaskSettings):
    """The split of scikit-learn's digits.

    Parameters
    ----------
    name : "digits"
    test_images, validation_images : int
        Held out for the final figures, and for the search's choices.
    split_seed : int
    """

    name: str = choice("digits", "digits")
    test_images: int = integer(360, 1, 800)
    validation_images: int = integer(287, 50, 800)
    split_seed: int = integer(0, 0, 2**31 - 1)

    @property
    def training_images(self) -> int:
        """Images that are neither for validation nor for the test."""
        return _DIGITS - self.test_images - self.validation_images
