"""The specification of a search, read from TOML and checked at the door."""

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from search.objective import Metric
from sim.spec.errors import CosilicoError
from sim.spec.spaces import HARDWARE_SPACES

__all__ = ["SearchSpec", "StrategySpec", "TaskSpec", "TrainSpec", "load_spec"]

_DIGITS = 1797
"""Images of scikit-learn's digits."""


def _integer(default: int, low: int, high: int) -> Any:
    return field(default=default, metadata={"type": int, "low": low, "high": high})


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"type": float, "low": low, "high": high})


def _choice(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"type": str, "choices": choices})


_METRICS = {"type": str, "choices": ("latency", "edp")}


class _Checked:
    """A section whose fields state their rule."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Check every field against its rule."""
        for entry in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            if entry.metadata:
                _check(entry.name, getattr(self, entry.name), entry.metadata)


def _check(name: str, value: Any, rule: Any) -> None:
    if rule["type"] is str:
        if value not in rule["choices"]:
            choices = ", ".join(map(repr, rule["choices"]))
            raise ValueError(f"{name} must be one of {choices}, not {value!r}")
        return
    kinds, kind = ((int,), "an integer") if rule["type"] is int else ((int, float), "a number")
    low, high = rule["low"], rule["high"]
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise ValueError(f"{name} must be {kind} in {low} … {high}, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec(_Checked):
    """The data and its split, which the search's seed does not touch.

    Parameters
    ----------
    name : "digits"
    test_images, validation_images : int
        Held out for the final figures, and for the search's choices.
    split_seed : int
    """

    name: str = _choice("digits", "digits")
    test_images: int = _integer(360, 1, 800)
    validation_images: int = _integer(287, 50, 800)
    split_seed: int = _integer(0, 0, 2**31 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySpec(_Checked):
    """How to search.

    Parameters
    ----------
    strategy : "rhnas"
    metric : "latency" or "edp"
    latency_weight : float
        Cross entropy that one relative unit of latency is worth to the architecture.
    warmup_epochs : int
        Supernet epochs before the first round, all architectures alike.
    rounds, epochs_per_round, updates_per_round : int
        Alternations; supernet epochs and agent updates in each.
    refine_updates : int
        Agent updates on the final network alone.
    designs_per_update : int
        Accelerators that the agent proposes in an update.
    """

    strategy: str = _choice("rhnas", "rhnas")
    metric: Metric = field(default="latency", metadata=_METRICS)
    latency_weight: float = _number(0.02, 0.0, 100.0)
    warmup_epochs: int = _integer(8, 0, 10_000)
    rounds: int = _integer(10, 1, 10_000)
    epochs_per_round: int = _integer(1, 1, 10_000)
    updates_per_round: int = _integer(2, 1, 10_000)
    refine_updates: int = _integer(40, 1, 10_000)
    designs_per_update: int = _integer(128, 4, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSpec(_Checked):
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

    epochs: int = _integer(60, 1, 100_000)
    batch: int = _integer(96, 8, 1000)
    learning_rate: float = _number(0.004, 1e-6, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec(_Checked):
    """Everything that decides a search, but the seed.

    Parameters
    ----------
    name : str
        Names the network and the reports.
    space : str
        Hardware space.
    task, search, train : sections
    """

    name: str = "search"
    space: str = _choice("tiny", *HARDWARE_SPACES)
    task: TaskSpec = field(default_factory=TaskSpec)
    search: StrategySpec = field(default_factory=StrategySpec)
    train: TrainSpec = field(default_factory=TrainSpec)

    def __post_init__(self) -> None:
        """Check the name, the space and that the data leave a batch to train on."""
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name must be letters, digits and underscores, not {self.name!r}")
        _check("space", self.space, {"type": str, "choices": tuple(HARDWARE_SPACES)})
        training_images = _DIGITS - self.task.test_images - self.task.validation_images
        if self.train.batch > training_images:
            raise ValueError(
                f"train.batch must be at most the {training_images} training images, "
                f"not {self.train.batch!r}"
            )

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


_SECTIONS: dict[str, type[_Checked]] = {
    "task": TaskSpec,
    "search": StrategySpec,
    "train": TrainSpec,
}

_Section = TypeVar("_Section", bound=_Checked)


def load_spec(path: Path) -> SearchSpec:
    """Read a specification; a field that is not given keeps its default.

    Raises
    ------
    CosilicoError
        One line that names the file, the field, the rule and the value.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CosilicoError(f"{path} does not exist") from None
    except OSError as error:
        raise CosilicoError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CosilicoError(f"{path} must be TOML: {error}") from None
    try:
        values = {name: value for name, value in data.items() if name not in _SECTIONS}
        sections = {
            name: _section(kind, name, data.get(name, {})) for name, kind in _SECTIONS.items()
        }
        return _section(SearchSpec, "", values | sections)
    except ValueError as error:
        raise CosilicoError(f"{path}: {error}") from None


def _section(kind: type[_Section], name: str, values: Any) -> _Section:
    if not isinstance(values, dict):
        raise ValueError(f"{name} must be a section, not {values!r}")
    prefix = f"{name}." if name else ""
    known = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    for given in values:
        if given not in known:
            raise ValueError(f"{prefix}{given} must be one of {', '.join(known)}")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from None
