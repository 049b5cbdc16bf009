"""NAHAS's three strategies: killed after any step they go on alike; what they judge, train and spend."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from project_root import ROOT
from sampled import sampled
from search.checkpoint import CheckpointStore
from search.driver import run_search
from search.evaluator import Evaluator
from search.experiment import Experiment, load_experiment
from search.loading import load_family, load_task
from search.result import SearchResult
from search.strategies import CO_SEARCHES
from search.strategies.nahas_joint import NahasJoint
from search.strategies.nahas_oneshot import NahasOneshot
from search.strategies.nahas_phase import NahasPhase
from search.strategies.nahas_settings import NahasOneshotSettings, NahasPhaseSettings
from search.strategies.protocol import CoSearchProblem
from sim.spec.errors import DesignFileError, NotRealizableError

SHARED = """
name = "small"
[task]
name = "digits"
test_images = 200
validation_images = 100
[network]
kernels = [3]
[[network.stages]]
widths = [8, 16]
blocks = 1
[[network.stages]]
widths = [16, 24]
blocks = 2
stride = 2
[hardware.values]
pes_x = [1, 2, 4]
pes_y = [1, 2, 4]
compute_lanes = [1, 2]
[train]
epochs = 1
batch = 400
"""

STRATEGIES = {
    "nahas-joint": "trials = 5\ntrials_per_update = 2\nproxy_epochs = 1\nproxy_share = 0.3\nproxy_batch = 400\nstep_size = 0.5\n",
    "nahas-oneshot": (
        "labels = 70\ncost_epochs = 2\nwarmup_epochs = 1\nepochs = 2\ncandidates = 2\nstep_size = 0.5\n"
    ),
    "nahas-oneshot exact": "cost_model = 'exact'\nwarmup_epochs = 1\nepochs = 1\ncandidates = 2\nstep_size = 0.5\n",
    "nahas-phase": "trials = 6\ntrials_per_update = 2\nproxy_epochs = 1\nproxy_share = 0.3\nproxy_batch = 400\nstep_size = 0.5\n",
}


def experiment(folder: Path, name: str, shared: str = SHARED, more: str = "") -> Experiment:
    path = folder / "experiment.toml"
    path.write_text(f"{shared}[search]\nstrategy = '{name.split()[0]}'\n{STRATEGIES[name]}{more}")
    return load_experiment(path)


def results(folder: Path) -> tuple[Any, ...]:
    result = json.loads((folder / "search.json").read_text())
    del result["wall_s"]
    names = ("design.json", "weights.npz", "evaluations.jsonl")
    return *((folder / name).read_bytes() for name in names), result


@pytest.mark.parametrize(
    "name", sampled(STRATEGIES, lambda name: name in ("nahas-joint", "nahas-oneshot"))
)
def test_a_search_that_is_killed_after_every_step_ends_alike(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = experiment(tmp_path, name)
    whole = run_search(chosen, tmp_path / "whole", seed=3)
    check_result(name, whole)
    save = CheckpointStore.save

    def failing(self: CheckpointStore, *arguments: Any) -> None:
        save(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointStore, "save", failing)
    kills = 0
    while not (tmp_path / "cut" / "search.json").exists() and kills < 100:
        last = kills == sum(1 for _ in steps_of(chosen))
        if last:
            monkeypatch.setattr(CheckpointStore, "save", save)
        try:
            run_search(chosen, tmp_path / "cut", resume=True, seed=3)
        except KeyboardInterrupt:
            kills += 1
    assert kills >= 4
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


def steps_of(chosen: Experiment) -> range:
    """Steps of an experiment's stages."""
    return range(sum(strategy(chosen).stages.values()))


def check_result(name: str, result: SearchResult) -> None:
    """Check what a small search leaves."""
    assert result.strategy == name.split()[0]
    assert result.best.realizable
    assert result.best["area"] <= result.area_budget
    assert result.trained_images > 0
    document = result.to_json()
    assert ("cost_model" in document) == (name == "nahas-oneshot")
    if name == "nahas-oneshot":
        assert document["cost_model"]["pairs"] == result.cost_model.pairs <= 7  # type: ignore[union-attr]  # it is there


def strategy(chosen: Experiment, **changes: Any) -> Any:
    """Strategy of an experiment, not advanced."""
    hardware = chosen.hardware.hardware_space()
    task = load_task(chosen)
    problem = CoSearchProblem(
        hardware=hardware,
        objective=replace(chosen.objective.objective(hardware), **changes),
        evaluator=Evaluator(),
        seed=1,
        name="small",
        task=task,
        networks=load_family(chosen, task),
        train=chosen.train,
    )
    return CO_SEARCHES[chosen.search.strategy].make(problem, chosen.search)


