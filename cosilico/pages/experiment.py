"""The page of an experiment's fields, made from the settings' classes."""

from cosilico.pages.table import markdown_table
from search.experiment_fields import (
    NAME_LINE,
    FieldLine,
    experiment_sections,
    field_lines,
    inner_sections,
    summary,
)
from search.sections import Section

__all__ = ["EXPERIMENT_PAGE", "experiment_page"]

EXPERIMENT_PAGE = "docs/reference/experiment_fields.md"

_HEAD = """\
# The experiment's fields

This page lists every section and field of the TOML file for `cosilico run` and `cosilico search`. [Experiments](experiments.md)
explains how they work together. A field without a default may be left out, unless it is **required**. `cosilico init` writes all fields as a commented file, and with `--schema` also as a JSON Schema for editors.

"""

_ORDER = ("task", "network", "hardware", "objective", "workload", "search", "train")


def experiment_page() -> str:
    """Markdown of the page."""
    sections = experiment_sections()
    parts = [_table([NAME_LINE])]
    for name in _ORDER:
        kinds = sections[name]
        for kind in kinds:
            word = field_lines(kind)[0].default if len(kinds) > 1 else None
            parts += _section(f"[{name}]", kind, f": {word}" if word else "")
    return _HEAD + "\n".join(parts)


def _section(path: str, kind: type[Section], word: str = "") -> list[str]:
    parts = [f"## `{path}`{word}\n", f"{summary(kind)}\n", _table(field_lines(kind))]
    for name, inner, listed in inner_sections(kind):
        inside = f"{path.strip('[]')}.{name}"
        parts += _section(f"[[{inside}]]" if listed else f"[{inside}]", inner)
    return parts


def _table(lines: list[FieldLine]) -> str:
    rows = [
        (
            f"`{line.name}`",
            "**required**" if line.required else _default(line),
            line.text,
            str(line.rule),
        )
        for line in lines
    ]
    return markdown_table(["field", "default", "meaning", "must be"], rows)


def _default(line: FieldLine) -> str:
    if line.default is None:
        return ""
    value = line.default
    return f"`{str(value).lower() if isinstance(value, bool) else repr(value)}`"
