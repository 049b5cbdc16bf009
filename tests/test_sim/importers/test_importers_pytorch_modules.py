"""Quantized modules compute, layer by layer, what fake-quantized real arithmetic says.

The reference shares nothing with the importer: it walks the graph of ``torch.fx``, not that of
``torch.export``, with PyTorch's own operations in float64. Each layer starts from the integers that
the golden reference computed for its inputs. What is left between the two is the last rounding, of
at most half a step, and the rounding of the requantizer's first step.
"""

import copy
import math
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn import functional

from sampled import sampled
from sim import golden
from sim.importers.pytorch.conversion import import_program, load_program
from sim.importers.pytorch.quantize import Scale, activation_scale, quantize_module
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.network import Layer, LayerKind, Network, TensorSpec

FOLLOWERS = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.Hardtanh)
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
ALIKE = (LayerKind.MAX_POOL, LayerKind.AVERAGE_POOL, LayerKind.GLOBAL_AVERAGE_POOL)


class Residual(nn.Module):
    """Adds what its body makes of x to x; a ReLU may follow."""

    def __init__(self, body: nn.Module, relu: bool) -> None:
        super().__init__()
        self.body = body
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Sum of x and the body's output, [N, C, H, W]."""
        y: Tensor = x + self.body(x)
        return functional.relu(y) if self.relu else y


def normalized(channels: int, rng: np.random.Generator) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=float(rng.choice([1e-5, 1e-3])))
    with torch.no_grad():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.weight.copy_(torch.from_numpy(rng.uniform(-1.5, 1.5, channels)))
        norm.bias.copy_(torch.from_numpy(rng.normal(size=channels)))
        norm.running_mean.copy_(torch.from_numpy(rng.normal(size=channels)))
        norm.running_var.copy_(torch.from_numpy(rng.uniform(0.2, 3, channels)))
    return norm


def activation(rng: np.random.Generator) -> list[nn.Module]:
    chosen = int(rng.integers(5))
    low = -float(rng.uniform(0.1, 1))
    choices: list[list[nn.Module]] = [
        [nn.ReLU()], [nn.ReLU6()], [nn.Hardtanh()], [nn.Hardtanh(low, 0.7)], []
    ]  # fmt: skip
    return choices[chosen]


def convolution(
    inputs: int, outputs: int, rng: np.random.Generator, *, depthwise: bool = False
) -> list[nn.Module]:
    """Convolution that keeps the size, by padding of its own or before it, then what follows."""
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    groups = inputs if depthwise else 1
    bias = bool(rng.integers(2))
    if rng.integers(2) or not rows % 2 or not columns % 2:
        top, left = int(rng.integers(rows)), int(rng.integers(columns))
        pad = nn.ZeroPad2d((left, columns - 1 - left, top, rows - 1 - top))
        layers = [pad, nn.Conv2d(inputs, outputs, (rows, columns), groups=groups, bias=bias)]
    else:
        around = (rows // 2, columns // 2)
        layers = [
            nn.Conv2d(inputs, outputs, (rows, columns), padding=around, groups=groups, bias=bias)
        ]
    norm = [normalized(outputs, rng)] if rng.integers(2) else []
    return [*layers, *norm, *activation(rng)]


def random_module(rng: np.random.Generator) -> tuple[nn.Module, tuple[int, int, int]]:
    """A module with every supported layer, and the shape of its images."""
    inputs, width = int(rng.integers(1, 4)), int(rng.integers(2, 9))
    height, columns = (int(size) for size in rng.integers(9, 14, 2))
    stem = nn.Conv2d(inputs, width, (3, 2), stride=(2, 1), padding=(1, 0))
    layers: list[nn.Module] = [nn.ZeroPad2d((1, 0, 0, 2)), stem, *activation(rng)]
    for step in rng.permutation(5):
        match int(step):
            case 0:
                layers += convolution(width, width, rng)
            case 1:
                layers += convolution(width, width, rng, depthwise=True)
            case 2:
                body = nn.Sequential(*convolution(width, width, rng))
                layers.append(Residual(body, bool(rng.integers(2))))
            case 3:
                layers.append(nn.MaxPool2d(3, 1, 1) if rng.integers(2) else nn.MaxPool2d((2, 1), 1))
            case 4:
                layers += [nn.AvgPool2d((2, 3), 1), *activation(rng)]
    with torch.no_grad():
        shape = nn.Sequential(*layers).eval()(torch.zeros(1, inputs, height, columns)).shape
    if rng.integers(2):
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout()]
        features = width
    else:
        layers += [nn.Identity(), nn.Flatten()]
        features = int(np.prod(shape[1:]))
    layers += [nn.Linear(features, 7), nn.ReLU(), nn.Linear(7, 5, bias=bool(rng.integers(2)))]
    return nn.Sequential(*layers), (inputs, height, columns)


