"""Comments of the emitted text, from the docstrings of what generates it."""

import inspect
import re
import textwrap
from collections.abc import Iterable

__all__ = ["comment_lines", "described"]

_WIDTH = 105

_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)(?:\([^`]*\))?`")
_SECTION = re.compile(r"^(\w[\w ]*)\n-+$", re.MULTILINE)
_OMITTED = ("Parameters", "Raises", "Attributes", "See Also", "Examples", "Notes")


def described(component: object) -> str:
    """Return what a docstring says of a module: all but how its generator is called."""
    text = inspect.getdoc(type(component)) or ""
    pieces = _SECTION.split(text)
    kept = [pieces[0].strip()]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if title not in _OMITTED:
            kept.append(f"{title}:\n{textwrap.indent(body.strip(), '  ')}")
    return _plain("\n\n".join(kept))


def comment_lines(text: str) -> list[str]:
    """Return a text as comment lines; an empty text has no line."""
    return [f"// {line}".rstrip() for line in _lines(text)]


def _lines(text: str) -> Iterable[str]:
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        yield from textwrap.wrap(line, _WIDTH, subsequent_indent=indent) or [""]


def _plain(text: str) -> str:
    """Return a docstring without the marks of its markup."""
    text = _ROLE.sub(r"\1", text)
    return re.sub(r"`{1,2}([^`]*)`{1,2}", r"\1", text.replace(" ::\n", ":\n"))
