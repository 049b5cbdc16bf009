"""Fits of the silicon of modules to samples of mapped accelerators."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwgen.synthesis.samples import DesignSample, ModuleSample
from sim.cost.silicon_features import FEATURES
from sim.cost.silicon_fit import FitError, ModuleFit, module_features
from sim.cost.silicon_shapes import FIFO, SHAPED, shape_features
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["fit_error", "fit_modules", "non_negative_least_squares"]

_STEPS = 1000


def fit_modules(
    samples: Sequence[DesignSample], figures: Sequence[str], target: str
) -> dict[str, ModuleFit]:
    """Fit every kind of module of mapped accelerators, each on its own, by relative errors.

    Parameters
    ----------
    samples : sequence of DesignSample
    figures : sequence of str
    target : str
        Standard cells, or an FPGA family.

    Returns
    -------
    dict of str to ModuleFit
        Of every kind that a sample has.
    """
    rows: dict[str, dict[tuple[float, ...], list[ModuleSample]]] = {}
    for sample in samples:
        for module in sample.modules:
            values = _values(sample.config, module, target)
            rows.setdefault(module.kind, {}).setdefault(values, []).append(module)
    return {kind: _fit(kind, alike, figures) for kind, alike in sorted(rows.items())}


def _fit(
    kind: str,
    alike: Mapping[tuple[float, ...], Sequence[ModuleSample]],
    figures: Sequence[str],
) -> ModuleFit:
    names = module_features(kind)
    coefficients, errors = {}, {}
    table = np.array(list(alike))
    for figure in figures:
        # Modules with the same features count once, with their mean
        known = np.array([np.mean([m.figures[figure] for m in row]) for row in alike.values()])
        fitted = _relative_fit(table, known)
        coefficients[figure] = {
            name: float(f"{value:.6g}")
            for name, value in zip(names, fitted, strict=True)
            if value > 0
        }
        predicted = table @ [coefficients[figure].get(name, 0.0) for name in names]
        pairs = [
            (value, module.figures[figure])
            for value, row in zip(predicted, alike.values(), strict=True)
            for module in row
        ]
        errors[figure] = fit_error(pairs)
    return ModuleFit(coefficients=coefficients, errors=errors)


def _relative_fit(table: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients, none negative, with the least squares of relative errors."""
    weights = 1 / np.maximum(known, max(known.max(initial=0) * 1e-3, 1e-9))
    scales = np.maximum(np.abs(table).max(axis=0), 1e-12)
    scaled = non_negative_least_squares(table / scales * weights[:, None], known * weights)
    fitted: NDArray[np.float64] = scaled / scales
    return fitted


def non_negative_least_squares(
    matrix: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve least squares without negative coefficients (C. Lawson, R. Hanson, 1974, chapter 23).

    Parameters
    ----------
    matrix : float64[n, m]
    target : float64[n]

    Returns
    -------
    float64[m]
    """
    solution = np.zeros(matrix.shape[1])
    free = np.zeros(matrix.shape[1], bool)
    tolerance = 1e-9 * max(1.0, float(np.abs(matrix.T @ target).max(initial=0)))
    for _ in range(_STEPS):
        gradient = matrix.T @ (target - matrix @ solution)
        gradient[free] = -np.inf
        best = int(gradient.argmax())
        if gradient[best] <= tolerance:
            break
        free[best] = True
        while True:
            trial = np.zeros_like(solution)
            trial[free] = np.linalg.lstsq(matrix[:, free], target, rcond=None)[0]
            negative = free & (trial <= 0)
            if not negative.any():
                solution = trial
                break
            moves = solution[negative] / np.maximum(solution[negative] - trial[negative], 1e-300)
            solution = solution + float(moves.min()) * (trial - solution)
            free &= solution > 1e-12
            solution[~free] = 0
    return solution


def fit_error(pairs: Sequence[tuple[float, float]]) -> FitError:
    """Relative errors of predicted to known values; where both are 0 there is none."""
    errors = [
        abs(predicted - known) / known if known else float(predicted != 0)
        for predicted, known in pairs
    ]
    return FitError(
        samples=len(errors),
        mean=round(float(np.mean(errors)), 6) if errors else 0.0,
        worst=round(max(errors, default=0.0), 6),
    )


def _values(config: AcceleratorConfig, module: ModuleSample, target: str) -> tuple[float, ...]:
    """Features of a module of an accelerator, in the order of their names."""
    names = module_features(module.kind)
    of_module: Callable[[str], float]
    if module.kind in SHAPED:
        first, second = map(int, module.size.split("x"))
        # FIFOs are named by bits and rows, memories by rows and bits
        width, rows = (first, second) if module.kind == FIFO else (second, first)
        of_module = shape_features(module.kind, width, rows, target).__getitem__
    else:

        def of_module(name: str) -> float:
            return FEATURES[name].value(config)

    return tuple(of_module(name) for name in names)
