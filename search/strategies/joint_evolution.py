"""Regularized evolution of pairs: the oldest of a population dies, not the worst."""

from collections import deque
from typing import Any

from search.strategies.joint_baseline import JointBaseline, Pair
from search.strategies.joint_baseline_settings import JointEvolutionSettings
from search.strategies.protocol import CoSearchProblem

__all__ = ["JointEvolution"]


class JointEvolution(JointBaseline):
    """Regularized evolution (Real et al., AAAI 2019, Algorithm 1) of network and accelerator at once.

    The first P pairs are drawn. Then each child is a mutant of the best of S that are drawn from the
    population, with replacement, and takes the place of the oldest.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : JointEvolutionSettings
    """

    settings: JointEvolutionSettings

    def __init__(self, problem: CoSearchProblem, settings: JointEvolutionSettings) -> None:
        super().__init__(problem, settings)
        self._population: deque[tuple[Pair, float]] = deque(maxlen=settings.population)

    def pairs_step(self) -> None:
        """Draw the first population, or make as many children as it has members."""
        first = not self._population
        for _ in range(self.settings.population):
            pair = self.drawn_pair() if first else self.mutant(self._parent())
            self._population.append((pair, self.merit(pair, "evolution")))

    def _parent(self) -> Pair:
        random = self.dice.random
        drawn = random.integers(len(self._population), size=self.settings.sample)
        return max((self._population[i] for i in drawn.tolist()), key=lambda member: member[1])[0]

    def search_state(self) -> dict[str, Any]:
        """State of the draws, and the population from the oldest on."""
        members = [
            [list(pair.network), list(pair.accelerator), score] for pair, score in self._population
        ]
        return super().search_state() | {"population": members}

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        super().load_search_state(state)
        self._population.extend(
            (Pair(tuple(network), tuple(accelerator)), score)
            for network, accelerator, score in state["population"]
        )
