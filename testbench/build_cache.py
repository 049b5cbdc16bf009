"""Directories that are built once and kept by the hash of what they are made from."""

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["cached_directory", "content_key"]


def content_key(*parts: str) -> str:
    """Hash of an ordered list of texts, 24 hexadecimal digits; ("ab", "c") is not ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:24]


def cached_directory(root: Path, key: str, make: Callable[[Path], None]) -> Path:
    """Return the directory ``root/key``, filled by ``make`` if it is not there yet.

    Safe when several threads or processes ask for one key, and when any is killed: ``make`` fills a
    private directory beside it, which then takes the name in one step. While one makes it the others
    wait, unless the file system has no locks: then the first to finish wins.

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
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root / f".{key}.lock"):
        if target.is_dir():
            return target
        private = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=root))
        try:
            make(private)
            try:
                private.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(private, ignore_errors=True)
    return target


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is free again when its holder ends, however it does."""
    with path.open("w") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # One who opens a new file of the name meanwhile does not wait: at worst both build.
            path.unlink(missing_ok=True)