def test_a_pair_that_is_not_realizable_is_not_trained_and_teaches_by_its_distance(
    tmp_path: Path,
) -> None:
    narrow = SHARED.replace("[hardware.values]", "[hardware.values]\nregister_file_kb = [1, 4]")
    narrow = narrow.replace("pes_x = [1, 2, 4]", "simd_units = [8, 32, 128]")
    search: NahasJoint = strategy(experiment(tmp_path, "nahas-joint", narrow))
    architecture = search.member([0] * len(search.network_sizes))
    broken = replace(search.hardware.default, simd_units=128, register_file_kb=1)
    score = search.trial(architecture, broken, "trials")
    (row,) = (row for row in search.evaluator.records if row.phase == "trials")
    assert not row.realizable
    assert -2 < score < 0
    assert search.children_images == 0
    score = search.trial(architecture, search.hardware.default, "trials")
    assert score > 0
    assert search.children_images == 1 * 1 * 400  # a batch is the least part of the images
    assert search.evaluator.records[-1].accuracy is not None
    search.trial(architecture, search.hardware.at(0), "trials")
    assert search.children_images == 400  # the same network
    assert search.best_known() == architecture


@pytest.mark.parametrize("form", ["soft", "hard"])
def test_a_joint_search_is_rewarded_by_the_weighted_product(tmp_path: Path, form: str) -> None:
    chosen = experiment(tmp_path, "nahas-joint", more=f"reward = '{form}'\n")
    search: NahasJoint = strategy(chosen, cycles_budget=2000.0)
    architecture = search.member([0] * len(search.network_sizes))
    score = search.trial(architecture, search.hardware.default, "trials")
    (row,) = search.evaluator.records
    assert row.accuracy is not None
    ratio = row.cycles / 2000
    assert ratio < 1
    gain = ratio**-0.07 if form == "soft" else 1.0
    # Within budgets only the target counts, which is the budget of cycles.
    assert score == pytest.approx(row.accuracy * gain)


def test_phases_share_the_trials_and_the_accelerator_of_the_first(tmp_path: Path) -> None:
    for factor, steps in ((1, (4, 3)), (2, (7, 7))):
        settings = NahasPhaseSettings(trials=7, factor=factor)
        assert (settings.hardware_trials, settings.network_trials) == steps
    assert NahasPhaseSettings(budget=9).limit("hardware") == 5
    assert NahasPhaseSettings(budget=9).limit("network") == 9
    assert NahasPhaseSettings(budget=9).limit("training") is None
    assert NahasPhaseSettings().limit("hardware") is None
    chosen = experiment(tmp_path, "nahas-phase", more="start = 'smallest'\n")
    search: NahasPhase = strategy(chosen)
    assert search.accelerator == search.hardware.default
    for stage, count in search.search_stages.items():
        for _ in range(count):
            search.step(stage)
    phases = {
        phase: [row for row in search.evaluator.records if row.phase == phase]
        for phase in ("hardware", "network")
    }
    assert {row.network for row in phases["hardware"]} == {search.start.key}
    assert search.start == search.member([0] * len(search.network_sizes))
    assert {row.accelerator for row in phases["network"]} == {search.accelerator}
    feasible = filter(search.objective.feasible, phases["hardware"])
    best = max(feasible, key=lambda row: search.score(row.accuracy or 0.0, row))
    assert search.accelerator == best.accelerator
    assert search.score.exponents == (-0.07, -0.07)
    assert search.reward.exponents == (0.0, -1.0)


def test_the_first_phase_leaves_the_budget_of_cycles_to_the_second(tmp_path: Path) -> None:
    search: NahasPhase = strategy(experiment(tmp_path, "nahas-phase"), cycles_budget=1.0)
    for _ in range(12):
        search.step("hardware")
    rows = [row for row in search.evaluator.records if row.phase == "hardware" and row.realizable]
    within = [row for row in rows if row["area"] <= search.objective.area_budget]
    assert 0 < len(within) < len(rows)
    fastest = min(within, key=lambda row: int(row["cycles"]))  # they have the same accuracy
    assert search.accelerator == fastest.accelerator


def test_the_absolute_reward_asks_for_the_target_itself(tmp_path: Path) -> None:
    chosen = experiment(tmp_path, "nahas-oneshot exact", more="cost_weight = 0.5\n")
    search: NahasOneshot = strategy(chosen, cycles_budget=4000.0)
    default = search.hardware.indices(search.hardware.default)
    indices = [*[0] * len(search.network_sizes), *default]
    reward = search.reward(indices, 0.75)
    (row,) = search.evaluator.records
    assert reward == pytest.approx(0.75 - 0.5 * abs(row.cycles / 4000 - 1))
    search = strategy(chosen, cycles_budget=float(row.cycles), area_budget=row.area / 2)
    assert search.reward(indices, 0.75) == pytest.approx(0.75 / 2)


