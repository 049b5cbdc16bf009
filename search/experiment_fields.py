"""Fields of an experiment as tables: what the docs, the editors' schema and ``cosilico init`` state."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from search.experiment import SECTIONS, Experiment
from search.sections import Section, field_texts
from search.strategies import CO_SEARCHES, FIXED_SEARCHES
from search.tasks import TASKS
from sim.spec.rules import Choice, Rule

__all__ = [
    "NAME_LINE",
    "FieldLine",
    "experiment_sections",
    "field_lines",
    "inner_sections",
    "summary",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    """A field of a section.

    Parameters
    ----------
    name : str
    rule : Rule
    default : object
        None where the field may be left out without a value.
    required : bool
    text : str
        Meaning, from the docstring of the section's class.
    """

    name: str
    rule: Rule
    default: Any
    required: bool
    text: str

    @property
    def rule_text(self) -> str:
        """Rule in words, ``Must be …``; empty where there is a single choice."""
        single = isinstance(self.rule, Choice) and len(self.rule.words) == 1
        return "" if single else f"Must be {self.rule}."

    @property
    def words(self) -> str:
        """Meaning and rule."""
        return f"{self.text} {self.rule_text}".strip()


def experiment_sections() -> Mapping[str, tuple[type[Section], ...]]:
    """Classes that each section of an experiment may have, by the section's name."""
    return {
        "task": tuple(entry.settings for entry in TASKS.values()),
        "search": tuple(
            entry.settings for entry in (*CO_SEARCHES.values(), *FIXED_SEARCHES.values())
        ),
        **{name: (kind,) for name, kind in SECTIONS.items()},
    }


def field_lines(kind: type[Section]) -> list[FieldLine]:
    """Fields of a section's class in order; not the sections within it."""
    texts = field_texts(kind)
    return [
        FieldLine(
            name=entry.name,
            rule=entry.metadata["rule"],
            default=None if entry.default is MISSING else entry.default,
            required=entry.default is MISSING,
            text=texts.get(entry.name, ""),
        )
        for entry in fields(kind)
        if "rule" in entry.metadata
    ]


def inner_sections(kind: type[Section]) -> Iterator[tuple[str, type[Section], bool]]:
    """Name and class of each section within a section, and whether it is a list of them."""
    for entry in fields(kind):
        for word, listed in (("section", False), ("sections", True)):
            if word in entry.metadata:
                yield entry.name, entry.metadata[word], listed


def summary(kind: type[Section]) -> str:
    """First line of a class's docstring."""
    return (kind.__doc__ or "").partition("\n")[0].replace("``", "")


NAME_LINE = next(line for line in field_lines(Experiment) if line.name == "name")
"""The field of an experiment that is in no section."""
