"""Runs of the tests on private copies of the sources, each with one fault."""

import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from seeded_faults import Fault, FaultError
from sim.spec.files import cache_root
from testbench.validation.journal import Journal

__all__ = ["Verdict", "VerdictKind", "caught_share", "run_mutants", "table"]

T = TypeVar("T")
R = TypeVar("R")

VerdictKind = Literal["caught", "timeout", "survived", "equivalent"]

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "sim_build", ".*_cache")
"""Patterns of what a copy of the project leaves out."""

SOURCES = (".py", ".j2", ".h", ".v", ".sv", ".vlt", ".json")
"""Suffixes of files that tests may depend on."""

POLL_S = 0.2
"""Seconds after which an interrupt is felt."""

PASSED, FAILED = 0, 1
"""pytest's exit codes that say something about the tests; others are of the run itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Verdict on a fault: whether its tests noticed it.

    Parameters
    ----------
    name : str
        Of the fault.
    verdict : str
        "caught" and "timeout" (the tests hang): noticed. "survived": all tests passed.
        "equivalent": they passed and, as the table says why, had to.
    killer : str
        First test that failed; empty where none did.
    seconds : float
    """

    name: str
    verdict: VerdictKind
    killer: str
    seconds: float


def caught_share(verdicts: Sequence[Verdict]) -> float:
    """Share of the faults that were noticed, without those that no test can notice."""
    counted = [each for each in verdicts if each.verdict != "equivalent"]
    return sum(each.verdict != "survived" for each in counted) / max(1, len(counted))


def run_mutants(
    root: Path,
    faults: Sequence[Fault],
    journal_path: Path,
    progress: Callable[[str, int, int], None],
    *,
    jobs: int = 1,
) -> list[Verdict]:
    """Try every fault whose verdict is not on record yet; return all in the order of the table.

    The tests of a fault are first seen to pass without it. A verdict is kept in the journal as
    soon as it is known and stands until the fault, the file it is in or its tests change.

    Parameters
    ----------
    root : Path
        The project; it is only read.
    faults : sequence of Fault
    journal_path : Path
        Record of the verdicts.
    progress : callable
        Called with (step, done, total).
    jobs : int
        Runs of tests at a time, each in a copy of its own.

    Raises
    ------
    FaultError
        If an edit does not apply, the tests fail or do not exist without it, the run of the tests
        itself breaks down, or a fault that is said to be equivalent is noticed.
    """
    journal = Journal(journal_path, {"schema": 1})
    with tempfile.TemporaryDirectory(prefix="cosilico-mutants-") as folder:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(jobs):
            copies.put(Path(folder) / str(number))
            shutil.copytree(root, Path(folder) / str(number), ignore=LEFT_OUT)
        first = Path(folder) / "0"
        for fault in faults:
            with _edited(first, fault):
                pass
        keys = {fault.name: _key(first, fault) for fault in faults}
        to_do = [fault for fault in faults if keys[fault.name] not in journal.records]
        selections = {_selection(fault): fault for fault in to_do}
        unseen = {_baseline_key(first, fault): fault for fault in selections.values()}

        stop = threading.Event()

        def run_without(key: str) -> str:
            with _taken(copies) as tree:
                words = _failure_without(tree, unseen[key], stop)
            if not words:
                journal.append(key, {})
            return words

        def run_with(fault: Fault) -> None:
            with _taken(copies) as tree, _edited(tree, fault):
                verdict = _judge(tree, fault, stop)
            journal.append(keys[fault.name], asdict(verdict))

        missing = [key for key in unseen if key not in journal.records]
        failing = _in_threads(run_without, missing, "tests without faults", progress, jobs, stop)
        if any(failing):
            raise FaultError("; ".join(filter(None, failing)))
        _in_threads(run_with, to_do, "faults", progress, jobs, stop)
    return [Verdict(**journal.records[keys[fault.name]]) for fault in faults]


def _in_threads(
    work: Callable[[T], R],
    items: Sequence[T],
    step: str,
    progress: Callable[[str, int, int], None],
    jobs: int,
    stop: threading.Event,
) -> list[R]:
    """Do all items, ``jobs`` at a time; where any fails, or at an interrupt, the others are stopped.

    Results are in the items' order.
    """
    progress(step, 0, len(items))
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress(step, done, len(items))
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


@contextlib.contextmanager
def _taken(copies: "queue.SimpleQueue[Path]") -> Iterator[Path]:
    """Take a copy of the sources for the time of the block."""
    tree = copies.get()
    try:
        yield tree
    finally:
        copies.put(tree)


