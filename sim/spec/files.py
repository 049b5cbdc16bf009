"""Files that appear whole or not at all."""

import os
import tempfile
from pathlib import Path

__all__ = ["cache_root", "write_atomic"]


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write to a temporary file beside ``path`` and rename it there.

    A kill at any instant leaves the old content (or no file), never half of the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = data.encode() if isinstance(data, str) else data
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def cache_root() -> Path:
    """Where builds are kept: ``COSILICO_CACHE``, or ``cosilico`` in the user's cache directory."""
    chosen = os.environ.get("COSILICO_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cosilico"
