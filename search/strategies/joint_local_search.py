"""Local search of pairs with restarts: climb from a drawn pair, and draw again at the top."""

from typing import Any

from search.strategies.joint_baseline import JointBaseline, Pair
from search.strategies.joint_baseline_settings import JointBaselineSettings
from search.strategies.protocol import CoSearchProblem

__all__ = ["JointLocalSearch"]


class JointLocalSearch(JointBaseline):
    """First-improvement local search with random restarts (Hoos & Stützle, 2004, sections 1.5 and 2.1).

    From a drawn pair, neighbours, which differ in one decision of the network or one field of the accelerator, are judged in a
    random order; the first that is better is the next pair. Where none is, another pair is drawn. Among pairs of equal
    merit that with the smaller area is better: it lets another field grow.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : JointBaselineSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: JointBaselineSettings) -> None:
        super().__init__(problem, settings)
        self._pair: Pair | None = None

    def pairs_step(self) -> None:
        """Draw a pair, or move to a better neighbour."""
        if self._pair is None:
            self._pair = self.drawn_pair()
            self._rank(self._pair)
            return
        here = self._rank(self._pair)
        for pair in self.neighbours(self._pair):
            if self._rank(pair) > here:
                self._pair = pair
                return
        self._pair = None

    def neighbours(self, pair: Pair) -> list[Pair]:
        """All pairs that differ in one decision of the network or one field of the accelerator, in a random order."""
        own, sizes = len(pair.network), [*self.network_sizes, *self.hardware.sizes]
        near: dict[Pair, None] = {}
        for place, size in enumerate(sizes):
            for index in range(size):
                changed = [*pair.network, *pair.accelerator]
                changed[place] = index
                near[self.pair(changed[:own], changed[own:])] = None
        near.pop(pair, None)
        others = list(near)
        return [others[i] for i in self.dice.random.permutation(len(others))]

    def _rank(self, pair: Pair) -> tuple[float, float]:
        row, merit = self.judged(pair, self.settings.strategy)
        return merit, -float(row["area"])

    def search_state(self) -> dict[str, Any]:
        """State of the draws, and the pair."""
        pair = None if self._pair is None else [list(part) for part in self._pair]
        return super().search_state() | {"pair": pair}

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        super().load_search_state(state)
        pair = state["pair"]
        self._pair = None if pair is None else Pair(tuple(pair[0]), tuple(pair[1]))
