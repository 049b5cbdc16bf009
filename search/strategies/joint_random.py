"""Random co-search: the baseline that every other co-search must beat at equal evaluations."""

from search.strategies.joint_baseline import JointBaseline

__all__ = ["JointRandom"]

BATCH = 16
"""Pairs that are drawn in a step."""


class JointRandom(JointBaseline):
    """Pairs of network and accelerator, each as probable as any other, until the budget is spent."""

    def pairs_step(self) -> None:
        """Draw and judge some pairs."""
        for _ in range(BATCH):
            self.merit(self.drawn_pair(), "random")
