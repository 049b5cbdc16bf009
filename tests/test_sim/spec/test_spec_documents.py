"""JSON from strangers: one line for what JSON allows and a file must not have, and for each rule."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from sim.spec.documents import Record, checked, parse_json, read_json
from sim.spec.errors import DesignFileError
from sim.spec.rules import (
    Choice,
    Digest,
    FileName,
    Integer,
    Name,
    Number,
    Rising,
    Rule,
    Shape,
    Text,
    shown,
)


def refused(text: str | bytes, message: str) -> None:
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
        parse_json(text, "file x")


def test_reads_what_json_is() -> None:
    text = '{"a": [1, -2.5, null, true, "\\u00e9"], "b": {"c": {}}, "d": 1e3}'
    assert parse_json(text, "file x") == {
        "a": [1, -2.5, None, True, "é"],
        "b": {"c": {}},
        "d": 1000.0,
    }
    assert parse_json(b"7", "file x") == 7
    assert parse_json("9" * 40, "file x") == 10**40 - 1


def test_refuses_what_is_no_json() -> None:
    refused("{", "file x is not JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)")  # fmt: skip
    refused(b"\xff\xfe7", "file x must be JSON text")


@pytest.mark.parametrize("digits", [41, 5000, 100_000])
def test_refuses_endless_integers(digits: int) -> None:
    refused("1" * digits, f"file x must have integers of at most 40 digits, not {digits}")


def test_refuses_very_many_values_before_it_reads_them() -> None:
    refused(f"[{'[],' * (1 << 20)}1]", "file x must have at most 1048576 objects and lists")
    refused(f"[{'1,' * ((1 << 22) + 1)}1]", "file x must have at most 4194304 values")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_refuses_constants_that_are_no_json(text: str) -> None:
    refused(f'{{"a": {text}}}', f"file x must have finite numbers, not {text}")


def test_refuses_numbers_beyond_float64() -> None:
    refused("[1e999]", "file x must have finite numbers, not '1e999'")
    refused("[-1e999]", "file x must have finite numbers, not '-1e999'")


def test_refuses_a_field_that_is_given_twice() -> None:
    refused('[{"a": {"b": 1, "c": 2, "b": 1}}]', "file x must give 'b' once")


@pytest.mark.parametrize("depth", [33, 900, 1_000_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_refuses_deep_nesting(depth: int, brackets: str) -> None:
    opening = '{"a":' if brackets == "{}" else "["
    text = opening * (depth - 1) + brackets + brackets[1] * (depth - 1)
    refused(text, "file x must be nested at most 32 deep")
    if depth == 33:
        assert parse_json(text[len(opening) : -1], "file x")


def test_reads_files_of_a_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1]")
    assert read_json(path, "file") == [1]
    with path.open("wb") as file:
        file.truncate(1 << 30)
    message = f"^file {re.escape(str(path))} must have at most 8388608 bytes, not 1073741824$"
    with pytest.raises(DesignFileError, match=message):
        read_json(path, "file")
    with pytest.raises(DesignFileError, match=r"^file /dev/zero must be a regular file$"):
        read_json(Path("/dev/zero"), "file")


class Inner(Record):
    """Item of a document's list."""

    count: Annotated[int, Integer(1, 8)]
    sizes: Annotated[tuple[int, ...], Shape(1, 2, 0, 9)] = (1,)


