"""Checkpoints: a damaged or foreign file is refused in one line, and runs no code."""

import hashlib
import io
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from search.checkpoint import CheckpointStore
from sim.spec.errors import CosilicoError


def plant(folder: Path, payload: bytes, log: str = "") -> CheckpointStore:
    """Write a checkpoint by hand whose digest is right, as a stranger could."""
    store = CheckpointStore(folder, "a run")
    (folder / "checkpoint.pt").write_bytes(hashlib.sha256(payload).digest() + payload)
    (folder / "evaluations.jsonl").write_text(log)
    return store


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def refused(store: CheckpointStore, message: str) -> None:
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        store.load()


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Object whose function an unpickler calls."""
        return Path.touch, (self.path,)


def test_state_and_log_come_back(tmp_path: Path) -> None:
    state = {"weights": torch.arange(5), "round": 3, "names": ["a", "b"]}
    CheckpointStore(tmp_path, "a run").save(state, [])
    loaded = CheckpointStore(tmp_path, "a run").load()
    assert loaded is not None
    assert torch.equal(loaded[0]["weights"], state["weights"])  # type: ignore[arg-type]  # values are objects
    assert loaded[0]["names"] == ["a", "b"]
    assert loaded[1] == []


def test_runs_no_code_of_a_checkpoint(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    payload = saved({"identity": "a run", "log_bytes": 0, "state": {"x": Touch(proof)}})
    checkpoint = tmp_path / "checkpoint.pt"
    refused(plant(tmp_path, payload), f"{checkpoint} must be a checkpoint, but is damaged")
    legacy = pickle.dumps(Touch(proof))
    refused(plant(tmp_path, legacy), f"{checkpoint} is truncated or not a checkpoint")
    assert not proof.exists()


@pytest.mark.parametrize(
    "content",
    [
        7,
        {},
        {"identity": "a run"},
        {"identity": "a run", "log_bytes": "0", "state": {}},
        {"identity": "a run", "log_bytes": 0, "state": []},
    ],
)
def test_refuses_other_contents(tmp_path: Path, content: object) -> None:
    message = f"{tmp_path / 'checkpoint.pt'} must be a checkpoint, but is damaged"
    refused(plant(tmp_path, saved(content)), message)


@pytest.mark.parametrize("line", ["{", "[]", "{}", "[" * 100_000, "1" * 5000])
def test_refuses_a_log_of_other_lines(tmp_path: Path, line: str) -> None:
    text = line + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    content = {"identity": "a run", "log_bytes": len(text), "log_sha256": digest, "state": {}}
    payload = saved(content)
    message = f"{tmp_path / 'evaluations.jsonl'} must hold evaluations, but is damaged"
    refused(plant(tmp_path, payload, text), message)


@pytest.mark.parametrize("error", [KeyError("agent"), TypeError("kind"), RuntimeError("size")])
def test_a_state_of_another_search_is_one_line(tmp_path: Path, error: Exception) -> None:
    line = f"{tmp_path / 'checkpoint.pt'} must hold the state of this search"
    with (
        pytest.raises(CosilicoError, match=f"^{re.escape(line)}$"),
        CheckpointStore(tmp_path, "run").restoring(),
    ):
        raise error
