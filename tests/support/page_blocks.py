"""Blocks of commands on the pages, and a reader of shell that runs ``cosilico`` in this process."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "blocks", "statements"]

LANGUAGES = ("bash", "python")
"""Languages of blocks that are run."""

_FENCE = re.compile(
    r"^(?:<!-- runs in (?P<test>\S+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_HERE = re.compile(r"<<\s*'?(\w+)'?")
_SHELL = re.compile(r"[|<>&;$`*?(){}~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page.

    Parameters
    ----------
    language : str
    text : str
    line : int
        Of the page, where the text begins.
    test : str or None
        File of the test that runs it, where that is another than the page's own.
    """

    language: str
    text: str
    line: int
    test: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        yield Block(language=match["language"], text=match["text"], line=line, test=match["test"])


def statements(text: str) -> Iterator[list[str] | str]:
    """Yield the statements of a block of shell.

    Yields
    ------
    list of str
        Words of a call of ``cosilico`` without anything that a shell would expand or redirect, its name left out.
    str
        Any other statement, with its here-document, for a shell.
    """
    lines = iter(text.splitlines())
    for first in lines:
        statement = first
        while statement.endswith("\\"):
            statement = statement[:-1] + next(lines)
        if here := _HERE.search(statement):
            body = [statement]
            for line in lines:
                body.append(line)
                if line == here[1]:
                    break
            yield "\n".join(body)
            continue
        command = statement.partition(" #")[0].strip()
        if command.startswith("cosilico ") and not _SHELL.search(command):
            yield shlex.split(command)[1:]
        elif command:
            yield statement
