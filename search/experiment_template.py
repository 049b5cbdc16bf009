"""A commented experiment to start from: every section and field with its default."""

import json
import textwrap
from collections.abc import Iterator
from itertools import groupby

from search.experiment_fields import (
    FieldLine,
    experiment_sections,
    field_lines,
    inner_sections,
    summary,
)
from search.sections import Section
from search.strategies import CO_SEARCHES
from search.tasks import TASKS

__all__ = ["SCHEMA_FILE", "experiment_template"]

SCHEMA_FILE = "experiment.schema.json"
"""Name of the schema's file, which lies beside the experiment."""

_ORDER = ("task", "network", "hardware", "objective", "workload", "search", "train")

_EXAMPLES = {
    ("cifar10", "path"): "cifar-10-batches-bin",
    ("folder", "path"): "pictures",
    ("npz", "path"): "pictures.npz",
    ("entry", "entry"): "package:function",
}
"""Values of the fields that have no default."""


def experiment_template(task: str, name: str, *, schema: bool = False) -> str:
    """Text of an experiment of a task; the data of some tasks have to be put where it says.

    Parameters
    ----------
    task : str
        Of :data:`search.tasks.TASKS`.
    name : str
        Name of the experiment.
    schema : bool
        Point editors to :data:`SCHEMA_FILE`.
    """
    kinds = {section: kinds[0] for section, kinds in experiment_sections().items()}
    kinds["task"] = TASKS[task].settings
    kinds["search"] = CO_SEARCHES.default.settings
    lines = [f"#:schema ./{SCHEMA_FILE}", ""] if schema else []
    lines += [
        "# A co-search of a network and its accelerator: cosilico run FILE --out DIR.",
        "# Every field has its default; delete what you do not change.",
        "",
        f"name = {json.dumps(name)}",
    ]
    for section in _ORDER:
        lines += ["", *_section(section, kinds[section], task)]
    return "\n".join(lines) + "\n"


def _section(path: str, kind: type[Section], task: str) -> Iterator[str]:
    yield from _comment(summary(kind))
    yield f"[{path}]"
    for line in field_lines(kind):
        yield from _field(line, task)
    for name, inner, listed in inner_sections(kind):
        yield ""
        yield from _comment(summary(inner))
        yield f"# [[{path}.{name}]]" if listed else f"# [{path}.{name}]"
        for words, alike in groupby(field_lines(inner), lambda line: line.words):
            yield from _comment(f"{', '.join(line.name for line in alike)}: {words}")


def _field(line: FieldLine, task: str) -> Iterator[str]:
    value = _EXAMPLES[task, line.name] if line.required else line.default
    if value is None:
        yield from _comment(f"{line.name}: {line.words} Not given.")
        return
    yield from _comment(line.words)
    yield f"{line.name} = {_toml(value)}"


def _toml(value: object) -> str:
    """Value as TOML writes it: as JSON, but for lists of the dataclasses' tuples."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), 98, initial_indent="# ", subsequent_indent="# ")
