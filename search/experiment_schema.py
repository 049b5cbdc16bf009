"""JSON Schema of an experiment, by which editors check and complete the TOML file."""

from typing import Any

from search.experiment_fields import (
    NAME_LINE,
    FieldLine,
    experiment_sections,
    field_lines,
    inner_sections,
    summary,
)
from search.sections import Section
from sim.spec.memory_record import fixed_latency_schema

__all__ = ["experiment_schema"]


def experiment_schema() -> dict[str, Any]:
    """Schema of draft 2020-12. Every valid experiment keeps it; it cannot say all of the rules."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Experiment of a co-search",
        "type": "object",
        "additionalProperties": False,
        "required": ["task"],
        "properties": {
            NAME_LINE.name: _field(NAME_LINE),
            **{
                name: _alternatives(kinds, default=name != "task")
                for name, kinds in experiment_sections().items()
            },
            "memory": fixed_latency_schema(),
        },
    }


def _alternatives(kinds: tuple[type[Section], ...], *, default: bool) -> dict[str, Any]:
    """Schema of a section that has one of several classes, told apart by their first field.

    With a ``default``, that field may be left out of a section of the first class.
    """
    if len(kinds) == 1:
        return _section(kinds[0])
    first = _section(kinds[0], named=not default)
    return {"oneOf": [first, *(_section(kind, named=True) for kind in kinds[1:])]}


def _section(kind: type[Section], *, named: bool = False) -> dict[str, Any]:
    lines = field_lines(kind)
    properties: dict[str, Any] = {line.name: _field(line) for line in lines}
    needed = [line.name for line in lines if line.required]
    if named and needed[:1] != ["entry"]:
        needed = [lines[0].name, *needed]
    for name, inner, listed in inner_sections(kind):
        schema = _section(inner)
        properties[name] = {"type": "array", "items": schema} if listed else schema
    return {
        "type": "object",
        "description": summary(kind),
        "additionalProperties": False,
        "properties": properties,
        "required": needed,
    }


def _field(line: FieldLine) -> dict[str, Any]:
    schema = line.rule.json_schema()
    default = {} if line.default is None else {"default": line.default}
    return {**schema, "description": line.words, **default}
