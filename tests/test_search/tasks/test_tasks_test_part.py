"""The test part of a task is looked at once: when everything is decided."""

from typing import Any

import pytest

from search.evaluator import Evaluator
from search.experiment import Experiment, TrainSettings
from search.loading import load_family, load_task
from search.strategies.protocol import CoSearchProblem
from search.strategies.rhnas import Rhnas
from search.strategies.rhnas_settings import RhnasSettings
from search.tasks.digits_settings import DigitsSettings
from search.tasks.task import Split, Task
from sim.spec.spaces import TINY


class Sealed:
    """A task whose test part cannot be had before it is opened."""

    def __init__(self, task: Task) -> None:
        self.task, self.opened, self.looks = task, False, 0

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the task has."""
        return getattr(self.task, name)

    @property
    def test(self) -> Split:
        """The test part."""
        if not self.opened:
            raise AssertionError("the test part was looked at")
        self.looks += 1
        return self.task.test


def test_no_step_of_a_search_looks_at_the_test_part() -> None:
    settings = RhnasSettings(warmup_epochs=1, rounds=1, refine_updates=1, designs_per_update=16)
    experiment = Experiment(
        task=DigitsSettings(test_images=20, validation_images=800),
        search=settings,
        train=TrainSettings(epochs=1, batch=300),
    )
    task = load_task(experiment)
    sealed: Any = Sealed(task)
    problem = CoSearchProblem(
        hardware=TINY,
        objective=experiment.objective.objective(TINY),
        evaluator=Evaluator(),
        seed=0,
        name="sealed",
        task=sealed,
        networks=load_family(experiment, task),
        train=experiment.train,
    )
    search = Rhnas(problem, settings)
    for stage, steps in search.stages.items():
        for _ in range(steps):
            search.step(stage)
    with pytest.raises(AssertionError, match="the test part was looked at"):
        search.outcome()
    sealed.opened = True
    outcome = search.outcome()
    assert outcome.int8_accuracy is not None
    assert sealed.looks > 0
