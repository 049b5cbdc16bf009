"""Programs that PT2E quantized before they were exported: each layer within 1 of PyTorch, or refused.

PyTorch computes them in real numbers between its own operators of quantization.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sim import golden
from sim.importers.pytorch.aten import export_module, read_program
from sim.importers.pytorch.conversion import import_with_ends
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.quantize import quantize_as_given
from sim.spec.errors import CosilicoError
from sim.spec.network import LayerKind, Network

CASES = Path(__file__).parent / "cases"
Q = torch.ops.quantized_decomposed


def pair(x: Tensor, scale: float, zero_point: int, *ends: int, dtype: Any = torch.int8) -> Tensor:
    """A tensor quantized and dequantized."""
    limits = ends or ((-128, 127) if dtype is torch.int8 else (0, 255))
    given = (scale, zero_point, *limits, dtype)
    result: Tensor = Q.dequantize_per_tensor(Q.quantize_per_tensor(x, *given), *given)
    return result


class Convolution(nn.Module):
    """An image, a convolution of int8 weights, and what follows it."""

    def __init__(self, follows: Any, before: Any = None, shape: Any = (6, 3, 3, 3)) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        weight = torch.randint(-128, 128, shape, generator=generator, dtype=torch.int8)
        weight[0] = weight[0].clamp(-50, 50)
        self.register_buffer("weight", weight)
        self.register_buffer("scales", torch.linspace(0.001, 0.004, shape[0]))
        self.register_buffer("points", torch.zeros(shape[0], dtype=torch.int64))
        self.register_buffer("bias", torch.linspace(-1, 1, shape[0]))
        self.follows, self.before = follows, before

    def forward(self, x: Tensor) -> Tensor:
        """Output, which is quantized."""
        x = pair(x, 0.03, 5) if self.before is None else self.before(x)
        given = (self.scales, self.points, 0, -128, 127, torch.int8)
        weight = Q.dequantize_per_channel(self.weight, *given)
        y: Tensor = self.follows(functional.conv2d(x, weight, self.get_buffer("bias")))
        return y


def images(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 9, 7, generator=torch.Generator().manual_seed(2))


def imported(module: nn.Module, x: Tensor) -> tuple[Network, Tensor]:
    """The network, and its output as real numbers [N, C, P, Q]."""
    network = quantize_as_given(read_program(export_module(module, x[:1]), name="net"))
    spec = network.input
    steps = torch.round(x / spec.scale) + spec.zero_point
    given = steps.clamp(-128, 127).to(torch.int8).permute(0, 2, 3, 1).contiguous().numpy()
    y = golden.run(network, given)[network.output.name].astype(np.float64)
    real = (y - network.output.zero_point) * network.output.scale
    return network, torch.from_numpy(real).permute(0, 3, 1, 2)


def off(module: nn.Module, steps: float) -> Network:
    """The network, whose output must be within so many steps of PyTorch's, mostly equal."""
    x = images()
    network, y = imported(module, x)
    with torch.no_grad():
        expected = torch.cat([module(row[None]) for row in x]).reshape(y.shape)
    distance = (y - expected).abs() / network.output.scale
    assert float(distance.max()) < steps + 0.01
    assert float((distance > 0.5).float().mean()) < 0.1
    assert len(np.unique(expected.numpy())) > 20
    return network


def test_weights_and_scales_are_those_of_the_program() -> None:
    module = Convolution(lambda y: pair(y, 0.02, -10))
    network = off(module, 1)
    (layer,) = network.layers
    weights = module.get_buffer("weight").permute(0, 2, 3, 1).numpy()
    assert np.array_equal(layer.weights, weights)
    assert (layer.output.scale, layer.output.zero_point) == (0.02, -10)
    assert (network.input.scale, network.input.zero_point) == (0.03, 5)


def test_bytes_are_int8_less_128() -> None:
    network = off(Convolution(lambda y: pair(torch.relu(y), 0.01, 0, dtype=torch.uint8)), 1)
    assert network.output.zero_point == -128


