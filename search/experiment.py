"""Experiments: everything that decides a co-search, read from TOML and checked at the door."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from search.registry import Entry
from search.sections import Section, choice, integer, number, record, ruled
from search.strategies import CO_SEARCHES
from search.strategies.rhnas_settings import RhnasSettings
from search.strategies.settings import StrategySettings
from search.tasks import TASKS
from search.tasks.digits_settings import DigitsSettings
from search.tasks.settings import TaskSettings
from sim.spec.archives import read_bytes
from sim.spec.documents import Record, checked
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.memories import DETERMINISTIC, FixedLatency, require_fixed
from sim.spec.memory_record import memory_of
from sim.spec.rules import Choice, Rule, shown
from sim.spec.spaces import HARDWARE_SPACES

__all__ = ["Experiment", "TrainSettings", "load_experiment"]

_LIMIT_BYTES = 1 << 20
"""Most bytes of an experiment."""


@dataclass(frozen=True, slots=True)
class _Identifier(Rule):
    """A name that may stand in a file's name and in a report."""

    limit: int = 64

    def __str__(self) -> str:
        """Return the rule in words."""
        return f"at most {self.limit} letters, digits and underscores"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and value.isidentifier() and len(value) <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(Section):
    """Training of the supernet (batch) and of the final network.

    Parameters
    ----------
    epochs : int
        Epochs of the final network, which starts from the supernet's weights.
    batch : int
        Images in a step.
    learning_rate : float
        AdamW's largest step size.
    """

    epochs: int = integer(60, 1, 100_000)
    batch: int = integer(96, 8, 1000)
    learning_rate: float = number(0.004, 1e-6, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Section):
    """Everything that decides a co-search, but the seed.

    Parameters
    ----------
    name : str
        Names the network and the reports.
    space : str
        Hardware space.
    task : TaskSettings
        Of a task in :data:`search.tasks.TASKS`.
    search : StrategySettings
        Of a strategy in :data:`search.strategies.CO_SEARCHES`.
    train : TrainSettings
    memory : FixedLatency
        What lies behind the ports; its section is that of a memory in a file.
    """

    name: str = ruled("search", _Identifier())
    space: str = choice("tiny", *HARDWARE_SPACES)
    task: TaskSettings = field(default_factory=DigitsSettings)
    search: StrategySettings = field(default_factory=RhnasSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    memory: FixedLatency = DETERMINISTIC

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return Section.to_json(self) | {"memory": self.memory.to_json()}

    def __post_init__(self) -> None:
        """Check the fields, and that the data leave a batch to train on."""
        Section.__post_init__(self)
        training_images = self.task.training_images
        if self.train.batch > training_images:
            raise ValueError(
                f"train.batch must be at most the {training_images} training images, "
                f"not {self.train.batch!r}"
            )


def load_experiment(path: Path) -> Experiment:
    """Read an experiment; a field that is not given keeps its default.

    Raises
    ------
    CosilicoError
        One line that names the file, the field, the rule and the value.
    """
    data = _parse(read_bytes(path, "experiment", _LIMIT_BYTES), path)
    try:
        memory = require_fixed(memory_of(data.pop("memory", DETERMINISTIC.to_json())))
        sections: dict[str, type[Section]] = {
            "task": _settings(TASKS, data, "task", "name"),
            "search": _settings(CO_SEARCHES, data, "search", "strategy"),
            "train": TrainSettings,
        }
        values = dict(checked(_schema(sections), data, ""))
        made = {name: kind(**dict(values.pop(name))) for name, kind in sections.items()}
        return Experiment(**values, **made, memory=memory)  # type: ignore[arg-type]  # of the sections' classes
    except (CosilicoError, ValueError) as error:
        raise DesignFileError(f"{path}: {error}") from None


def _settings(
    registry: Mapping[str, Entry[Any, Any]], data: dict[str, Any], section: str, field_name: str
) -> type[Section]:
    """Class of a section: of the entry that the section names, else of the first."""
    default = next(iter(registry))
    given = data.get(section)
    name = given.get(field_name, default) if isinstance(given, dict) else default
    rule = Choice(tuple(registry))
    if not rule.accepts(name):
        raise DesignFileError(f"{section}.{field_name} must be {rule}, not {shown(name)}")
    settings: type[Section] = registry[name].settings
    return settings


def _schema(sections: Mapping[str, type[Section]]) -> type[Record]:
    """Schema of an experiment with these sections."""
    schemas = {name: record(section) for name, section in sections.items()}
    return record(
        Experiment,
        **{name: (schema, Field(default_factory=schema)) for name, schema in schemas.items()},
    )


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise DesignFileError(f"{path} must be TOML, not nested so deep") from None
    except ValueError as error:  # also of integers with more digits than Python reads
        raise DesignFileError(f"{path} must be TOML: {error}") from None
