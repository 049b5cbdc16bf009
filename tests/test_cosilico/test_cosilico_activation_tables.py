"""Models with functions that become tables, from their files to RTL, by the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from accelerators import TABLED
from cosilico.cli import main
from cosilico.exits import ExitStatus
from onnx_graphs import Graph, convolution
from sim.importers.pytorch.aten import export_module
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
    (tmp_path / "accelerator.json").write_text(json.dumps(TABLED.to_json()))
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


def onnx_file(folder: Path) -> list[str]:
    """A convolution and its SiLU, as words of a command."""
    graph = Graph()
    y = graph.pair(convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 3, 3)), 0.05, 0)
    y = graph.pair(graph.node("Mul", y, graph.node("Sigmoid", y)), 0.03, -100)
    (folder / "m.onnx").write_bytes(graph.model(y, (1, 3, 6, 5)).SerializeToString())
    return [str(folder / "m.onnx")]


def program_file(folder: Path) -> list[str]:
    """A convolution and its GELU, as words of a command."""
    torch.manual_seed(2)
    x = torch.randn(4, 3, 6, 5)
    program = export_module(nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU()), x[:1])
    torch.export.save(program, folder / "m.pt2")
    np.savez(folder / "x.npz", x=x.numpy())
    return [str(folder / "m.pt2"), "--calibration", str(folder / "x.npz")]


@pytest.mark.parametrize("file", [onnx_file, program_file])
def test_other_formats_are_refused_in_the_same_line_where_there_are_no_tables(
    file: Callable[[Path], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, made = str(tmp_path / "net"), tmp_path / "y.npz"
    assert main(["import", *file(tmp_path), "--out", net]) == ExitStatus.DONE
    told = capsys.readouterr().out.splitlines()
    assert "needs an accelerator with activation_table, for 1 of the layers" in told
    words = ["simulate", net, "--output", str(made), "--accelerator", "tiny"]
    assert main(words) == ExitStatus.BAD_INPUT
    line = "needs an accelerator with activation_table 1, not 0"
    assert capsys.readouterr().err.splitlines()[-1].endswith(line)
    assert not made.exists()
