"""Functions of single values in PyTorch modules: each table against PyTorch's own function of every int8."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sampled import sampled
from sim import golden
from sim.importers.pytorch.aten import export_module
from sim.importers.pytorch.conversion import import_with_ends
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.quantize import quantize_module
from sim.spec.errors import CosilicoError
from sim.spec.network import Layer, LayerKind, Network

FUNCTIONS: list[nn.Module] = [
    nn.SiLU(), nn.Hardswish(), nn.Hardsigmoid(), nn.Sigmoid(), nn.Tanh(), nn.LeakyReLU(0.1), nn.PReLU(),
    nn.ELU(0.7), nn.CELU(0.8), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.Softplus(), nn.Mish(), nn.Softsign(),
    nn.LogSigmoid(), nn.Sequential(nn.LeakyReLU(0.3), nn.Hardtanh(-0.2, 0.9), nn.Tanh()),
    nn.SiLU(inplace=True), nn.Hardswish(inplace=True), nn.LeakyReLU(0.2, inplace=True), nn.ELU(inplace=True),
]  # fmt: skip
"""The last four change their input, which must not be the module's own."""
NAMES = [re.sub(r"[^A-Za-z0-9]+", "-", str(module)) for module in FUNCTIONS]
NEAR = 1e-4
"""Part of a step by which float32 may be off."""


def images(channels: int = 3) -> Tensor:
    return 2 * torch.randn(6, channels, 5, 4, generator=torch.Generator().manual_seed(3))


def convolution(inputs: int = 3) -> nn.Conv2d:
    torch.manual_seed(inputs)
    return nn.Conv2d(inputs, 4, 1)


def wide(layer: Layer, scale: float) -> Tensor:
    """Real values of what a layer's table reads, float64[256]."""
    assert layer.table is not None
    return (torch.arange(-128, 128).double() - layer.table.zero_point) * scale


def check_table(layer: Layer, scale: float, function: nn.Module) -> None:
    """Each entry must be the nearest integer to the function of its value, whose scale is given."""
    assert layer.table is not None
    with torch.no_grad():
        exact = function.double()(wide(layer, scale)).numpy()
    function.float()
    steps = (exact / layer.output.scale + layer.output.zero_point).clip(-128, 127)
    assert np.abs(layer.table.values - steps).max() <= 0.5 + NEAR
    assert len(np.unique(layer.table.values)) > 20


@pytest.mark.parametrize(
    "function",
    sampled(FUNCTIONS[:-4], lambda function: FUNCTIONS.index(function) % 3 == 0),
    ids=NAMES[:-4],
)
def test_a_table_is_pytorchs_function(function: nn.Module) -> None:
    """The input's own scale is known: the function is applied to the image itself."""
    module = nn.Sequential(function, convolution())
    network = quantize_module(module, images(), name="net")
    first, last = network.layers
    assert (first.kind, first.kernel, last.table) == (LayerKind.MAX_POOL, (1, 1), None)
    check_table(first, network.input.scale, function)


@pytest.mark.parametrize(
    "function", sampled(FUNCTIONS, lambda function: FUNCTIONS.index(function) % 3 == 1), ids=NAMES
)
def test_a_function_is_the_table_of_the_layer_before_and_the_network_computes_it(
    function: nn.Module, tmp_path: Path
) -> None:
    module = nn.Sequential(convolution(), function, convolution(4)).eval()
    network = quantize_module(module, images(), name="net")
    assert [layer.table is not None for layer in network.layers] == [True, False]
    assert near(network, module, images())
    torch.export.save(export_module(module, images()[:1]), tmp_path / "net.pt2")
    np.savez(tmp_path / "x.npz", x=images().numpy())
    again, _ = import_with_ends(tmp_path / "net.pt2", tmp_path / "x.npz")
    assert again.layers[0].table is not None
    assert network.layers[0].table is not None
    assert np.array_equal(again.layers[0].table.values, network.layers[0].table.values)


def near(network: Network, module: nn.Module, x: Tensor) -> bool:
    """Whether a network's outputs are those of the module but for quantization: 1 of 20 of their range."""
    with torch.no_grad():
        expected = module(x).permute(0, 2, 3, 1).numpy()
    steps = np.rint(x.numpy() / network.input.scale) + network.input.zero_point
    given = steps.clip(-128, 127).astype(np.int8).transpose(0, 2, 3, 1)
    made = golden.run(network, np.ascontiguousarray(given))[network.output.name]
    real = (made.astype(np.float64) - network.output.zero_point) * network.output.scale
    return bool(np.abs(real - expected).max() < np.ptp(expected) / 20)


