"""Conversion of modules: what their layers become, and what is refused."""

import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sim.importers.module_table import MODULES
from sim.importers.pytorch.activations import ACTIVATIONS
from sim.importers.pytorch.aten import export_module, read_program
from sim.importers.pytorch.elementwise import ELEMENTWISE
from sim.importers.pytorch.enlarging import ENLARGING
from sim.importers.pytorch.float_network import FloatNetwork
from sim.importers.pytorch.functions import FUNCTIONS
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.pooling import POOLS
from sim.importers.pytorch.quantized import QUANTIZED
from sim.importers.pytorch.shapes import VIEWS
from sim.importers.pytorch.weighted import WEIGHTED
from sim.spec.network import LayerKind, Padding

THERE_IS = (
    "convolution, batch normalization, ReLU, ReLU6, hardtanh and clamp, linear, add, "
    "average pooling, max pooling, mean over height and width, zero padding, flatten, dropout, "
    "functions of single values such as SiLU, Hardswish, GELU and tanh, and at the end softmax, log_softmax, sigmoid"
)


class Function(nn.Module):
    """A module that calls a function, with the submodules that the function uses."""

    def __init__(self, forward: Callable[..., Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self.function = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to x."""
        return self.function(self, x)


def read(module: nn.Module, *shape: int) -> FloatNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        image = torch.randn(1, *shape)
    return read_program(export_module(module, image), name="n")


def kinds(network: FloatNetwork) -> list[LayerKind]:
    return [layer.kind for layer in network.layers]


def test_names_come_from_modules_and_nodes() -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    network = read(Function(lambda m, x: m.body(x) + m.body(x), body=body), 3, 4, 4)
    assert [layer.name for layer in network.layers] == ["body.0", "body.0_convolution_1", "add"]
    assert network.layers[2].inputs == ("body.0", "body.0_convolution_1")


def test_float_network_computes_what_the_module_does() -> None:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d(6)
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert values is not None
            values.uniform_(0.5, 2)
    module = nn.Sequential(
        nn.ZeroPad2d((0, 1, 2, 0)),
        nn.Conv2d(3, 6, 3, stride=2, bias=False),
        norm,
        nn.ReLU6(),
        nn.Conv2d(6, 6, (3, 5), padding=(1, 2), groups=6),
        nn.Hardtanh(-0.5, 0.75),
        nn.MaxPool2d(3, 1, 1),
        nn.AvgPool2d(2, 1),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(6 * 3 * 4, 5),
    )
    images = torch.randn(3, 3, 7, 10)
    network = read(module, 3, 7, 10)
    assert kinds(network) == ["conv", "depthwise", "max_pool", "average_pool", "fully_connected"]
    with torch.no_grad():
        torch.testing.assert_close(network(images).flatten(1), module(images))


def test_padding_is_taken_in_side_by_side() -> None:
    conv = nn.Conv2d(2, 2, 3, padding=1)
    network = read(nn.Sequential(nn.ZeroPad2d((0, 1, 2, 0)), nn.ZeroPad2d(1), conv), 2, 5, 5)
    (layer,) = network.layers
    assert layer.padding == Padding(top=4, bottom=2, left=2, right=3)
    assert layer.shape == (9, 8, 2)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_same_padding_has_its_odd_pixel_at_the_end() -> None:
    network = read(nn.Conv2d(1, 2, 4, padding="same"), 1, 6, 6)
    assert network.layers[0].padding == Padding(top=1, bottom=2, left=1, right=2)


def test_activations_that_follow_each_other_become_one_clamp() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Hardtanh(-2, 3), nn.ReLU(), nn.Hardtanh(-1, 2.5))
    (layer,) = read(module, 1, 2, 2).layers
    assert layer.clamp == (0.0, 2.5)
    module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Hardtanh(-2, -1), nn.ReLU())
    assert read(module, 1, 2, 2).layers[0].clamp == (0.0, 0.0)


def test_open_clamps() -> None:
    network = read(Function(lambda m, x: (x + x).clamp(min=0.5)), 1, 2, 2)
    assert network.layers[0].clamp == (0.5, math.inf)
    network = read(Function(lambda m, x: (x + x).clamp(max=0.5)), 1, 2, 2)
    assert network.layers[0].clamp == (-math.inf, 0.5)


def test_activation_of_a_tensor_that_is_read_twice_is_a_layer_of_its_own() -> None:
    conv = nn.Conv2d(3, 3, 1)
    network = read(Function(lambda m, x: m.conv(x) + m.conv(x).relu(), conv=conv), 3, 4, 4)
    assert kinds(network) == ["conv", "conv", "add"]

    def shared(m: nn.Module, x: Tensor) -> Tensor:
        y: Tensor = m.conv(x)  # type: ignore[operator]  # a submodule
        return y + y.relu()

    network = read(Function(shared, conv=conv), 3, 4, 4)
    assert kinds(network) == ["conv", "max_pool", "add"]
    assert network.layers[0].clamp == (-math.inf, math.inf)
    assert (network.layers[1].kernel, network.layers[1].clamp) == ((1, 1), (0.0, math.inf))


def test_flattened_activation_of_the_input_is_a_layer_of_its_own() -> None:
    network = read(nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(12, 3)), 3, 2, 2)
    assert kinds(network) == ["max_pool", "fully_connected"]
    assert network.layers[0].shape == (2, 2, 3)


def test_batch_norm_without_a_convolution_is_a_depthwise_layer() -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean = torch.tensor([1.0, 2.0, 3.0])
    norm.running_var = torch.tensor([4.0, 9.0, 16.0]) - norm.eps
    network = read(nn.Sequential(norm, nn.Conv2d(3, 2, 1)), 3, 2, 2)
    assert kinds(network) == ["depthwise", "conv"]
    weight, bias = network.layers[0].parameters()
    torch.testing.assert_close(weight.flatten(), torch.tensor([1 / 2, 1 / 3, 1 / 4]).double())
    torch.testing.assert_close(bias, torch.tensor([-1 / 2, -2 / 3, -3 / 4]).double())


def test_batch_norm_after_an_activation_is_not_folded_into_the_convolution() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    assert kinds(read(module, 3, 2, 2)) == ["conv", "depthwise"]


def test_batch_norm_is_folded_into_a_linear_layer() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(8, 4), nn.BatchNorm1d(4), nn.ReLU())
    (layer,) = read(module, 2, 2, 2).layers
    assert (layer.kind, layer.clamp) == (LayerKind.FULLY_CONNECTED, (0.0, math.inf))


def test_means_and_pools() -> None:
    for module in (
        nn.AdaptiveAvgPool2d(1),
        Function(lambda m, x: x.mean((2, 3))),
        Function(lambda m, x: x.mean((-1, -2), keepdim=True)),
        Function(lambda m, x: x.flatten(2).mean(-1)),
    ):
        (layer,) = read(module, 3, 4, 6).layers
        assert (layer.kind, layer.shape) == (LayerKind.MEAN, (1, 1, 3))
    (layer,) = read(nn.AvgPool2d((4, 6)), 3, 4, 6).layers
    assert (layer.kind, layer.kernel) == (LayerKind.GLOBAL_AVERAGE_POOL, (1, 1))
    (layer,) = read(nn.AdaptiveAvgPool2d((2, 3)), 3, 4, 6).layers
    assert (layer.kind, layer.kernel, layer.stride) == (LayerKind.AVERAGE_POOL, (2, 2), (2, 2))
    (layer,) = read(nn.AvgPool2d(2, 2, ceil_mode=True), 3, 4, 6).layers
    assert (layer.kind, layer.shape) == (LayerKind.AVERAGE_POOL, (2, 3, 3))


def test_mean_of_one_pixel_is_no_layer() -> None:
    network = read(nn.Sequential(nn.Conv2d(3, 4, 4), nn.AdaptiveAvgPool2d(1)), 3, 4, 4)
    assert kinds(network) == ["conv"]


def test_zero_padding_before_max_pooling_needs_values_that_are_not_negative() -> None:
    pool = (nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, 2))
    network = read(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), *pool), 3, 6, 6)
    assert network.layers[1].padding == Padding(bottom=1, right=1)
    line = (
        "operator 2 aten.max_pool2d_with_indices.default (tensor 'max_pool2d_with_indices'): "
        "zero padding must follow a ReLU, not (0, 1, 0, 1)"
    )
    refused(nn.Sequential(nn.Conv2d(3, 4, 1), *pool), line, 3, 6, 6)


def test_windows_wholly_in_padding_are_refused() -> None:
    module = nn.Sequential(nn.ReLU(), nn.ZeroPad2d((0, 2, 0, 0)), nn.MaxPool2d(2, 1))
    line = (
        "operator 2 aten.max_pool2d_with_indices.default (tensor 'max_pool2d_with_indices'): "
        "padding must be smaller than the window (2, 2), not (0, 0, 0, 2)"
    )
    refused(module, line, 1, 4, 4)


def test_views_that_keep_the_order_are_no_layers() -> None:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        y = x.mean((2, 3)).unsqueeze(2).unsqueeze(3).squeeze(3).reshape(1, -1).contiguous()
        return y.view(x.size(0), 3, 1, 1) + x.mean((2, 3), keepdim=True)

    assert kinds(read(Function(forward), 3, 4, 4)) == ["mean", "mean", "add"]


def test_channels_innermost_in_memory_change_nothing() -> None:
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    image = torch.randn(1, 4, 4, 3).permute(0, 3, 1, 2)
    network = read_program(export_module(module, image), name="n")
    assert kinds(network) == ["mean", "fully_connected"]


def test_weights_computed_from_parameters_are_folded() -> None:
    conv = nn.Conv2d(2, 3, 1)
    module = Function(lambda m, x: functional.conv2d(x, 2 * m.conv.weight, m.conv.bias), conv=conv)
    (layer,) = read(module, 2, 2, 2).layers
    torch.testing.assert_close(layer.parameters()[0], 2 * conv.weight.double())


def test_batch_of_any_size() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Flatten(), nn.Linear(12, 2)).eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(module, (torch.randn(2, 2, 2, 2),), dynamic_shapes=({0: batch},))
    assert kinds(read_program(program, name="n")) == ["conv", "fully_connected"]


def refused(module: nn.Module, line: str, *shape: int) -> None:
    with pytest.raises(UnsupportedModuleError, match=f"^{re.escape(line)}$"):
        read(module, *shape)


@pytest.mark.parametrize(
    ("forward", "node"),
    [
        (lambda m, x: x.sin(), "operator 0 aten.sin.default (tensor 'sin')"),
        (lambda m, x: x.permute(0, 2, 3, 1), "operator 0 aten.permute.default (tensor 'permute')"),
    ],
)  # fmt: skip
def test_operations_without_a_layer(forward: Callable[..., Tensor], node: str) -> None:
    module = Function(forward)
    module.register_parameter("w", nn.Parameter(torch.randn(3, 2, 2, 2)))
    refused(module, f"{node} is not supported; there is {THERE_IS}", 3, 4, 4)


AVERAGE = "operator 0 aten.avg_pool2d.default (tensor 'avg_pool2d')"
MAXIMUM = "operator 0 aten.max_pool2d_with_indices.default (tensor 'max_pool2d_with_indices')"


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (Function(lambda m, x: x.amax(1)), "operator 0 aten.amax.default (tensor 'amax'): maximum must be taken over height and width, not [1]"),
        (nn.AdaptiveMaxPool2d(2), "operator 0 aten.adaptive_max_pool2d.default (tensor 'adaptive_max_pool2d'): output of an adaptive max pool must be (1, 1), not (2, 2)"),
        (nn.AvgPool2d(3, ceil_mode=True), f"{AVERAGE}: ceil_mode must not add windows to (2, 2), not (3, 3)"),
        (nn.MaxPool2d(2, dilation=2), f"{MAXIMUM}: dilation must be 1, not (2, 2)"),
        (nn.MaxPool2d(2, return_indices=True), "operator 2 <built-in function getitem> (tensor 'getitem_1'): only the first result can be used, not 1"),
        (nn.AdaptiveAvgPool2d(3), "operator 0 aten._adaptive_avg_pool2d.default (tensor '_adaptive_avg_pool2d'): output of an adaptive pool must divide its input (8, 8), not (3, 3)"),
        (nn.ZeroPad2d(1), "zero padding must be followed by a convolution or max pooling, not by output 'output'"),
        (nn.Sequential(nn.ZeroPad2d(1), nn.ReLU()), "zero padding must be followed by a convolution or max pooling, not by operator 1 aten.relu.default (tensor 'relu')"),
        (nn.ConstantPad2d(1, 2.0), "operator 0 aten.constant_pad_nd.default (tensor 'constant_pad_nd'): the value of padding must be 0, not 2.0"),
        (nn.ZeroPad2d((0, -1, 0, 0)), "operator 0 aten.constant_pad_nd.default (tensor 'constant_pad_nd'): padding must not be negative, not [0, -1, 0, 0]"),
        (Function(lambda m, x: functional.pad(x, (0, 0, 0, 0, 1, 1))), "operator 0 aten.constant_pad_nd.default (tensor 'constant_pad_nd'): padding must be around height and width, not [0, 0, 0, 0, 1, 1]"),
        (Function(lambda m, x: x + m.conv.weight, conv=nn.Conv2d(4, 1, 1)), "operator 0 aten.add.Tensor (tensor 'add'): constants must be one number for all channels, not [1, 4, 1, 1]"),
        (Function(lambda m, x: torch.add(x, x, alpha=2)), "operator 0 aten.add.Tensor (tensor 'add'): alpha must be 1, not 2"),
        (Function(lambda m, x: x + x.mean((2, 3), keepdim=True)), "operator 1 aten.add.Tensor (tensor 'add'): operands must have one shape, not [(4, 8, 8), (4, 1, 1)]"),
        (Function(lambda m, x: x.mean(1)), "operator 0 aten.mean.dim (tensor 'mean'): mean must be taken over height and width, not [1]"),
        (Function(lambda m, x: x.flatten(1, 2)), "operator 0 aten.view.default (tensor 'view'): a view of [N, 4, 8, 8] must keep or flatten it, not ['N', 32, 8]"),
        (Function(lambda m, x: x.reshape(-1)), "operator 0 aten.view.default (tensor 'view'): a view of [N, 4, 8, 8] must keep or flatten it, not ['N']"),
        (nn.Sequential(nn.Flatten(), nn.BatchNorm1d(256)), "operator 1 aten._native_batch_norm_legit_no_training.default (tensor '_native_batch_norm_legit_no_training'): flattened pixels cannot be normalized one by one: channels must be 4, not 256"),
        (nn.Identity(), "module must compute its output from an image"),
        (Function(lambda m, x: torch.zeros(1, 2)), "module must compute its output from an image"),
    ],
)  # fmt: skip
def test_refused_with_the_rule(module: nn.Module, line: str) -> None:
    refused(module, line, 4, 8, 8)


def test_input_of_other_axes_is_refused() -> None:
    program = torch.export.export(nn.Linear(2, 2), (torch.randn(2),))
    line = (
        r"^input 'input' of the module must have shape \[N, C, H, W\], \[N, C, L\] or \[N, C\], "
        r"not \['2'\]$"
    )
    with pytest.raises(UnsupportedModuleError, match=line):
        read_program(program, name="n")


def test_module_in_training_mode_is_set_to_inference() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout()).train()
    assert kinds(read(module, 1, 2, 2)) == ["conv"]
    assert not module.training


def test_module_that_cannot_be_traced_is_refused() -> None:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        raise RuntimeError("out of paper")

    with pytest.raises(UnsupportedModuleError, match=r"^module cannot be exported: out of paper$"):
        read(Function(forward), 1, 2, 2)


def test_the_page_of_supported_modules_names_every_operator_that_is_read() -> None:
    names = [name for row in MODULES for name in row.operators]
    listed = [name if name.count(".") == 2 else f"aten.{name}" for name in names]
    read = WEIGHTED | POOLS | ENLARGING | ELEMENTWISE | VIEWS | FUNCTIONS | QUANTIZED | ACTIVATIONS
    assert sorted(listed) == sorted(name for name in read if not name.startswith("<"))
