"""The fuzz suite: verdicts on files that do all that a file must not, and a sample of its inputs."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cosilico import fuzzing
from cosilico.cli import main
from cosilico.fuzz_formats import FORMATS, Files, Format
from cosilico.fuzzing import Examination, Examiner, Verdict, format_of, fuzz_input
from sampled import sampled
from sim.spec.errors import CosilicoError
from testbench.judges.interpreters import UnjudgedError

"""Inputs; with loading half a minute of processor time."""

SEED = 11


def read(path: Path) -> str:
    """Read a model by doing what the file's content says."""
    word = path.read_text()
    match word:
        case "refuse":
            raise CosilicoError("x must be right, not wrong")
        case "lines":
            raise CosilicoError("x must be right\nnot wrong")
        case "control":
            raise CosilicoError("x must be \x1b[2J")
        case "raise":
            raise KeyError(word)
        case "allocate":
            return "x" * (1 << 31)
        case "loop":
            while True:
                pass
        case "sleep":
            time.sleep(60)
        case "die":
            import os

            os._exit(9)
    return word


def judge(files: Files, value: Any) -> str:
    """Judge an import as the file's content says."""
    match value:
        case "differ":
            return "1 of 2 values differ"
        case "unjudged":
            raise UnjudgedError("nobody knows")
        case "judge raises":
            raise ValueError(value)
        case "judge dies":
            import os

            os._exit(3)
    return ""


WORDS = {"word": Format(100, dict, lambda rng: {}, read, judge)}


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    made = Examiner(WORDS, seconds=1, size_bytes=100 << 20)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("word", "verdict", "text"),
    [
        ("refuse", Verdict.REFUSED, r"x must be right, not wrong"),
        ("fine", Verdict.EQUAL, ""),
        ("unjudged", Verdict.UNJUDGED, "nobody knows"),
        ("judge dies", Verdict.JUDGE_DIED, "status 3"),
        ("differ", Verdict.CONTRADICTED, "1 of 2 values differ"),
        ("judge raises", Verdict.TRACEBACK, r"Traceback .*ValueError: judge raises\n"),
        ("raise", Verdict.TRACEBACK, r"Traceback .*KeyError: 'raise'\n"),
        ("lines", Verdict.LINES, r"x must be right\nnot wrong"),
        ("control", Verdict.LINES, r"x must be \x1b\[2J"),
        ("loop", Verdict.TIME, "more than 1 s"),
        ("allocate", Verdict.MEMORY, r"Traceback .*MemoryError\n"),
        ("die", Verdict.DIED, "status 9"),
    ],
)
def test_verdicts(word: str, verdict: Verdict, text: str, examiner: Examiner) -> None:
    examined = examiner.examine("word", {"x": word.encode()})
    assert examined[0] is verdict
    assert re.fullmatch(text, examined[1], re.DOTALL)


def test_an_input_that_waits_is_not_waited_for() -> None:
    patient = Examiner(WORDS, wall_seconds=2)
    assert patient.examine("word", {"x": b"sleep"}) == (Verdict.TIME, "no answer in 2 s")
    patient.close()


def test_an_input_has_no_part_in_the_verdict_on_the_next(examiner: Examiner) -> None:
    for word in ("loop", "die", "allocate", "raise"):
        examiner.examine("word", {"x": word.encode()})
        assert examiner.examine("word", {"x": b"fine"}) == (Verdict.EQUAL, "")


def test_only_four_verdicts_are_right() -> None:
    right = {verdict for verdict in Verdict if verdict.right}
    assert right == {Verdict.REFUSED, Verdict.EQUAL, Verdict.UNJUDGED, Verdict.JUDGE_DIED}


def test_every_hundred_inputs_have_every_format() -> None:
    names = [format_of(index) for index in range(300, 400)]
    assert {name: names.count(name) for name in FORMATS} == {
        name: file_format.weight for name, file_format in FORMATS.items()
    }


def test_an_input_is_made_again() -> None:
    for index in range(0, 200, 7):
        if format_of(index) != "pt2":  # whose making takes seconds
            assert fuzz_input(3, index) == fuzz_input(3, index)


@pytest.mark.parametrize("number", sampled([100, 400], lambda number: number == 100))
def test_a_sample_of_files_is_refused_or_right(number: int) -> None:
    examinations = list(fuzzing.examine_inputs(SEED, number, jobs=1))
    assert sorted(examination.index for examination in examinations) == list(range(number))
    faults = [examination for examination in examinations if not examination.verdict.right]
    assert not faults, "\n".join(
        f"fuzz_input({SEED}, {examination.index}) {examination.format_name}: {examination.verdict} {examination.text}"
        for examination in faults
    )
    for name in FORMATS:
        verdicts = {
            examination.verdict for examination in examinations if examination.format_name == name
        }
        assert Verdict.REFUSED in verdicts, name
    # Whatever is examined begins with a file of each format that is right; a worker ends if not.
    assert {
        examination.format_name
        for examination in examinations
        if examination.verdict is Verdict.EQUAL
    } >= {"tflite", "onnx"}


def test_the_command_prints_verdicts_and_counts_faults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        Examination(0, "tflite", Verdict.REFUSED, "x"),
        Examination(7, "onnx", Verdict.CONTRADICTED, "3 of 4 values differ"),
        Examination(8, "onnx", Verdict.UNJUDGED, "the runtime\nrefuses it"),
    ]
    monkeypatch.setattr("cosilico.fuzz_summary.examine_inputs", lambda *words: iter(given))
    assert main(["validate", "--fuzz", "2", "--seed", "5"]) == 1
    printed = capsys.readouterr().out
    assert "fuzz_input(5, 7), onnx: contradicted\n3 of 4 values differ" in printed
    assert re.search(r"tflite +1 +0 +0 +0 +0", printed)
    assert "unjudged 1 times: onnx, the runtime refuses it\n" in printed
    assert printed.rstrip().endswith("1 faults")
    del given[1]
    assert main(["validate", "--fuzz", "1"]) == 0


def test_the_command_prints_the_same_whichever_process_ends_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        Examination(index, "onnx", Verdict.UNJUDGED, f"reason {index % 7}") for index in range(30)
    ]
    given.append(Examination(30, "tflite", Verdict.LINES, "a\nb"))
    given.append(Examination(31, "tflite", Verdict.LINES, "c\nd"))
    printed = []
    for arrival in (given, given[::-1], given[7:] + given[:7]):
        monkeypatch.setattr("cosilico.fuzz_summary.examine_inputs", lambda *words, a=arrival: a)
        assert main(["validate", "--fuzz", "32"]) == 1
        printed.append(re.sub(r" in \d+ s \([\d,]+ per second\)", "", capsys.readouterr().out))
    assert "unjudged 5 times: onnx, reason 0\nunjudged 5 times: onnx, reason 1\n" in printed[0]
    assert printed[0] == printed[1] == printed[2]
