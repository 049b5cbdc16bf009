"""A text is computed once for each state of what it depends on."""

from pathlib import Path

import pytest

from sim.spec.files import cache_root
from sim.spec.kept_text import KEPT_FOLDER, kept_text


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """List of what was computed, with a cache of its own."""
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path / "cache"))
    return []


def ask(computed: list[str], *states: bytes) -> str:
    def compute() -> str:
        computed.append(text := f"text of {len(states)}\nin lines")
        return text

    return kept_text(states, compute)


def test_a_text_is_computed_once_for_a_state(computed: list[str]) -> None:
    assert ask(computed, b"a", b"b") == ask(computed, b"a", b"b") == "text of 2\nin lines"
    assert len(computed) == 1
    ask(computed, b"ab", b"")
    ask(computed, b"a", b"c")
    assert len(computed) == 3


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"text of 1\nin lines", b"0" * 64])
def test_a_damaged_file_is_computed_again(computed: list[str], damage: bytes) -> None:
    ask(computed, b"a")
    (file,) = (cache_root() / KEPT_FOLDER).rglob("text")
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert ask(computed, b"a") == "text of 1\nin lines"
    assert len(computed) == 2
    assert file.read_bytes() == whole


def test_where_nothing_can_be_kept_it_is_computed_each_time(computed: list[str]) -> None:
    cache_root().parent.joinpath("cache").write_text("a file in the folder's place")
    assert ask(computed, b"a") == ask(computed, b"a") == "text of 1\nin lines"
    assert len(computed) == 2
