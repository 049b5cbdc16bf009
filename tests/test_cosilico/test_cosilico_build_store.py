"""The cache of builds: what it holds, and what is removed of it."""

import os
import re
import time
from pathlib import Path

import pytest

from cosilico.build_store import DAY_S, KINDS, Entry, entries, prune
from cosilico.cli import main

KEYS = [f"{i:024x}" for i in range(4)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with four entries of 1 MB, unused for 40, 20, 10 and 0 days, and foreign folders."""
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path))
    for key, kind, days in zip(
        KEYS, ("harness", "runtime", "harness", "verilog"), (40, 20, 10, 0), strict=True
    ):
        folder = tmp_path / kind / key
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(10**6))
        used = time.time() - days * DAY_S
        os.utime(folder, (used, used))
    for mine in ("mine", "harness/mine", "other/0123456789abcdef"):
        (tmp_path / mine).mkdir(parents=True)
        (tmp_path / mine / "file").write_text("mine")
    return tmp_path


def keys(some: list[Entry]) -> list[str]:
    return [entry.path.name for entry in some]


def test_entries_are_listed_by_their_last_use(root: Path) -> None:
    listing = entries()
    assert keys(listing) == KEYS
    assert {entry.size_bytes for entry in listing} == {10**6}
    assert {entry.kind for entry in listing} <= set(KINDS)


def test_entries_of_one_moment_are_listed_by_their_path(root: Path) -> None:
    for i in range(40):
        folder = root / "harness" / f"{100 + i * 7919 % 97:024x}"
        folder.mkdir()
        os.utime(folder, (1, 1))
    listing = [entry.path for entry in entries() if entry.used_s == 1]
    assert len(listing) == 40
    assert listing == sorted(listing)


def test_old_entries_are_removed(root: Path) -> None:
    assert keys(prune(days=20)) == KEYS[:2]
    assert keys(entries()) == KEYS[2:]


def test_the_longest_unused_are_removed_until_it_is_small(root: Path) -> None:
    assert keys(prune(keep_mb=2)) == KEYS[:2]
    assert prune(keep_mb=2) == []
    assert keys(prune(keep_mb=0)) == KEYS[2:]


def test_nothing_else_is_removed(root: Path) -> None:
    prune(days=0)
    assert entries() == []
    assert sorted(path.read_text() for path in root.rglob("file")) == ["mine"] * 3


def test_what_a_killed_process_left_is_removed(root: Path) -> None:
    unfinished = root / "harness" / f"{KEYS[3]}.x1y2"
    unfinished.mkdir()
    kernel = root / "kernels" / "0123456789abcdef"
    kernel.mkdir(parents=True)
    (kernel / ".sim.nbc.1234.part").write_text("half")
    assert prune() == []
    assert not unfinished.exists()
    assert list(kernel.iterdir()) == []


def test_the_command_shows_and_removes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"simulations +│ +2 │ +2\.0 │ +10\.0 │ +40\.0 │", shown)
    assert re.search(r"total +│ +4 │ +4\.0 │", shown)
    assert main(["cache", "--prune"]) == 0
    assert capsys.readouterr().out.startswith("removed 1 entries of 1.0 MB\n")
    assert main(["cache", "--prune", "--keep-mb", "2.5"]) == 0
    assert capsys.readouterr().out.startswith("removed 1 entries of 1.0 MB\n")
    assert main(["cache", "--prune", "--all"]) == 0
    assert capsys.readouterr().out.startswith("removed 2 entries of 2.0 MB\n")
    assert main(["cache", "--all"]) == 2
    assert capsys.readouterr().err == (
        "cosilico: --days, --keep-mb and --all must be given with --prune\n"
    )
