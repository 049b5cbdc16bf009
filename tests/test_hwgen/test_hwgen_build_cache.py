"""Builds are kept by content, appear complete, and survive a race."""

import fcntl
import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hwgen.build_cache import DIGESTS_FILE, cached_directory, content_key
from sim.spec.files import cache_root


def test_key_depends_on_where_one_text_ends() -> None:
    """Moving a letter from one part to the next is other content."""
    assert content_key("ab", "c") != content_key("a", "bc")
    assert content_key("ab", "c") == content_key("ab", "c")


def test_environment_variable_names_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else it lies in the user's cache directory."""
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("COSILICO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_root() == tmp_path / "x" / "cosilico"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the standard says to ignore
    assert cache_root() == Path.home() / ".cache" / "cosilico"


def test_content_is_made_once(tmp_path: Path) -> None:
    """The second request gets the directory that the first request made."""
    made = []

    def make(directory: Path) -> None:
        made.append(directory)
        (directory / "file").write_text("content")

    first = cached_directory(tmp_path, "key", make)
    second = cached_directory(tmp_path, "key", make)
    assert first == second
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """The next request builds anew."""

    def fail(directory: Path) -> None:
        (directory / "half").write_text("")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match=r"^no$"):
        cached_directory(tmp_path, "key", fail)
    assert list(tmp_path.iterdir()) == []


def make_files(directory: Path) -> None:
    (directory / "inner").mkdir()
    (directory / "inner" / "program").write_bytes(b"program" * 1000)
    (directory / "file").write_text("content")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["inner/program", "file", DIGESTS_FILE])
@pytest.mark.parametrize("change", [damage, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_directory_is_made_again(
    tmp_path: Path, name: str, change: Callable[[Path], object]
) -> None:
    for _ in range(2):
        target = cached_directory(tmp_path, "key", make_files)
        assert (target / "inner" / "program").read_bytes() == b"program" * 1000
        assert (target / "file").read_text() == "content"
        change(target / name)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_what_is_intact_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = cached_directory(tmp_path, "key", make_files)
    cached_directory(tmp_path, "key", make_files)
    os.utime(target, (0, 0))
    monkeypatch.setattr(hashlib, "file_digest", lambda *given: pytest.fail("read again"))
    cached_directory(tmp_path, "key", make_files)
    assert target.stat().st_mtime > 0  # it counts as used


def make_and_be_killed(root: Path) -> None:
    def make(directory: Path) -> None:
        (directory / "half").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)

    cached_directory(root, "killed", make)


@pytest.mark.parametrize("key", ["killed", "other"])
def test_what_a_killed_process_left_goes_with_the_next_build(tmp_path: Path, key: str) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=make_and_be_killed, args=(tmp_path,)
    )
    process.start()
    process.join()
    assert list(tmp_path.glob("killed.*"))
    cached_directory(tmp_path, key, make_files)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [key]


def test_what_another_makes_stays(tmp_path: Path) -> None:
    """While a process makes a directory, no other takes it for what a killed process left."""

    def make(directory: Path) -> None:
        cached_directory(tmp_path, "other", make_files)
        assert directory.is_dir()
        make_files(directory)

    cached_directory(tmp_path, "key", make)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "other"]


def ask_twice(root: Path, make: Callable[[Path], None]) -> list[Path]:
    """Ask for one key in two threads at once."""
    results: list[Path] = []
    threads = [
        threading.Thread(target=lambda: results.append(cached_directory(root, "key", make)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_who_asks_meanwhile_waits(tmp_path: Path) -> None:
    """One builds, both get it."""
    made = []

    def make(directory: Path) -> None:
        made.append(directory)
        time.sleep(0.2)
        (directory / "file").write_text("content")

    assert ask_twice(tmp_path, make) == [tmp_path / "key"] * 2
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_racing_builders_share_the_first_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks both build; one directory stays and is complete."""

    def refuse(*arguments: object) -> None:
        raise OSError("no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    barrier = threading.Barrier(2)

    def make(directory: Path) -> None:
        barrier.wait()
        (directory / "file").write_text("content")

    assert ask_twice(tmp_path, make) == [tmp_path / "key"] * 2
    assert (tmp_path / "key" / "file").read_text() == "content"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