def test_a_narrow_range_is_a_clamp() -> None:
    network = off(Convolution(lambda y: pair(y, 0.02, 3, -60, 90)), 1)
    assert network.layers[0].clamp == (-60, 90)


def test_another_scale_behind_a_clamp_is_a_tap_of_1() -> None:
    def follows(y: Tensor) -> Tensor:
        return pair(functional.relu6(pair(y, 0.02, 3)), 0.013, -128)

    network = off(Convolution(follows), 2)  # a step of the first is 1.5 of the second
    assert [layer.kind for layer in network.layers] == [LayerKind.CONV, LayerKind.DEPTHWISE]
    assert network.layers[0].clamp == (3, 127)


def test_a_narrow_input_is_clamped_by_a_tap_of_1() -> None:
    module = Convolution(lambda y: pair(y, 0.02, 0), before=lambda x: pair(x, 0.03, 5, -20, 40))
    network = off(module, 1)
    assert network.layers[0].clamp == (-20, 40)


def test_pools_keep_their_scale_and_padding_is_the_convolutions() -> None:
    def before(x: Tensor) -> Tensor:
        x = functional.max_pool2d(pair(x, 0.03, 5), 2, 1)
        return pair(functional.pad(pair(x, 0.03, 5), (1, 1, 1, 1)), 0.03, 5)

    network = off(Convolution(lambda y: pair(y, 0.02, 1), before), 1)
    assert [layer.kind for layer in network.layers] == [LayerKind.MAX_POOL, LayerKind.CONV]
    assert network.layers[1].padding.top == 1


def test_what_two_read_keeps_its_scale() -> None:
    def follows(y: Tensor) -> Tensor:
        y = pair(y, 0.02, 0)
        return pair(y + pair(torch.relu(y), 0.01, -128), 0.03, -20)

    network = off(Convolution(follows), 2)
    assert [layer.kind for layer in network.layers] == [
        LayerKind.CONV, LayerKind.MAX_POOL, LayerKind.DEPTHWISE, LayerKind.ADD,
    ]  # fmt: skip


