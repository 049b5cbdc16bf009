"""Pages of reports, taken apart: elements, tables as their CSVs have them, and records to change."""

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

__all__ = ["Element", "Reader", "change", "read", "results_of", "table"]


class Element:
    """An element of a page, with its attributes and the tags around it."""

    def __init__(self, tag: str, attributes: dict[str, str], around: tuple[str, ...]) -> None:
        self.tag, self.attributes, self.around = tag, attributes, around
        self.text = ""


class Reader(HTMLParser):
    """Parser that collects all elements of a page; every element must be closed where it was opened."""

    EMPTY = frozenset(("meta", "br", "rect", "circle", "line", "path"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Element] = []
        self.elements: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element."""
        around = tuple(element.tag for element in self.open)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        element = Element(tag, {name: value or "" for name, value in attrs}, around)
        self.elements.append(element)
        if tag not in self.EMPTY:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element that is closed at once."""
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if tag in self.EMPTY:  # a mark with a title
            return
        assert self.open[-1].tag == tag, (tag, self.open[-1].tag)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        """Add text to all elements that are open."""
        for element in self.open:
            element.text += data

    def of(self, tag: str) -> list[Element]:
        """Elements of a tag."""
        return [element for element in self.elements if element.tag == tag]


def read(folder: Path, name: str) -> Reader:
    """Parse a page of a folder."""
    reader = Reader()
    reader.feed((folder / name / "report.html").read_text())
    assert not reader.open
    return reader


def table(folder: Path, page: str, name: str) -> list[dict[str, str]]:
    """Rows of a table's CSV."""
    for link in read(folder, page).of("a"):
        if link.attributes.get("download") == f"{name}.csv":
            kind, _, content = link.attributes["href"].partition(",")
            assert kind == "data:text/csv;charset=utf-8"
            return list(csv.DictReader(io.StringIO(unquote(content))))
    raise AssertionError(name)


def results_of(folder: Path) -> dict[str, Any]:
    """Return the results of the folder's run."""
    document: dict[str, Any] = json.loads((folder / "run" / "results.json").read_text())
    return document


def change(path: Path, keys: tuple[Any, ...], value: Any) -> None:
    """Change a value of a JSON file."""
    document = json.loads(path.read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(document))
