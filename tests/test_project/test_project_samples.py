"""Samples of many cases alike, and the limit of what a test may take."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from project_root import ROOT
from sampled import sampled

BUSY = """
import subprocess
import sys
import time

import pytest

LOOP = "import time\\nwhile time.process_time() < 1: pass"


def test_quick():
    pass


def test_busy():
    exec(LOOP.replace("< 1", f"< {time.process_time()} + 1"))


def test_busy_in_a_process():
    subprocess.run([sys.executable, "-c", LOOP], check=True)


@pytest.mark.long
def test_busy_and_long():
    subprocess.run([sys.executable, "-c", LOOP], check=True)
"""


def test_what_is_beyond_a_sample_is_long() -> None:
    always, other = sampled([1, 2], lambda value: value == 1)
    assert (always.values, [mark.name for mark in always.marks]) == ((1,), [])
    assert (other.values, [mark.name for mark in other.marks]) == ((2,), ["long"])
    always, other = sampled([(1, 2), (3, 4)], lambda value: value[0] == 3, fields=True)[::-1]
    assert (always.values, other.values) == ((3, 4), (1, 2))
    assert [mark.name for mark in other.marks] == ["long"]


@pytest.mark.parametrize("kept", [[], [1, 2]])
def test_a_sample_is_some_of_the_values(kept: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^a sample must be some of the values, not none or all"):
        sampled([1, 2], lambda value: value in kept)


def test_a_test_that_takes_too_much_fails_unless_it_is_long(tmp_path: Path) -> None:
    """Of its own process, and of those that it starts."""
    text = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    assert text.count("MOST_CORE_SECONDS = 240\n") == 1
    (tmp_path / "conftest.py").write_text(
        text.replace("MOST_CORE_SECONDS = 240\n", "MOST_CORE_SECONDS = 0.5\n")
    )
    (tmp_path / "test_busy.py").write_text(BUSY)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = long\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rE", "-p", "no:cacheprovider", "test_busy.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    failed = re.findall(r"^ERROR test_busy.py::(\w+)", done.stdout, re.MULTILINE)
    assert failed == ["test_busy", "test_busy_in_a_process"]
    assert "a test must take at most 0.5 s of a processor, not 1; " in done.stdout
    assert re.search(r"^\d s of a processor: test_busy \d$", done.stdout, re.MULTILINE)
