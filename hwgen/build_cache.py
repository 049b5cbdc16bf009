"""Directories that are built once and kept by the hash of what they are made from."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sim.spec.files import discarded_if_ended, naming

__all__ = [
    "DIGESTS_FILE",
    "cached_directory",
    "content_key",
    "kept_directory",
    "remove_unfinished",
]

DIGESTS_FILE = ".digests.json"
"""SHA-256 of every other file of a directory, by its path in it."""

_intact: dict[Path, list[tuple[str, int, int]]] = {}
"""Directories whose digests this process has compared, and the sizes and times of the files then."""


def content_key(*parts: str) -> str:
    """Hash of an ordered list of texts, 24 hexadecimal digits; ("ab", "c") is not ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:24]


def cached_directory(root: Path, key: str, make: Callable[[Path], None]) -> Path:
    """Return the directory ``root/key``, filled by ``make`` if it is not there yet or is damaged.

    Safe when several threads or processes ask for one key, and when any is killed: ``make`` fills a
    private directory beside it, which then takes the name in one step. While one makes it the others
    wait, unless the file system has no locks: then the first to finish wins. What killed processes
    left unfinished in ``root`` is removed.

    Parameters
    ----------
    root : Path
        Made if absent.
    key : str
        Names the content; see :func:`content_key`.
    make : callable
        Fills the empty directory that it is given. If it raises, nothing is kept.
    """
    target = root / key
    if _usable(target):
        return target
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root, key) as locked:
        if _usable(target):
            return target
        remove_unfinished(root, own=key if locked else None)
        private = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=root))
        with discarded_if_ended(private):
            try:
                with naming(private, always=False):
                    make(private)
                    _write_digests(private)
                _take_place(private, target)
            finally:
                shutil.rmtree(private, ignore_errors=True)
    return target


def kept_directory(root: Path, key: str) -> Path | None:
    """Return the directory ``root/key`` if it is there and whole; see :func:`cached_directory`."""
    target = root / key
    return target if _usable(target) else None


def _take_place(private: Path, target: Path) -> None:
    if target.is_dir() and not _usable(target):
        damaged = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
        target.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        private.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _usable(directory: Path) -> bool:
    """Whether a directory is there and all its files are what was made; then it counts as used."""
    try:
        expected = json.loads((directory / DIGESTS_FILE).read_bytes())
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        state = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        if _intact.get(directory) != state:
            if expected != _digests(directory):
                return False
            _intact[directory] = state
        os.utime(directory)
    except (OSError, ValueError, RecursionError):
        return False
    return True


def _write_digests(directory: Path) -> None:
    (directory / DIGESTS_FILE).write_text(json.dumps(_digests(directory), indent=1) + "\n")


def _digests(directory: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != DIGESTS_FILE:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[path.relative_to(directory).as_posix()] = digest
    return digests


def remove_unfinished(root: Path, own: str | None = None) -> None:
    """Remove private directories whose makers have been killed; ``own`` is a key locked here."""
    for private in root.glob("*.*"):
        if private.name.startswith(".") or not private.is_dir():
            continue
        key = private.name.partition(".")[0]
        if key == own:
            shutil.rmtree(private, ignore_errors=True)
            continue
        with contextlib.suppress(BlockingIOError), _alone(root, key, wait=False) as locked:
            if locked:
                shutil.rmtree(private, ignore_errors=True)


@contextlib.contextmanager
def _alone(root: Path, key: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a key, which is free again when its holder ends, however it does.

    Yields whether there are locks here. Without ``wait`` a BlockingIOError is raised where another
    holds it.
    """
    path = root / f".{key}.lock"
    while True:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except BlockingIOError:
            file.close()
            raise
        except OSError:
            locked = False
        # The holder before removes the file; who waited for it takes the next of that name.
        if not locked or (path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino):
            break
        file.close()
    try:
        yield locked
    finally:
        path.unlink(missing_ok=True)
        file.close()
