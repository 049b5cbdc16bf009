"""Where results go: folders and files in which nothing that is not this command's is touched."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from sim.spec.documents import read_json
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.files import file_to_replace, naming, remove_stale, write_atomic

__all__ = [
    "HIDDEN",
    "Contents",
    "check_apart",
    "check_file",
    "locked",
    "marked_files",
    "open_folder",
    "passing_folder",
    "stage_folder",
]

HIDDEN = ".cosilico"
"""Folder in a results folder: marker, lock and what is not finished yet."""

SCHEMA = 2
_MARKER = "contents.json"
_LOCK = "lock"
_STAGING = "staging"
_FORMER = "former"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Files that a command keeps in a folder.

    Parameters
    ----------
    command : str
        "run", "search_accelerator", "import" or "generate".
    identity : mapping of str to str
        By name, digests of what its results depend on; a run of another identity cannot be resumed.
    files : tuple of str
        All files that it ever writes there; last the file that makes the others complete. None where only
        the command's work tells them, which a staged folder alone allows.
    resumable : bool
        Whether the command can go on with what it left; the marker does not say it.
    """

    command: str
    identity: Mapping[str, str]
    files: tuple[str, ...]
    resumable: bool = False


@contextlib.contextmanager
def open_folder(
    out: Path,
    contents: Contents,
    *,
    inputs: Iterable[Path] = (),
    resume: bool = False,
    force: bool = False,
) -> Iterator[Path]:
    """Lock a folder for a command that writes into it as it goes; made with its parents if absent.

    Parameters
    ----------
    out : Path
        Absent, empty, or marked as this command's.
    contents : Contents
    inputs : iterable of Path
        Files and folders that the command reads; none may be in ``out``.
    resume : bool
        Go on with what the marker says is of the same contents.
    force : bool
        Remove the files that the marker names; no other is touched.

    Raises
    ------
    CosilicoError
        If ``out`` is none of these or another process has it.
    """
    if resume and force:
        raise CosilicoError("--resume and --force must not be given both")
    with _claimed(out, contents, inputs, resume=resume, force=force):
        if not resume:
            _remove(out, marked_files(out))
        _mark(out, contents)
        yield out


@contextlib.contextmanager
def passing_folder(
    out: Path, contents: Contents, *, resume: bool = False, force: bool = False
) -> Iterator[Path]:
    """Folder of unfinished work, as of :func:`open_folder`: it goes when the block ends without an error.

    Files that are not the command's stay, and the folder with them.
    """
    with open_folder(out, contents, resume=resume, force=force) as folder:
        yield folder
        _remove(out, marked_files(out))
        (out / HIDDEN / _MARKER).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        out.rmdir()


@contextlib.contextmanager
def stage_folder(
    out: Path, contents: Contents, *, inputs: Iterable[Path] = (), force: bool = False
) -> Iterator[Path]:
    """Folder to write into, whose files take their places in ``out`` at the end: all or none.

    Parameters and errors as of :func:`open_folder`.
    """
    with _claimed(out, contents, inputs, resume=False, force=force):
        staging = out / HIDDEN / _STAGING
        staging.mkdir()
        try:
            yield staging
            if not contents.files:
                made = (path for path in staging.rglob("*") if path.is_file())
                names = sorted(path.relative_to(staging).as_posix() for path in made)
                contents = replace(contents, files=tuple(names))
                _check(out, contents, resume=False, force=force)
            _exchange(out, contents)
        finally:
            for folder in (_STAGING, _FORMER):
                shutil.rmtree(out / HIDDEN / folder, ignore_errors=True)


