"""Results of finished stages as files, so that a killed run goes on where it stopped."""

import hashlib
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from sim.spec.documents import read_json
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic

__all__ = ["StageCache", "digest", "document_digest", "source_digest"]


def digest(*parts: bytes | str) -> str:
    """SHA-256 of the parts' SHA-256s, in hexadecimal."""
    inner = (hashlib.sha256(x.encode() if isinstance(x, str) else x).digest() for x in parts)
    return hashlib.sha256(b"".join(inner)).hexdigest()


def document_digest(document: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its fields, in hexadecimal."""
    return digest(json.dumps(document, sort_keys=True))


class StageCache:
    """One JSON file per finished stage: what it depended on, its result, digests of its outputs.

    Parameters
    ----------
    directory : Path
        Holds ``<stage>.json``. A file is written whole, after the stage's own outputs.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def result(
        self,
        stage: str,
        key: str,
        compute: Callable[[], dict[str, Any]],
        outputs: tuple[Path, ...] = (),
    ) -> dict[str, Any]:
        """Return the stored result if ``key`` and all ``outputs`` are what they were, else compute.

        ``compute`` must leave its outputs complete; its result must be a JSON object.
        """
        path = self._directory / f"{stage}.json"
        stored = _read(path)
        if stored.get("key") == key and stored["outputs"] == _digests(outputs):
            result: dict[str, Any] = stored["result"]
            return result
        fresh = compute()
        record = {"key": key, "result": fresh, "outputs": _digests(outputs)}
        sealed = record | {"digest": _seal(record)}
        write_atomic(path, json.dumps(sealed, indent=1) + "\n")
        return fresh


def _digests(outputs: tuple[Path, ...]) -> dict[str, str | None]:
    """SHA-256 of every output by its name, None where there is none."""
    return {
        f"{path.parent.name}/{path.name}": digest(path.read_bytes()) if path.is_file() else None
        for path in outputs
    }


def _seal(record: dict[str, Any]) -> str:
    return document_digest(record)


def _read(path: Path) -> dict[str, Any]:
    """Record of a stage; empty where there is none or it is not what was written."""
    try:
        stored = read_json(path, "stage record")
    except DesignFileError:
        return {}
    if not isinstance(stored, dict) or {"key", "result", "outputs", "digest"} != set(stored):
        return {}
    seal = stored.pop("digest")
    return stored if seal == _seal(stored) else {}


def source_digest(*packages: str) -> str:
    """Digest of all sources and templates of packages: what their results may depend on."""
    parts: list[bytes | str] = []
    for package in packages:
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".nbi", ".nbc"):
                parts += [f"{package}/{path.relative_to(root).as_posix()}", path.read_bytes()]
    return digest(*parts)
