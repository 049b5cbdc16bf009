"""The examples run as their page says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cosilico
from cosilico.cli import main
from project_root import ROOT
from search.experiment import load_experiment
from search.tasks.digits_settings import DigitsSettings
from sim.importers.folder import load as load_imported
from sim.spec.design import load

EXAMPLES = ROOT / "examples"


@pytest.fixture
def design(tmp_path: Path) -> Path:
    script = EXAMPLES / "handwritten" / "make_weights.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    return tmp_path / "design.json"


PHOTOGRAPHS = {
    # ImageNet's tabby, tiger cat and Egyptian cat; espresso; palace; daisy
    "efficientnet_lite0": {"chelsea": {281, 282}, "coffee": {967}, "china": {698}, "flower": {985}},
    "mobilenet_v2": {"chelsea": {285}, "coffee": {967}, "china": {698}, "motorcycle": {665}},
}
SIZES = {"efficientnet_lite0": (60, 385_187_552), "mobilenet_v2": (64, 300_774_272)}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
def test_networks_of_imagenet_know_photographs_in_int8(name: str, tmp_path: Path) -> None:
    script = EXAMPLES / "imagenet" / "run.py"
    pictures = tmp_path / "pictures"
    words = [sys.executable, str(script), name, str(tmp_path), "--no-rtl"]
    words += ["--pictures", str(pictures)]
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(words, check=True, capture_output=True, text=True, env=threads)
    assert "coffee  int8   espresso, " in run.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    top = dict(zip(results["photographs"], results["top5"]["judged"]["int8"], strict=True))
    for photograph, classes in PHOTOGRAPHS[name].items():
        assert top[photograph][0] in classes
    alike = [
        real[0] == quantized[0]
        for images in results["top5"].values()
        for real, quantized in zip(images["float"], images["int8"], strict=True)
    ]
    # of 27 images, with sums of a single thread: with two the astronaut's class is alike
    assert alike.count(False) == {"efficientnet_lite0": 0, "mobilenet_v2": 3}[name]
    network = load(tmp_path / "default" / "design.json").network
    assert (len(network.layers), network.macs) == SIZES[name]
    imported = load_imported(tmp_path / "net")
    with np.load(tmp_path / "net" / "test.npz") as file:
        x = file["x"]
    assert (x.dtype, x.shape) == (np.float32, (7, 3, 224, 224))
    with np.load(tmp_path / "default" / "test.npz") as file:
        assert np.array_equal(imported.host.prepare(x), file["x"])
    for ours, theirs in zip(imported.network.layers, network.layers, strict=True):
        assert ours.name == theirs.name
        assert np.array_equal(ours.weights, theirs.weights)
    scores = np.zeros((1, *imported.network.output.shape), np.int8)
    assert imported.host.finish(imported.host.logits(scores)).shape == (1, 1000)
    assert all(path.stat().st_size <= 30_000 for path in pictures.iterdir())
    assert len(list(pictures.iterdir())) == 6


def test_demo_experiment_is_the_whole_test_set() -> None:
    experiment = load_experiment(EXAMPLES / "digits.toml")
    assert (experiment.name, experiment.hardware.space) == ("digits", "tiny")
    assert experiment.task == DigitsSettings(test_images=360)


@pytest.mark.rtl
def test_handwritten_design_runs_in_rtl(
    design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "y.npz"
    words = ["simulate", str(design), "--images", "2", "--output", str(out), "--json", "-"]
    status = main(words)
    (result,) = json.loads(capsys.readouterr().out)["runs"]
    assert result["mismatched_activations"] == 0
    assert result["measured_cycles"] == result["predicted_cycles"]
    assert status == 0
    with np.load(out) as file:
        assert file["y"].shape == (2, 1, 1, 10)
        assert (file["cycles"] == result["measured_cycles"]).all()
    assert main(["simulate", str(design), "--images", "1", "--stalls", "3"]) == 0
    capsys.readouterr()
    printed = []
    for memory in ("deterministic", "latency=60"):
        assert main(["validate", str(design), "--memory", memory]) == 0
        printed.append(capsys.readouterr().out)
        predicted = cosilico.predict(str(design), memory=memory).cycles
        assert f"{predicted:,}" in printed[-1]
    assert printed[0] != printed[1]


@pytest.mark.rtl
def test_handwritten_design_writes_waves(design: Path) -> None:
    assert main(["simulate", str(design), "--images", "1", "--waves"]) == 0
    assert (design.parent / "waves.vcd").read_text().startswith("$version")
    assert not list(design.parent.glob(".waves.vcd.*"))


def test_handwritten_design_generates(design: Path, tmp_path: Path) -> None:
    out = tmp_path / "verilog"
    assert main(["generate", str(design), "--out", str(out)]) == 0
    program = json.loads((out / "program.json").read_text())
    manifest = json.loads((out / "manifest.json").read_text())
    assert program["fingerprint"] == manifest["fingerprint"]
    assert (out / "program.bin").stat().st_size == program["memory_bytes"]
    # The host writes the image as it is.
    assert [program["input"][name] for name in ("height", "width", "channels")] == [12, 10, 3]
    assert program["input"]["pixel_bytes"] == 3
    assert f"module {manifest['top']} (" in (out / f"{manifest['top']}.v").read_text()
