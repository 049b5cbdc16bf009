"""The amortized answer: an agent that was trained over other networks designs accelerators for this."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.amortized_agent import AmortizedAgent
from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.amortized_settings import AmortizedSettings
from search.strategies.protocol import HardwareProblem
from sim.spec.errors import CosilicoError

__all__ = ["Amortized"]


class Amortized(AcceleratorSearch):
    """Most probable designs of a trained agent for the network, all evaluated; nothing is learned.

    The agent is RHNAS's (Akhauri et al., 2021), which is conditioned on the network: here by features
    that any network has (:func:`search.network_features.network_features`). The designs come from a
    beam search over its fields. Those that break the area budget or a rule of the generator are
    passed over without an evaluation.

    Parameters
    ----------
    problem : HardwareProblem
    settings : AmortizedSettings

    Raises
    ------
    CosilicoError
        If no agent is given, or it was trained for another space or objective.
    """

    def __init__(self, problem: HardwareProblem, settings: AmortizedSettings) -> None:
        super().__init__(problem)
        if settings.agent is None:
            raise CosilicoError("search.agent must be given: a file agent.npz that rhnas left")
        self._agent = AmortizedAgent.load(Path(settings.agent), self.hardware, problem.objective)
        self._budget = settings.search_budget or settings.budget

    @property
    def stages(self) -> Mapping[str, int]:
        """Return a single step."""
        return {"answer": 1}

    def step(self, stage: str) -> None:
        """Evaluate the default and the designs, as many as the budget allows."""
        self.evaluate([self.hardware.default], "default")
        self.evaluate(self._agent.designs(self.problem.network, self._budget), stage)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the answer is a single step."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
