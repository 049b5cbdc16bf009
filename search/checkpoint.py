"""Checkpoints that survive a kill at any instant, and the evaluation log beside them."""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from search.evaluator import Evaluation
from sim.spec.archives import open_archive, read_bytes
from sim.spec.errors import CosilicoError
from sim.spec.files import naming, write_atomic

__all__ = ["LOG_FILE", "CheckpointStore"]

LOG_FILE = "evaluations.jsonl"
"""The evaluation log beside a checkpoint: an evaluation per line, in order."""

_DIGEST_BYTES = hashlib.sha256().digest_size
"""SHA-256 of the rest, with which a checkpoint begins."""

_LIMIT_BYTES = 1 << 28
"""Most bytes of a checkpoint."""


class CheckpointStore:
    """``checkpoint.pt`` and ``evaluations.jsonl`` in one folder, always consistent.

    The log is appended first and the checkpoint states its length, so what a killed run
    wrote after its last checkpoint is cut off on resume.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    identity : str
        Digest of all that the run depends on; a checkpoint of another is refused.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint = folder / "checkpoint.pt"
        self._log = folder / LOG_FILE
        self._identity = identity
        self._written = 0
        self._logged = hashlib.sha256()
        for leftover in folder.glob(".checkpoint.pt.*"):
            leftover.unlink()

    @property
    def log_sha256(self) -> str:
        """Digest of the evaluation log, in hexadecimal."""
        return self._logged.hexdigest()

    def clear(self) -> None:
        """Forget earlier runs."""
        self._checkpoint.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)
        self._written = 0
        self._logged = hashlib.sha256()

    def save(self, state: dict[str, Any], records: Sequence[Evaluation]) -> None:
        """Store the state and all evaluations so far."""
        rows = [json.dumps(record.to_json()) + "\n" for record in records[self._written :]]
        added = "".join(rows).encode()
        self._logged.update(added)
        with naming(self._log), self._log.open("ab") as file:
            file.write(added)
            file.flush()
            os.fsync(file.fileno())
            length_bytes = file.tell()
        buffer = io.BytesIO()
        content = {
            "identity": self._identity,
            "log_bytes": length_bytes,
            "log_sha256": self._logged.hexdigest(),
            "state": state,
        }
        torch.save(content, buffer)
        payload = buffer.getvalue()
        write_atomic(self._checkpoint, hashlib.sha256(payload).digest() + payload)
        self._written = len(records)

    def load(self) -> tuple[dict[str, Any], list[Evaluation]] | None:
        """Return the last state and its evaluations; None where there is none.

        A damaged checkpoint, or that of a damaged log, is none: both are cleared, and the search
        starts over.

        Raises
        ------
        CosilicoError
            If the checkpoint is of another run.
        """
        if not self._checkpoint.exists():
            self.clear()
            return None
        content = read_bytes(self._checkpoint, "checkpoint", _LIMIT_BYTES)
        digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() != digest:
            self.clear()
            return None
        saved = self._saved(payload)
        if saved["identity"] != self._identity:
            raise CosilicoError(
                f"{self._checkpoint} must be of the same experiment, seed and cost columns to resume"
            )
        log = self._log.read_bytes()[: saved["log_bytes"]] if self._log.exists() else b""
        logged = hashlib.sha256(log)
        if logged.hexdigest() != saved["log_sha256"]:
            self.clear()
            return None
        os.truncate(self._log, len(log))
        self._logged = logged
        try:
            records = [Evaluation.from_json(json.loads(line)) for line in log.splitlines()]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CosilicoError(f"{self._log} must hold evaluations, but is damaged") from None
        self._written = len(records)
        return saved["state"], records

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Say of a state that does not fit, which only a foreign checkpoint has, that it does not.

        Raises
        ------
        CosilicoError
        """
        try:
            yield
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise CosilicoError(f"{self._checkpoint} must hold the state of this search") from error

    def _saved(self, payload: bytes) -> dict[str, Any]:
        """Content of a checkpoint: tensors, numbers and text; code is refused."""
        what = str(self._checkpoint)
        with open_archive(io.BytesIO(payload), what, _LIMIT_BYTES, "a checkpoint"):
            pass
        try:
            saved = torch.load(io.BytesIO(payload), weights_only=True)
        except Exception:  # whatever torch's reader raises on what it refuses
            saved = None
        fields = {"identity": str, "log_bytes": int, "log_sha256": str, "state": dict}
        if not isinstance(saved, dict) or any(
            not isinstance(saved.get(name), kind) for name, kind in fields.items()
        ):
            raise CosilicoError(f"{what} must be a checkpoint, but is damaged")
        return saved
