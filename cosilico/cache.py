"""Results of finished stages as files, so that a killed run goes on where it stopped."""

import hashlib
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from sim.spec.files import write_atomic

__all__ = ["StageCache", "digest", "source_digest"]


def digest(*parts: bytes | str) -> str:
    """SHA-256 of the parts' SHA-256s, in hexadecimal."""
    inner = (hashlib.sha256(x.encode() if isinstance(x, str) else x).digest() for x in parts)
    return hashlib.sha256(b"".join(inner)).hexdigest()


class StageCache:
    """One JSON file per finished stage: the digest of what it depended on, and its result.

    Parameters
    ----------
    directory : Path
        Holds ``<stage>.json``. A file is written whole, after the stage's own outputs.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def clear(self) -> None:
        """Forget all stages."""
        for path in self._directory.glob("*.json"):
            path.unlink()

    def result(
        self,
        stage: str,
        key: str,
        compute: Callable[[], dict[str, Any]],
        outputs: tuple[Path, ...] = (),
    ) -> dict[str, Any]:
        """Return the stored result if ``key`` is the same and all ``outputs`` exist, else compute.

        ``compute`` must leave its outputs complete; its result must be a JSON object.
        """
        path = self._directory / f"{stage}.json"
        stored = _read(path)
        if stored.get("key") == key and all(output.exists() for output in outputs):
            result: dict[str, Any] = stored["result"]
            return result
        fresh = compute()
        write_atomic(path, json.dumps({"key": key, "result": fresh}, indent=1) + "\n")
        return fresh


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) and "result" in stored else {}


def source_digest(*packages: str) -> str:
    """Digest of all sources and templates of packages: what their results may depend on."""
    parts: list[bytes | str] = []
    for package in packages:
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".nbi", ".nbc"):
                parts += [f"{package}/{path.relative_to(root).as_posix()}", path.read_bytes()]
    return digest(*parts)
