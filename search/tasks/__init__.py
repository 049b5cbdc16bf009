"""Tasks by name: a task is a function in one file, and its registration here.

The function takes the height and width of the images that are wanted, or None for the data's own, and the
settings. It may pass the size over: images of another size are resized behind it.
"""

from typing import TYPE_CHECKING

from search.registry import Registry
from search.tasks.digits_settings import DigitsSettings
from search.tasks.entry_settings import EntrySettings
from search.tasks.fashion_mnist_settings import FashionMnistSettings
from search.tasks.file_settings import Cifar10Settings, FolderSettings, NpzSettings
from search.tasks.settings import TaskSettings

if TYPE_CHECKING:  # torch is not needed to check an experiment
    from search.tasks.task import Task

__all__ = ["TASKS"]

TASKS: "Registry[TaskSettings, Task]" = Registry("task")
"""Tasks that an experiment can name, made from an image size and their settings."""

TASKS.register("digits", DigitsSettings, "search.tasks.digits:digits")
TASKS.register("fashion_mnist", FashionMnistSettings, "search.tasks.fashion_mnist:fashion_mnist")
TASKS.register("cifar10", Cifar10Settings, "search.tasks.cifar10:cifar10")
TASKS.register("folder", FolderSettings, "search.tasks.folder:folder")
TASKS.register("npz", NpzSettings, "search.tasks.npz:npz")
TASKS.register("entry", EntrySettings, "search.tasks.entry:entry")
