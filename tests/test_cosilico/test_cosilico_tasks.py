"""Tasks in processes: what is finished is kept when one fails, and no further is begun."""

import time
from pathlib import Path
from typing import Any

import pytest

from cosilico.tasks import run_all
from testbench.validation.journal import Journal

TASKS = [f"task{number:02d}" for number in range(12)]


def work(folder: Path, name: str, fails: str) -> dict[str, Any]:
    """Leave a file, and fail as one of the tasks; the first takes longer than its failure."""
    (folder / name).touch()
    if name == fails:
        raise ValueError(f"{name} must not be done")
    time.sleep(1.0 if name == TASKS[0] else 0.2)
    return {"name": name}


def run(folder: Path, journal: Journal, fails: str) -> None:
    tasks = {name: (folder, name, fails) for name in TASKS}
    run_all(tasks, work, journal, 2, lambda step, done, total: None)


def test_a_task_that_fails_ends_the_others_and_loses_none_that_is_finished(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    journal = Journal(tmp_path / "journal.jsonl", {"of": "tasks"})
    with pytest.raises(ValueError, match=r"^task02 must not be done$"):
        run(begun, journal, TASKS[2])
    done = {path.name for path in begun.iterdir()}
    assert {*TASKS[:2]} <= set(journal.records) == done - {TASKS[2]}
    assert TASKS[-1] not in done
    again = Journal(tmp_path / "journal.jsonl", {"of": "tasks"})
    run(begun, again, "none")
    assert set(again.records) == set(TASKS)
