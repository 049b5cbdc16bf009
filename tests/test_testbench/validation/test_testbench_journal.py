"""A journal loses nothing to a kill and never mixes what differs."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from project_root import ROOT
from sim.spec.errors import CosilicoError
from testbench.validation.journal import Journal

HEADER = {"seed": 1, "sources": "abc"}


def test_records_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path, HEADER)
    journal.append("a/1", {"passed": True})
    journal.append("a/2", {"passed": False})
    assert Journal(path, HEADER).records == {"a/1": {"passed": True}, "a/2": {"passed": False}}


def test_half_a_line_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, HEADER).append("a", {"value": 1})
    whole = path.read_text()
    for cut in range(1, len(whole)):
        path.write_text(whole[:cut])
        journal = Journal(path, HEADER)
        assert journal.records in ({}, {"a": {"value": 1}})
        journal.append("b", {"value": 2})
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert lines[0] == HEADER
        assert lines[-1] == {"key": "b", "value": 2}


def test_another_header_begins_anew_where_it_may(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, HEADER).append("a", {"value": 1})
    other = HEADER | {"seed": 2}
    message = f"journal {path} must be of the same work and sources, or --force must be given"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        Journal(path, other)
    assert Journal(path, HEADER, renew=True).records == {"a": {"value": 1}}
    assert Journal(path, other, renew=True).records == {}
    assert Journal(path, other).records == {}


@pytest.mark.parametrize("content", ["mine\n", "mine", '{"mine": 1}\n', "[1]\n", "\0\xff"])
def test_another_file_is_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    message = f"journal {path} must be absent or a journal of such work"
    for renew in (False, True):
        with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
            Journal(path, HEADER, renew=renew)
    assert path.read_text() == content


def test_the_last_record_of_a_key_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, HEADER)
    journal.append("a", {"value": 1})
    journal.append("a", {"value": 2})
    assert Journal(path, HEADER).records == {"a": {"value": 2}}


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, HEADER)

    def work(thread: int) -> None:
        for index in range(20):
            journal.append(f"{thread}/{index}", {"text": "x" * 500})

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Journal(path, HEADER).records) == 80


def test_two_runs_do_not_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from testbench.validation.journal import Journal\n"
        "Journal(Path(sys.argv[1]), {'seed': 1}).append('theirs', {})\n"
    )

    def another() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, str(path)],
            capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    journal = Journal(path, {"seed": 1})
    journal.append("ours", {})
    refused = another()
    assert f"journal {path} must not be in use by another run" in refused.stderr
    assert list(Journal(path, {"seed": 1}).records) == ["ours"]
    del journal
    assert another().returncode == 0
    assert list(Journal(path, {"seed": 1}).records) == ["ours", "theirs"]
