"""``validate`` on random pairs and in full: what is printed, written, and gone on with."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cosilico import validation
from cosilico.validation import validate_everything, validate_pairs
from sim.spec.errors import CosilicoError
from sim.spec.views import View
from sim.timing.calibration import default
from testbench.cases.imported import ImportedCase, Judgement
from testbench.cases.random_networks import Case
from testbench.judges.onnx_oracle import require_onnxruntime
from testbench.validation import campaign as campaigns
from testbench.validation.campaign import Campaign
from testbench.validation.comparison import Comparison
from testbench.validation.random_pairs import Outcome

SMALL = Campaign(
    pairs=11,
    stalled=2,
    layers=False,
    imported=1,
    graphs=1,
    tables=2,
    states=1,
    points=5,
    seed=5,
    max_macs=128,
)
PAIRS = 46
EQUAL = Comparison(
    activations=500,
    layer_bits=(0, 0),
    output_bits=0,
    descriptors=20,
    descriptor_cycles=0,
    totals=0,
    counters=0,
    execute=0,
)


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Cases that were run; nothing is simulated, and the calibration is never stale."""
    cases: list[Case] = []

    def run(
        case: Case,
        *,
        stalls: bool = False,
        view: View = View.SIMULATION,
        memories: bool = False,
        drawn: int = 0,
    ) -> Outcome:
        cases.append(case)
        return Outcome(case=case, comparison=EQUAL, measured_cycles=9, predicted_cycles=9)

    monkeypatch.setattr(campaigns, "try_case", run)
    monkeypatch.setattr("testbench.validation.random_pairs.try_case", run)
    for module in ("campaign", "random_pairs"):
        monkeypatch.setattr(f"testbench.validation.{module}.worker_pool", ThreadPoolExecutor)
    monkeypatch.setattr(validation, "current_calibration", default)
    monkeypatch.setattr(validation, "require_oracle", lambda: None)
    return cases


def test_random_pairs_are_listed(runs: list[Case], capsys: pytest.CaptureFixture[str]) -> None:
    assert validate_pairs(7, "tiny", 3, jobs=2, max_macs=256) == 0
    assert len(runs) == 7
    printed = capsys.readouterr().out
    assert printed.endswith("7 pairs: 0 cycle counts and 0 activations differ\n")
    for case in runs:
        assert str(case.stratum) in printed


def test_any_seed_draws_pairs(runs: list[Case]) -> None:
    for seed in (0, 1, 123456789, 2**40):
        assert validate_pairs(2, "tiny", seed, jobs=1, max_macs=256) == 0
    assert len({(case.config, case.network.macs) for case in runs}) > 4


def test_differences_and_failures_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(case: Case, *, stalls: bool, view: View, memories: bool, drawn: int) -> Outcome:
        if case.index == 1:
            return Outcome(case=case, failure="HarnessError: LOAD is blocked")
        wrong = Comparison(
            activations=5,
            layer_bits=(1, 2),
            output_bits=3,
            descriptors=9,
            descriptor_cycles=4,
            totals=1,
            counters=0,
            execute=0,
        )
        return Outcome(case=case, comparison=wrong)

    monkeypatch.setattr("testbench.validation.random_pairs.try_case", run)
    assert validate_pairs(3, "tiny", 3, jobs=1, max_macs=256) == 2 * 11 + 1
    printed = capsys.readouterr().out
    assert "1 pairs failed: HarnessError: LOAD is blocked" in printed
    assert "3 pairs: 10 cycle counts and 12 activations differ" in printed


