"""The house English of names, docstrings and comments: what the checker refuses, and that nothing gets worse."""

import json
import re
from pathlib import Path

import pytest

import house_english
from house_english import CODE, allowed_counts, check_paths, check_source, excess
from project_root import ROOT


def rules(source: str) -> list[tuple[str, str]]:
    return [(violation.rule, violation.text) for violation in check_source(source, "sim/x.py")]


@pytest.mark.parametrize("opening", ["Of a layer.", "What it does.", "The same here.", "As it is."])
def test_an_opening_that_needs_context_is_refused(opening: str) -> None:
    assert rules(f'"""{opening}"""') == [("opening", opening)]
    assert rules(f'def f():\n    """{opening}"""') == [("opening", opening)]
    assert rules(f'X = 1\n"""{opening}"""') == [("opening", opening)]


def test_a_first_line_ends_its_sentence() -> None:
    assert rules('"""Number of tiles\n\nin a pass."""') == [("opening", "Number of tiles")]
    assert rules('"""Number of tiles.\n\nThey are counted by pass"""') == []


def test_openings_that_only_begin_alike_stand_alone() -> None:
    assert rules('"""Offsets of tiles."""\n') == []
    assert rules('class A:\n    """Whatever a host writes."""\n') == []


def test_a_test_function_opens_as_it_likes() -> None:
    assert rules('def test_it_is_found():\n    """As documented"""') == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("found = 1", "found"),
        ("def f(one): pass", "one"),
        ("def the_found_tile(): pass", "the_found_tile"),
        ("class TileManager: pass", "TileManager"),
        ("self.new_rows = 1", "new_rows"),
        ("for each_one in x: pass", "each_one"),
        ("[util for util in x]", "util"),
        ("from x import y as my_y", "my_y"),
        ("with a as handle: pass", "handle"),
        ("try: pass\nexcept E as one: pass", "one"),
        ("match x:\n    case [*ones]: pass", "ones"),
    ],
)
def test_a_name_of_no_meaning_is_refused(source: str, name: str) -> None:
    assert rules(source) == [("name", name)]


@pytest.mark.parametrize(
    "source",
    ["one_hot = 1", "foundation = 1", "renew = news = 1", "handle_starttag = 1", "f(found)"],
)
def test_a_name_that_says_something_is_not(source: str) -> None:
    assert rules(source) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The larger one.", "The larger one."),
        ("Tiles that are found.", "Tiles that are found."),
        ("The ones of a pass.", "The ones of a pass."),
        ("The one that is last.", "The one that is last."),
    ],
)
def test_a_pronoun_in_prose_is_refused(text: str, words: str) -> None:
    assert rules(f'"""{text}"""') == [("prose", words)]
    assert rules(f"x = 1  # {text}") == [("prose", f"# {words}")]


@pytest.mark.parametrize(
    "text",
    [
        "One tile of each PE.",
        "Is one of the lanes.",
        "The lanes, one after another.",
        "A `found` b.",
    ],
)
def test_a_number_or_code_in_prose_is_not(text: str) -> None:
    assert rules(f'"""{text}"""') == []


def test_a_violation_says_where_it_is() -> None:
    violation = check_source('"""A line.\n\nThe\nlarger one."""', "sim/x.py")[0]
    assert str(violation) == "sim/x.py:4: prose: A line. The larger one."
    assert violation.package == "sim"


@pytest.mark.long
def test_no_package_breaks_a_rule_more_often_than_before() -> None:
    violations = check_paths([ROOT / name for name in CODE])
    assert excess(violations) == [], "\n".join(map(str, violations))
    assert {package for _, package in allowed_counts()} <= set(CODE)


def test_more_violations_than_allowed_are_said_by_rule_and_package() -> None:
    violations = check_source("found = 1", "moon/x.py")
    message = "name in moon must be broken at most 0 times, not 1"
    assert [re.fullmatch(re.escape(message), line) is not None for line in excess(violations)] == [
        True
    ]


def test_allowed_counts_are_only_lowered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "allowed.json"
    path.write_text('{"name": {"sim": 3, "hwgen": 1}, "prose": {"sim": 1}}')
    monkeypatch.setattr(house_english, "ALLOWED", path)
    house_english.record(check_source("found = one = 1\n# One or two of the ones.", "sim/x.py"))
    assert json.loads(path.read_text()) == {"name": {"sim": 2}, "prose": {"sim": 1}}
