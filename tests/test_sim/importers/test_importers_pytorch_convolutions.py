"""PyTorch's dilated and grouped convolutions, and pools that become others, against PyTorch itself."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sim import golden
from sim.importers.pytorch.aten import export_module, read_program
from sim.importers.pytorch.float_network import FloatNetwork
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.quantize import quantize_network


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to x."""
        return self.function(x)


def read(module: nn.Module, *shape: int) -> FloatNetwork:
    return read_program(export_module(module, torch.zeros(1, *shape)), name="n")


MODULES: list[tuple[nn.Module, tuple[int, ...], list[str]]] = [
    (nn.Conv2d(4, 5, 3, dilation=2, padding=2), (4, 9, 8), ["conv"]),
    (nn.Conv2d(4, 4, (2, 3), dilation=(3, 1), padding=(1, 2), groups=4), (4, 9, 8), ["depthwise"]),
    (nn.Conv2d(4, 6, (3, 1), dilation=(2, 5), padding="same"), (4, 9, 8), ["conv"]),
    (nn.Conv2d(8, 6, 3, groups=2, stride=2), (8, 9, 8), ["conv"]),
    (nn.Conv2d(4, 12, 3, groups=4, dilation=2), (4, 9, 8), ["conv", "depthwise"]),
    (nn.Conv2d(2, 4, 1, groups=2), (2, 4, 4), ["conv"]),
    (nn.Conv1d(4, 8, 3, groups=4, dilation=2, padding=4), (4, 12), ["conv", "depthwise"]),
    (nn.AvgPool2d(3, padding=1), (4, 9, 8), ["depthwise"]),
    (nn.AvgPool2d((2, 3), stride=1, padding=(1, 0), divisor_override=5), (1, 6, 6), ["conv"]),
    (nn.Sequential(nn.ZeroPad2d((1, 0, 0, 2)), nn.AvgPool2d(3)), (3, 7, 8), ["depthwise"]),
    (nn.AvgPool2d(2, count_include_pad=False), (3, 8, 8), ["average_pool"]),
    (nn.AdaptiveMaxPool2d(1), (3, 5, 6), ["max_pool"]),
    (nn.AdaptiveMaxPool2d(1), (3, 8, 6), ["max_pool", "max_pool"]),
    (Function(lambda x: x.relu().amax((2, 3))), (3, 50, 6), ["max_pool"] * 4),
    (Function(lambda x: 2 * x.amax((2, 3), keepdim=True).flatten(1)), (3, 7, 7), ["max_pool"] * 2),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(MODULES)))
def test_float_networks_compute_what_the_modules_do(index: int) -> None:
    torch.manual_seed(index)
    module, shape, kinds = MODULES[index]
    network = read(module, *shape)
    assert [layer.kind for layer in network.layers] == kinds
    images = torch.randn(3, *shape)
    with torch.no_grad():
        expected = module(images).flatten(1)
        image = images if images.ndim == 4 else images.unsqueeze(2)
        torch.testing.assert_close(network(image).flatten(1), expected)


@pytest.mark.parametrize("index", range(len(MODULES) - 2))
def test_quantized_networks_are_near_the_modules(index: int) -> None:
    torch.manual_seed(index)
    module, shape, _ = MODULES[index]
    images = torch.randn(16, *shape)
    quantized = quantize_network(read(module, *shape), images)
    with torch.no_grad():
        expected = module(images).flatten(1).numpy()
    source, out = quantized.input, quantized.output
    pixels = images if images.ndim == 4 else images.unsqueeze(2)
    x = (pixels / source.scale).round().add(source.zero_point).clamp(-128, 127).to(torch.int8)
    made = golden.run(quantized, np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1)))[out.name]
    reals = (
        made.transpose(0, 3, 1, 2).reshape(len(made), -1).astype(int) - out.zero_point
    ) * out.scale
    assert np.abs(reals - expected).max() < 0.04 * np.ptp(expected)


def test_repeated_channels_are_copies() -> None:
    torch.manual_seed(3)
    images = torch.randn(16, 3, 6, 6)
    quantized = quantize_network(read(nn.Conv2d(3, 6, 3, groups=3), 3, 6, 6), images)
    copy = quantized.layers[0].output
    assert (copy.scale, copy.zero_point) == (quantized.input.scale, quantized.input.zero_point)
    x = np.random.default_rng(1).integers(-128, 128, (2, 6, 6, 3)).astype(np.int8)
    values = golden.run(quantized, x)
    assert np.array_equal(values[copy.name], np.repeat(x, 2, axis=3))


def test_a_kernel_beyond_all_measure_is_refused() -> None:
    module = nn.Conv2d(1, 1, (3, 1), dilation=(1 << 15, 1), padding=(1 << 15, 0))
    line = (
        "operator 0 aten.convolution.default (tensor 'convolution'): rows of the dilated kernel must be at "
        "most 65536, not 65537, not (32768, 1)"
    )
    with pytest.raises(UnsupportedModuleError, match=f"^{re.escape(line)}$"):
        read(module, 1, 8, 8)