def real(tensor: TensorSpec, values: NDArray[np.int8]) -> Tensor:
    """Real numbers [N, C, H, W] of a quantized tensor."""
    steps = torch.from_numpy(values.astype(np.float64)).permute(0, 3, 1, 2)
    return tensor.scale * (steps - tensor.zero_point)


class Reference(fx.Interpreter):
    """Runs a module on golden integers and compares every layer's output with them.

    A module's layers and the network's are in the same order.
    """

    def __init__(self, module: nn.Module, network: Network, x: NDArray[np.int8]) -> None:
        traced = fx.symbolic_trace(copy.deepcopy(module).eval().double())
        super().__init__(traced)
        self.modules = dict(traced.named_modules())
        self.tensors = network.tensors
        self.golden = golden.run(network, x)
        self.layers = iter(network.layers)
        self.layer: Layer | None = None
        self.largest = 0.0
        self.compared: list[str] = []

    def check(self) -> list[str]:
        """Names of the layers that were compared: all of them."""
        self.run(real(self.tensors["input"], self.golden["input"]))
        assert next(self.layers, None) is None
        return self.compared

    def run_node(self, n: fx.Node) -> Any:
        """Value of one node; of the last node of a layer, the golden model's."""
        module = self.modules.get(str(n.target)) if n.op == "call_module" else None
        is_add = n.op == "call_function" and getattr(n.target, "__name__", "") == "add"
        starts = isinstance(module, (nn.Conv2d, nn.Linear, *POOLS)) or is_add
        if starts:
            self.layer = next(self.layers)
        if isinstance(module, nn.BatchNorm2d):
            value = self.fetch_args_kwargs_from_env(n)[0][0]  # part of the convolution's weights
        elif isinstance(module, nn.Conv2d | nn.Linear):
            value = self._weighted(n, module)
        else:
            value = super().run_node(n)
        follows = isinstance(module, FOLLOWERS) or n.target is functional.relu
        if (starts or follows) and not self._goes_on(n):
            value = self._compare(value)
        return value

    def _goes_on(self, n: fx.Node) -> bool:
        """Whether the next node belongs to the same layer."""
        if len(n.users) != 1:
            return False
        (user,) = n.users
        module = self.modules.get(str(user.target)) if user.op == "call_module" else None
        if user.target is functional.relu:
            return True
        return isinstance(module, FOLLOWERS)

    def _weighted(self, n: fx.Node, module: nn.Conv2d | nn.Linear) -> Tensor:
        """Product with weights and bias that were rounded to the scales' steps."""
        assert self.layer is not None
        weight = module.weight.detach()
        bias = torch.zeros(len(weight)).double() if module.bias is None else module.bias.detach()
        norm = self.modules.get(str(next(iter(n.users)).target))
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            deviation = (norm.running_var + norm.eps).sqrt()
            weight = weight * (norm.weight / deviation)[:, None, None, None]
            bias = (bias - norm.running_mean) * norm.weight / deviation + norm.bias
        steps = weight.flatten(1).abs().amax(1) / 127
        shape = (-1, *[1] * (weight.ndim - 1))
        weight = (weight / steps.reshape(shape)).round() * steps.reshape(shape)
        accumulator_steps = self.tensors[self.layer.inputs[0]].scale * steps
        bias = (bias / accumulator_steps).round() * accumulator_steps
        ((x,), _) = self.fetch_args_kwargs_from_env(n)
        if isinstance(module, nn.Linear):
            return functional.linear(x, weight, bias)
        around = module.padding
        assert not isinstance(around, str)
        return functional.conv2d(x, weight, bias, module.stride, around, 1, module.groups)

    def _compare(self, value: Tensor) -> Tensor:
        """Compare a layer's real output with the golden integers, and go on with those."""
        assert self.layer is not None
        tensor = self.layer.output
        computed = real(tensor, self.golden[tensor.name]).reshape(value.shape)
        lowest, highest = (tensor.scale * (end - tensor.zero_point) for end in (-128, 127))
        steps = ((value.detach().clamp(lowest, highest) - computed) / tensor.scale).abs().max()
        first = max(float(2.0 ** int(s)) / 2 for s in [*self.layer.shift, -40] if s < 1)
        assert float(steps) <= 0.5 + first + 1e-4, (self.layer.name, float(steps))
        self.largest = max(self.largest, float(steps))
        self.compared.append(self.layer.name)
        return computed


