"""Searches of a comparison in the process of the test."""

from collections.abc import Callable
from typing import Any

__all__ = ["here"]


def here(
    searches: dict[str, tuple[Any, ...]],
    run: Callable[..., Any],
    journal: Any,
    *others: Any,
    prepare: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
    **options: Any,
) -> None:
    """Run all searches in this process, in the place of a pool."""
    if prepare is not None:
        prepare(*arguments)
    for key, own in searches.items():
        if key not in journal.records:
            journal.append(key, run(*own))