def test_a_budget_leaves_evaluations_for_the_selection(tmp_path: Path) -> None:
    result = run_search(
        experiment(tmp_path, "nahas-oneshot", more="budget = 20\n"), tmp_path / "out", seed=0
    )
    spent = [row for row in result.history if row.phase != "final"]
    labels = [row for row in spent if row.phase == "label"]
    assert len(labels) == 20 - (2 + 2) - 1  # candidates, the most probable pair, default; target
    assert NahasOneshotSettings(budget=24).limit("labels") == 12
    message = "^budget must be 0 or leave 10 labels for a learned cost_model, not 22$"
    with pytest.raises(ValueError, match=message):
        NahasOneshotSettings(budget=22)
    assert NahasOneshotSettings(budget=1, cost_model="exact").limit("one-shot") == 1
    assert NahasOneshotSettings(budget=100).limit("one-shot") == 100 - 34
    assert NahasOneshotSettings(budget=100).limit("selection") == 100
    assert NahasOneshotSettings().limit("labels") is None
    assert len(spent) <= 20
    assert any(row.phase == "selection" for row in spent)


def test_a_learned_cost_model_knows_no_other_budgets(tmp_path: Path) -> None:
    limited = SHARED + "[objective]\nenergy_budget_uj = 1.0\n"
    message = (
        "search.cost_model must be 'exact' where a cost other than the objective's has a budget, "
        "here energy, not 'learned'$"
    )
    with pytest.raises(DesignFileError, match=message):
        experiment(tmp_path, "nahas-oneshot", limited)
    assert experiment(tmp_path, "nahas-oneshot exact", limited).objective.energy_budget_uj == 1
    chosen = experiment(tmp_path, "nahas-oneshot")
    assert strategy(chosen, metric="energy", energy_budget=1e6).target == 1e6


def test_the_learned_model_answers_in_the_place_of_the_exact(tmp_path: Path) -> None:
    search: NahasOneshot = strategy(experiment(tmp_path, "nahas-oneshot"))
    for stage in ("labels", "labels", "cost model"):
        search.step(stage)
    assert search.learned is not None
    spent = len(search.evaluator.records)
    indices = [0] * len(search.pair_sizes)
    cost, area = search.learned.predict(indices)
    within = min(1.0, search.objective.area_budget / area)
    wanted = 0.5 * within - 0.1 * abs(cost / search.target - 1)
    assert search.reward(indices, 0.5) == pytest.approx(wanted)
    assert len(search.evaluator.records) == spent


def test_the_default_serves_where_no_feasible_pair_was_judged(tmp_path: Path) -> None:
    search: NahasJoint = strategy(experiment(tmp_path, "nahas-joint"))
    architecture = search.member([0] * len(search.network_sizes))
    large = replace(search.hardware.default, pes_x=4, pes_y=4)
    assert search.trial(architecture, large, "trials") > 0
    assert search.best_known() is None
    search.step("training")
    assert search.architecture == search.most_probable
    (row,) = (row for row in search.evaluator.records if row.phase == "final")
    assert (row.network, row.accelerator) == (search.architecture.key, search.hardware.default)
    assert search.best_accelerator(search.architecture) == row


def test_a_search_without_a_feasible_pair_says_so(tmp_path: Path) -> None:
    search = strategy(experiment(tmp_path, "nahas-joint"), cycles_budget=1.0)
    search.step("trials")
    message = (
        r"^network '\S+' must have an accelerator that is realizable and within all budgets, but none of "
        r"2 evaluated pairs gives it that$"
    )
    with pytest.raises(NotRealizableError, match=message):
        search.step("training")


def test_examples_name_the_strategies() -> None:
    for name in ("joint", "oneshot", "phase"):
        chosen = load_experiment(ROOT / "examples" / f"digits_nahas_{name}.toml")
        assert chosen.search.strategy == f"nahas-{name}"


def test_equal_pairs_are_told_apart_by_what_they_are(tmp_path: Path) -> None:
    shared = SHARED.replace("kernels = [3]", "kernels = [3, 5]")
    search = strategy(experiment(tmp_path, "nahas-joint", shared))
    names = list(search.networks.decisions)
    left_out = [0] * len(search.pair_sizes)  # block 2 is left out: its expansion is 0
    other = list(left_out)
    other[names.index("kernel2")] = 1
    assert search.pair(left_out) == search.pair(other)
    assert search.canonical(other) == search.canonical(left_out) == left_out


def test_objectives_of_area_have_the_area_as_target(tmp_path: Path) -> None:
    chosen = experiment(tmp_path, "nahas-oneshot exact")
    search: NahasOneshot = strategy(chosen, metric="area")
    assert search.target == search.objective.area_budget