class Written(nn.Module):
    """A convolution, what is written of its output, and a convolution."""

    def __init__(self, follows: Any) -> None:
        super().__init__()
        self.first, self.last, self.follows = convolution(), convolution(4), follows

    def forward(self, x: Tensor) -> Tensor:
        """Output [N, 4, P, Q]."""
        y: Tensor = self.last(self.follows(self.first(x)))
        return y


@pytest.mark.parametrize(
    "follows",
    [
        lambda x: x * torch.sigmoid(x),
        lambda x: torch.sigmoid(1.702 * x) * x,
        lambda x: x * functional.relu6(x + 3) / 6,
        lambda x: x * functional.hardtanh(x / 6 + 0.5, 0.0, 1.0),
        lambda x: x * x,
        lambda x: 2 * x - 1,
    ],
    ids=["silu", "quick gelu", "hardswish", "hard gate", "square", "affine"],
)
def test_functions_as_they_are_written(follows: Any) -> None:
    module = Written(follows).eval()
    network = quantize_module(module, images(), name="net")
    assert [layer.table is not None for layer in network.layers] == [True, False]
    assert near(network, module, images())


def test_where_others_read_too_a_pool_has_the_table() -> None:
    module = Written(lambda x: x + functional.silu(x)).eval()
    network = quantize_module(module, images(), name="net")
    kinds = [(layer.kind, layer.table is not None) for layer in network.layers]
    conv, pool = (LayerKind.CONV, False), (LayerKind.MAX_POOL, True)
    assert kinds == [conv, pool, (LayerKind.ADD, False), conv]
    assert near(network, module, images())


def test_two_functions_of_one_tensor_are_two_tables() -> None:
    module = Written(lambda x: torch.tanh(x) + functional.silu(x)).eval()
    network = quantize_module(module, images(), name="net")
    assert sum(layer.table is not None for layer in network.layers) == 2
    assert near(network, module, images())


def test_functions_in_a_row_are_one_table() -> None:
    network = quantize_module(Written(lambda x: functional.gelu(x).tanh()), images(), name="net")
    assert [layer.table is not None for layer in network.layers] == [True, False]


def test_vectors_and_signals_have_tables_too() -> None:
    vector = nn.Sequential(nn.Linear(6, 5), nn.PReLU(), nn.Linear(5, 3))
    signal = nn.Sequential(nn.Conv1d(3, 4, 3), nn.PReLU(), nn.Conv1d(4, 4, 3))
    for module, shape in ((vector, (8, 6)), (signal, (8, 3, 20))):
        network = quantize_module(module, torch.randn(*shape), name="net")
        assert [layer.table is not None for layer in network.layers] == [True, False]


def test_a_sigmoid_at_the_end_is_the_hosts() -> None:
    module = nn.Sequential(convolution(), nn.Sigmoid(), nn.Flatten())
    network = quantize_module(module, images(), name="net")
    assert [layer.table for layer in network.layers] == [None]


def refused(module: nn.Module, rule: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=f"^{rule}$"):
        quantize_module(module, images(), name="net")


def test_refuses_what_is_no_function_of_a_value() -> None:
    where = r"operator \d+ aten\.{} \(tensor '\w+'\): "
    rule = re.escape("constants must be one number for all channels, not [1, 4, 1, 1]")
    refused(Written(nn.PReLU(4)), where.format(r"mul\.Tensor") + rule)

    def gated(x: Tensor) -> Tensor:
        return x * torch.sigmoid(functional.max_pool2d(x, (5, 1)))

    product = (
        "product of tensors must be of one shape, or with one value for each channel or pixel, not "
        + re.escape("[(4, 5, 4), (4, 1, 4)]")
    )
    refused(Written(gated), where.format(r"mul\.Tensor") + product)
    refused(
        Written(lambda x: functional.silu(functional.softmax(x, 1))),
        r"softmax must be at the end of the module, where the host computes it, not before operator .*",
    )


def test_refuses_functions_that_are_not_finite() -> None:
    rule = "its function must give finite numbers for every int8"
    logarithm = Written(lambda x: torch.log1p(x.abs() - 1))
    with pytest.raises(CosilicoError, match=f"^layer 'log1p' cannot be quantized: {rule}$"):
        quantize_module(logarithm, images(), name="net")
