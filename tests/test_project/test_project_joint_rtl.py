"""Pairs of a joint enumeration in RTL: drawn and of the front, and nothing runs twice."""

import json
from pathlib import Path
from typing import Any

import pytest

import joint_rtl
from claim_pages import joint_in_rtl
from cosilico.joint.truth import read_truth
from joint_truth import TWO_ACCELERATORS, write_joint_truth, write_trained_truth


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trained_truth(tmp_path_factory.mktemp("truth"))


def test_pairs_in_rtl_are_as_enumerated_and_run_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_trained_truth(tmp_path / "truth", TWO_ACCELERATORS)
    words = ["--joint", str(folder), "--work", str(tmp_path / "work"), "--jobs", "1"]
    words += ["--out", str(tmp_path / "made.json"), "--smoke", "--pairs", "2"]
    monkeypatch.setattr(joint_rtl, "SMOKE_PAIRS", 2)  # of the front
    joint_rtl.main(words)
    content = json.loads((tmp_path / "made.json").read_text())
    assert content["random"]["pairs"] == content["front"]["pairs"] == 2
    assert not content["front"]["whole"]
    for part in (content["random"], content["front"]):
        assert part["activations"] > 0
        assert part["descriptors"] > 0
        differing = ("bit_differences", "timing_differences", "other_than_enumerated", "failures")
        assert not any(part[name] for name in differing)
    assert len(joint_in_rtl(content).splitlines()) == 4
    monkeypatch.setattr(joint_rtl, "run_pairs", None)
    joint_rtl.main(words)
    assert json.loads((tmp_path / "made.json").read_text()) == content


@pytest.mark.long
def test_cells_of_the_benchmark_run_as_enumerated(tmp_path: Path) -> None:
    folder = write_joint_truth(tmp_path / "truth", ("skip", "pool", "conv3"))
    made = joint_rtl.measure(str(folder), tmp_path / "work", pairs=6, seed=2, of_front=2)
    for part in (made["random"], made["front"]):
        assert part["descriptors"] > 0
        assert part["bit_differences"] == part["timing_differences"] == 0
        assert part["other_than_enumerated"] == 0
        assert part["failures"] == []


def test_pairs_are_spread_over_sample_and_front(folder: Path) -> None:
    truth = read_truth(folder)
    drawn, front = joint_rtl.chosen_pairs(truth, 50, None)
    assert len(set(drawn)) == len(drawn) == 50
    assert len(front) == len(truth.front.network)
    for network, accelerator, cycles in (*drawn, *front):
        assert truth.rules[network, accelerator] == 0
        assert truth.cycles[network, accelerator] == cycles
    few = joint_rtl.chosen_pairs(truth, 50, 3)[1]
    assert few == [front[0], front[(len(front) - 1) // 2], front[-1]]


def test_a_folder_that_is_no_enumeration_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        joint_rtl.main(["--joint", str(tmp_path), "--work", str(tmp_path), "--smoke"])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("joint_rtl: joint enumeration ")


def test_a_difference_of_a_pair_is_counted() -> None:
    exact: dict[str, Any] = {
        "network": 0, "accelerator": 1, "enumerated_cycles": 9, "measured_cycles": 9, "predicted_cycles": 9,
        "activations": 4, "bit_differences": 0, "descriptors": 3, "timing_differences": 0, "stream_images": 0, "failure": "",
    }  # fmt: skip
    wrong = exact | {"measured_cycles": 10, "bit_differences": 2, "failure": "stopped"}
    summed = joint_rtl._summed([exact, wrong])
    assert summed["pairs"] == 2
    assert summed["other_than_enumerated"] == 1
    assert summed["bit_differences"] == 2
    assert summed["failures"] == ["stopped"]
