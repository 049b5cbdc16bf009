"""Terms of an accelerator's silicon: what all modules or memories of a kind take, worked out once for all accelerators that are alike to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.config_columns import ConfigColumns
from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_features import FEATURES
from sim.cost.silicon_fit import SiliconFit
from sim.cost.silicon_modules import MODULES, SiliconMemory, SiliconModule, silicon_memories
from sim.cost.silicon_shapes import FIFO, shape_features
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError
from sim.spec.remembered import remembered

__all__ = [
    "SameFit",
    "Term",
    "figure_terms",
    "figures_of",
    "module_fields",
    "shape_figures",
    "sums_alone",
    "sums_together",
    "term",
]

Figures = NDArray[np.float64]
"""Numbers of a term : float64[k]; of many accelerators float64[n, k]."""


@dataclass(frozen=True, slots=True, eq=False)
class SameFit:
    """A fit, or fits that belong together, as the key of what is kept for it: like no other that has the same content."""

    fits: tuple[Any, ...]

    def __hash__(self) -> int:
        """Hash of the objects themselves."""
        return hash(tuple(map(id, self.fits)))

    def __eq__(self, other: object) -> bool:
        """Whether it is of the same objects."""
        return (
            isinstance(other, SameFit)
            and len(self.fits) == len(other.fits)
            and all(own is its for own, its in zip(self.fits, other.fits, strict=True))
        )


@dataclass(frozen=True, slots=True)
class Term:
    """Modules or memories of a kind, all that an accelerator has.

    Parameters
    ----------
    part : str
        Part of the area, or of the energy, that it belongs to.
    fields : tuple of str
        Fields of a configuration that decide it.
    value : callable
        Its numbers : float64[k].
    """

    part: str
    fields: tuple[str, ...]
    value: Callable[[AcceleratorConfig], Figures]


def term(part: str, names: Sequence[str], value: Callable[[AcceleratorConfig], Figures]) -> Term:
    """Make a term of a function that depends on fields of these names, each of which may be there twice."""
    own = tuple(dict.fromkeys(names)) or ("clock_mhz",)
    return Term(part, own, remembered(*own)(value))


def sums_alone(terms: Sequence[Term], config: AcceleratorConfig) -> dict[str, Figures]:
    """Sums over the terms of each part, of one accelerator : float64[k] each."""
    sums: dict[str, Figures] = {}
    for own in terms:
        value = own.value(config)
        sums[own.part] = sums[own.part] + value if own.part in sums else value
    return sums


def sums_together(terms: Sequence[Term], columns: ConfigColumns) -> dict[str, Figures]:
    """Sums as :func:`sums_alone`, of many accelerators : float64[n, k] each, bit by bit."""
    sums: dict[str, Figures] = {}
    for own in terms:
        values = columns.look_up(own.fields, own.value)
        sums[own.part] = sums[own.part] + values if own.part in sums else values
    return sums


def figure_terms(
    fit: SiliconFit, figures: Sequence[str], memory: Callable[[RamShape], Figures]
) -> list[Term]:
    """Figures of all modules and memories, in the fit's units.

    Parameters
    ----------
    fit : SiliconFit
    figures : sequence of str
        The k figures.
    memory : callable
        Figures of a memory of a shape : float64[k]; its number does not count.

    Raises
    ------
    DesignFileError
        Of a value, if an accelerator has a module that the fit has not.
    """
    return [*_modules(fit, figures), *_memories(fit, figures, memory)]


def _modules(fit: SiliconFit, figures: Sequence[str]) -> Iterator[Term]:
    for module in MODULES:
        yield term(module.part, module_fields(module), _of_module(fit, figures, module))


def module_fields(module: SiliconModule) -> tuple[str, ...]:
    """Fields that decide how many modules of a kind there are, and what each takes."""
    return (*module.fields, *(name for own in module.features for name in FEATURES[own].fields))


def _of_module(
    fit: SiliconFit, figures: Sequence[str], module: SiliconModule
) -> Callable[[AcceleratorConfig], Figures]:
    def value(config: AcceleratorConfig) -> Figures:
        number = module.number(config)
        return number * figures_of(fit, module, figures, config) if number else _nothing(figures)

    return value


def _memories(
    fit: SiliconFit, figures: Sequence[str], memory: Callable[[RamShape], Figures]
) -> Iterator[Term]:
    def pointers(shape: RamShape) -> Figures:
        return shape_figures(fit, FIFO, figures, shape)

    for kind in silicon_memories():
        for of_shape in (memory, pointers) if kind.fifo else (memory,):
            value = _of_memory(figures, kind, of_shape)
            yield term(kind.part, (*kind.fields, *kind.shape_fields), value)


def _of_memory(
    figures: Sequence[str], kind: SiliconMemory, of_shape: Callable[[RamShape], Figures]
) -> Callable[[AcceleratorConfig], Figures]:
    def value(config: AcceleratorConfig) -> Figures:
        shape = kind.shape(config)
        return shape.count * of_shape(shape) if shape.count else _nothing(figures)

    return value


def _nothing(figures: Sequence[str]) -> Figures:
    return np.zeros(len(figures))


def figures_of(
    fit: SiliconFit, module: SiliconModule, figures: Sequence[str], config: AcceleratorConfig
) -> Figures:
    """Figures of one module of a kind in an accelerator : float64[k].

    Raises
    ------
    DesignFileError
        If the fit has no such module.
    """
    values = {name: FEATURES[name].value(config) for name in module.features}
    return _summed(fit, module.kind, figures, values)


def shape_figures(fit: SiliconFit, kind: str, figures: Sequence[str], shape: RamShape) -> Figures:
    """Figures of a memory or FIFO of a shape : float64[k]."""
    return _summed(fit, kind, figures, shape_features(kind, shape.width, shape.rows, fit.target))


def _summed(
    fit: SiliconFit, kind: str, figures: Sequence[str], values: Mapping[str, float]
) -> Figures:
    if kind not in fit.modules:
        raise DesignFileError(
            f"silicon fit of {fit.target} must have module {kind!r}, which no accelerator "
            "that it was fitted to has: run cosilico calibrate --area with more spaces"
        )
    known = fit.modules[kind].coefficients
    totals = _nothing(figures)
    for place, figure in enumerate(figures):
        for feature, coefficient in known.get(figure, {}).items():
            totals[place] += coefficient * values[feature]
    return totals
