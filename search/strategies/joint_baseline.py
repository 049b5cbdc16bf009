"""Everything that the baselines of co-search share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from search.evaluator import Evaluation
from search.strategies.co_search import CoSearch
from search.strategies.joint_baseline_settings import JointBaselineSettings
from search.strategies.protocol import CoSearchProblem
from search.strategies.sampling import Dice
from sim.spec.errors import NotRealizableError

__all__ = ["JointBaseline", "Pair"]


class Pair(NamedTuple):
    """A network and an accelerator by what is chosen for each decision and each field.

    Parameters
    ----------
    network : tuple of int
        Index of every decision's choice. Equal networks have equal indices: those of
        :meth:`search.networks.family.NetworkFamily.choices`.
    accelerator : tuple of int
        Index of every field's value.
    """

    network: tuple[int, ...]
    accelerator: tuple[int, ...]


class JointBaseline(CoSearch):
    """Base of co-searches without a model: shared weights are trained first, then pairs are scored.

    The merit of a pair is the score of :class:`search.score.Score`, of the network's validation accuracy
    with the shared weights, which do not change any more, and of its exact cost, where it is feasible. The network of the
    best pair that is feasible is trained in the end.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : JointBaselineSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: JointBaselineSettings) -> None:
        super().__init__(problem)
        self.settings = settings
        self.dice = Dice(self.hardware, problem.seed)

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Epochs of the warm-up, and more steps than the budget allows."""
        return {"warm-up": self.settings.warmup_epochs, "pairs": self.settings.budget}

    def search_step(self, stage: str) -> None:
        """Train the shared weights for an epoch, or score some pairs."""
        if stage == "warm-up":
            self.weights.epoch(lambda: self._architecture(self.drawn_pair()))
        else:
            self.pairs_step()

    @abstractmethod
    def pairs_step(self) -> None:
        """Choose some pairs and score them."""

    @property
    def most_probable(self) -> Any:
        """Nothing was learned beside the pairs.

        Raises
        ------
        NotRealizableError
            Always: it is asked for if no pair was feasible.
        """
        raise NotRealizableError(
            f"no pair of {len(self.evaluator.records)} evaluated ones is realizable and within "
            f"the budgets of the objective"
        )

    @property
    def network_sizes(self) -> tuple[int, ...]:
        """Number of choices of each of the network's decisions."""
        return tuple(map(len, self.networks.decisions.values()))

    def pair(self, network: Sequence[int], accelerator: Sequence[int]) -> Pair:
        """Pair of an index of every decision's choice and every field's value."""
        return Pair(self._plain(tuple(network)), tuple(accelerator))

    def drawn_pair(self) -> Pair:
        """Pair with every choice as probable as any other."""
        indices = tuple(int(self.dice.random.integers(size)) for size in self.network_sizes)
        return Pair(self._plain(indices), self.dice.point())

    def mutant(self, pair: Pair) -> Pair:
        """Return a pair that differs in one decision of the network or one field of the accelerator.

        Which it is, is drawn first, each as probable as any other, then the choice. The pair itself
        where nothing can be chosen.
        """
        sizes = self.network_sizes
        own = len(sizes)
        random = self.dice.random
        for place in random.permutation(own + len(self.hardware.sizes)).tolist():
            size = [*sizes, *self.hardware.sizes][place]
            for index in random.permutation(size).tolist():
                changed = [*pair.network, *pair.accelerator]
                changed[place] = index
                mutant = self.pair(changed[:own], changed[own:])
                if mutant != pair:
                    return mutant
        return pair

    def judged(self, pair: Pair, phase: str) -> tuple[Evaluation, float]:
        """Costs of a pair, which are evaluated unless they are known, and its merit.

        The merit is the score where a pair is feasible, and below 0 where it is not, so that no accuracy makes up for a
        budget (constrained domination, Deb et al., 2002): -o / (1 + o) for an overrun of o, and below -1 where the pair
        is not realizable.
        """
        architecture = self._architecture(pair)
        known = self.measured.get(architecture.key)
        accuracy = self.weights.accuracy(architecture) if known is None else known[0]
        config = self.hardware.config(pair.accelerator)
        (row,) = self.evaluate(architecture, [config], phase, accuracy)
        if self.objective.feasible(row):
            return row, self.score(accuracy, row)
        if not row.realizable:
            return row, -1 + self.score(accuracy, row)
        over = float(self.objective.overrun(row))
        return row, -over / (1 + over)

    def merit(self, pair: Pair, phase: str) -> float:
        """Merit of a pair, the more the better (:meth:`judged`)."""
        return self.judged(pair, phase)[1]

    def search_state(self) -> dict[str, Any]:
        """State of the draws; accuracies follow from the weights."""
        return {"dice": self.dice.state()}

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        self.dice.restore(state["dice"])

    def _architecture(self, pair: Pair) -> Any:
        choices = dict(zip(self.networks.decisions, pair.network, strict=True))
        return self.networks.architecture(choices)

    def _plain(self, indices: tuple[int, ...]) -> tuple[int, ...]:
        """Indices by which a network is known: a block that is left out has no kernel."""
        choices = self.networks.choices(self._architecture(Pair(indices, ())))
        return tuple(choices[name] for name in self.networks.decisions)
