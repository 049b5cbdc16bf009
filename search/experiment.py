"""Experiments: everything that decides a co-search, read from TOML and checked at the door."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from search.networks.settings import NetworkSettings
from search.objective_settings import ObjectiveSettings
from search.registry import Entry
from search.sections import Section, integer, made, number, record, ruled
from search.space_settings import HardwareSpaceSettings
from search.strategies import CO_SEARCHES, FIXED_SEARCHES
from search.strategies.certified_settings import MOST_BOUNDED, FixedCertifiedSettings
from search.strategies.settings import CoSearchSettings
from search.tasks import TASKS
from search.tasks.settings import TaskSettings
from search.toml_files import read_toml
from search.workload_settings import WorkloadSettings
from sim.spec.documents import Record, checked
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.memories import DETERMINISTIC, FixedLatency, require_fixed
from sim.spec.memory_record import memory_of
from sim.spec.rules import Choice, Identifier, shown

__all__ = ["SECTIONS", "Experiment", "TrainSettings", "load_experiment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(Section):
    """A section ``[train]``: training of the supernet (batch) and of the final network.

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
    task : TaskSettings
        Of a task in :data:`search.tasks.TASKS`.
    network : NetworkSettings
    hardware : HardwareSpaceSettings
    objective : ObjectiveSettings
    workload : WorkloadSettings
    search : CoSearchSettings
        Of a strategy in :data:`search.strategies.CO_SEARCHES`, by default of the first; where the network is fixed and
        shares its accelerator with no other, also in :data:`search.strategies.FIXED_SEARCHES`.
    train : TrainSettings
    memory : FixedLatency
        What lies behind the ports; its section is that of a memory in a file.
    """

    name: str = ruled("search", Identifier())
    task: TaskSettings
    network: NetworkSettings = field(default_factory=NetworkSettings)
    hardware: HardwareSpaceSettings = field(default_factory=HardwareSpaceSettings)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    workload: WorkloadSettings = field(default_factory=WorkloadSettings)
    search: CoSearchSettings = field(
        default_factory=lambda: CO_SEARCHES.default.settings()  # type: ignore[call-arg]  # each names itself
    )
    train: TrainSettings = field(default_factory=TrainSettings)
    memory: FixedLatency = DETERMINISTIC

    def __post_init__(self) -> None:
        """Check the fields, the fixed network and the strategy's objective; the batch, where data are known."""
        Section.__post_init__(self)
        try:
            self.network.require_fixed(self.task.network_space)
        except ValueError as error:
            raise ValueError(f"network.{error}") from None
        if self.search.strategy in FIXED_SEARCHES and not self._single:
            raise ValueError(
                f"search.strategy must be one of {', '.join(CO_SEARCHES)} unless network.fixed is given "
                f"without a workload, not {self.search.strategy!r}"
            )
        try:
            self.search.require_objective(self.objective.objective(self.hardware.hardware_space()))
        except ValueError as error:
            raise ValueError(f"search.{error}") from None
        if self.task.training_images is not None:
            self.require_batch(self.task.training_images)

    @property
    def _single(self) -> bool:
        """Whether the network is fixed, and alone on its accelerator."""
        return self.network.fixed is not None and self.workload == WorkloadSettings()

    @property
    def bounded(self) -> bool:
        """Whether the best accelerator can be proved within a minute: of a single network, in a small space."""
        return self._single and len(self.hardware.hardware_space()) <= MOST_BOUNDED

    def require_batch(self, training_images: int) -> None:
        """Raise ``ValueError`` unless there are enough images for a batch."""
        if self.train.batch > training_images:
            raise ValueError(
                f"train.batch must be at most the {training_images} training images, "
                f"not {self.train.batch!r}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return all sections as a JSON object."""
        sections = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {
            name: value.to_json() if isinstance(value, Section | FixedLatency) else value
            for name, value in sections.items()
        }


SECTIONS: Mapping[str, type[Section]] = {
    "network": NetworkSettings,
    "hardware": HardwareSpaceSettings,
    "objective": ObjectiveSettings,
    "workload": WorkloadSettings,
    "train": TrainSettings,
}
"""Sections that have the same fields in every experiment."""


def load_experiment(path: Path) -> Experiment:
    """Read an experiment; a field that is not given keeps its default.

    Without a section ``[search]``, the strategy is ``certified`` where a fixed network's best accelerator can be proved within a
    minute, and else the first of :data:`search.strategies.CO_SEARCHES`.

    Raises
    ------
    DesignFileError
        One line that names the file, the field, the rule and the value.
    """
    data = read_toml(path, "experiment")
    try:
        memory = require_fixed(memory_of(data.pop("memory", DETERMINISTIC.to_json())))
        sections = {
            "task": _settings(TASKS, _named_task(data), "task", "name"),
            "search": _settings({**CO_SEARCHES, **FIXED_SEARCHES}, data, "search", "strategy"),
            **SECTIONS,
        }
        values = dict(checked(_schema(sections), data, ""))
        built = {
            name: made(kind, values.pop(name), name, **_folder(kind, path))
            for name, kind in sections.items()
        }
        made_of = Experiment(**values, **built, memory=memory)  # type: ignore[arg-type]  # of the sections' classes
    except (CosilicoError, ValueError) as error:
        raise DesignFileError(f"{path}: {error}") from None
    if data.get("search") or not made_of.bounded:
        return made_of
    return replace(made_of, search=FixedCertifiedSettings())


def _schema(sections: Mapping[str, type[Section]]) -> type[Record]:
    """Schema of an experiment whose task and search are these sections."""
    schemas = {name: record(section) for name, section in sections.items()}
    return record(
        Experiment,
        **{
            name: (schema, ... if name == "task" else Field(default_factory=schema))
            for name, schema in schemas.items()
        },
    )


def _named_task(data: dict[str, Any]) -> dict[str, Any]:
    """Data with the name of the task, which an entry stands for."""
    if "task" not in data:
        if not set(data) <= {entry.name for entry in fields(Experiment)}:
            return data  # the name that is wrong is told first
        known = ", ".join(TASKS)
        raise DesignFileError(f"task must be given, as a table [task] whose name is one of {known}")
    task = data["task"]
    if isinstance(task, dict) and "name" not in task:
        if "entry" not in task:
            raise DesignFileError(f"task.name must be given, one of {', '.join(TASKS)}")
        return data | {"task": task | {"name": "entry"}}
    return data


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


def _folder(kind: type[Section], path: Path) -> dict[str, Path]:
    """Folder of the experiment, for the sections that name files."""
    return {"folder": path.parent} if any(x.name == "folder" for x in fields(kind)) else {}
