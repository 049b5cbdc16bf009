"""Every registered co-search: a budget is kept, and a kill after any step changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from search.checkpoint import CheckpointStore
from search.driver import run_search
from search.strategies import CO_SEARCHES
from small_co_searches import SMALL_FIELDS, small_experiment


@pytest.mark.parametrize("strategy", CO_SEARCHES)
def test_a_killed_co_search_goes_on_to_the_same_design(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the first step, after every second step then, and never in the same place twice."""
    experiment = small_experiment(strategy)
    whole = run_search(experiment, tmp_path / "whole", seed=3)
    before_final = [row for row in whole.history if row.phase != "final"]
    assert 2 < len(before_final) <= SMALL_FIELDS["budget"]
    save = CheckpointStore.save
    left = 1

    def failing(self: CheckpointStore, *arguments: Any) -> None:
        nonlocal left
        save(self, *arguments)
        left -= 1
        if not left:
            left = 2
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", failing)
    interrupts = 0
    while True:
        try:
            resumed = run_search(experiment, tmp_path / "cut", resume=True, seed=3)
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts >= 2
    assert resumed.history == whole.history
    assert resumed.trained_images == whole.trained_images
    for file in ("design.json", "weights.npz", "evaluations.jsonl"):
        cut, uncut = (tmp_path / folder / file for folder in ("cut", "whole"))
        assert cut.read_bytes() == uncut.read_bytes()
