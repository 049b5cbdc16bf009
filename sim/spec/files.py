"""Files that appear whole or not at all, and temporary files that leave nothing behind."""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import platformdirs

__all__ = [
    "cache_root",
    "discarded_if_ended",
    "file_to_replace",
    "naming",
    "remove_stale",
    "remove_temporaries",
    "temporary_beside",
    "temporary_folder",
    "write_atomic",
    "write_stream",
]

SUFFIX = ".part"
"""End of the names of temporary files."""

FOLDER_PREFIX = "cosilico-"
LOCK_FILE = ".cosilico-lock"
LINKS = 40
"""Symbolic links of one path that are followed, as by Linux."""

_temporaries: set[Path] = set()
_changing = threading.Lock()


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write to a temporary file beside ``path`` and rename it there.

    A kill at any instant leaves the old content (or no file), never half of the new. A symbolic
    link stays a link: the file that it leads to is replaced. Devices, pipes and this process's
    descriptors (``/dev/null``, ``/dev/stdout``) are written to and stay what they are. An OSError
    names ``path``.
    """
    with write_stream(path) as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def write_stream(path: Path) -> Iterator[BinaryIO]:
    """Stream whose whole content is ``path`` at the end, as by :func:`write_atomic`.

    If the block raises, the file stays what it was; what has gone to a device has gone.
    """
    with naming(path):
        real = file_to_replace(path)
        if real is None:
            sys.stdout.flush()
            with _open_device(path) as stream:
                yield stream
            return
        with temporary_beside(real) as temporary:
            with temporary.open("wb") as stream:
                yield stream
            temporary.replace(real)


def _open_device(path: Path) -> BinaryIO:
    """Stream to what is no file to replace; standard output and error go on where they stand.

    Opened anew, a file to which they are directed would have a place of its own, and what is
    printed next would overwrite the content.
    """
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return os.fdopen(os.dup(descriptor), "wb")
    return path.open("ab")


def file_to_replace(path: Path) -> Path | None:
    """File that a rename may replace in the place of ``path``, links followed; None if none may.

    Raises
    ------
    IsADirectoryError
        If ``path`` leads to a folder.
    """
    place = path
    for _ in range(LINKS):
        if not place.is_symlink():
            break
        folder = os.path.realpath(place.parent)
        if folder.startswith("/proc/"):  # a descriptor's link names what has perhaps no name
            return None
        place = Path(folder, place.readlink())
    else:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return None if place.exists() and not place.is_file() else place


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Empty file in the folder of ``path``, made if absent; removed at the end if it is still there.

    It has the permissions of ``path`` if that exists. Those that killed processes have left for the
    same ``path`` are removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent, f".{path.name}.")
    descriptor, temporary = _locked_file(path)
    with discarded_if_ended(temporary):
        try:
            with contextlib.suppress(FileNotFoundError):
                temporary.chmod(path.stat().st_mode & 0o777)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)


def _locked_file(path: Path) -> tuple[int, Path]:
    """New file ``.NAME.RANDOM.part``, locked as long as the descriptor is open."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{SUFFIX}")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        with contextlib.suppress(OSError):  # no locks here: nobody will take it for stale either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else another process removed it before it was locked
            return descriptor, temporary
        os.close(descriptor)


def remove_stale(folder: Path, prefix: str = ".") -> None:
    """Remove temporary files of that prefix that no living process holds."""
    for path in folder.glob(f"{prefix}*{SUFFIX}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Empty folder in the system's place for such; removed at the end.

    Those that killed processes have left are removed.
    """
    base = Path(tempfile.gettempdir())
    for folder in base.glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / LOCK_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=base))
    with discarded_if_ended(folder):
        try:
            # The lock's file gets its name when it is locked: no other process finds it open.
            unnamed = folder / f"{LOCK_FILE}{SUFFIX}"
            with unnamed.open("wb") as lock:
                with contextlib.suppress(OSError):
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    unnamed.rename(folder / LOCK_FILE)
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def discarded_if_ended(path: Path) -> Iterator[None]:
    """Have a file or folder removed if this process ends within the block."""
    with _changing:
        _temporaries.add(path)
    try:
        yield
    finally:
        with _changing:
            _temporaries.discard(path)


def remove_temporaries() -> None:
    """Remove the temporary files and folders of this process, which is about to end."""
    with _changing:
        for path in _temporaries:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: Path, *, always: bool = True) -> Iterator[None]:
    """Make an OSError of the block name ``path``, if it names nothing or ``always``.

    The error of a full disk names nothing, others a temporary file.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or (error.filename is not None and not always):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def cache_root() -> Path:
    """Where builds are kept: ``COSILICO_CACHE``, or the user's cache directory for ``cosilico``."""
    chosen = os.environ.get("COSILICO_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("cosilico")
