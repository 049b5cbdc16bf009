"""Experiments on the claims of papers, each at a size of seconds."""

import json
import re
import subprocess
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import claim
import claims_dna
import claims_jiang
import claims_rhnas
import joint_front as script
from claim import settings_of, spread
from claim_digests import EXPERIMENTS, digests, stale
from claim_gains import entries_of, fixed_hardware_gains, least_costs
from claim_pages import (
    accelerator_regrets,
    default_gains,
    joint_front,
    learned_proposals,
    shared_accelerators,
    shared_front,
)
from claim_pages import claims as claims_block
from claim_searches import harsh_space
from claim_verdicts import as_good, better, reached, trend
from cosilico.joint.truth import read_truth
from joint_truth import write_joint_truth
from project_root import ROOT
from proposals import ProposalLog, beyond, not_realizable
from search.experiment import load_experiment
from search.export import shape_network as shapes_of
from search.networks.members import members_of
from searches_here import here
from sim.cost.area import area, area_budget
from sim.cost.columns import COST_COLUMNS
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.networks.imagenet import IMAGENET_NETWORKS, efficientnet_lite
from sim.networks.named import named_network
from sim.networks.shapes import shape_network
from sim.spec.spaces import TINY

JOINT = ("claims_nahas", "claims_dna", "claims_jiang")
VERDICTS = ("yes", "no", "in part", "not tested", "not measured")


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_truth(tmp_path_factory.mktemp("truth"))


def run(name: str, joint: Path, work: Path) -> dict[str, Any]:
    """Results file of an experiment at smoke size."""
    words = ["--smoke", "--jobs", "1", "--joint", str(joint), "--work", str(work)]
    settings = settings_of("Smoke.", f"{name}.py", words)
    figures = import_module(name).measure(settings)
    assert settings.out == work / f"{name}.json"
    content: dict[str, Any] = json.loads(settings.out.read_text())
    assert content["settings"]["smoke"]
    assert content["digests"] == digests(ROOT / "benchmarks" / f"{name}.py")
    assert figures
    return content


