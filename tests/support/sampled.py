"""Parameters of a test of which a sample runs always, and all where there is time."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

__all__ = ["sampled"]


def sampled(
    values: Iterable[Any], always: Callable[[Any], bool], *, fields: bool = False
) -> list[Any]:
    """Return all values as parameters of a test; those that are not of the sample are ``long``.

    Parameters
    ----------
    values : iterable
    always : callable
        Whether a value is of the sample, which ``make test`` runs.
    fields : bool
        Whether each value is a tuple of several parameters.

    Raises
    ------
    ValueError
        If no value is of the sample, or all are.
    """
    choice = [(value, always(value)) for value in values]
    if len({chosen for _, chosen in choice}) != 2:
        raise ValueError("a sample must be some of the values, not none or all of them")
    return [
        pytest.param(*(value if fields else (value,)), marks=[] if chosen else [pytest.mark.long])
        for value, chosen in choice
    ]
