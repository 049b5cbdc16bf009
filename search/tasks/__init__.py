"""Tasks by name: a task is a function in one file, and its registration here."""

from typing import TYPE_CHECKING

from search.registry import Registry
from search.tasks.digits_settings import DigitsSettings
from search.tasks.settings import TaskSettings

if TYPE_CHECKING:  # torch is not needed to check an experiment
    from search.tasks.task import Task

__all__ = ["TASKS"]

TASKS: "Registry[TaskSettings, Task]" = Registry("task")
"""Tasks that an experiment can name, made from their settings."""

TASKS.register("digits", DigitsSettings, "search.tasks.digits:digits")