@pytest.mark.parametrize("name", JOINT)
def test_an_experiment_on_the_joint_truth_runs(
    name: str, joint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name != "claims_dna":  # whose searches run in a process of their own
        monkeypatch.setattr(claim, "run_all", here)
    content = run(name, joint, tmp_path)
    assert content["claims"]
    assert all(claim["reproduced"] in VERDICTS for claim in content["claims"])
    assert all(claim["rule"] for claim in content["claims"])
    lines = claims_block(content).splitlines()
    assert len(lines) == len(content["claims"]) + 4
    if name == "claims_dna":
        assert "| dna | " in accelerator_regrets(content)
        assert content["claims"][-1]["reproduced"] == "not measured"
    if name == "claims_nahas":
        gap = content["figures"]["target gap"]
        assert gap["simulated"]["count"] + gap["broken"] == content["settings"]["seeds"]
        for row in gap["searches"]:
            assert row["predicted"] > 0
    # What was measured is not measured again
    monkeypatch.setattr(claim, "run_all", refused)
    monkeypatch.setattr(claims_rhnas, "enumerate_network", refused)
    assert run(name, joint, tmp_path)["claims"] == content["claims"]


def refused(tasks: Any, run: Any, journal: Any, *others: Any, **options: Any) -> None:
    """Stand for a pool that has nothing to do."""
    assert set(tasks) <= set(journal.records)


def test_gains_over_default_hardware_are_at_most_those_of_the_optimum(
    joint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "run_all", here)
    content = run("claims_rhnas", joint, tmp_path)
    figures = content["figures"]
    whole = {name: row for name, row in figures.items() if name != claims_rhnas.NAS_BENCH}
    for row in whole.values():
        for by_bandwidth in row["metrics"].values():
            for entries in by_bandwidth.values():
                for gain in entries.values():
                    assert gain["agent"]["least"] >= 1
                    assert gain["agent"]["most"] <= gain["optimum"] * (1 + 1e-12)
            for entry, gain in by_bandwidth["pinned"].items():
                assert gain["optimum"] <= by_bandwidth["free"][entry]["optimum"]
    bench = figures[claims_rhnas.NAS_BENCH]["metrics"]
    assert all(gains["free"]["warm"]["optima"]["least"] >= 1 for gains in bench.values())
    assert len(default_gains(content).splitlines()) == 2 + 2 * 2
    assert len(learned_proposals(content).splitlines()) == 2 + len(whole)


def test_the_cold_optimum_is_that_of_cold_runs() -> None:
    some: dict[str, Any] = {
        "pes_x": (1, 2, 4),
        "local_memory_kb": (4, 8, 16),
        "io_bandwidth_gbps": (0.8, 3.2),
        "weight_store_kb": (0, 16, 64),
    }
    default = replace(TINY.default, local_memory_kb=8, io_bandwidth_gbps=3.2, weight_store_kb=64)
    space = replace(TINY, name="some", values=some, default=default)
    table = evaluate_many(list(space), named_network("resnet8"))
    budget = area(space.default).total
    allowed = table.realizable & (table["area"] <= budget)
    point = space.flat_index(space.default)
    gains = {
        entry: claims_rhnas.optimum_gain(table, space, "latency", "free", entry)
        for entry in ("warm", "cold")
    }
    for entry, column in (("warm", "cycles"), ("cold", "cold_cycles")):
        cycles = table[column]
        assert gains[entry] == pytest.approx(cycles[point] / cycles[allowed].min(), rel=1e-12)
    assert gains["warm"] != gains["cold"]
    assert entries_of("latency") == ("warm", "cold")
    assert ("cold" in entries_of("edp")) == ("cold_energy" in COST_COLUMNS)


def test_proposals_that_are_repeated_count_again() -> None:
    network = named_network("ds_cnn")
    log = ProposalLog(evaluate_many)
    wide = replace(TINY.default, simd_units=32, register_file_kb=1)
    for _ in range(3):
        log.evaluate([TINY.default, wide], network, phase="agent")
    log.evaluate([TINY.default], network, phase="greedy")
    assert len(log.records) == 2
    rows = log.proposals(["agent"])
    assert len(rows) == 6
    assert not_realizable(rows) == 0.5
    assert beyond(rows, Objective(metric="latency", area_budget=0.0)) == 0.5


def test_the_agent_learns_in_updates_that_fill_the_budget() -> None:
    chosen = claims_rhnas.agent_settings("latency", 1000)
    assert (chosen.designs_per_update, chosen.updates) == (16, 64)
    assert not chosen.polish


def test_verdicts_follow_their_rules() -> None:
    assert [reached(values, 2.0) for values in ([2, 3], [1, 3], [1, 1], [])] == [
        "yes", "in part", "no", "not measured",
    ]  # fmt: skip
    assert better([1] * 9 + [0], [0] * 10) == ("yes", 9)
    assert better([1] * 6 + [0] * 4, [0] * 10) == ("in part", 6)
    assert better([1] * 5 + [0] * 5, [0] * 10) == ("no", 5)
    other = {"least": 0.1, "median": 0.2, "most": 0.3}
    assert as_good({"least": 0.1, "median": 0.2}, other) == "yes"
    assert as_good({"least": 0.1, "median": 0.3}, other) == "in part"
    assert as_good({"least": 0.1, "median": 0.31}, other) == "no"
    assert trend([[1, 2, 3, 4], [2, 3, 5, 9]]) == "yes"
    assert trend([[1, 2, 3, 4], [9, 5, 3, 2]]) == "in part"
    assert trend([[1, 2, 3, 4], [2, 2, 5, 9]]) == "in part"
    assert trend([[1, 2, 2, 4], [2, 9, 5, 9]]) == "no"


def test_trainings_are_compared_at_the_accuracy_that_both_reach() -> None:
    def record(*curve: list[float]) -> dict[str, Any]:
        return {"curve": list(curve), "trainings": 90, "networks": 100}

    two = [record([2, 0.6], [5, 0.8]), record([1, 0.7])]
    single = [record([3, 0.5], [40, 0.7], [80, 0.9]), record([30, 0.6], [70, 0.65])]
    row = claims_jiang.compared(two, single, 5.0, 0.95)
    assert row["ratio"] == spread([80 / 5, 70 / 1])
    assert row["two-level"]["behind"]["least"] == pytest.approx(0.95 - 0.8)
    assert row["nahas-joint"]["avoided"]["median"] == pytest.approx(0.1)
    assert claims_jiang.compared([record()], single[:1], 5.0, 0.95)["ratio"] == {"count": 0}


def test_time_of_training_is_that_of_the_trained_space() -> None:
    table = {
        "children": {"a": {}, "b": {}},
        "training": {"cpu_s": {"children": 60.0}, "supernet": {"cpu_s": 20.0}},
    }
    trained = claims_dna.training(table)
    assert trained == {"supernet_s": 20.0, "children_s": 60.0, "children": 2}
    assert claims_dna.training({"schema": 1, "children": {}}) is None
    spent = {"trainings": spread([5.0]), "cpu_s": spread([10.0])}
    figures = {"both": {"dna": spent, "nahas-joint": spent}, "training": trained}
    made = claims_dna._time_claim(figures)
    assert ": 2.0×; " in made.figure
    assert made.reproduced == "in part"


def test_many_accelerators_with_little_memory_do_not_run_a_network(joint: Path) -> None:
    space = harsh_space()
    assert len(space) >= 2000
    family = load_experiment(ROOT / "benchmarks" / "trained_space.toml").network.family(
        (14, 14, 1), 10, default="fashion"
    )
    members = list(members_of(family))
    random = np.random.default_rng(5)
    refused_pairs, pairs = 0, 0
    for place in random.choice(len(members), 8, replace=False).tolist():
        network = shapes_of(family.layers(members[place]), name=members[place].key)
        configs = [space.at(point) for point in random.integers(len(space), size=40).tolist()]
        table = evaluate_many([space.default, *configs], network, columns=("cycles",))
        assert table.realizable[0]
        refused_pairs += int((~table.realizable).sum())
        pairs += len(configs)
    assert 0.05 <= refused_pairs / pairs <= 0.3


def test_the_front_is_written(
    joint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(["--joint", str(joint)])
    assert ended.value.code == 2
    assert re.fullmatch(
        r"joint_front: benchmark of a front must be one of .*, not '.*'\n",
        capsys.readouterr().err,
    )
    written: list[tuple[int, Path]] = []
    monkeypatch.setattr(script, "front_file", lambda benchmark: tmp_path / f"{benchmark}.json")
    monkeypatch.setattr(
        script, "write_kept", lambda truth, path: written.append((truth.pairs, path))
    )
    script.main(["--joint", str(joint)])
    truth = read_truth(joint)
    assert written == [(truth.pairs, tmp_path / f"{truth.benchmark}.json")]
    front = f"{len(truth.front.network):,} of {truth.pairs:,} pairs"
    assert capsys.readouterr().out.endswith(f"{truth.benchmark}.json: {front}\n")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_results_name_what_they_were_made_with(name: str) -> None:
    file = ROOT / "benchmarks" / f"{name}.py"
    results = json.loads(file.with_suffix(".json").read_text())
    measured = bool(results.get("claims") or results.get("spaces"))
    assert bool(results["digests"]) == measured
    assert stale({"digests": digests(file)}, file) == []
    assert stale({"digests": digests(file) | {"gateware": "0" * 64}}, file) == ["gateware"]
    # listed, as hours go by until all are made again
    page = (ROOT / "docs" / "explanation" / "evidence.md").read_text()
    listed = page.partition("of an earlier state.**")[2].partition("\n\n")[0]
    assert bool(stale(results, file)) == (f"`benchmarks/{name}.json`" in listed)


def test_a_shared_design_costs_at_least_as_much_as_each_optimum(
    joint: Path, tmp_path: Path
) -> None:
    content = run("one_for_many", joint, tmp_path)
    for metrics in content["spaces"].values():
        for by_bandwidth in metrics.values():
            for row in by_bandwidth.values():
                designs = [row["best_mean"], row["best_highest"], *row["front"]]
                assert all(price >= 1 for design in designs for price in design["prices"].values())
                assert row["best_highest"]["highest"] <= row["best_mean"]["highest"]
                best = row["best_mean"]["mean"]
                assert row["front"][0]["mean"] == best <= row["best_highest"]["mean"]
            wanted = TINY.default.io_bandwidth_gbps
            pinned = by_bandwidth["pinned"]["front"]
            assert {each["accelerator"]["io_bandwidth_gbps"] for each in pinned} == {wanted}
    assert len(shared_accelerators(content).splitlines()) == 2 + 8
    assert len(shared_front(content).splitlines()) > 2 + 8


@pytest.mark.parametrize("metric", ["latency", "energy"])
def test_gain_at_equal_accuracy_is_that_of_all_pairs(joint: Path, metric: Any) -> None:
    truth = read_truth(joint)
    objective = Objective(metric=metric, area_budget=area_budget(truth.space))
    made = fixed_hardware_gains(truth, objective, bandwidth="free")
    pinned = fixed_hardware_gains(truth, objective, bandwidth="pinned")
    default = truth.space.flat_index(truth.space.default)
    column = truth.cycles if metric == "latency" else truth.energy
    within = (truth.rules == 0) & (truth.areas <= area(truth.space.default).total)
    least = np.where(within, column, np.inf).min(axis=1)
    np.testing.assert_array_equal(least, least_costs(truth, objective))
    for gain, accuracy in zip(made["gains"], made["accuracies"], strict=True):
        enough = truth.accuracies >= accuracy
        fixed = np.where(within[:, default], column[:, default], np.inf)[enough].min()
        assert gain == pytest.approx(fixed / least[enough].min(), rel=1e-12)
    assert made["accuracies"] == sorted(made["accuracies"], reverse=True)
    assert len(made["gains"]) == len(pinned["gains"])
    assert all(a >= b >= 1 for a, b in zip(made["gains"], pinned["gains"], strict=True))


def test_spread_is_of_all_values() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "most": 3.0, "count": 3}


def test_lite_networks_grow_as_published() -> None:
    assert efficientnet_lite(0) == IMAGENET_NETWORKS["efficientnet_lite0"]
    blocks, widths, macs = [], [], []
    for number in range(3):
        topology = efficientnet_lite(number)
        projections = [layer for layer in topology.layers if layer.name.endswith("project")]
        blocks.append(len(projections))
        widths.append(
            [layer.channels for layer in projections if layer.name == projections[-1].name]
        )
        macs.append(shape_network("lite", topology).macs)
    assert blocks == [16, 21, 21]
    assert widths == [[320], [320], [352]]
    assert macs == sorted(macs)
    with pytest.raises(ValueError, match=r"^number must be in 0 … 2, not 3$"):
        efficientnet_lite(3)


def evidence() -> str:
    """All commands of `make evidence`."""
    text = (ROOT / "Makefile").read_text()
    return text.partition("\nevidence:")[2].partition("\ncoverage:")[0]


def test_every_experiment_is_made_again_by_evidence() -> None:
    text = evidence()
    lines = {line.split()[1]: line for line in text.splitlines() if "$(BIN)/python bench" in line}
    for name in EXPERIMENTS:
        assert "$(AT)" in lines[f"benchmarks/{name}.py"]
        assert (ROOT / "benchmarks" / f"{name}.json").is_file()


def test_a_step_of_evidence_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    copy = tmp_path / "Makefile"
    text = (ROOT / "Makefile").read_text()
    steps = next(
        line for line in text.splitlines() if line.startswith("EVIDENCE_STEPS :=")
    ).split()[2:]
    assert steps[0] == "evidence-fashion"
    # Every step says its name, and the first fails
    fake = "\n".join(
        [
            next(line for line in text.splitlines() if line.startswith("EVIDENCE_STEPS :=")),
            text[text.index("\nevidence:") :].partition("\n\n")[0].replace("$(STAMP)", ""),
            *(
                f"{name}:\n\t@echo ran {name}{'; false' if name == steps[0] else ''}"
                for name in steps
            ),
        ]
    )
    copy.write_text("BIN := .\nPIP := true\n" + fake + "\n")
    made = subprocess.run(
        ["make", "-f", str(copy), "evidence"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert made.returncode != 0
    ran = [
        line.removeprefix("ran ") for line in made.stdout.splitlines() if line.startswith("ran ")
    ]
    assert ran == steps


def test_a_front_is_counted() -> None:
    pairs = {
        "network": [3, 3, 5], "accelerator": [1, 2, 1], "cycles": [200_000, 400_000, 300_000],
        "energy": [2e6, 1e6, 3e6],
    }  # fmt: skip
    table = joint_front({"pairs": 90, "space": {"clock_mhz": 200}, "front": pairs})
    assert table.splitlines()[-1] == "| 90 | 3 | 2 | 2 | 1.000 … 2.0 | 1.0 … 3 |"