def test_other_memories_are_listed_with_what_they_compare(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(case: Case, *, stalls: bool, view: View, memories: bool, drawn: int) -> Outcome:
        assert memories
        late = replace(EQUAL, execute=case.index)
        return Outcome(case=case, comparison=EQUAL, others={"latency 1": EQUAL, "toggling": late})

    monkeypatch.setattr("testbench.validation.random_pairs.try_case", run)
    assert validate_pairs(3, "tiny", 3, jobs=1, memories=True, max_macs=256) == 3
    printed = capsys.readouterr().out.replace("│", " ")
    lines = [line.split() for line in printed.splitlines()]
    assert ["latency", "1", "3", "0", "0", "0"] in lines
    assert ["toggling", "3", "-", "3", "0"] in lines


def test_an_imported_network_that_differs_is_named_by_its_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases: list[ImportedCase] = []

    def run(case: Case, *, stalls: bool, view: View, memories: bool, drawn: int) -> Outcome:
        assert isinstance(case, ImportedCase)
        cases.append(case)
        wrong = Judgement(values=70, differences=4 if case.index == 1 else 0)
        return Outcome(case=case, comparison=EQUAL, judgement=wrong)

    monkeypatch.setattr("testbench.validation.random_pairs.try_case", run)
    assert validate_pairs(3, "tiny", 3, jobs=1, kind="imported", max_macs=256) == 4
    printed = capsys.readouterr().out
    case = cases[1]
    assert (
        f"random_model({case.model_seed}, images={case.image_count}), {case.batch} images per "
        f"program, on {case.config.to_json()}: 0 activations and 0 cycle counts differ, "
        "4 from TensorFlow Lite Micro's\n"
    ) in printed
    assert "4 of 210 activations differ from TensorFlow Lite Micro's\n" in printed
    for case in cases:
        assert f"random{case.model_seed}" in printed


def test_imported_networks_need_their_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("testbench.judges.tflite_oracle.find_spec", lambda name: None)
    line = (
        r"^comparing imported networks must have the extra dev: pip install 'cosilico\[dev\]', "
        r"for package tflite-micro is not installed$"
    )
    with pytest.raises(CosilicoError, match=line):
        validate_pairs(3, "tiny", 3, kind="imported")


def test_onnx_models_need_their_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbench.judges.onnx_oracle.find_spec", lambda name: None)
    line = (
        r"^comparing imported networks must have the extra dev: pip install 'cosilico\[dev\]', "
        r"for package onnxruntime is not installed$"
    )
    with pytest.raises(CosilicoError, match=line):
        require_onnxruntime()


def test_everything_is_written_when_all_is_done(tmp_path: Path, runs: list[Case]) -> None:
    journal = tmp_path / "journal.jsonl"
    assert validate_everything(SMALL, journal, tmp_path / "out", jobs=2) == 0
    assert len(runs) == PAIRS
    summary = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert summary["total"]["pairs"] == PAIRS
    assert summary["total"]["activations"] == 500 * PAIRS
    assert summary["gateware_hash"] == default().gateware_hash
    message = f"{tmp_path / 'out' / 'validation.json'} must be absent, or --force must be given"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        validate_everything(SMALL, journal, tmp_path / "out", jobs=2)
    assert validate_everything(SMALL, journal, tmp_path / "out", jobs=2, force=True) == 0
    assert len(runs) == PAIRS


def test_an_interrupted_validation_goes_on(
    tmp_path: Path, runs: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal.jsonl"

    def interrupted(case: Case, *, stalls: bool, view: View, memories: bool, drawn: int) -> Outcome:
        if len(runs) == 9:
            raise KeyboardInterrupt
        runs.append(case)
        return Outcome(case=case, comparison=EQUAL)

    with monkeypatch.context() as patch:
        # In this thread, because an interrupt comes to the main thread.
        patch.setattr(campaigns, "in_threads", lambda work, jobs: work[0]())
        patch.setattr(campaigns, "try_case", interrupted)
        with pytest.raises(KeyboardInterrupt):
            validate_everything(SMALL, journal, tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()
    assert validate_everything(SMALL, journal, tmp_path / "out", jobs=1) == 0
    assert len(runs) == PAIRS


def test_other_sources_begin_anew(
    tmp_path: Path, runs: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal.jsonl"
    validate_everything(SMALL, journal, tmp_path / "out", jobs=2)
    monkeypatch.setattr(validation, "source_digest", lambda *packages: "other")
    with pytest.raises(CosilicoError, match=r"^journal .* must be of the same work and sources"):
        validate_everything(SMALL, journal, tmp_path / "other", jobs=2)
    validate_everything(SMALL, journal, tmp_path / "out", jobs=2, force=True)
    assert len(runs) == 2 * PAIRS


def test_failures_are_printed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(case: Case, *, stalls: bool, view: View, memories: bool, drawn: int) -> Outcome:
        if stalls and case.index == 1:
            return Outcome(case=case, failure="HarnessError: STORE is blocked")
        return Outcome(case=case, comparison=EQUAL)

    monkeypatch.setattr(campaigns, "try_case", run)
    assert validate_everything(SMALL, tmp_path / "j.jsonl", tmp_path / "out", jobs=2) == 2
    assert capsys.readouterr().out.count("HarnessError: STORE is blocked") == 2
    summary = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert list(summary["wrong"]) == ["random stalls, tiny/1", "random stalls, edge/1"]


def test_verdicts_are_counted(runs: list[Case], capsys: pytest.CaptureFixture[str]) -> None:
    assert validate_pairs(8, "tiny", 1, jobs=1, kind="realizability", max_macs=256) == 0
    verdicts = [case.verdict for case in runs]
    counts = [f"{verdicts.count(name)} {name}" for name in sorted(set(verdicts))]
    assert f"{', '.join(counts)}, 8 ran\n" in capsys.readouterr().out
