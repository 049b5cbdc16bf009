"""Stage records: a finished stage is not repeated; a changed or half-done stage is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosilico.cache import StageCache, digest, source_digest


def counting(results: list[dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    def compute() -> dict[str, Any]:
        results.append({"run": len(results) + 1})
        return results[-1]

    return compute


def test_a_finished_stage_is_not_repeated(tmp_path: Path) -> None:
    runs: list[dict[str, Any]] = []
    for _ in range(3):
        assert StageCache(tmp_path).result("stage", "key", counting(runs)) == {"run": 1}
    assert len(runs) == 1


def test_another_key_repeats_the_stage(tmp_path: Path) -> None:
    runs: list[dict[str, Any]] = []
    cache = StageCache(tmp_path)
    cache.result("stage", "key", counting(runs))
    assert cache.result("stage", "other", counting(runs)) == {"run": 2}


def test_a_missing_output_repeats_the_stage(tmp_path: Path) -> None:
    runs: list[dict[str, Any]] = []
    output = tmp_path / "output"
    output.write_text("")
    cache = StageCache(tmp_path / "stages")
    cache.result("stage", "key", counting(runs), (output,))
    output.unlink()
    assert cache.result("stage", "key", counting(runs), (output,)) == {"run": 2}


def test_a_changed_output_repeats_the_stage(tmp_path: Path) -> None:
    runs: list[dict[str, Any]] = []
    output = tmp_path / "output"
    output.write_text("made")
    cache = StageCache(tmp_path / "stages")
    cache.result("stage", "key", counting(runs), (output,))
    assert cache.result("stage", "key", counting(runs), (output,)) == {"run": 1}
    output.write_text("mode")
    assert cache.result("stage", "key", counting(runs), (output,)) == {"run": 2}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"run": 1', '"run": 7'),
        lambda text: text.replace('"digest": "', '"digest": "0'),
        lambda text: "[" * 100_000,
        lambda text: "{}",
        lambda text: "\0",
        lambda text: '{"key": "key", "result": {"run": 7}}',
    ],
)
def test_a_damaged_record_repeats_the_stage(tmp_path: Path, damage: Callable[[str], str]) -> None:
    runs: list[dict[str, Any]] = []
    StageCache(tmp_path).result("stage", "key", counting(runs))
    record = tmp_path / "stage.json"
    record.write_text(damage(record.read_text()))
    assert StageCache(tmp_path).result("stage", "key", counting(runs)) == {"run": 2}


def test_digest_keeps_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab") == digest(b"ab")


def test_source_digest_sees_sources_only() -> None:
    assert source_digest("sim") == source_digest("sim")
    assert source_digest("sim") != source_digest("sim", "hwgen")
