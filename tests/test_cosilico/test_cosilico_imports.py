"""Imported networks on the command line."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cosilico.cli import main
from cosilico.exits import ExitStatus
from cosilico.imports import imported_images, load_imported
from cosilico.networks import network_argument
from sim import golden
from sim.importers.pytorch.aten import export_module
from sim.spec.errors import CosilicoError
from testbench.cases.tflite_inputs import inputs_model
from testbench.cases.tflite_models import RandomModel, import_random, random_model

SEED = 5


@pytest.fixture(scope="module")
def model() -> RandomModel:
    return random_model(SEED, images=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: RandomModel) -> Path:
    base = tmp_path_factory.mktemp("import")
    path = base / "small.tflite"
    path.write_bytes(model.content)
    assert main(["import", str(path), "--out", str(base / "net")]) == 0
    return base / "net"


def test_a_folder_is_a_network(folder: Path) -> None:
    imported = load_imported(str(folder))
    assert imported.source["file"] == "small.tflite"
    assert network_argument(str(folder)).name == imported.network.name == "small"


def test_says_what_the_model_became(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["import", str(folder.parent / "small.tflite"), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    imported = load_imported(str(folder))
    assert f"{len(imported.network.layers)} layers" in out
    assert f"input {imported.host.input.dtype} {imported.host.input.shape}" in out


def test_a_refused_model_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: RandomModel
) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(model.content[:-100])
    assert main(["import", str(path), "--out", str(tmp_path / "net")]) == ExitStatus.BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "net").exists()


def test_a_file_has_an_array_for_each_input(tmp_path: Path) -> None:
    model = inputs_model(2)
    imported = import_random(model, 2)
    arrays = {f"x.{place}" if place else "x": x for place, x in enumerate(model.inputs)}
    assert len(arrays) == len(imported.network.inputs) > 1
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    images = imported_images(imported, tmp_path, path, None)
    assert np.array_equal(images.x, imported.host.prepare(model.inputs))
    del arrays["x.1"]
    np.savez(path, **arrays)
    with pytest.raises(CosilicoError, match=rf"^image file {path} must hold array 'x\.1'$"):
        imported_images(imported, tmp_path, path, None)


def test_inputs_are_the_models_own(folder: Path, model: RandomModel, tmp_path: Path) -> None:
    imported = load_imported(str(folder))
    path = tmp_path / "x.npz"
    np.savez(path, x=model.inputs, y=np.arange(3))
    images = imported_images(imported, folder, path, 2)
    assert np.array_equal(images.x, imported.host.prepare(model.inputs)[:2])
    assert images.y is not None
    assert images.y.tolist() == [0, 1]
    np.savez(path, x=np.asarray(model.inputs)[:, :-1])
    with pytest.raises(CosilicoError, match=rf"^image file {path}: x must be .* of shape \(N, "):
        imported_images(imported, folder, path, None)
    assert len(imported_images(imported, folder, None, 4).x) == 4


def test_a_folder_needs_an_accelerator_and_no_photograph(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(folder)]) == ExitStatus.BAD_INPUT
    assert capsys.readouterr().err == (
        f"cosilico: network {str(folder)!r} must be given an --accelerator\n"
    )
    words = ["simulate", str(folder), "--accelerator", "tiny", "--image", "x.jpg"]
    assert main(words) == ExitStatus.BAD_INPUT
    assert capsys.readouterr().err == (
        "cosilico: an imported network must be given --input, not --image\n"
    )


def test_a_pytorch_program_is_quantized(tmp_path: Path) -> None:
    torch.manual_seed(3)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(320, 5)
    )
    images = torch.randn(32, 3, 5, 8)
    program, calibration = tmp_path / "small.pt2", tmp_path / "x.npz"
    torch.export.save(export_module(module, images[:1]), program)
    np.savez(calibration, x=images.numpy())
    words = ["import", str(program), "--out", str(tmp_path / "net")]
    assert main([*words, "--calibration", str(calibration)]) == 0
    imported = load_imported(str(tmp_path / "net"))
    values = golden.run(imported.network, imported.host.prepare(images.numpy()))
    scores = imported.host.finish(imported.host.logits(values[imported.network.output.name]))
    expected = module(images).detach().numpy()
    assert scores.shape == expected.shape
    # 1.6 steps of the output's scale here; a wrong order of the flattened image is off by dozens
    assert np.abs(scores - expected).max() < 4 * imported.network.output.scale


def test_ranges_are_chosen_by_a_method_and_constants_warned_of(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    with torch.no_grad():
        assert isinstance(module[0].bias, torch.Tensor)
        module[0].bias.fill_(-1000.0)
    images = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    images[0, 0, 0, 0] = 100.0
    torch.export.save(export_module(module, images[:1]), tmp_path / "small.pt2")
    np.savez(tmp_path / "x.npz", x=images.numpy())
    scales = []
    for ranges in ("min_max", "percentile", "mse"):
        words = ["import", str(tmp_path / "small.pt2"), "--out", str(tmp_path / ranges)]
        words += ["--calibration", str(tmp_path / "x.npz"), "--ranges", ranges]
        assert main(words) == 0
        told = capsys.readouterr().err.splitlines()
        expected = "cosilico: warning: calibration images: tensor '0' is 0 in all of them, so that "
        assert told[0] == f"{expected}its scale says nothing of other images"
        imported = load_imported(str(tmp_path / ranges))
        assert imported.source["ranges"] == ranges
        scales.append(imported.network.input.scale)
    assert scales[0] > scales[1] > 0
    assert scales[0] > scales[2] > 0


def test_an_onnx_model_comes_with_its_differences(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    numbers = {"s": np.float32(0.03), "z": np.uint8(133), "t": np.float32(0.05), "y": np.uint8(9)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2]),
        helper.make_node("DequantizeLinear", ["b", "s", "z"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "t", "y"], ["d"], name="last"),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 6, 5)),
        helper.make_tensor_value_info("d", TensorProto.UINT8, (1, 3, 5, 4)),
    ]
    constants = [
        numpy_helper.from_array(np.asarray(array), name) for name, array in numbers.items()
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph), tmp_path / "small.onnx")
    assert main(["import", str(tmp_path / "small.onnx"), "--out", str(tmp_path / "net")]) == 0
    report = json.loads((tmp_path / "net" / "report.json").read_text())
    assert [(layer["layer"], layer["bound"]) for layer in report["layers"]] == [
        ("maxpool_1", 0),
        ("quantizelinear_3", 1),
    ]
    last = report["layers"][1]
    assert last["node"] == "QuantizeLinear last"
    out = capsys.readouterr().out
    assert "each layer by itself: 1 of 2 layers equal" in out
    assert f"quantizelinear_3: {last['differing']:,} of {last['values']:,} values differ" in out


def test_calibration_images_belong_to_pytorch_programs(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rule = "cosilico: --calibration must be given with a .pt2 file, and only with one, not with"
    model = str(folder.parent / "small.tflite")
    words = ["import", model, "--calibration", "x.npz", "--out", str(tmp_path)]
    assert main(words) == ExitStatus.BAD_INPUT
    assert capsys.readouterr().err == f"{rule} {model!r}\n"
    words = ["import", model, "--ranges", "mse", "--out", str(tmp_path)]
    assert main(words) == ExitStatus.BAD_INPUT
    rule = "cosilico: --ranges must be given with --calibration, not with"
    assert capsys.readouterr().err == f"{rule} {model!r} alone\n"
    program = tmp_path / "small.pt2"
    torch.export.save(export_module(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)), program)
    assert main(["import", str(program), "--out", str(tmp_path / "net")]) == ExitStatus.BAD_INPUT
    rule = "must have calibration images, for it is of real numbers"
    assert capsys.readouterr().err == f"cosilico: program file {program} {rule}\n"


@pytest.mark.rtl
@pytest.mark.slow
def test_rtl_computes_the_models_outputs(folder: Path, model: RandomModel, tmp_path: Path) -> None:
    x, y = tmp_path / "x.npz", tmp_path / "y.npz"
    np.savez(x, x=model.inputs)
    words = ["simulate", str(folder), "--accelerator", "tiny", "--input", str(x)]
    assert main([*words, "--output", str(y)]) == 0
    imported = load_imported(str(folder))
    values = golden.run(imported.network, imported.host.prepare(model.inputs))
    logits = imported.host.logits(values[imported.network.output.name])
    with np.load(y) as file:
        assert np.array_equal(file["logits"], logits)
        assert np.array_equal(file["output"], imported.host.finish(logits))
        assert np.array_equal(file["measured_cycles"], file["predicted_cycles"])
        assert file["measured_cycles"].shape == (3,)
