"""Certified search of an experiment whose network is fixed: its best accelerator with a proof, and its training."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search.result import Outcome
from search.strategies.certified import Certified
from search.strategies.certified_settings import CertifiedSettings, FixedCertifiedSettings
from search.strategies.co_search import CoSearch
from search.strategies.protocol import CoSearchProblem, HardwareProblem

__all__ = ["FixedCertified"]


class FixedCertified(CoSearch):
    """:class:`search.strategies.certified.Certified` for the single network of a family, which is then trained.

    Costs follow from shapes, so that no weights are needed before the end.

    Parameters
    ----------
    problem : CoSearchProblem
        With a single network, and bounds of its evaluator's costs.
    settings : FixedCertifiedSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: FixedCertifiedSettings) -> None:
        super().__init__(problem)
        if problem.networks.size != 1:
            raise ValueError(f"networks must be a single one, not {problem.networks.size}")
        self._member = self.networks.architecture(dict.fromkeys(self.networks.decisions, 0))
        accelerators = HardwareProblem(
            hardware=self.hardware,
            objective=self.objective,
            evaluator=self.evaluator,
            seed=problem.seed,
            network=self.network(self._member),
            bounds=problem.bounds,
        )
        self._certified = Certified(accelerators, CertifiedSettings())

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Steps of the bounds, and of all points; the proof ends them."""
        return self._certified.stages

    def search_step(self, stage: str) -> None:
        """Bound some points, or evaluate those with the lowest bounds."""
        self._certified.step(stage)

    @property
    def most_probable(self) -> Any:
        """The network."""
        return self._member

    def outcome(self) -> Outcome:
        """Quantize the trained network; add what is proved of its accelerator."""
        proof, best = self._certified.proof(), self._certified.best
        outcome = super().outcome()
        proved = best is not None and best.accelerator == outcome.best.accelerator
        return replace(outcome, proof=proof if proved else None)

    def search_state(self) -> dict[str, Any]:
        """State of the search of the accelerator."""
        return self._certified.state_dict()

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        self._certified.load_state_dict(state)
