"""Experiments whose network is fixed: the best accelerator with a proof, where that is the default, and where not."""

from dataclasses import replace
from pathlib import Path

import pytest

from search.checkpoint import CheckpointStore
from search.driver import run_search
from search.experiment import Experiment, load_experiment
from search.result import SearchResult
from search.strategies.certified_settings import FixedCertifiedSettings
from search.strategies.rhnas_settings import RhnasSettings
from search.workload_settings import WorkloadNetworkSettings, WorkloadSettings
from sim.cost.costs import evaluate_many
from sim.spec.errors import DesignFileError
from sim.spec.memories import FixedLatency
from small_co_searches import NETWORK, small_experiment

FIXED = {"width0": 16, "expansion0": 2, "kernel1": 5, "head": 16}


def experiment() -> Experiment:
    return small_experiment(
        "random",
        network=replace(NETWORK, fixed=FIXED),
        search=FixedCertifiedSettings(),
        memory=FixedLatency(latency=60, outstanding=2),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def result(folder: Path) -> SearchResult:
    return run_search(experiment(), folder, seed=3)


def test_the_result_is_the_best_of_all_accelerators_behind_the_memory(result: SearchResult) -> None:
    space = experiment().hardware.hardware_space()
    objective = experiment().objective.objective(space)
    configs = tuple(space)
    table = evaluate_many(configs, result.design.network, memory=experiment().memory)
    best = objective.best(table)
    assert best is not None
    assert result.best["cycles"] == table["cycles"][best]
    assert result.best["area"] == table["area"][best]
    assert result.proof is not None
    assert result.proof.complete
    assert result.proof.points == len(space)
    assert result.proof.evaluations < len(space) / 2
    assert result.trained_images > 0
    assert {row.network for row in result.history} == {"w16-16_k3e2_k5e1_skip_h16", "small"}


def test_a_killed_search_goes_on_to_the_same_design(
    result: SearchResult, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, left = CheckpointStore.save, 2

    def failing(self: CheckpointStore, *arguments: object) -> None:
        nonlocal left
        save(self, *arguments)  # type: ignore[arg-type]  # as it was called
        left -= 1
        if not left:
            left = 2
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", failing)
    interrupts = 0
    while True:
        try:
            resumed = run_search(experiment(), tmp_path, resume=True, seed=3)
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts >= 2
    assert resumed.history == result.history
    for file in ("design.json", "weights.npz"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()
    assert resumed.proof == result.proof


def written(folder: Path, text: str) -> Path:
    path = folder / "experiment.toml"
    path.write_text(f"[task]\nname = 'digits'\n{text}")
    return path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[network]\nfixed = 'largest'\n", FixedCertifiedSettings),
        ("[network]\nfixed = 'largest'\n[hardware]\nspace = 'nahas'\n", FixedCertifiedSettings),
        (
            "[network]\nfixed = 'largest'\n[search]\nstrategy = 'certified'\n",
            FixedCertifiedSettings,
        ),
        ("", RhnasSettings),
        ("[network]\nfixed = 'largest'\n[search]\nstrategy = 'rhnas'\n", RhnasSettings),
        ("[network]\nfixed = 'largest'\n[search]\nrounds = 3\n", RhnasSettings),
        ("[network]\nfixed = 'largest'\n[hardware]\nspace = 'edge'\n", RhnasSettings),
        ("[network]\nfixed = 'largest'\n[workload]\nbatch = 2\n", RhnasSettings),
        (
            "[network]\nfixed = 'largest'\n[[workload.networks]]\nnetwork = 'resnet8'\n",
            RhnasSettings,
        ),
    ],
)
def test_a_fixed_network_has_its_best_accelerator_proved_by_default(
    text: str, kind: type, tmp_path: Path
) -> None:
    """Where that takes about a minute, and nothing else is said; bounds are of a single network and image."""
    assert type(load_experiment(written(tmp_path, text)).search) is kind


def test_the_strategy_is_refused_where_bounds_do_not_hold(tmp_path: Path) -> None:
    rule = (
        r"search\.strategy must be one of rhnas, .* unless network\.fixed is given without a workload, "
        r"not 'certified'$"
    )
    with pytest.raises(DesignFileError, match=rule):
        load_experiment(written(tmp_path, "[search]\nstrategy = 'certified'\n"))
    shared = WorkloadSettings(networks=(WorkloadNetworkSettings(network="resnet8"),))
    with pytest.raises(ValueError, match=rule):
        replace(experiment(), workload=shared)
