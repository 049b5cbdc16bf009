"""PyTorch modules of vectors and signals, and functions at the end, against PyTorch itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cosilico.imports import import_model
from sim import golden
from sim.importers.folder import ImportedNetwork, load, save
from sim.importers.pytorch.aten import export_module
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.quantize import quantize_module, quantize_program
from sim.spec.errors import CosilicoError

IMAGES = 32


def imported(module: nn.Module, x: Tensor, folder: Path) -> ImportedNetwork:
    """Save a module and its calibration images, import them and read the folder back."""
    torch.export.save(export_module(module, x[:1]), folder / "m.pt2")
    np.savez(folder / "x.npz", x=x.numpy())
    save(import_model(folder / "m.pt2", folder / "x.npz"), folder)
    return load(folder)


def outputs(network: ImportedNetwork, x: Tensor) -> Any:
    values = golden.run(network.network, network.host.prepare(x.numpy()))
    return network.host.finish(network.host.logits(values[network.network.output.name]))


def check(module: nn.Module, shape: tuple[int, ...], folder: Path) -> ImportedNetwork:
    """Import a module; its outputs must be near PyTorch's, as 8 bits are, and of their form."""
    torch.manual_seed(1)
    x = torch.randn(IMAGES, *shape)
    network = imported(module, x, folder)
    expected = module(x).detach().numpy()
    y = outputs(network, x)
    assert y.shape == expected.shape
    assert y.dtype == np.float32
    off = np.abs(y - expected).max() / np.ptp(expected)
    assert off < 0.05, off  # a few steps of 1/255 of the range for each layer
    return network


def mlp() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 5))


def signals() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.ConstantPad1d((2, 0), 0.0),
        nn.Conv1d(3, 8, 3, stride=2),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 8, 3, padding=1, groups=8),
        nn.AvgPool1d(2),
    )


def test_vectors(tmp_path: Path) -> None:
    network = check(mlp(), (20,), tmp_path)
    assert [layer.kind.value for layer in network.network.layers] == ["fully_connected"] * 2


def test_signals_in_and_out(tmp_path: Path) -> None:
    network = check(signals(), (3, 41), tmp_path)
    assert network.host.output.shape == (8, 5)
    assert [layer.output.height for layer in network.network.layers] == [1] * 4


def test_signals_and_a_classifier(tmp_path: Path) -> None:
    module = nn.Sequential(signals(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 4))
    assert check(module, (3, 41), tmp_path).host.output.shape == (4,)


@pytest.mark.parametrize(
    ("function", "step"),
    [
        (nn.Softmax(dim=1), "Softmax"),
        (nn.LogSoftmax(dim=-1), "LogSoftmax"),
        (nn.Sigmoid(), "Logistic"),
    ],
)
def test_functions_at_the_end_are_the_hosts(function: nn.Module, step: str, tmp_path: Path) -> None:
    network = check(nn.Sequential(mlp(), function), (20,), tmp_path)
    assert [type(s).__name__ for s in network.host.after] == ["Dequantize", step]


def test_softmax_over_the_channels_of_an_image(tmp_path: Path) -> None:
    torch.manual_seed(4)
    module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Softmax(dim=1))
    network = check(module, (3, 6, 7), tmp_path)
    assert network.host.output.shape == (5, 4, 5)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (
            nn.Sequential(nn.Softmax(dim=1), nn.Conv2d(3, 2, 1)),
            "softmax must be at the end of the module, where the host computes it, not before "
            r"operator \d+ aten\.convolution\.default \(tensor 'convolution'\)",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 2, 1), nn.Softmax(dim=2)),
            r"operator \d+ aten\._softmax\.default \(tensor '_softmax'\): must be over channels, "
            "not 2",
        ),
    ],
)
def test_other_functions_are_refused(module: nn.Module, line: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=f"^{line}$"):
        quantize_module(module, torch.randn(2, 3, 4, 4), name="m")


def test_images_must_have_the_modules_axes() -> None:
    line = r"calibration images must have shape \[N, 20\], not \[2, 3\]"
    module = export_module(mlp(), torch.zeros(1, 20))
    with pytest.raises(CosilicoError, match=f"^{line}$"):
        quantize_program(module, torch.randn(2, 3), name="m")
