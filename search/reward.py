"""The reward that teaches an agent to meet an objective."""

from search.evaluator import Evaluation
from sim.cost.objective import Objective

__all__ = ["reward"]


def reward(objective: Objective, evaluation: Evaluation, reference: Evaluation) -> float:
    """Relative gain over ``reference`` (> -1), or graded blame (< -1) if not feasible.

    The gain is 0 where the reference does not run the network.
    The blame grows with the number of broken rules and with the distances to them, so that
    an agent sees which way the realizable designs are.
    """
    if objective.feasible(evaluation):
        if not reference.realizable:
            return 0.0
        return float(objective.cost(reference) / objective.cost(evaluation) - 1)
    over = float(objective.overrun(evaluation))
    excess = max(0.0, evaluation.excess) + over
    rules = len(evaluation.violations) + (over > 0)
    return -1 - 0.1 * min(rules, 5) - excess / (1 + excess)
