"""All members of a family of networks, one after the other."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from search.networks.family import NetworkFamily

__all__ = ["members_of"]


def members_of(family: NetworkFamily) -> Iterator[Any]:
    """Give every different member once, in the order of the choices, the last decision's first."""
    given: set[str] = set()
    for indices in product(*(range(len(values)) for values in family.decisions.values())):
        member = family.architecture(dict(zip(family.decisions, indices, strict=True)))
        if member.key not in given:
            given.add(member.key)
            yield member
