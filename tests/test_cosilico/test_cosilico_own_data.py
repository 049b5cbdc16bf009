"""A user's own pictures: from an npz file to an accelerator that is verified in RTL."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico.cli import main
from project_root import ROOT
from sim.spec.design import load
from sim.timing import calibration
from testbench.calibration import microbenchmarks

OWN = ROOT / "examples" / "own_data"


def calibrated() -> microbenchmarks.CalibrationReport:
    """Timing constants as if they had been measured again; that has tests of its own."""
    return microbenchmarks.CalibrationReport(
        calibration=calibration.default(), microbenchmarks=1, held_out=2
    )


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "argv", ["make_pictures.py", str(tmp_path)])
    runpy.run_path(str(OWN / "make_pictures.py"), run_name="__main__")
    text = (OWN / "experiment.toml").read_text()
    for line, smaller in {
        "test_share = 0.1 ": "test_share = 0.016 ",
        "pes_x = [1, 2]\n": "pes_x = [1, 2]\nlocal_memory_kb = [4, 16]\nregister_file_kb = [1, 4]\n",
        "warmup_epochs = 4": "warmup_epochs = 1",
        "rounds = 4": "rounds = 1",
        "epochs = 20": "epochs = 8",
    }.items():
        assert line in text
        text = text.replace(line, smaller)
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    monkeypatch.setattr(microbenchmarks, "calibrate", calibrated)
    return path


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_a_users_pictures_become_an_accelerator_that_rtl_confirms(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(tmp_path / "pictures.npz") as file:
        x, y = file["x"], file["y"]
    assert (x.shape, x.dtype, set(y)) == ((500, 12, 12), np.uint8, {0, 1, 2, 3})
    out = tmp_path / "out"
    assert main(["run", str(experiment), "--out", str(out)]) == 0
    results: dict[str, Any] = json.loads((out / "results.json").read_text())
    for side in ("rtl", "rtl_default"):
        run = results[side]
        assert run["mismatched_activations"] == 0
        assert run["measured_cycles"] == run["predicted_cycles"]
        assert run["accuracy"] == run["golden_accuracy"]
        assert run["images"] == 8
    assert results["search"]["best"]["int8_accuracy"] == results["rtl"]["accuracy"]
    network = load(out / "design.json").network
    assert network.input.shape == (12, 12, 1)
    assert network.output.channels == 4
    with np.load(out / "test.npz") as file:
        tested = (file["x"].astype(np.int16) + 128).astype(np.uint8)[..., 0]
    known = {picture.tobytes() for picture in x}
    assert len(tested) == 8
    assert all(picture.tobytes() in known for picture in tested)
    x[0, 0, 0] ^= 1  # other data: nothing is gone on with
    np.savez(tmp_path / "pictures.npz", x=x, y=y)
    assert main(["run", str(experiment), "--out", str(out), "--resume"]) == 2
    assert "to resume" in capsys.readouterr().err