def quantized_images(network: Network, images: Tensor) -> NDArray[np.int8]:
    tensor = network.input
    steps = (images.double() / tensor.scale).round() + tensor.zero_point
    return steps.clamp(-128, 127).permute(0, 2, 3, 1).to(torch.int8).numpy().copy()


def checked(module: nn.Module, network: Network, images: Tensor) -> float:
    """Compare every layer; return the largest difference in steps."""
    reference = Reference(module, network, quantized_images(network, images))
    assert reference.check() == [layer.name for layer in network.layers]
    return reference.largest


@pytest.mark.filterwarnings("ignore::sim.importers.errors.CalibrationWarning")
@pytest.mark.parametrize("seed", sampled(range(12), lambda seed: seed % 3 == 0))
def test_random_modules_layer_by_layer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    module, shape = random_module(rng)
    images = torch.from_numpy(rng.normal(0.2, 1, (6, *shape)).astype(np.float32))
    network = quantize_module(module, images, name="random")
    # exactly half a step would be an accident: the reference does round
    assert 0.4 < checked(module, network, 1.2 * images) < 0.6
    outputs = golden.run(network, quantized_images(network, images))[network.output.name]
    with torch.no_grad():
        expected = module(images).double()
    noise = (real(network.output, outputs).flatten(1) - expected).pow(2).mean().sqrt()
    # measured 0.01 … 0.06 of the signal
    assert float(noise) < 0.15 * float(expected.std())


def test_the_reference_fails_if_a_layer_is_wrong() -> None:
    rng = np.random.default_rng(5)
    conv = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 2)), nn.Conv2d(2, 3, 3), nn.ReLU6())
    images = torch.from_numpy(rng.normal(0, 20, (4, 2, 6, 6)).astype(np.float32))
    network = quantize_module(conv, images, name="n")
    checked(conv, network, images)
    for wrong in (
        nn.Sequential(nn.ZeroPad2d((1, 0, 0, 2)), conv[1], conv[2]),
        nn.Sequential(nn.ZeroPad2d((0, 1, 2, 0)), conv[1], conv[2]),
        nn.Sequential(conv[0], conv[1], nn.Hardtanh(0, 5.95)),
        nn.Sequential(conv[0], conv[1], nn.Hardtanh(0.1, 6)),
    ):
        with pytest.raises(AssertionError):
            checked(wrong, network, images)


