"""Seeded faults: the table fits the sources, and runs tell what is noticed from what is not."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mutant_runs import Verdict, caught_share, run_mutants, table
from project_root import ROOT
from seeded_faults import AREAS, Fault, FaultError, read_faults

FAULTS = read_faults(ROOT / "tests" / "mutants")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_edit_applies_once(fault: Fault, tmp_path: Path) -> None:
    for name in (fault.file, *(test.partition("::")[0] for test in fault.tests)):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    fault.apply(tmp_path)
    assert (tmp_path / fault.file).read_text() != (ROOT / fault.file).read_text()


def test_faults_are_many_and_of_every_area() -> None:
    assert len(FAULTS) >= 60
    assert {fault.area for fault in FAULTS} == set(AREAS)


def test_committed_verdicts_are_of_this_table() -> None:
    record = json.loads((ROOT / "benchmarks" / "mutants.json").read_text(encoding="utf-8"))
    assert [verdict["name"] for verdict in record["faults"]] == [fault.name for fault in FAULTS]
    page = (ROOT / "benchmarks" / "mutants.md").read_text(encoding="utf-8")
    assert [fault.name for fault in FAULTS if f"| {fault.area} | {fault.name}, " not in page] == []


SOURCE = '''"""A source."""


def larger(a: int, b: int) -> int:
    """Larger of two."""
    return a if a > b else b


def rises(values: list[int]) -> bool:
    """Whether every value is larger than the one before."""
    place = 1
    while place < len(values):
        if values[place] <= values[place - 1]:
            return False
        place += 1
    return True
'''
TESTS = """
from source import larger, rises


def test_larger():
    assert larger(2, 1) == 2
    with open({log!r}, "a") as log:
        log.write("run\\n")


def test_rises():
    assert rises([1, 2, 3])
