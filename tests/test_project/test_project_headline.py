"""Headline figures: runs in RTL of the accelerators that the pages name, of which nothing runs twice."""

import dataclasses
import json
from pathlib import Path

import pytest

import headline
from project_root import ROOT
from sim.model import predict, predict_stream
from sim.networks.named import named_network
from sim.realizability import map_realizable
from sim.spec.spaces import TINY
from sim.stream import stream_of

SMALL = dataclasses.replace(
    TINY.default, pes_x=1, pes_y=1, simd_units=4, local_memory_kb=32, register_file_kb=2, weight_store_kb=64
)  # fmt: skip


def test_headline_runs_are_exact_and_as_the_model_foretells() -> None:
    content = json.loads((ROOT / "benchmarks" / "headline.json").read_text())
    assert content["images"] == headline.IMAGES
    runs = {(run["network"], run["name"]): run for run in content["runs"]}
    cases = headline.headline_cases()
    assert list(runs) == [(network, name) for network, name, _ in cases]
    for network_name, name, config in cases:
        run, network = runs[network_name, name], named_network(network_name)
        assert run["accelerator"] == config.to_json()
        assert run["mismatched_activations"] == run["mismatched_cycles"] == 0
        prediction = predict(config, network)
        assert run["warm_cycles"] == prediction.total_cycles
        assert run["cold_cycles"] == prediction.cold_cycles
        assert run["execute_busy"] == prediction.execute_busy
        assert run["utilization"] == network.macs / (run["warm_cycles"] * config.macs)
        stream = stream_of(map_realizable(config, network))
        steady = None if stream is None else predict_stream(stream)[1].total_cycles
        assert run["stream_cycles"] == steady


@pytest.mark.rtl
def test_a_pair_runs_cold_warm_and_as_a_stream_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [("ds_cnn", "small", SMALL)]
    (run,) = headline.measure(cases, tmp_path, images=2, jobs=1)
    assert run["name"] == "small"
    assert run["mismatched_activations"] == run["mismatched_cycles"] == 0
    assert run["descriptors"] > 0
    assert run["cold_cycles"] == run["predicted_cold_cycles"] > run["warm_cycles"]
    assert run["stream_cycles"] == run["predicted_stream_cycles"] > 0
    monkeypatch.setattr(headline, "run_pair", None)
    assert headline.measure(cases, tmp_path, images=2, jobs=1) == [run]


def test_a_count_below_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        headline.main(["--images", "0"])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "headline: --images must be an integer from 1 on, not 0"