def test_scales_are_those_of_the_activations() -> None:
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)
    )
    images = torch.randn(5, 2, 8, 8)
    network = quantize_module(module, images, name="n")
    ranges = {"input": images}
    with torch.no_grad():
        ranges["0"] = module[:3](images)
        ranges["mean"] = module(images)
    for name, values in ranges.items():
        expected = activation_scale(float(values.min()), float(values.max()))
        tensor = network.tensors[name]
        assert tensor.scale == pytest.approx(expected.scale, rel=1e-5)
        assert tensor.zero_point == expected.zero_point
    pool = network.tensors["max_pool2d_with_indices"]
    assert (pool.scale, pool.zero_point) == (network.tensors["0"].scale, -128)


def test_given_input_scale_is_kept() -> None:
    images = torch.rand(2, 1, 2, 2)
    network = quantize_module(nn.ReLU(), images, name="n", input_scale=Scale(1 / 128, -1))
    assert (network.input.scale, network.input.zero_point) == (1 / 128, -1)
    x = np.array([-128, -2, -1, 127], np.int8).reshape(1, 2, 2, 1)
    assert golden.run(network, x)["relu"].ravel().tolist() == [-1, -1, -1, 127]


@pytest.mark.parametrize(
    ("module", "low", "high"),
    [
        (nn.ReLU(), 0.0, math.inf),
        (nn.ReLU6(), 0.0, 6.0),
        (nn.Hardtanh(), -1.0, 1.0),
        (nn.Hardtanh(-2.5, 0.5), -2.5, 0.5),
    ],
)
def test_clamp_of_a_given_scale_is_the_bounds_in_steps_from_the_zero_point(
    module: nn.Module, low: float, high: float
) -> None:
    images = torch.linspace(-8, 12, 64).reshape(1, 1, 8, 8)
    scale = Scale(0.0625, 10)
    network = quantize_module(module, images, name="n", input_scale=scale)
    expected = (max(-128, round(10 + 16 * low)), 127 if high > 7 else round(10 + 16 * high))
    assert network.layers[0].clamp == expected
    fused = quantize_module(nn.Sequential(nn.Conv2d(1, 1, 1), module), images, name="n")
    # nothing else than the bounded values has to be represented
    assert len(fused.layers) == 1
    assert fused.layers[0].output.scale <= (min(high, 12) - low) / 255 * 1.001


def test_clamp_within_the_range_of_the_sum() -> None:
    images = torch.linspace(-3, 4, 64).reshape(1, 1, 8, 8)
    scale = Scale(0.0625, 0)
    module = nn.Sequential(Residual(nn.Identity(), relu=True), nn.MaxPool2d(1), nn.ReLU6())
    network = quantize_module(module, images, name="n", input_scale=scale)
    add, pool = network.layers
    assert (add.clamp, add.output.zero_point) == ((-128, 127), -128)
    # 6 of 8, the largest sum
    assert pool.clamp == (-128, -128 + round(6 / (8 / 255)))
    assert pool.output.scale == add.output.scale


def test_flattened_pixels_keep_their_weights() -> None:
    linear = nn.Linear(2 * 3 * 4, 24, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(24))
    images = torch.arange(24.0).reshape(1, 2, 3, 4)
    network = quantize_module(nn.Sequential(nn.Flatten(), linear), images, name="n")
    (layer,) = network.layers
    assert layer.weights.shape == (24, 3, 4, 2)
    y = golden.run(network, quantized_images(network, images))[layer.name]
    real_y = real(layer.output, y).flatten()
    torch.testing.assert_close(real_y, torch.arange(24.0).double(), atol=0.1, rtol=0)


def test_padding_counts_as_real_zero() -> None:
    conv = nn.Conv2d(1, 1, (1, 2), bias=False)
    with torch.no_grad():
        conv.weight.fill_(1)
    images = torch.full((1, 1, 1, 2), 3.0)
    images[0, 0, 0, 0] = -1.0
    module = nn.Sequential(nn.ZeroPad2d((1, 0, 0, 0)), conv)
    network = quantize_module(module, images, name="n")
    assert network.input.zero_point != 0
    y = golden.run(network, quantized_images(network, images))["1"]
    torch.testing.assert_close(
        real(network.output, y).flatten(), torch.tensor([-1.0, 2.0]).double(), atol=0.02, rtol=0
    )


