"""The tests' folders mirror the packages', and no module of theirs hides another."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from project_root import ROOT

TESTS = ROOT / "tests"


def files() -> list[Path]:
    return sorted(TESTS.rglob("*.py"))


def test_file_names_are_unique() -> None:
    """``importlib`` mode and mypy both know a file of tests by its bare name."""
    counts = Counter(path.name for path in files())
    assert len(counts) > 140
    assert [name for name, count in counts.items() if count > 1] == []


def test_no_folder_is_a_package() -> None:
    """``tests/sim`` with an ``__init__.py`` would be imported in place of ``sim``."""
    assert [path for path in files() if path.name == "__init__.py"] == []


def test_no_folder_is_named_like_a_module() -> None:
    """Mypy looks for modules in every folder that has files of tests: it would take ours."""
    names = {part for path in files() for part in path.relative_to(TESTS).parts[:-1]}
    assert len(names) > 20
    assert [name for name in sorted(names) if find_spec(name)] == []


def test_every_file_of_tests_has_a_room() -> None:
    """``tests/test_<stage>/<room>`` has the tests of ``<stage>/<room>``."""
    for path in files():
        stage, *rooms = path.relative_to(TESTS).parts[:-1] or ("",)
        if stage in ("", "support"):
            assert not path.name.startswith("test_"), path
        elif stage != "test_project":
            assert (ROOT / stage.removeprefix("test_") / Path(*rooms)).is_dir(), path
