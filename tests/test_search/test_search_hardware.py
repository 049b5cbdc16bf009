"""The accelerator's search for a network that is given."""

import json
from pathlib import Path

import pytest

from search.checkpoint import CheckpointStore
from search.driver import run_hardware_search
from search.result import SearchResult
from search.strategies.hardware_settings import HardwareSettings
from sim.model import predict
from sim.realizability import check
from sim.spec.design import load
from sim.spec.errors import CosilicoError
from sim.spec.memories import FixedLatency
from sim.spec.network import Network
from sim.spec.spaces import TINY
from testbench.cases.tflite_models import draw_imported

SETTINGS = HardwareSettings(updates=4, designs_per_update=16)


@pytest.fixture(scope="module")
def network() -> Network:
    return draw_imported(5)[0].network


def search(network: Network, out: Path, *, resume: bool = False, seed: int = 3) -> SearchResult:
    return run_hardware_search(network, TINY, out, settings=SETTINGS, resume=resume, seed=seed)


@pytest.mark.slow
def test_finds_a_design_within_the_area_and_writes_it(network: Network, tmp_path: Path) -> None:
    result = search(network, tmp_path)
    assert result.best.area <= result.area_budget == result.default.area
    assert result.best.cycles <= result.default.cycles
    design = load(tmp_path / "design.json")
    assert design.accelerator == result.best.accelerator
    assert not check(design.accelerator, design.network)
    document = json.loads((tmp_path / "search.json").read_text())
    assert document["architecture"] is None
    log = (tmp_path / "evaluations.jsonl").read_text()
    assert document["evaluations"] == len(result.history) == len(log.splitlines())


@pytest.mark.slow
def test_a_search_is_for_its_memory_and_goes_on_for_no_other(
    network: Network, tmp_path: Path
) -> None:
    memory = FixedLatency(latency=60, width_bytes=1)
    result = run_hardware_search(network, TINY, tmp_path, settings=SETTINGS, memory=memory, seed=3)
    for evaluation in (result.best, result.default):
        expected = predict(evaluation.accelerator, network, memory=memory)
        assert evaluation.cycles == expected.total_cycles
    with pytest.raises(CosilicoError, match=r"checkpoint"):
        search(network, tmp_path, resume=True)


@pytest.mark.slow
def test_a_killed_search_goes_on_to_the_same_design(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search(network, tmp_path / "whole")
    saves = 0
    save = CheckpointStore.save

    def failing(self: CheckpointStore, *arguments: object) -> None:
        nonlocal saves
        save(self, *arguments)  # type: ignore[arg-type]  # passed on as they come
        saves += 1
        if saves == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "save", failing)
        with pytest.raises(KeyboardInterrupt):
            search(network, tmp_path / "cut")
    resumed = search(network, tmp_path / "cut", resume=True)
    assert resumed.history == whole.history
    assert (tmp_path / "cut" / "design.json").read_bytes() == (
        tmp_path / "whole" / "design.json"
    ).read_bytes()
    with pytest.raises(
        CosilicoError, match=r"must be of the same experiment, seed and cost columns"
    ):
        search(network, tmp_path / "cut", resume=True, seed=4)