@pytest.mark.parametrize(
    ("images", "line"),
    [
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), "calibration images must be floating point of shape [N, C, H, W], [N, C, L] or [N, C], not torch.uint8 [2, 1, 4, 4]"),
        (torch.zeros(4), "calibration images must be floating point of shape [N, C, H, W], [N, C, L] or [N, C], not torch.float32 [4]"),
        (torch.full((1, 1, 4, 4), math.nan), "calibration images must be finite"),
    ],
)  # fmt: skip
def test_wrong_calibration_images_are_refused(images: Tensor, line: str) -> None:
    with pytest.raises(CosilicoError, match=f"^{re.escape(line)}$"):
        quantize_module(nn.ReLU(), images, name="n")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[nn.Module, Tensor, Path, Path]:
    torch.manual_seed(2)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4)).eval()
    images = torch.randn(3, 2, 4, 4)
    program, calibration = tmp_path / "small.pt2", tmp_path / "images.npz"
    torch.export.save(torch.export.export(module, (images[:1],)), program)
    np.savez(calibration, x=images.numpy())
    return module, images, program, calibration


def test_program_file_is_quantized_as_its_module(
    saved: tuple[nn.Module, Tensor, Path, Path],
) -> None:
    module, images, program, calibration = saved
    network = import_program(program, calibration)
    expected = quantize_module(module, images, name="small")
    assert (network.name, network.input) == (expected.name, expected.input)
    for layer, other in zip(network.layers, expected.layers, strict=True):
        assert (layer.name, layer.kind, layer.output, layer.clamp) == (
            other.name,
            other.kind,
            other.output,
            other.clamp,
        )
        for array in ("weights", "bias", "multiplier", "shift"):
            np.testing.assert_array_equal(getattr(layer, array), getattr(other, array))


def test_wrong_files_are_refused(
    saved: tuple[nn.Module, Tensor, Path, Path], tmp_path: Path
) -> None:
    _, _, program, calibration = saved

    def refused(program: Path, calibration: Path, line: str) -> None:
        with pytest.raises(CosilicoError, match=f"^{re.escape(line)}$"):
            import_program(program, calibration)

    none = tmp_path / "none"
    refused(none, calibration, f"program file {none} cannot be read: No such file or directory")
    refused(program, none, f"calibration file {none} cannot be read: No such file or directory")
    refused(tmp_path, calibration, f"program file {tmp_path} cannot be read: Is a directory")
    text = tmp_path / "text.pt2"
    text.write_text("not a program")
    refused(text, calibration, f"program file {text} must be written by torch.export.save")
    refused(program, text, f"calibration file {text} is truncated or not an npz file")
    other = tmp_path / "other.npz"
    np.savez(other, y=np.zeros(3))
    refused(other, calibration, f"program file {other} must be written by torch.export.save")
    damaged = tmp_path / "damaged.pt2"
    with zipfile.ZipFile(damaged, "w") as archive:
        archive.writestr("damaged/archive_format", "pt2")
    line = f"program file {damaged} must have a member models/model.json"
    with pytest.raises(DesignFileError, match=f"^{line}$"):
        load_program(damaged)
    refused(program, other, f"calibration file {other} must hold an array x")
    np.savez(other, x=np.zeros((2, 2, 4, 4), np.int8))
    rule = (
        "must be floating point of shape [N, C, H, W], [N, C, L] or [N, C], not int8 [2, 2, 4, 4]"
    )
    refused(program, other, f"array x of calibration file {other} {rule}")
    np.savez(other, x=np.zeros((2, 2, 5, 4), np.float32))
    rule = "calibration images must have shape [N, 2, 4, 4], not [2, 2, 5, 4]"
    refused(program, other, rule)
