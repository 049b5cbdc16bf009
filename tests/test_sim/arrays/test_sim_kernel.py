"""Kernels are compiled once for all integers, whether they are literals where they are called."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import TypingError

import sim.arrays.kernel
from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place, inlined, kernel


def test_a_literal_argument_is_an_integer_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A kernel that a run before has left on disk has no callee compiled.
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path))

    def _add(values, n):  # type: ignore[no-untyped-def]  # numba infers the types
        values[0] += n

    add: Any = in_place(_add)

    def _add_twice(values, n):  # type: ignore[no-untyped-def]  # as above
        add(values, n)
        add(values, n)

    add_twice: Any = inlined(_add_twice)

    def _count(most):  # type: ignore[no-untyped-def]  # as above
        values = np.zeros(1, np.int64)
        n = 0  # a literal at first
        while n < most:
            add(values, n)
            add_twice(values, n=1)
            n += 1
        add(values, 100)
        return values[0]

    assert kernel(_count)(4) == 0 + 1 + 2 + 3 + 2 * 4 + 100
    # What kernels call is part of them: Python's kernels of it are not made.
    assert not add.signatures
    assert not add_twice.signatures
    assert len(add.part().signatures) == 1
    assert len(add_twice.part().signatures) == 1


def test_kernels_compile_in_the_usual_way_with_other_versions_of_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path))
    monkeypatch.setattr(sim.arrays.kernel, "PARTS_TRIED", ("0.0.",))

    def _add(values, n):  # type: ignore[no-untyped-def]  # numba infers the types
        values[0] += n

    add: Any = in_place(_add)

    def _add_often(values, most):  # type: ignore[no-untyped-def]  # as above
        n = 0
        while n < most:
            add(values, n)
            n += 1

    values = np.zeros(1, np.int64)
    in_place(_add_often)(values, 5)
    assert values[0] == 0 + 1 + 2 + 3 + 4
    assert len(add.signatures) == 1
    assert not hasattr(add, "part")


def _double(values):  # type: ignore[no-untyped-def]  # numba infers the types
    for i in range(len(values)):
        values[i] *= 2


def doubled(lines_above: int = 0, file: str = __file__) -> tuple[int, int]:
    """Compile the kernel afresh; return how many codes came from files, and how many did not."""
    code = _double.__code__
    moved = code.replace(co_firstlineno=code.co_firstlineno + lines_above, co_filename=file)
    compiled: Any = in_place(FunctionType(moved, globals(), _double.__name__))
    values = np.array([3])
    compiled(values)
    assert values[0] == 6
    return sum(compiled.stats.cache_hits.values()), sum(compiled.stats.cache_misses.values())


def test_a_kernel_that_moves_down_in_its_file_is_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path))
    assert doubled() == (0, 1)
    assert doubled(lines_above=3) == (1, 0)


def test_a_kernel_of_equal_sources_elsewhere_is_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a second checkout, or of an installed wheel."""
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path / "cache"))
    elsewhere = tmp_path / "elsewhere" / Path(__file__).name
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(Path(__file__).read_bytes())
    assert doubled() == (0, 1)
    assert doubled(file=str(elsewhere)) == (1, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"",
        lambda content: b"?" * 5000,
    ],
)
def test_a_damaged_file_of_a_kernel_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path))
    assert doubled() == (0, 1)
    assert doubled() == (1, 0)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    content = file.read_bytes()
    file.write_bytes(damage(content))
    assert doubled() == (0, 1)
    assert doubled() == (1, 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_what_another_process_compiles_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path / name))
        compiled: Any = in_place(_double)
        if name == "first":
            compiled(np.array([3]))
    (file,) = [path for path in (tmp_path / "first").rglob("*") if path.is_file()]
    (folder,) = (tmp_path / "second").iterdir()
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)  # as the other holds it
    with ThreadPoolExecutor(1) as pool:
        values = np.array([3])
        ended = pool.submit(compiled, values)
        with pytest.raises(TimeoutError):
            ended.result(timeout=0.5)
        shutil.copy(file, folder)
        os.close(held)
        ended.result(timeout=60)
    assert values[0] == 6
    assert not compiled.stats.cache_misses
    # and it holds nothing any more
    again = os.open(folder, os.O_RDONLY)
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(again)


def test_a_thread_that_waits_for_the_compiler_lets_nobody_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock on the folder is given back by the thread that took it, while it has numba's."""
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path))
    release = sim.arrays.kernel._KernelFiles.release
    alone = []

    def released(files: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            alone.append(not pool.submit(_lock_is_free).result())
        release(files)

    monkeypatch.setattr(sim.arrays.kernel._KernelFiles, "release", released)

    def _double(values):  # type: ignore[no-untyped-def]  # numba infers the types
        values[0] *= 2

    values = np.array([3])
    in_place(_double)(values)
    assert values[0] == 6
    assert alone
    assert all(alone)


def _lock_is_free() -> bool:
    free: bool = global_compiler_lock._lock.acquire(blocking=False)
    if free:
        global_compiler_lock._lock.release()
    return free


def test_a_kernel_that_does_not_compile_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path))

    def _wrong(values):  # type: ignore[no-untyped-def]  # numba infers the types
        return values.no_such_attribute

    with pytest.raises(TypingError, match="no_such_attribute"):
        in_place(_wrong)(np.array([3]))
    (folder,) = tmp_path.iterdir()
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)


def test_kept_kernels_are_loaded_without_what_compiles() -> None:
    """And a user's own kernels are compiled with all that numba has."""
    assert ceil_div(7, 2) == 4  # now it is kept
    program = """
import sys
import numba, numpy as np
from sim.arrays.geometry import ceil_div
assert ceil_div(7, 2) == 4
print("numba.np.arraymath" in sys.modules, "scipy.linalg" in sys.modules)
print(numba.njit(lambda a: np.dot(a, a))(2.0 * np.eye(2))[0, 0])
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["False False", "4.0"]


def test_kernels_run_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sim.arrays.kernel, "_CACHE", str(tmp_path / "file" / "kernels"))
    compiled: Any = kernel(_double)
    values = np.array([3])
    compiled(values)
    assert values[0] == 6
