"""The test part of a task is looked at once: when everything is decided."""

from typing import Any

import pytest

from search.determinism import deterministic_torch
from search.evaluator import Evaluator
from search.loading import load_family, load_task
from search.stages import run_stages
from search.strategies import CO_SEARCHES
from search.strategies.protocol import CoSearchProblem
from search.tasks.task import Split, Task
from small_co_searches import small_experiment


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


@pytest.mark.parametrize("strategy", CO_SEARCHES)
def test_no_step_of_a_search_looks_at_the_test_part(strategy: str) -> None:
    experiment = small_experiment(strategy)
    hardware = experiment.hardware.hardware_space()
    task = load_task(experiment)
    sealed: Any = Sealed(task)
    evaluator = Evaluator()
    problem = CoSearchProblem(
        hardware=hardware,
        objective=experiment.objective.objective(hardware),
        evaluator=evaluator,
        seed=0,
        name="sealed",
        task=sealed,
        networks=load_family(experiment, task),
        train=experiment.train,
    )
    search = CO_SEARCHES[strategy].make(problem, experiment.search)
    with deterministic_torch():
        run_stages(search, evaluator, experiment.search)
    assert len(evaluator.records) > 2
    with pytest.raises(AssertionError, match="the test part was looked at"):
        search.outcome()
    sealed.opened = True
    outcome = search.outcome()
    assert outcome.int8_accuracy is not None
    assert sealed.looks > 0