"""

SMALLER = Fault(
    name="smaller",
    area="model",
    file="source.py",
    find="a > b",
    replace="a < b",
    breaks="the larger is the result",
    tests=("tests/test_source.py",),
)
ASLEEP = "__import__('time').sleep(0.1)"  # for ever, without a processor
ENDLESS = replace(SMALLER, name="endless", find="place += 1", replace=ASLEEP, timeout_s=8)
ALIKE = replace(
    SMALLER, name="alike", find="a > b", replace="a >= b", equivalent="equal ones are the same"
)
EQUALS_RISE = replace(
    SMALLER, name="equals rise", find="<= values", replace="< values", select="rises"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one source and one file of tests, which count their runs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take longer than the tests
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    (root / "source.py").write_text(SOURCE)
    log = str(tmp_path / "log")
    (root / "tests" / "test_source.py").write_text(TESTS.format(log=log))
    return root


def tried(project: Path, *faults: Fault, jobs: int = 1) -> list[Verdict]:
    def ignored(step: str, done: int, total: int) -> None:
        """Ignore reported progress."""

    return run_mutants(project, faults, project.parent / "journal", ignored, jobs=jobs)


def test_tells_what_is_noticed_from_what_is_not(project: Path) -> None:
    verdicts = tried(project, SMALLER, ENDLESS, ALIKE, EQUALS_RISE, jobs=3)
    assert [(verdict.name, verdict.verdict) for verdict in verdicts] == [
        ("smaller", "caught"),
        ("endless", "timeout"),
        ("alike", "equivalent"),
        ("equals rise", "survived"),
    ]
    assert verdicts[0].killer == "test_source.py::test_larger"
    assert caught_share(verdicts) == pytest.approx(2 / 3)
    assert (project / "source.py").read_text() == SOURCE
    page = table((SMALLER, ALIKE), [verdicts[0], verdicts[2]])
    assert page.splitlines()[2:] == [
        "| model | smaller, `source.py` | the larger is the result | caught "
        "| test_source.py::test_larger |",
        "| model | alike, `source.py` | the larger is the result | equivalent "
        "| equal ones are the same |",
    ]


def test_a_verdict_stands_until_fault_file_or_tests_change(project: Path) -> None:
    log = project.parent / "log"

    def runs() -> int:
        before = log.read_text().count("run") if log.exists() else 0
        tried(project, ALIKE)
        return log.read_text().count("run") - before

    assert runs() == 2  # without the fault, and with it
    assert runs() == 0
    (project / "source.py").write_text(SOURCE + "\n")
    assert runs() == 2
    changed = (project / "tests" / "test_source.py").read_text() + "\n\nX = 1\n"
    (project / "tests" / "test_source.py").write_text(changed)
    assert runs() == 2


def test_a_run_that_was_killed_goes_on(project: Path) -> None:
    tried(project, SMALLER)
    journal = project.parent / "journal"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines) + lines[-1][:20])
    verdicts = tried(project, SMALLER, ALIKE)
    assert [verdict.verdict for verdict in verdicts] == ["caught", "equivalent"]
    kept = [json.loads(line)["key"].split()[0] for line in journal.read_text().splitlines()[1:]]
    assert kept == ["without", "smaller", "alike"]


def test_an_interrupt_stops_what_runs(project: Path) -> None:
    """The tests that hang are killed at once, and the record has no verdict of them."""

    def interrupted(step: str, done: int, total: int) -> None:
        if step == "faults" and done == 1:
            raise KeyboardInterrupt

    patient = replace(ENDLESS, timeout_s=3000)
    journal = project.parent / "journal"
    with pytest.raises(KeyboardInterrupt):  # before the time limit of tests, not behind the fault's
        run_mutants(project, (SMALLER, patient), journal, interrupted, jobs=2)
    kept = [json.loads(line)["key"].split()[0] for line in journal.read_text().splitlines()[1:]]
    assert kept == ["without", "smaller"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            replace(SMALLER, find="a ? b"),
            "find of fault smaller must occur once in source.py, not 0 times",
        ),
        (
            replace(SMALLER, find="return "),
            "find of fault smaller must occur once in source.py, not 3 times",
        ),
        (
            replace(SMALLER, file="gone.py"),
            "file of fault smaller must exist, not 'gone.py'",
        ),
        (
            replace(SMALLER, tests=("tests/test_gone.py::test_x",)),
            "tests of fault smaller must exist, not 'tests/test_gone.py::test_x'",
        ),
        (
            replace(SMALLER, select="no_such_test"),
            "tests of fault smaller must pass without it, not end with exit code 5: "
            "2 deselected in TIME",
        ),
        (
            replace(SMALLER, replace="a >"),
            "tests of fault smaller must run, not end with exit code 2: 1 error in TIME",
        ),
        (
            replace(SMALLER, equivalent="it is not"),
            "fault smaller must go unnoticed, as it is said to be equivalent, "
            "not fail test_source.py::test_larger",
        ),
    ],
)
def test_what_cannot_be_judged_is_named(project: Path, fault: Fault, message: str) -> None:
    with pytest.raises(FaultError) as caught:
        tried(project, fault)
    assert re.sub(r"in [\d.]+s", "in TIME", str(caught.value)) == message


def test_tests_that_fail_without_a_fault_are_named(project: Path) -> None:
    tests = project / "tests" / "test_source.py"
    tests.write_text(tests.read_text().replace("larger(2, 1) == 2", "larger(2, 1) == 1"))
    with pytest.raises(
        FaultError,
        match=r"^tests of fault smaller must pass without it, not end with exit code 1: "
        r"1 failed in [\d.]+s$",
    ):
        tried(project, SMALLER)


def test_failures_without_faults_are_in_the_order_of_the_faults(project: Path) -> None:
    """The first of two runs ends last."""
    tests = project / "tests" / "test_source.py"
    wait = "import time\n\n\ndef test_larger_later():\n    time.sleep(4)\n\n\n"
    tests.write_text(
        wait
        + tests.read_text()
        .replace("larger(2, 1) == 2", "larger(2, 1) == 1")
        .replace("assert rises(", "assert not rises(")
    )
    with pytest.raises(FaultError) as caught:
        tried(project, replace(SMALLER, select="larger"), EQUALS_RISE, jobs=2)
    named = re.findall(r"tests of fault ([a-z ]+) must", str(caught.value))
    assert named == ["smaller", "equals rise"]


LINE = """[[fault]]
name = "one"
area = "model"
file = "source.py"
find = "a"
replace = "b"
breaks = "x"
tests = ["tests/test_source.py"]
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[fault", r"x.toml must be TOML with \[\[fault\]\] tables: .*"),
        ("", r"x.toml must be TOML with \[\[fault\]\] tables: 'fault'"),
        (LINE.replace('area = "model"\n', ""), "fault one of x.toml must have the key 'area'"),
        (LINE + "speed = 3\n", "fault one of x.toml must not have the key 'speed'"),
        (
            LINE.replace('"model"', '"moon"'),
            f"area of fault one must be one of {', '.join(AREAS)}, not 'moon'",
        ),
        (LINE.replace('replace = "b"', 'replace = "a"'), "replace of fault one must differ from find"),
        (LINE + LINE, "name of a fault must be unique, not 'one'"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(FaultError, match=f"^{message}$"):
        read_faults(tmp_path)
