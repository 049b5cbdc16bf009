"""Settings that every task has."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from search.sections import Section

__all__ = ["TaskSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings(Section, ABC):
    """A section ``[task]``: the data and their split, which the search's seed does not touch.

    Parameters
    ----------
    name : str
        A task gives its own name as the default.
    """

    name: str

    @property
    @abstractmethod
    def training_images(self) -> int:
        """Images that are neither for validation nor for the test."""
