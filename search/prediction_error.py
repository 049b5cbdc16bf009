"""How far predictions of cost and area are from the exact figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

__all__ = ["PredictionError", "prediction_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionError:
    """Distance of learned costs from exact costs, on pairs that were held out.

    Parameters
    ----------
    pairs : int
        Pairs that were held out and are realizable.
    cost_error, area_error : float
        Mean absolute error as a share of the exact value.
    cost_correlation, area_correlation : float or None
        Spearman's rank correlation; None where the exact or the learned values are all alike.
    """

    pairs: int
    cost_error: float
    cost_correlation: float | None
    area_error: float
    area_correlation: float | None

    def to_json(self) -> dict[str, Any]:
        """Figures as a JSON object."""
        return {
            "pairs": self.pairs,
            "cost": {"error": self.cost_error, "rank_correlation": self.cost_correlation},
            "area": {"error": self.area_error, "rank_correlation": self.area_correlation},
        }


def prediction_error(
    predicted: NDArray[np.float64], exact: NDArray[np.float64]
) -> PredictionError | None:
    """Error of predictions float64[n, 2] of cost and area; None if there are no pairs."""
    if not len(exact):
        return None
    errors = np.abs(predicted / exact - 1).mean(0)
    correlations: list[float | None] = []
    for ours, theirs in zip(predicted.T, exact.T, strict=True):
        alike = len(np.unique(ours)) == 1 or len(np.unique(theirs)) == 1
        correlations.append(None if alike else float(spearmanr(ours, theirs).statistic))
    return PredictionError(
        pairs=len(exact),
        cost_error=float(errors[0]),
        cost_correlation=correlations[0],
        area_error=float(errors[1]),
        area_correlation=correlations[1],
    )
