"""Functions of an accelerator that are computed once for all accelerators that are alike in some fields."""

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

from sim.spec.accelerator import AcceleratorConfig

__all__ = ["remembered"]

Value = TypeVar("Value")

MOST_REMEMBERED = 1 << 16
"""Values of a function that are remembered."""


def remembered(
    *names: str,
) -> Callable[[Callable[[AcceleratorConfig], Value]], Callable[[AcceleratorConfig], Value]]:
    """Decorate a function that depends on the fields of these names alone, so that equal fields are looked up."""
    fields_of = attrgetter(*names)

    def decorate(
        function: Callable[[AcceleratorConfig], Value],
    ) -> Callable[[AcceleratorConfig], Value]:
        known: dict[Any, Value] = {}

        @functools.wraps(function)
        def looked_up(config: AcceleratorConfig) -> Value:
            key = fields_of(config)
            if key not in known:
                if len(known) >= MOST_REMEMBERED:
                    known.clear()
                known[key] = function(config)
            return known[key]

        return looked_up

    return decorate
