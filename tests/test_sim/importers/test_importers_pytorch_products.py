"""Products of two tensors in PyTorch modules, against the module itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sim import golden
from sim.importers.pytorch.aten import export_module
from sim.importers.pytorch.conversion import import_with_ends
from sim.importers.pytorch.quantize import quantize_module
from sim.spec.network import PRODUCT_KINDS, LayerKind, Network

CHANNELS = 12


class Excited(nn.Module):
    """A convolution, a squeeze-and-excitation block with a gate, and a convolution."""

    def __init__(self, gate: Callable[[Tensor], Tensor], first: bool) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.wide, self.last = nn.Conv2d(3, CHANNELS, 3, padding=1), nn.Conv2d(CHANNELS, 5, 1)
        self.reduce, self.excite = nn.Conv2d(CHANNELS, 4, 1), nn.Conv2d(4, CHANNELS, 1)
        self.gate, self.first = gate, first

    def forward(self, x: Tensor) -> Tensor:
        """Output [N, 5, P, Q]."""
        y = functional.hardswish(self.wide(x))
        pooled = functional.adaptive_avg_pool2d(y, 1)
        scale = self.gate(4 * self.excite(functional.relu(self.reduce(pooled))))
        result: Tensor = self.last(scale * y if self.first else y * scale)
        return result


def images() -> Tensor:
    return 2 * torch.randn(8, 3, 6, 5, generator=torch.Generator().manual_seed(3))


def error(network: Network, module: nn.Module, x: Tensor) -> float:
    """Largest difference of a network's outputs from the module's, as a part of their range."""
    with torch.no_grad():
        expected = module(x).permute(0, 2, 3, 1).numpy()
    steps = np.rint(x.numpy() / network.input.scale) + network.input.zero_point
    given = steps.clip(-128, 127).astype(np.int8).transpose(0, 2, 3, 1)
    made = golden.run(network, np.ascontiguousarray(given))[network.output.name]
    real = (made.astype(np.float64) - network.output.zero_point) * network.output.scale
    return float(np.abs(real - expected).max() / np.ptp(expected))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("gate", [torch.sigmoid, functional.hardsigmoid, torch.tanh])
def test_squeeze_and_excitation_is_the_modules(
    gate: Callable[[Tensor], Tensor], first: bool, tmp_path: Path
) -> None:
    module = Excited(gate, first).eval()
    network = quantize_module(module, images(), name="net")
    kinds = [layer.kind for layer in network.layers]
    assert kinds[-3:] == [*PRODUCT_KINDS, LayerKind.CONV]
    assert error(network, module, images()) < 1 / 20
    torch.export.save(export_module(module, images()[:1]), tmp_path / "net.pt2")
    np.savez(tmp_path / "x.npz", x=images().numpy())
    again, _ = import_with_ends(tmp_path / "net.pt2", tmp_path / "x.npz")
    assert [layer.kind for layer in again.layers] == kinds


def test_a_products_gates_matter() -> None:
    """The module with other gates is further from the network than quantization is."""
    module = Excited(torch.sigmoid, False).eval()
    network = quantize_module(module, images(), name="net")
    other = Excited(torch.ones_like, False).eval()
    assert error(network, other, images()) > 1 / 10


class Attended(nn.Module):
    """A convolution times the sigmoid of another, as attention to pixels is, and a convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.wide, self.gate = nn.Conv2d(3, CHANNELS, 3, padding=1), nn.Conv2d(3, CHANNELS, 1)
        self.last = nn.Conv2d(CHANNELS, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Output [N, 5, P, Q]."""
        product = self.wide(x) * torch.sigmoid(3 * self.gate(x))
        result: Tensor = self.last(functional.relu(product))
        return result


def test_a_product_pixel_by_pixel_is_the_modules() -> None:
    module = Attended().eval()
    network = quantize_module(module, images(), name="net")
    (mosaic,) = network.concatenations
    assert mosaic.pixels
    assert error(network, module, images()) < 1 / 20
    other = Attended().eval()
    nn.init.zeros_(other.gate.weight)
    assert error(network, other, images()) > 1 / 10


def test_a_tensor_times_itself_is_a_table() -> None:
    class Squared(Attended):
        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.wide(x)
            return y * y

    module = Squared().eval()
    network = quantize_module(module, images(), name="net")
    assert [layer.kind for layer in network.layers] == [LayerKind.CONV]
    assert network.layers[0].table is not None
    assert error(network, module, images()) < 1 / 20
