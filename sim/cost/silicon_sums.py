"""Sums of a fitted figure over an accelerator's modules, of one accelerator or of many at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_features import FEATURES
from sim.cost.silicon_fit import SiliconFit
from sim.cost.silicon_modules import MODULES, silicon_memories
from sim.cost.silicon_shapes import FIFO, shape_features
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError

__all__ = ["Ask", "figure_of", "shape_figure", "sum_parts"]


class Ask(Protocol):
    """Way to the values of a function that depends on a few fields: of an accelerator, or of many."""

    def __call__(
        self, names: Sequence[str], function: Callable[[AcceleratorConfig], float], /
    ) -> Any:
        """Return a number, or numbers : float64[n]."""


def figure_of(fit: SiliconFit, kind: str, figure: str, values: Mapping[str, Any]) -> Any:
    """Figure of a module with features of such values.

    Raises
    ------
    DesignFileError
        If the fit has no such module.
    """
    if kind not in fit.modules:
        raise DesignFileError(
            f"silicon fit of {fit.target} must have module {kind!r}, which no accelerator "
            "that it was fitted to has: run cosilico calibrate --area with more spaces"
        )
    total: Any = 0.0
    for feature, coefficient in fit.modules[kind].coefficients.get(figure, {}).items():
        total = total + coefficient * values[feature]
    return total


def shape_figure(fit: SiliconFit, kind: str, figure: str, shape: RamShape) -> float:
    """Figure of a memory or FIFO of a shape."""
    own: float = figure_of(
        fit, kind, figure, shape_features(kind, shape.width, shape.rows, fit.target)
    )
    return own


def sum_parts(
    fit: SiliconFit, figure: str, ask: Ask, memory: Callable[[RamShape], float]
) -> dict[str, Any]:
    """Figure of the parts of accelerators, in the fit's unit.

    Parameters
    ----------
    fit : SiliconFit
    figure : str
    ask : Ask
    memory : callable
        Figure of a memory of a shape; its number does not count.

    Raises
    ------
    DesignFileError
        If an accelerator has a module that the fit has not.
    """
    values = {name: ask(feature.fields, feature.value) for name, feature in FEATURES.items()}
    sums: dict[str, Any] = {}
    for module in MODULES:
        number = ask(module.fields, module.number)
        if _any(number):
            own = figure_of(fit, module.kind, figure, values)
            sums[module.part] = sums.get(module.part, 0.0) + number * own
    for kind in silicon_memories():
        number = ask(kind.fields, kind.number)
        if not _any(number):
            continue

        def own_figure(config: AcceleratorConfig, shape_of: Any = kind.shape) -> float:
            return memory(shape_of(config))

        sums[kind.part] = sums.get(kind.part, 0.0) + number * ask(kind.shape_fields, own_figure)
        if kind.fifo:

            def pointers(config: AcceleratorConfig, shape_of: Any = kind.shape) -> float:
                return shape_figure(fit, FIFO, figure, shape_of(config))

            sums[kind.part] = sums[kind.part] + number * ask(kind.shape_fields, pointers)
    return sums


def _any(number: Any) -> bool:
    return bool(number.any()) if hasattr(number, "any") else bool(number)