FUNCTIONS = {
    "silu": functional.silu, "hardswish": functional.hardswish, "hardsigmoid": functional.hardsigmoid,
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "gelu": functional.gelu, "elu": functional.elu,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_between_two_scales_is_the_table_that_the_program_computes(name: str) -> None:
    ends = ((0.02, 3), (0.015, -100))
    function: Any = FUNCTIONS[name]
    network = off(Convolution(lambda y: pair(function(pair(y, *ends[0])), *ends[1])), 2)
    (layer,) = network.layers
    assert layer.table is not None
    every = torch.arange(-128, 128).to(torch.int8)
    limits = (-128, 127, torch.int8)
    real = function(Q.dequantize_per_tensor(every, *ends[0], *limits))
    expected = Q.quantize_per_tensor(real, *ends[1], *limits).numpy()
    assert np.array_equal(layer.table.values, expected)


def test_a_narrow_range_behind_a_function_clamps_its_table() -> None:
    def follows(y: Tensor) -> Tensor:
        return pair(functional.silu(pair(y, 0.02, 3)), 0.015, -100, -105, 40)

    (layer,) = off(Convolution(follows), 2).layers
    assert layer.table is not None
    assert (layer.table.values.min(), layer.table.values.max()) == (-105, 40)


class Classifier(nn.Module):
    """A linear layer of one scale for all weights, over an image."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        weight = torch.randint(-100, 101, (5, 189), generator=generator, dtype=torch.int8)
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [N, 5]."""
        weight = Q.dequantize_per_tensor(self.weight, 0.001, 0, -128, 127, torch.int8)
        return pair(functional.linear(torch.flatten(pair(x, 0.03, 0), 1), weight), 0.02, 3)


def test_a_linear_layer_takes_the_order_of_memory_into_its_weights() -> None:
    module = Classifier()
    network = off(module, 1)
    weights = module.get_buffer("weight").reshape(5, 3, 9, 7).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(network.layers[0].weights, weights)


def test_a_program_of_torchao() -> None:
    network, ends = import_with_ends(CASES / "pt2e_residual.pt2", None)
    assert [layer.kind.value for layer in network.layers] == [
        "conv", "max_pool", "depthwise", "depthwise", "conv", "add", "mean", "fully_connected",
    ]  # fmt: skip
    host = ends.host(network)
    with np.load(CASES / "pt2e_residual.npz") as arrays:
        x, expected = arrays["x"], arrays["y"]
    values = golden.run(network, host.prepare(x))
    y = host.finish(host.logits(values[network.output.name]))
    distance = np.abs(y - expected) / network.output.scale
    assert distance.max() < 1.01
    assert (distance > 0.5).mean() < 0.2


def test_calibration_images_are_for_programs_of_real_numbers() -> None:
    path = CASES / "pt2e_residual.pt2"
    line = f"program file {path} must have no calibration images, for it is quantized"
    with pytest.raises(CosilicoError, match=f"^{re.escape(line)}$"):
        import_with_ends(path, CASES / "pt2e_residual.npz")


def refused(module: nn.Module, line: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=f"^{line}$"):
        quantize_as_given(read_program(export_module(module, images()[:1]), name="net"))


def test_refuses_what_is_not_int8_arithmetic() -> None:
    rule = "must be quantized, as other tensors of the program are, or calibration images given"
    refused(Convolution(lambda y: y), f"tensor 'convolution' {rule}")
    behind = Convolution(lambda y: pair(functional.silu(y), 0.02, 0))
    refused(behind, f"tensor 'convolution' {rule}")
    behind = Convolution(lambda y: functional.silu(pair(y, 0.02, 0)))
    refused(behind, f"tensor 'mul' {rule}")
    module = Convolution(lambda y: pair(y, 0.02, 0), before=lambda x: x)
    refused(module, f"tensor 'input' {rule}")
    where = r"operator \d+ quantized_decomposed\.\w+\.default \(tensor '\w+'\)"
    refused(
        Convolution(lambda y: pair(y, 0.02, -1, 0, 7)),
        rf"{where}: zero point must lie between quant_min and quant_max, which must lie within the "
        r"type, not \(0, -1, 7\)",
    )
    refused(
        Convolution(lambda y: pair(y, 0.02, 0, dtype=torch.int16)),
        rf"{where}: type must be int8 or uint8, not 'torch.int16'",
    )

    def other_scale(y: Tensor) -> Tensor:
        y = Q.quantize_per_tensor(y, 0.02, 0, -128, 127, torch.int8)
        result: Tensor = Q.dequantize_per_tensor(y, 0.03, 0, -128, 127, torch.int8)
        return result

    refused(Convolution(other_scale), f"{where}: scale must be that of quantization, not 0.03")


def test_a_scale_behind_a_max_pool_is_that_of_its_input() -> None:
    network = off(Convolution(lambda y: pair(functional.max_pool2d(y, 2), 0.02, 0)), 1)
    assert [layer.output.scale for layer in network.layers] == [0.02, 0.02]


def test_refuses_pools_of_what_is_not_quantized() -> None:
    line = (
        r"operator \d+ quantized_decomposed\.quantize_per_tensor\.default \(tensor '\w+'\): input "
        "of an average pool must be quantized, whose scale it keeps"
    )
    refused(Convolution(lambda y: pair(functional.avg_pool2d(y, 2), 0.02, 0)), line)

    def twice(y: Tensor) -> Tensor:
        return pair(pair(functional.max_pool2d(y, 1), 0.02, 0) + y, 0.02, 0)

    rule = "must be quantized, for a pool that is quantized is not all that reads it"
    refused(Convolution(twice), f"tensor 'convolution' {rule}")


BESIDE: dict[str, tuple[Any, str]] = {
    "finer": (lambda y: pair(y, 0.01, 0), r"quantized_decomposed\.quantize_per_tensor\.default"),
    "narrower": (
        lambda y: pair(y, 0.02, 0, -128, 60), r"quantized_decomposed\.quantize_per_tensor\.default"
    ),
    "shifted": (lambda y: pair(y, 0.02, 1), r"quantized_decomposed\.quantize_per_tensor\.default"),
    "clamped": (
        lambda y: pair(torch.relu(y), 0.01, -128),
        r"quantized_decomposed\.quantize_per_tensor\.default",
    ),
    "clamped and real": (torch.relu, r"aten\.add\.Tensor"),
    "real": (lambda y: y, r"aten\.add\.Tensor"),
    "averaged": (
        lambda y: pair(functional.avg_pool2d(y, 1), 0.02, 0), r"aten\.avg_pool2d\.default"
    ),
}  # fmt: skip
"""Other readers of values that are quantized to 0.02, and the operator that is refused."""


@pytest.mark.parametrize("beside", BESIDE)
def test_refuses_what_reads_real_values_beside_their_quantization(beside: str) -> None:
    other, operator = BESIDE[beside]
    rule = "must be quantized alike by all that read its real values"
    line = rf"tensor 'convolution' {rule}, not read by operator \d+ {operator} \(tensor '\w+'\)"
    refused(Convolution(lambda y: pair(pair(y, 0.02, 0) + other(y), 0.03, 0)), line)


def test_refuses_an_input_of_two_scales() -> None:
    def before(x: Tensor) -> Tensor:
        return pair(pair(x, 0.03, 5) + pair(x, 0.02, 5), 0.05, 0)

    where = r"operator \d+ quantized_decomposed\.quantize_per_tensor\.default \(tensor '\w+'\)"
    rule = "must be quantized alike by all that read its real values"
    refused(
        Convolution(lambda y: pair(y, 0.02, 0), before),
        f"tensor 'input' {rule}, not read by {where}",
    )


@pytest.mark.parametrize(
    "other",
    [
        lambda y: pair(y, 0.02, -10),
        lambda y: pair(torch.relu(y), 0.02, -10),
        lambda y: pair(functional.max_pool2d(y, 1), 0.02, -10),
    ],
    ids=["itself", "clamped", "largest"],
)
def test_what_all_quantize_alike_is_quantized_at_the_start(other: Any) -> None:
    """Clamps and the largest values of windows are the same before and behind a quantization."""
    off(Convolution(lambda y: pair(pair(y, 0.02, -10) + other(y), 0.037, 0)), 1)


def test_images_give_the_scales_that_the_program_leaves_out(tmp_path: Path) -> None:
    module, x = Convolution(lambda y: y), images(16)
    torch.export.save(export_module(module, x[:1]), tmp_path / "net.pt2")
    np.savez(tmp_path / "x.npz", x=x.numpy())
    network, ends = import_with_ends(tmp_path / "net.pt2", tmp_path / "x.npz")
    (layer,) = network.layers
    assert (network.input.scale, network.input.zero_point) == (0.03, 5)
    weights = module.get_buffer("weight").permute(0, 2, 3, 1).numpy()
    assert np.array_equal(layer.weights, weights)
    host = ends.host(network)
    values = golden.run(network, host.prepare(x.numpy()))
    y = host.finish(host.logits(values[network.output.name]))
    with torch.no_grad():
        expected = module(x).numpy()
    assert np.abs(y - expected).max() < 1.6 * layer.output.scale


def test_refuses_weights_of_a_zero_point() -> None:
    module = Convolution(lambda y: pair(y, 0.02, 0))
    module.get_buffer("points").fill_(3)
    where = r"operator \d+ quantized_decomposed\.dequantize_per_channel\.default \(tensor '\w+'\)"
    line = rf"{where}: zero points of weights must be 0, not \[3, 3, 3, 3, 3, 3\]"
    refused(module, line)
