"""Data and networks of an experiment, read from where it names them."""

from search.experiment import Experiment
from search.networks.family import NetworkFamily
from search.tasks import TASKS
from search.tasks.task import Task
from sim.spec.errors import DesignFileError

__all__ = ["load_family", "load_task"]


def load_task(experiment: Experiment) -> Task:
    """Data of an experiment's task, in the image size of its network space.

    Raises
    ------
    DesignFileError
        If the data are not there, are damaged, or leave no batch to train on.
    """
    settings = experiment.task
    size = experiment.network.size(settings.network_space)
    task = TASKS[settings.name].make(size, settings)
    try:
        experiment.require_batch(len(task.train))
    except ValueError as error:
        raise DesignFileError(str(error)) from None
    return task if size is None else task.resized(size)


def load_family(experiment: Experiment, task: Task) -> NetworkFamily:
    """Networks that an experiment searches for its task."""
    return experiment.network.family(
        task.image, task.classes, default=experiment.task.network_space
    )
