"""The specification of a search, read from TOML and checked at the door."""

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, create_model

from search.objective import Metric
from sim.spec.archives import read_bytes
from sim.spec.documents import Record, checked
from sim.spec.errors import DesignFileError
from sim.spec.rules import Choice, Integer, Number, Rule
from sim.spec.spaces import HARDWARE_SPACES

__all__ = ["SearchSpec", "StrategySpec", "TaskSpec", "TrainSpec", "load_spec"]

_DIGITS = 1797
"""Images of scikit-learn's digits."""

_LIMIT_BYTES = 1 << 20
"""Most bytes of a specification."""


@dataclass(frozen=True, slots=True)
class _Identifier(Rule):
    """A name that may stand in a file's name and in a report."""

    limit: int = 64

    def __str__(self) -> str:
        """The rule in words."""
        return f"at most {self.limit} letters, digits and underscores"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and value.isidentifier() and len(value) <= self.limit


def _ruled(default: Any, rule: Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


def _integer(default: int, low: int, high: int) -> Any:
    return _ruled(default, Integer(low, high))


def _number(default: float, low: float, high: float) -> Any:
    return _ruled(default, Number(low, high))


def _choice(default: str, *choices: str) -> Any:
    return _ruled(default, Choice(choices))


class _Checked:
    """A section whose fields state their rule."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Check every field against its rule."""
        for entry in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            if "rule" in entry.metadata:
                entry.metadata["rule"].require(getattr(self, entry.name), entry.name)


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
    metric: Metric = field(default="latency", metadata={"rule": Choice(("latency", "edp"))})
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

    name: str = _ruled("search", _Identifier())
    space: str = _choice("tiny", *HARDWARE_SPACES)
    task: TaskSpec = field(default_factory=TaskSpec)
    search: StrategySpec = field(default_factory=StrategySpec)
    train: TrainSpec = field(default_factory=TrainSpec)

    def __post_init__(self) -> None:
        """Check the fields, and that the data leave a batch to train on."""
        _Checked.__post_init__(self)
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


def _record(section: type[_Checked], **sections: Any) -> type[Record]:
    """Schema of a section: the fields of its class with their rules and defaults."""
    ruled = {
        entry.name: (Annotated[Any, entry.metadata["rule"]], entry.default)
        for entry in fields(section)  # type: ignore[arg-type]  # a dataclass
        if "rule" in entry.metadata
    }
    made: type[Record] = create_model(  # type: ignore[call-overload]  # fields by name
        section.__name__, __base__=Record, **ruled, **sections
    )
    return made


_SPEC_RECORD = _record(
    SearchSpec,
    **{
        name: (record, Field(default_factory=record))
        for name, record in ((name, _record(section)) for name, section in _SECTIONS.items())
    },
)


def load_spec(path: Path) -> SearchSpec:
    """Read a specification; a field that is not given keeps its default.

    Raises
    ------
    CosilicoError
        One line that names the file, the field, the rule and the value.
    """
    data = _parse(read_bytes(path, "specification", _LIMIT_BYTES), path)
    try:
        values = dict(checked(_SPEC_RECORD, data, ""))
        sections = {name: kind(**dict(values.pop(name))) for name, kind in _SECTIONS.items()}
        return SearchSpec(**values, **sections)  # type: ignore[arg-type]  # of its own class
    except (DesignFileError, ValueError) as error:
        raise DesignFileError(f"{path}: {error}") from None


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise DesignFileError(f"{path} must be TOML, not nested so deep") from None
    except ValueError as error:  # also of integers with more digits than Python reads
        raise DesignFileError(f"{path} must be TOML: {error}") from None
