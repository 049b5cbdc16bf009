"""PyTorch's dilated and grouped convolutions, and pools that become others, against PyTorch itself."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sampled import sampled
from sim import golden
from sim.importers.pytorch.aten import export_module, read_program
from sim.importers.pytorch.conversion import load_program
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
    (nn.AvgPool2d(3, 1, 1, count_include_pad=False), (3, 6, 5), ["depthwise"] * 4),
    (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (1, 6, 5), ["conv"] * 4),
    (nn.Upsample(scale_factor=2), (3, 4, 5), ["max_pool"]),
    (nn.Upsample(scale_factor=(1, 3)), (3, 4, 5), ["max_pool"]),
    (nn.Upsample(scale_factor=2, mode="bilinear"), (3, 4, 5), ["depthwise"] * 9),
    (nn.Upsample(size=(12, 5), mode="bilinear"), (3, 4, 5), ["depthwise"] * 3),
    (nn.ConvTranspose2d(3, 4, 2, stride=2), (3, 4, 5), ["conv"] * 4),
    (nn.ConvTranspose2d(3, 4, 3, 2, 1, 1), (3, 4, 5), ["conv"] * 4),
    (nn.ConvTranspose2d(4, 4, (4, 3), (2, 3), (1, 0), groups=4), (4, 4, 5), ["depthwise"] * 6),
    (nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=2, bias=False), (4, 4, 5), ["conv"] * 4),
    (nn.Sequential(nn.ConvTranspose1d(3, 4, 4, 2, 1), nn.ReLU()), (3, 7), ["conv", "conv", "max_pool"]),
    (Function(lambda x: torch.cat([x, x.relu(), -x.relu()], 1)), (3, 4, 5), ["max_pool"] * 3 + ["conv"] * 3),
    (Function(lambda x: torch.cat([x, x.relu()], 2)), (3, 4, 5), ["max_pool", "conv", "conv"]),
    (Function(lambda x: torch.cat([x.relu(), x], -1)), (3, 4, 5), ["max_pool", "conv", "conv"]),
    (nn.AdaptiveMaxPool2d(1), (3, 5, 6), ["max_pool"]),
    (nn.AdaptiveMaxPool2d(1), (3, 8, 6), ["max_pool", "max_pool"]),
    (Function(lambda x: x.relu().amax((2, 3))), (3, 50, 6), ["max_pool"] * 4),
    (Function(lambda x: 2 * x.amax((2, 3), keepdim=True).flatten(1)), (3, 7, 7), ["max_pool"] * 2),
]  # fmt: skip


def one_in_three(first: int) -> pytest.MarkDecorator:
    """Numbers of all modules, of which every third is of the sample; three tests have each once."""
    return pytest.mark.parametrize(
        "index", sampled(range(len(MODULES)), lambda index: index % 3 == first)
    )


@one_in_three(0)
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


@one_in_three(1)
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


@one_in_three(2)
def test_files_are_read_as_the_modules(index: int, tmp_path: Path) -> None:
    """The reader of files has a list of its own, of the operators that it lets through."""
    module, shape, kinds = MODULES[index]
    torch.export.save(export_module(module, torch.zeros(1, *shape)), tmp_path / "m.pt2")
    network = read_program(load_program(tmp_path / "m.pt2"), name="n")
    assert [layer.kind for layer in network.layers] == kinds


def test_parts_have_the_scale_of_the_whole() -> None:
    """A decoder of both enlargements with a skip connection, as U-Nets have."""

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(3, 4, 3, 2, 1)
            self.up = nn.ConvTranspose2d(4, 5, 2, 2)
            self.larger = nn.Upsample(scale_factor=2)
            self.last = nn.Conv2d(12, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            """Segment an image."""
            y = self.down(x).relu()
            segmented: Tensor = self.last(torch.cat([x, self.up(y), self.larger(y)], 1))
            return segmented

    torch.manual_seed(5)
    module, images = Decoder(), torch.randn(12, 3, 8, 6)
    quantized = quantize_network(read(module, 3, 8, 6), images)
    tensors = quantized.tensors
    assert len(quantized.concatenations) == 3
    for joint in quantized.concatenations:
        for part in joint.parts:
            assert tensors[part].scale == joint.output.scale
    with torch.no_grad():
        expected = module(images).numpy()
    source, out = quantized.input, quantized.output
    x = (images / source.scale).round().add(source.zero_point).clamp(-128, 127).to(torch.int8)
    made = golden.run(quantized, np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1)))[out.name]
    reals = (made.transpose(0, 3, 1, 2).astype(int) - out.zero_point) * out.scale
    assert np.abs(reals - expected).max() < 0.06 * np.ptp(expected)


LINES: list[tuple[nn.Module, str]] = [
    (nn.Upsample(scale_factor=1.5), "operator 0 aten.upsample_nearest2d.vec (tensor 'upsample_nearest2d'): size must be a whole multiple of (4, 4), not (6, 6)"),
    (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "operator 0 aten.upsample_bilinear2d.vec (tensor 'upsample_bilinear2d'): align_corners must be False, not True"),
    (nn.Upsample(scale_factor=8, mode="bilinear"), "operator 0 aten.upsample_bilinear2d.vec (tensor 'upsample_bilinear2d'): factors must be so small that weights are at most 127, not (8, 8)"),
    (nn.ConvTranspose2d(3, 2, 3, dilation=2), "operator 0 aten.convolution.default (tensor 'convolution'): dilation of a transposed convolution must be 1, not [2, 2]"),
    (Function(lambda x: torch.cat([x, torch.ones(1, 2, 4, 4)], 1)), "operator 1 aten.cat.default (tensor 'cat'): constants cannot be joined to an image, not 2"),
    (Function(lambda x: torch.cat([x.flatten(1), x.relu().flatten(1)], 1)), "operator 3 aten.cat.default (tensor 'cat'): an image must not be flattened before it, not ['N', 48]"),
    (nn.Sequential(nn.ReLU(), nn.Flatten(2), nn.Conv1d(3, 2, 3)), "operator 2 aten.convolution.default (tensor 'convolution'): an image must not be flattened before it, not ['N', 3, 16]"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "line"), LINES)
def test_other_enlargements_are_refused(module: nn.Module, line: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=f"^{re.escape(line)}$"):
        read(module, 3, 4, 4)


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