def _exchange(out: Path, contents: Contents) -> None:
    """Put what is staged in the place of what the mark says; if that fails, all is as it was."""
    staging, former = (out / HIDDEN / folder for folder in (_STAGING, _FORMER))
    marker = out / HIDDEN / _MARKER
    mark = marker.read_bytes() if marker.exists() else None
    before = [name for name in marked_files(out) if os.path.lexists(out / name)]
    after = [name for name in contents.files if (staging / name).exists()]
    kept: list[str] = []
    placed: list[str] = []
    try:
        for name in before:
            kept.append(name)
            _move(out / name, former / name)
        _mark(out, contents)
        for name in after:
            placed.append(name)
            _move(staging / name, out / name)
    except BaseException:
        _remove(out, placed)
        for name in kept:
            if os.path.lexists(former / name):
                _move(former / name, out / name)
        if mark is not None:
            write_atomic(marker, mark)
        raise


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the lock of a folder that exists; it and what the lock needed go if it is left empty.

    Raises
    ------
    CosilicoError
        If another process holds it.
    """
    hidden = out / HIDDEN
    with naming(out):
        hidden.mkdir(exist_ok=True)
    lock = FileLock(hidden / _LOCK)
    with naming(out):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise CosilicoError(
                f"out must be a folder that no other process uses, not {str(out)!r}"
            ) from None
    try:
        yield
    finally:
        if not (hidden / _MARKER).exists():
            shutil.rmtree(hidden, ignore_errors=True)
        lock.release()


@contextlib.contextmanager
def _claimed(
    out: Path, contents: Contents, inputs: Iterable[Path], *, resume: bool, force: bool
) -> Iterator[None]:
    """Check and lock; folders that this made and that are left empty go again."""
    _refuse_inputs(out, inputs)
    if out.exists():  # before anything is written there, the lock's file included
        _check(out, contents, resume=resume, force=force)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        with naming(out):
            out.mkdir(parents=True, exist_ok=True)
        with locked(out):
            try:
                _check(out, contents, resume=resume, force=force)
                for left in (_STAGING, _FORMER):
                    shutil.rmtree(out / HIDDEN / left, ignore_errors=True)
                for folder in {
                    (out / name).parent for name in (*contents.files, *marked_files(out))
                }:
                    remove_stale(folder)
                yield
            finally:
                if not _entries(out):
                    (out / HIDDEN / _MARKER).unlink(missing_ok=True)
    finally:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()


def _refuse_inputs(out: Path, inputs: Iterable[Path]) -> None:
    folder = out.resolve()
    for path in inputs:
        if path.resolve().is_relative_to(folder):
            raise CosilicoError(
                f"out must be a folder without the input {str(path)!r}, not {str(out)!r}"
            )


def _check(out: Path, contents: Contents, *, resume: bool, force: bool) -> None:
    with naming(out):
        entries = _entries(out)
    marker = _marker(out)
    marked = marked_files(out)
    for name in contents.files:
        path = out / name
        if path.is_symlink() or (path.exists() and name not in marked and (force or marker)):
            raise CosilicoError(
                f"out must have no {name!r} that another than cosilico made, not {str(out)!r}"
            )
    if not entries or (force and not resume):
        return
    if marker is None:
        raise CosilicoError(
            f"out must be a folder that is absent or empty, not {str(out)!r}, "
            f"which holds {min(entries)!r}"
        )
    same = (marker.command, marker.identity) == (contents.command, contents.identity)
    if not resume:
        ways = "--resume or --force" if same and contents.resumable else "--force"
        raise CosilicoError(
            f"out must be a folder that is absent or empty, or {ways} must be given, "
            f"not {str(out)!r}, which holds what cosilico {marker.command} made"
        )
    if marker.command != contents.command:
        raise CosilicoError(
            f"out must be a folder of cosilico {contents.command} to resume, not {str(out)!r}, "
            f"which holds what cosilico {marker.command} made"
        )
    if not same:
        raise CosilicoError(
            f"out must be a folder of the same {_differing(contents.identity, marker.identity)} "
            f"to resume, not {str(out)!r}"
        )


def _differing(wanted: Mapping[str, str], marked: Mapping[str, str]) -> str:
    """Name what differs, as in "experiment, space and seed"."""
    names = [name for name in {**wanted, **marked} if wanted.get(name) != marked.get(name)]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _entries(out: Path) -> list[str]:
    return [path.name for path in out.iterdir() if path.name != HIDDEN]


def _mark(out: Path, contents: Contents) -> None:
    document = {
        "schema": SCHEMA,
        "command": contents.command,
        "identity": dict(contents.identity),
        "files": contents.files,
    }
    write_atomic(out / HIDDEN / _MARKER, json.dumps(document, indent=1) + "\n")


def _marker(out: Path) -> Contents | None:
    """Contents that the marker says; None where there is none that can be trusted."""
    try:
        document = read_json(out / HIDDEN / _MARKER, "marker")
        command, identity, files = (document[name] for name in ("command", "identity", "files"))
    except (DesignFileError, TypeError, KeyError):
        return None
    if not isinstance(files, list) or not isinstance(identity, dict):
        return None
    texts = (command, *identity.values(), *files)
    if document.get("schema") != SCHEMA or not all(isinstance(text, str) for text in texts):
        return None
    inside = all(_inside(out, name) for name in files)
    return Contents(command=command, identity=identity, files=tuple(files)) if inside else None


def _inside(out: Path, name: str) -> bool:
    """Whether a file's name, which anybody may have written, stays in its folder."""
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or ".." in parts or PurePosixPath(name).is_absolute():
        return False
    return (out / name).parent.resolve().is_relative_to(out.resolve())


def marked_files(out: Path) -> tuple[str, ...]:
    """Names of the files in a folder that its marker says were made by a command."""
    marker = _marker(out)
    return () if marker is None else marker.files


def _remove(out: Path, names: Iterable[str]) -> None:
    """Remove files, the last first, and the folders in ``out`` that are empty then."""
    for name in reversed(tuple(names)):
        path = out / name
        if path.is_file() or path.is_symlink():
            path.unlink()
        for folder in path.parents:
            if folder == out:
                break
            with contextlib.suppress(OSError):
                folder.rmdir()


def check_file(path: Path, option: str, inputs: Iterable[Path] = ()) -> None:
    """Refuse a file to write, before there is anything to write.

    A file that a user names is replaced if it exists, and its folder is made if it does not.

    Raises
    ------
    CosilicoError
        If it is one of ``inputs``.
    OSError
        If it is a folder, or cannot be made where it is to be.
    """
    real = file_to_replace(path)
    if real is None:
        return
    resolved = real.resolve()
    for source in inputs:
        if source.resolve() == resolved:
            raise CosilicoError(f"{option} must be another file than the input {str(path)!r}")
    folder = next(parent for parent in resolved.parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def check_apart(json_file: Path, other: Path | None, option: str) -> None:
    """Refuse one file for ``--json`` and another output, which would keep one of both alone.

    Raises
    ------
    CosilicoError
        If they are one file.
    """
    real = file_to_replace(json_file)
    if other is None or real is None or real.resolve() != other.resolve():
        return
    raise CosilicoError(f"--json must be another file than {option} {str(other)!r}")
