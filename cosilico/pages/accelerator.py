"""The page of the accelerator's fields, made from the configuration's docstring and the spaces."""

import inspect
import re
from dataclasses import fields

from cosilico.pages.table import markdown_table
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import SPACE_NAMES, HardwareSpace

__all__ = ["ACCELERATOR_PAGE", "accelerator_page", "field_texts"]

ACCELERATOR_PAGE = "docs/reference/accelerator.md"

_HEAD = """\
# The accelerator's fields

An accelerator is a JSON object with these fields, or an `AcceleratorConfig`. All fields except `weight_store_kb` and
`activation_table` are required. The columns of the spaces list the values that a search and `cosilico enumerate` use; the default is **bold**. `cosilico check` says which other values can be built ([architecture](../explanation/architecture.md#realizability)).

"""

_FIELD = re.compile(r"^(\w+(?:, \w+)*) : \w+$")


def field_texts() -> dict[str, str]:
    """Meaning of every field, from the docstring of :class:`AcceleratorConfig`."""
    texts: dict[str, str] = {}
    names: list[str] = []
    lines = inspect.getdoc(AcceleratorConfig) or ""
    for line in lines.partition("----------\n")[2].partition("\n\n")[0].splitlines():
        if matched := _FIELD.match(line):
            names = matched[1].split(", ")
        else:
            for name in names:
                texts[name] = f"{texts.get(name, '')} {line.strip()}".strip()
    return texts


def accelerator_page() -> str:
    """Markdown of the page."""
    texts = field_texts()
    titles = ["field", "meaning", *(f"`{name}`" for name in SPACE_NAMES)]
    rows = [
        [f"`{name}`", texts[name], *(_values(space, name) for space in SPACE_NAMES.values())]
        for name in (field.name for field in fields(AcceleratorConfig))
    ]
    return _HEAD + markdown_table(titles, rows)


def _values(space: HardwareSpace, name: str) -> str:
    default = getattr(space.default, name)
    values = space.values.get(name, (default,))
    return ", ".join(f"**{value}**" if value == default else str(value) for value in values)