class Outer(Record):
    """Document with fields of several kinds and a list of items."""

    name: Annotated[str, Name(10)]
    scale: Annotated[float, Number(0.5, 2.0)] = 1.0
    kind: Annotated[str, Choice(("a", "b"))] = "a"
    items: Annotated[list[Inner], Field(max_length=2)] = Field(default_factory=list)
    extra: dict[str, Any] = Field(default_factory=dict)
    flag: bool = False


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], "w must be an object, not []"),
        ({}, "w.name must be given"),
        ({"name": "n", "nam": 1}, "w has no field 'nam'"),
        ({"nam": 1}, "w has no field 'nam'"),
        ({"name": "n", "a\0b": 1}, r"w has no field 'a\x00b'"),
        ({"name": ""}, "w.name must be a name of 1 … 10 printable characters, not ''"),
        ({"name": "a\0"}, r"w.name must be a name of 1 … 10 printable characters, not 'a\x00'"),
        ({"name": 3}, "w.name must be a name of 1 … 10 printable characters, not 3"),
        ({"name": "n", "scale": "1"}, "w.scale must be a number in 0.5 … 2.0, not '1'"),
        ({"name": "n", "scale": True}, "w.scale must be a number in 0.5 … 2.0, not True"),
        ({"name": "n", "scale": 2.5}, "w.scale must be a number in 0.5 … 2.0, not 2.5"),
        ({"name": "n", "scale": float("nan")}, "w.scale must be a number in 0.5 … 2.0, not nan"),
        ({"name": "n", "kind": "c"}, "w.kind must be one of a, b, not 'c'"),
        ({"name": "n", "flag": 1}, "w.flag must be true or false, not 1"),
        ({"name": "n", "extra": []}, "w.extra must be an object, not []"),
        ({"name": "n", "items": {}}, "w.items must be a list, not {}"),
        ({"name": "n", "items": [7]}, "w.items[0] must be an object, not 7"),
        ({"name": "n", "items": [7] * 3}, "w.items must be a list of at most 2 items, not [7, 7, 7]"),
        ({"name": "n", "items": [{"count": 1}, {}]}, "w.items[1].count must be given"),
        (
            {"name": "n", "items": [{"count": 9}]},
            "w.items[0].count must be an integer in 1 … 8, not 9",
        ),
        (
            {"name": "n", "items": [{"count": 10**39}]},
            "w.items[0].count must be an integer in 1 … 8, not 1" + "0" * 39,
        ),
        (
            {"name": "n", "items": [{"count": 1, "sizes": [10]}]},
            "w.items[0].sizes must be a list of 1 … 2 integers in 0 … 9, not [10]",
        ),
    ],
)  # fmt: skip
def test_every_rule_says_where_and_what(data: Any, line: str) -> None:
    with pytest.raises(DesignFileError) as caught:
        checked(Outer, data, "w")
    assert str(caught.value) == line


def test_what_keeps_the_rules_comes_back() -> None:
    document = checked(
        Outer, {"name": "n", "scale": 1, "items": [{"count": 8, "sizes": [0, 9]}]}, "w"
    )
    assert document == Outer(name="n", items=[Inner(count=8, sizes=[0, 9])])  # type: ignore[arg-type]  # as in JSON
    assert type(document.scale) is float
    assert document.items[0].sizes == (0, 9)


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        (Integer(-1, 3), [-1, 3], [-2, 4, 1.0, "1", None, True, [1]]),
        (Number(-1, 3), [-1, 3, 0.5], [-2, 3.1, float("nan"), "1", None, True]),
        (Text(3), ["", "abc"], ["abcd", "\n", "\ud800", 1, None]),
        (Name(3), ["a", "abc"], ["", "abcd", "\t", 1]),
        (Choice(("a", "b")), ["a"], ["c", 1, ["a"], {}]),
        (Shape(2, 2, 1, 4), [[1, 4]], [[1], [1, 2, 3], [0, 1], [True, 1], [1.0, 1], (1, 2), "12"]),
        (Rising(Integer(1, 4), 2), [[1], [1, 4]], [[], [2, 1], [1, 1], [1, 2, 3], [5], (1, 2), 1]),
        (Digest(), ["0" * 64], ["0" * 63, "g" * 64, "A" * 64, "0" * 64 + "\n", 0]),
        (FileName(), ["weights.npz"], ["", "/a", "a/b", "..", ".", "a\0", 1]),
    ],
    ids=str,
)
def test_rules(rule: Rule, kept: list[Any], broken: list[Any]) -> None:
    assert [value for value in kept if not rule.accepts(value)] == []
    assert [value for value in broken if rule.accepts(value)] == []
    for value in broken:
        with pytest.raises(ValueError, match="^" + re.escape(f"x must be {rule}, not ")):
            rule.require(value, "x")


def test_values_are_shown_short_and_without_control_characters() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    for value in (
        "a\n\0\x1b[31m",
        "x" * 1000,
        [["y" * 50] * 9] * 9,
        deep,
        10**4000,
        10**9999,
        {"\0": "\0"},
    ):
        text = shown(value)
        assert len(text) <= 80
        assert text.isprintable()
    assert shown("é") == "'é'"


def test_the_vocabulary_stays_light() -> None:
    """The schema layer, pydantic included, costs a fraction of a second and no heavy package."""
    code = (
        "import numpy, sys, time; begin = time.process_time(); import sim.spec.design; "
        "print(time.process_time() - begin, *sys.modules)"
    )
    seconds = []
    for _ in range(3):
        run = [sys.executable, "-c", code]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        taken, *modules = done.stdout.split()
        seconds.append(float(taken))
        assert not {"numba", "torch", "amaranth", "cocotb", "jinja2"} & set(modules)
    assert min(seconds) < 0.4
