"""A model with a function that becomes a table, from its file to RTL, by the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosilico.cli import main
from cosilico.exits import ExitStatus
from sim.spec.spaces import TINY
from testbench.cases.tflite_functions import function_model
from testbench.judges.tflite_oracle import run_model


@pytest.mark.rtl
def test_a_model_of_a_gate_runs_where_there_are_tables_and_is_refused_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    model = function_model("gate", np.random.default_rng(11))
    (tmp_path / "silu.tflite").write_bytes(model.content)
    np.savez(tmp_path / "x.npz", x=model.inputs)
    with_tables = replace(TINY.default, activation_table=1)
    (tmp_path / "accelerator.json").write_text(json.dumps(with_tables.to_json()))
    net, made = str(tmp_path / "net"), tmp_path / "y.npz"
    assert main(["import", str(tmp_path / "silu.tflite"), "--out", net]) == ExitStatus.DONE
    told = capsys.readouterr().out
    assert told.endswith("\nneeds an accelerator with activation_table, for 1 of the layers\n")
    words = ["simulate", net, "--input", str(tmp_path / "x.npz"), "--output", str(made)]
    assert main([*words, "--accelerator", "tiny"]) == ExitStatus.BAD_INPUT
    line = "needs an accelerator with activation_table 1, not 0\n"
    assert capsys.readouterr().err.endswith(line)
    assert not made.exists()
    accelerator = str(tmp_path / "accelerator.json")
    assert main([*words, "--accelerator", accelerator]) == ExitStatus.DONE
    expected, _ = run_model(model.content, model.inputs)
    with np.load(made) as arrays:
        assert np.array_equal(arrays["output"], expected)
        assert np.array_equal(arrays["measured_cycles"], arrays["predicted_cycles"])