def table(faults: Sequence[Fault], verdicts: Sequence[Verdict]) -> str:
    """Markdown table of faults, what each breaks and its verdict."""
    lines = ["| area | fault | what it breaks | verdict | noticed by |", "|---|---|---|---|---|"]
    for fault, verdict in zip(faults, verdicts, strict=True):
        reason = fault.equivalent if verdict.verdict == "equivalent" else verdict.killer
        file = f"`{fault.file}`"
        breaks = fault.breaks.replace("|", "\\|")
        lines.append(
            f"| {fault.area} | {fault.name}, {file} | {breaks} | {verdict.verdict} | {reason} |"
        )
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _edited(tree: Path, fault: Fault) -> Iterator[None]:
    """Apply a fault to the copy for the time of the block."""
    path = tree / fault.file
    before = path.read_bytes() if path.is_file() else b""
    fault.apply(tree)
    try:
        yield
    finally:
        path.write_bytes(before)


def _selection(fault: Fault) -> tuple[tuple[str, ...], str, bool]:
    return fault.tests, fault.select, fault.interpreted


def _key(tree: Path, fault: Fault) -> str:
    """Digest of what a verdict depends on first: the fault, its file and its tests."""
    digest = hashlib.sha256(json.dumps(asdict(fault), sort_keys=True).encode())
    for name in sorted({fault.file, *(test.partition("::")[0] for test in fault.tests)}):
        digest.update((tree / name).read_bytes())
    return f"{fault.name} {digest.hexdigest()[:16]}"


def _baseline_key(tree: Path, fault: Fault) -> str:
    """Digest of what a run without faults depends on: all sources, and the tests that run."""
    digest = hashlib.sha256(json.dumps(_selection(fault)).encode())
    tests = {tree / test.partition("::")[0] for test in fault.tests}
    for path in sorted(tree.rglob("*")):
        source = path.suffix in SOURCES and path.is_file()
        shared = path.name == "conftest.py" or tree / "tests" / "support" in path.parents
        if source and (path in tests or shared or tree / "tests" not in path.parents):
            digest.update(f"{path.relative_to(tree)}\0".encode() + path.read_bytes())
    return f"without faults {digest.hexdigest()[:16]}"


def _failure_without(tree: Path, fault: Fault, stop: threading.Event) -> str:
    """Say why a fault's tests do not pass where it is not; empty if they do."""
    code, output, _ = _run_tests(tree, fault, stop)
    if code == PASSED:
        return ""
    ending = "a timeout" if code is None else f"exit code {code}"
    words = f"tests of fault {fault.name} must pass without it, not end with {ending}"
    return f"{words}: {_last_words(output)}"


def _judge(tree: Path, fault: Fault, stop: threading.Event) -> Verdict:
    code, output, seconds = _run_tests(tree, fault, stop)
    if code not in (None, PASSED, FAILED):
        raise FaultError(
            f"tests of fault {fault.name} must run, not end with exit code {code}: "
            f"{_last_words(output)}"
        )
    kind: VerdictKind = "caught"
    if code is None:
        kind = "timeout"
    elif code == PASSED:
        kind = "equivalent" if fault.equivalent else "survived"
    if fault.equivalent and kind != "equivalent":
        raise FaultError(
            f"fault {fault.name} must go unnoticed, as it is said to be equivalent, "
            f"not fail {_killer(output)}"
        )
    return Verdict(name=fault.name, verdict=kind, killer=_killer(output), seconds=round(seconds, 1))


def _run_tests(tree: Path, fault: Fault, stop: threading.Event) -> tuple[int | None, str, float]:
    """Run a fault's tests in the copy; return exit code (None after a timeout), output, seconds.

    Builds and kernels are written beside those of the cache that is used otherwise, which are
    taken from there: both are named by content.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=line", "--no-header"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", *fault.tests]
    if fault.select:
        command += ["-k", fault.select]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cosilico-cache-") as cache:
        environment: dict[str, Any] = os.environ | {
            "PYTHONPATH": str(tree),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COSILICO_CACHE": _linked_cache(Path(cache)),
            **({"NUMBA_DISABLE_JIT": "1"} if fault.interpreted else {}),
        }
        with (
            tempfile.TemporaryFile("w+") as file,
            subprocess.Popen(
                command, cwd=tree, env=environment, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):  # fmt: skip
            code: int | None = None
            try:
                while code is None and time.monotonic() - started < fault.timeout_s:
                    if stop.is_set():
                        raise KeyboardInterrupt
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        code = process.wait(timeout=POLL_S)
            finally:
                # Simulations and compilers that the tests have started, too.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            file.seek(0)
            output = file.read()
    return code, output, time.monotonic() - started


def _linked_cache(folder: Path) -> str:
    """Fill a folder with hard links to the cache's files; return it, or the cache without links."""
    source = cache_root()
    target = folder / "cache"
    if not source.is_dir():
        target.mkdir()
        return str(target)
    try:
        shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
    except (OSError, shutil.Error):
        return str(source)
    return str(target)


def _killer(output: str) -> str:
    failure = re.search(r"^(?:FAILED|ERROR) (?:\S*/)?([\w.]+(?:::\w+)?)", output, re.MULTILINE)
    return failure.group(1) if failure else ""


def _last_words(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"
