"""Experiments on the claims of papers, each at a size of seconds."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from claim import fixed_hardware_gains, least_costs, settings_of, spread
from claim_pages import claims as claims_block
from claim_pages import joint_front, shared_accelerators, shared_front
from cosilico.joint.truth import read_truth
from joint_truth import write_joint_truth
from project_root import ROOT
from sampled import sampled
from sim.cost.area import area, area_budget
from sim.cost.objective import Objective
from sim.networks.imagenet import IMAGENET_NETWORKS, efficientnet_lite
from sim.networks.shapes import shape_network

JOINT = ("claims_nahas", "claims_dna", "claims_jiang")


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
    assert figures
    return content


@pytest.mark.parametrize("name", sampled(JOINT, lambda name: name == "claims_dna"))
def test_an_experiment_on_the_joint_truth_runs(name: str, joint: Path, tmp_path: Path) -> None:
    content = run(name, joint, tmp_path)
    assert content["claims"]
    assert all(claim["reproduced"] in ("yes", "no", "in part") for claim in content["claims"])
    lines = claims_block(content).splitlines()
    assert len(lines) == len(content["claims"]) + 2


def test_gains_over_default_hardware_are_at_most_those_of_the_optimum(
    joint: Path, tmp_path: Path
) -> None:
    content = run("claims_rhnas", joint, tmp_path)
    for row in content["figures"].values():
        for metric in row["metrics"].values():
            for gain in metric.values():
                assert gain["warm"]["most"] <= gain["optimum_warm"] * (1 + 1e-12)
            assert metric["pinned"]["optimum_warm"] <= metric["free"]["optimum_warm"]


def test_a_shared_design_costs_at_least_as_much_as_each_optimum(
    joint: Path, tmp_path: Path
) -> None:
    content = run("one_for_many", joint, tmp_path)
    for metrics in content["spaces"].values():
        for row in metrics.values():
            designs = [row["best_mean"], row["best_highest"], *row["front"]]
            assert all(price >= 1 for design in designs for price in design["prices"].values())
            assert row["best_highest"]["highest"] <= row["best_mean"]["highest"]
            assert (
                row["front"][0]["mean"] == row["best_mean"]["mean"] <= row["best_highest"]["mean"]
            )
    assert len(shared_accelerators(content).splitlines()) > 2
    assert len(shared_front(content).splitlines()) > 2


@pytest.mark.parametrize("metric", ["latency", "energy"])
def test_gain_at_equal_accuracy_is_that_of_all_pairs(joint: Path, metric: Any) -> None:
    truth = read_truth(joint)
    objective = Objective(metric=metric, area_budget=area_budget(truth.space))
    made = fixed_hardware_gains(truth, objective, pinned=False)
    pinned = fixed_hardware_gains(truth, objective, pinned=True)
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


def test_every_experiment_is_made_again_by_evidence() -> None:
    lines = (ROOT / "Makefile").read_text().partition("\nevidence:")[2].partition("\n\n")[0]
    for name in ("claims_rhnas", *JOINT, "one_for_many"):
        assert f"benchmarks/{name}.py" in lines
        assert (ROOT / "benchmarks" / f"{name}.json").is_file()


def test_a_front_is_counted() -> None:
    pairs = {
        "network": [3, 3, 5], "accelerator": [1, 2, 1], "cycles": [200_000, 400_000, 300_000],
        "energy": [2e6, 1e6, 3e6],
    }  # fmt: skip
    table = joint_front({"pairs": 90, "space": {"clock_mhz": 200}, "front": pairs})
    assert table.splitlines()[-1] == "| 90 | 3 | 2 | 2 | 1.000 … 2.0 | 1.0 … 3 |"
