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
        scikit-learn's 1,797 scanned digits of 8x8 pixels.
    test_images : int
        Images that are held out for the final figures.
    validation_images : int
        Images that are held out for the search's choices.
    split_seed : int
        Decides which images are drawn; a search's seed does not.
    """

    name: str = choice("digits", "digits")
    test_images: int = integer(360, 1, 800)
    validation_images: int = integer(287, 50, 800)
    split_seed: int = integer(0, 0, 2**31 - 1)

    @property
    def training_images(self) -> int:
        """Images that are neither for validation nor for the test."""
        return _DIGITS - self.test_images - self.validation_images

    @property
    def network_space(self) -> str:
        """Network space where the experiment names none."""
        return "digits"
