"""Whole designs of mapped modules: how often each is there, and sums over all of them."""

from collections import Counter
from collections.abc import Callable, Sequence

from hwgen.synthesis.mapping import MappedModule

__all__ = ["composed", "composed_cells", "instance_counts", "with_below"]


def instance_counts(modules: Sequence[MappedModule]) -> dict[str, int]:
    """How often each module is in a design, by name.

    Parameters
    ----------
    modules : sequence of MappedModule
        Those below a module before it; the last is the one around all.
    """
    counts: Counter[str] = Counter({modules[-1].name: 1})
    for module in reversed(modules):
        for child, number in module.source.children.items():
            counts[child] += counts[module.name] * number
    return {module.name: counts[module.name] for module in modules}


def composed(modules: Sequence[MappedModule], figure: Callable[[MappedModule], float]) -> float:
    """Sum of a figure of a module's own over all instances of a design."""
    counts = instance_counts(modules)
    return sum(counts[module.name] * figure(module) for module in modules)


def composed_cells(modules: Sequence[MappedModule]) -> Counter[str]:
    """Cells of a whole design, by kind."""
    counts = instance_counts(modules)
    cells: Counter[str] = Counter()
    for module in modules:
        for kind, number in module.cells.items():
            cells[kind] += counts[module.name] * number
    return cells


def with_below(
    modules: Sequence[MappedModule], figure: Callable[[MappedModule], float]
) -> dict[str, float]:
    """Return a figure of every module with all modules below it, of one instance, by name."""
    sums: dict[str, float] = {}
    for module in modules:
        below = sum(sums[child] * number for child, number in module.source.children.items())
        sums[module.name] = figure(module) + below
    return sums
