"""Groups of a liberty file, as they are nested in its text."""

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Group", "numbers", "parse_groups"]

_TOKEN = re.compile(
    r'/\*.*?\*/|"[^"]*"|[A-Za-z_][\w.+\-]*|[-+]?[\d.][\w.+\-]*|[{}();:,]', re.DOTALL
)


class Group(NamedTuple):
    """Group of a liberty file: ``kind (argument) { … }``."""

    kind: str
    argument: str
    values: dict[str, str]
    groups: list["Group"]

    def all(self, kind: str) -> Iterator["Group"]:
        """Groups of a kind."""
        return (group for group in self.groups if group.kind == kind)


def parse_groups(text: str) -> Group:
    """Parse the only group of a file."""
    tokens = (
        token for token in _TOKEN.findall(text.replace("\\\n", " ")) if not token.startswith("/*")
    )
    root = Group("", "", {}, [])
    open_groups = [root]
    words: list[str] = []  # of the statement that is being read
    for token in tokens:
        if token == "{":
            group = Group(words[0], " ".join(words[1:]), {}, [])
            open_groups[-1].groups.append(group)
            open_groups.append(group)
            words = []
        elif token == "}":
            open_groups.pop()
            words = []
        elif token == ";":
            if words:
                open_groups[-1].values[words[0]] = " ".join(words[1:])
            words = []
        elif token not in "():,":
            words.append(token.strip('"'))
    return root.groups[0]


def numbers(text: str) -> tuple[float, ...]:
    """Numbers of a list."""
    return tuple(float(word) for word in text.replace(",", " ").split())
