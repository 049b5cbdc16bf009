"""Zip archives from strangers: everything that they declare is checked before a byte is unpacked."""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from sim.spec.errors import DesignFileError

__all__ = [
    "ARCHIVE_LIMIT_BYTES",
    "file_sha256",
    "open_archive",
    "open_file",
    "read_bytes",
    "read_member",
]

ARCHIVE_LIMIT_BYTES = 1 << 28
"""Most bytes that a file from outside may have, and that an archive's members may unpack to."""

MEMBER_LIMIT = 20_000
"""Most members of an archive: a network has four arrays per layer."""

NAME_LIMIT = 512
"""Most characters of a member's name."""

_CHUNK_BYTES = 1 << 20
_DIRECTORY_LIMIT_BYTES = MEMBER_LIMIT * 256
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENCRYPTED = 0x41
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
)
"""Exceptions that Python's reader raises where an archive is damaged."""


@contextmanager
def open_file(
    path: Path, what: str, limit_bytes: int = ARCHIVE_LIMIT_BYTES
) -> Iterator[BufferedReader]:
    """Open a regular file of a bounded size; ``what`` names it in the error.

    Raises
    ------
    DesignFileError
        If it cannot be read, is too large, or is a device or a pipe, which may never end.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise DesignFileError(f"{what} {path} must be a regular file")
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size > limit_bytes:
                rule = f"must have at most {limit_bytes} bytes, not {size}"
                raise DesignFileError(f"{what} {path} {rule}")
            yield file
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise DesignFileError(f"{what} {path} cannot be read: {reason}") from None
    except ValueError as error:  # a path with a NUL
        if "null" not in str(error):
            raise
        raise DesignFileError(f"{what} {str(path)!r} cannot be read: it has a NUL") from None


def file_sha256(path: Path, what: str, limit_bytes: int = ARCHIVE_LIMIT_BYTES) -> str:
    """SHA-256 of a file's content, in hexadecimal; errors as of :func:`open_file`."""
    with open_file(path, what, limit_bytes) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bytes(path: Path, what: str, limit_bytes: int = ARCHIVE_LIMIT_BYTES) -> bytes:
    """Content of a regular file of a bounded size; ``what`` names it in the error."""
    with open_file(path, what, limit_bytes) as file:
        return file.read(limit_bytes)


def open_archive(
    file: BinaryIO,
    what: str,
    limit_bytes: int = ARCHIVE_LIMIT_BYTES,
    form: str = "a zip archive",
) -> zipfile.ZipFile:
    """Open an archive whose directory is sound.

    Its members are stored or deflated, not encrypted, have names that occur once and stay in a
    folder, and unpack to ``limit_bytes`` in all. ``what`` names the file in errors and ``form``
    says what it should be.

    Raises
    ------
    DesignFileError
        One line that names the file, the member and the rule.
    """
    try:
        if _directory_bytes(file) > _DIRECTORY_LIMIT_BYTES:
            raise DesignFileError(f"{what} must have at most {MEMBER_LIMIT} members")
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
    except _DAMAGES:
        raise DesignFileError(f"{what} is truncated or not {form}") from None
    _check_members(members, what, limit_bytes)
    return archive


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> bytearray:
    """Content of a member of an archive from :func:`open_archive`: exactly what it declared.

    Raises
    ------
    DesignFileError
        If its stream is damaged or ends early.
    """
    content = bytearray(info.file_size)
    position = 0
    try:
        with archive.open(info) as member:
            while chunk := member.read(_CHUNK_BYTES):
                content[position : position + len(chunk)] = chunk
                position += len(chunk)
    except _DAMAGES:
        position = -1
    if position != info.file_size:
        raise DesignFileError(f"member {info.filename!r} of {what} is truncated or damaged")
    return content


def _directory_bytes(file: BinaryIO) -> int:
    """Size of the directory, which stands at the end without a comment behind it."""
    size = file.seek(0, 2)
    end = size - _END.size
    if end < 0:
        raise EOFError
    file.seek(end)
    signature, *_, directory, _, comment = _END.unpack(file.read(_END.size))
    if signature != b"PK\5\6" or comment:
        raise EOFError
    locator = end - _LOCATOR.size
    if locator >= _END64.size:
        file.seek(locator)
        if file.read(4) == b"PK\6\7":
            file.seek(locator - _END64.size)
            signature, *_, directory, _ = _END64.unpack(file.read(_END64.size))
            if signature != b"PK\6\6":
                raise EOFError
    file.seek(0)
    return int(directory)


def _check_members(members: list[zipfile.ZipInfo], what: str, limit_bytes: int) -> None:
    if len(members) > MEMBER_LIMIT:
        raise DesignFileError(f"{what} must have at most {MEMBER_LIMIT} members")
    seen: set[str] = set()
    for info in members:
        name = info.filename
        if len(name) > NAME_LIMIT or not name.isprintable() or name != info.orig_filename:
            short = ascii(info.orig_filename[:40])
            rule = f"must be at most {NAME_LIMIT} printable characters, not {short}"
            raise DesignFileError(f"a member's name in {what} {rule}")
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise DesignFileError(f"member {name!r} of {what} must stay in the archive's folder")
        if name in seen:
            raise DesignFileError(f"member {name!r} of {what} must be there once")
        seen.add(name)
        if info.flag_bits & _ENCRYPTED:
            raise DesignFileError(f"member {name!r} of {what} must not be encrypted")
        if info.compress_type not in _METHODS:
            method = info.compress_type
            rule = f"must be stored or deflated, not of method {method}"
            raise DesignFileError(f"member {name!r} of {what} {rule}")
    total = sum(info.file_size for info in members)
    if total > limit_bytes:
        rule = f"must unpack to at most {limit_bytes} bytes, not {total}"
        raise DesignFileError(f"{what} {rule}")
