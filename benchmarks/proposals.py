"""Everything that a search asks for, pairs that it asks for again included."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from search.evaluator import CostModel, Evaluation, Evaluator
from sim.cost.objective import Objective
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network

__all__ = ["Asked", "ProposalLog", "beyond", "not_realizable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Pairs that a search asked for at a time.

    Parameters
    ----------
    phase : str
        What asked.
    rows : list of Evaluation
    """

    phase: str
    rows: list[Evaluation]


class ProposalLog(Evaluator):
    """Evaluator that keeps what was asked for, in order: a share of new pairs alone would leave out what was learned.

    Attributes
    ----------
    asked : list of Asked
    """

    def __init__(self, costs: CostModel) -> None:
        super().__init__(costs)
        self.asked: list[Asked] = []

    def evaluate(
        self,
        configs: Sequence[AcceleratorConfig],
        network: Network,
        *,
        phase: str,
        accuracy: float | None = None,
    ) -> list[Evaluation]:
        """Evaluate pairs as the evaluator does, and note them."""
        rows = super().evaluate(configs, network, phase=phase, accuracy=accuracy)
        self.asked.append(Asked(phase=phase, rows=rows))
        return rows

    def proposals(self, phases: Collection[str]) -> list[Evaluation]:
        """Pairs that were asked for in these phases."""
        return [row for asked in self.asked if asked.phase in phases for row in asked.rows]


def not_realizable(rows: Sequence[Evaluation]) -> float:
    """Share of proposals that break a rule of generator or compiler; 0 where there are none."""
    return sum(not row.realizable for row in rows) / max(1, len(rows))


def beyond(rows: Sequence[Evaluation], objective: Objective) -> float:
    """Share of proposals that can be realized but not within the budgets."""
    missed = sum(row.realizable and not objective.feasible(row) for row in rows)
    return missed / max(1, len(rows))
