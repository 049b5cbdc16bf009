"""PyTorch modules of several inputs: against PyTorch's own quantization, and against the module itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cosilico.imports import import_to_folder
from sim import golden
from sim.importers.folder import load
from sim.importers.pytorch.aten import export_module
from sim.importers.pytorch.conversion import import_with_ends
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.quantize import quantize_module, quantize_program
from sim.spec.errors import CosilicoError
from sim.spec.network import Network

Q = torch.ops.quantized_decomposed
IMAGES = 6


class Meeting(nn.Module):
    """Two tensors of one size, or of a size of the other, that meet in ``how``."""

    def __init__(self, how: Callable[..., Tensor]) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Output of both."""
        return self.how(x, y)


def pair(x: Tensor, scale: float, zero_point: int) -> Tensor:
    """A tensor quantized and dequantized."""
    given = (scale, zero_point, -128, 127, torch.int8)
    result: Tensor = Q.dequantize_per_tensor(Q.quantize_per_tensor(x, *given), *given)
    return result


def drawn(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(IMAGES, *shape, generator=generator) for shape in shapes]


def results(
    module: nn.Module, x: list[Tensor], folder: Path, *, calibrated: bool
) -> tuple[Network, Tensor, Tensor]:
    """The network of a saved program, and the outputs of network, host's steps included, and module."""
    torch.export.save(export_module(module, [values[:1] for values in x]), folder / "m.pt2")
    named = {f"x.{place}" if place else "x": values.numpy() for place, values in enumerate(x)}
    np.savez(folder / "x.npz", **named)  # type: ignore[arg-type]  # keywords are arrays
    network, ends = import_with_ends(folder / "m.pt2", folder / "x.npz" if calibrated else None)
    host = ends.host(network)
    given = host.prepare([values.numpy() for values in x])
    made = golden.run(network, given)[network.output.name]
    with torch.no_grad():
        rows = [module(*[values[i : i + 1] for values in x]) for i in range(IMAGES)]
    return network, torch.from_numpy(host.finish(host.logits(made))), torch.cat(rows)


QUANTIZED: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], tuple[int, ...]]] = {
    "sum": (lambda x, y: pair(pair(x, 0.03, 5) + pair(y, 0.0213, -7), 0.0417, 3), (3, 5, 4), (3, 5, 4)),
    "product": (lambda x, y: pair(pair(x, 0.03, 5) * pair(y, 0.0213, -7), 0.0417, 3), (3, 5, 4), (3, 5, 4)),
    "channels": (lambda x, y: pair(pair(x, 0.03, 5) * pair(y, 0.0213, -7), 0.0417, 3), (3, 5, 4), (3, 1, 1)),
    "pixels": (lambda x, y: pair(pair(x, 0.03, 5) * pair(y, 0.0213, -7), 0.0417, 3), (1, 5, 4), (3, 5, 4)),
    "joined": (
        lambda x, y: pair(torch.cat([pair(x, 0.03, 5), pair(y, 0.03, 5)], 1), 0.03, 5), (3, 5, 4), (2, 5, 4),
    ),
    "vectors": (lambda x, y: pair(pair(x, 0.03, 5) + pair(y, 0.0213, -7), 0.0417, 3), (20,), (20,)),
    "signals": (lambda x, y: pair(pair(x, 0.03, 5) + pair(y, 0.0213, -7), 0.0417, 3), (3, 9), (3, 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_programs_are_within_one_step_of_pytorchs(name: str, tmp_path: Path) -> None:
    how, *shapes = QUANTIZED[name]
    module, x = Meeting(how), drawn(*shapes)
    network, made, expected = results(module, x, tmp_path, calibrated=False)
    distance = (made - expected).abs() / network.output.scale
    assert float(distance.max()) < 1.01
    assert float((distance > 0.5).float().mean()) < 0.1
    assert len(np.unique(expected.numpy())) > 20
    scales = [(source.scale, source.zero_point) for source in network.inputs]
    assert scales == [(0.03, 5), (0.03, 5) if name == "joined" else (0.0213, -7)]


class Seen(nn.Module):
    """A convolved image, moved and scaled by what is computed of a vector, and joined to another image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.wide, self.other = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(2, 4, 1)
        self.gate, self.last = nn.Linear(7, 8), nn.Conv2d(12, 5, 1)

    def forward(self, image: Tensor, vector: Tensor, other: Tensor) -> Tensor:
        """Output [N, 5, P, Q]."""
        gate = torch.sigmoid(5 * self.gate(vector))[:, :, None, None]
        both = torch.cat([functional.relu(3 * self.wide(image)) * gate, self.other(other)], 1)
        result: Tensor = self.last(both)
        return result


SEEN = ((3, 6, 5), (7,), (2, 6, 5))


def test_a_module_of_three_inputs_is_quantized_from_images_of_each(tmp_path: Path) -> None:
    module, x = Seen().eval(), drawn(*SEEN)
    x[2] = 5 * x[2] + 3
    network, made, expected = results(module, x, tmp_path, calibrated=True)
    assert [source.name for source in network.inputs] == ["input", "input_1", "input_2"]
    assert [source.shape for source in network.inputs] == [(6, 5, 3), (1, 1, 7), (6, 5, 2)]
    for source, values in zip(network.inputs, x, strict=True):
        assert source.scale == pytest.approx(float(values.max() - values.min()) / 255)
    off = float((made - expected).abs().max())
    assert off < float(expected.max() - expected.min()) / 20
    for place in range(3):  # each matters by more than quantization
        others = [values.flip(0) if i == place else values for i, values in enumerate(x)]
        with torch.no_grad():
            other = module(*others)
        assert float((other - expected).abs().max()) > 3 * off
    again = quantize_module(module, x, name="m")
    assert [layer.kind for layer in again.layers] == [layer.kind for layer in network.layers]
    text = import_to_folder(tmp_path / "m.pt2", tmp_path / "net", tmp_path / "x.npz")
    assert "\ninput float32 (7,); the host computes reshape, quantize before" in text
    kept = load(tmp_path / "net")
    assert [start.input.shape for start in kept.host.starts] == list(SEEN)
    assert [layer.name for layer in kept.network.layers] == [layer.name for layer in network.layers]


def refused(module: nn.Module, x: list[Tensor], folder: Path, line: str) -> None:
    with pytest.raises(CosilicoError) as caught:
        results(module, x, folder, calibrated=True)
    assert str(caught.value) == line.replace("FILE", str(folder / "x.npz"))


def test_refuses_an_input_that_nothing_is_computed_of(tmp_path: Path) -> None:
    module = Meeting(lambda x, y: functional.relu(x))
    line = "module must compute something of its input 1"
    refused(module, drawn((3, 5, 4), (3, 5, 4)), tmp_path, line)


def test_refuses_calibration_images_that_do_not_fit(tmp_path: Path) -> None:
    module = Meeting(lambda x, y: x + y)
    x = drawn((3, 5, 4), (3, 5, 4))
    program = export_module(module, [values[:1] for values in x])
    torch.export.save(program, tmp_path / "m.pt2")
    cases: list[tuple[list[Tensor], str]] = [
        (x[:1], "calibration file FILE must hold an array x.1, as the module has 2 inputs"),
        ([x[0], x[1][:2]], "calibration images of input_1 must be 6, as of input, not 2"),
        ([x[0], x[1][:, :2]], "calibration images of input_1 must have shape [N, 3, 5, 4], not [6, 2, 5, 4]"),
        ([x[0], 0 * x[1]], "calibration images of input_1 must not all be 0"),
        ([x[0], x[1].int()], "array x.1 of calibration file FILE must be floating point of shape [N, C, H, W], [N, C, L] or "
         "[N, C], not int32 [6, 3, 5, 4]"),
    ]  # fmt: skip
    for images, line in cases:
        named = {f"x.{i}" if i else "x": values.numpy() for i, values in enumerate(images)}
        np.savez(tmp_path / "x.npz", **named)  # type: ignore[arg-type]  # keywords are arrays
        with pytest.raises(CosilicoError) as caught:
            import_with_ends(tmp_path / "m.pt2", tmp_path / "x.npz")
        assert str(caught.value) == line.replace("FILE", str(tmp_path / "x.npz"))
    with pytest.raises(CosilicoError, match=r"^calibration images must be of 2 inputs, not of 1$"):
        quantize_program(program, x[0], name="m")


def test_refuses_arguments_that_are_no_tensors(tmp_path: Path) -> None:
    program = torch.export.export(Meeting(lambda x, y: x * y), (drawn((3, 4))[0], 3))
    torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(
        CosilicoError, match=r"must have a tensor as an (argument|end of the graph)$"
    ):
        import_with_ends(tmp_path / "m.pt2", None)


@pytest.mark.parametrize("how", ["sum", "product", "first", "vector"])
def test_what_is_joined_meets_what_lies_otherwise(how: str) -> None:
    """A concatenation is copied before another tensor of its size is added to it, or multiplied."""

    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(4)
            self.a, self.b, self.c = nn.Conv2d(3, 5, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 8, 1)

        def forward(self, x: Tensor) -> Tensor:
            both, other = torch.cat([self.a(x), self.b(x)], 1), self.c(x)
            meetings: dict[str, Callable[[], Tensor]] = {
                "sum": lambda: both + other,
                "vector": lambda: other * functional.adaptive_avg_pool2d(both, 1),
                "product": lambda: both * other,
                "first": lambda: other * both,
            }
            return meetings[how]()

    module, (x,) = Joined().eval(), drawn((3, 6, 5))
    network = quantize_module(module, x, name="net")
    assert any(layer.name.endswith(".copy") for layer in network.layers)
    steps = np.rint(x.numpy() / network.input.scale) + network.input.zero_point
    given = np.ascontiguousarray(steps.clip(-128, 127).astype(np.int8).transpose(0, 2, 3, 1))
    made = golden.run(network, given)[network.output.name].astype(np.float64)
    real = (made - network.output.zero_point) * network.output.scale
    with torch.no_grad():
        expected = module(x).permute(0, 2, 3, 1).numpy()
    assert np.abs(real - expected).max() < np.ptp(expected) / 20


def test_products_that_repeat_rows_are_refused() -> None:
    module = Meeting(lambda x, y: x * y)
    x = drawn((3, 5, 4), (3, 5, 1))
    with pytest.raises(
        UnsupportedModuleError, match=r"one value for each channel or pixel, not \["
    ):
        quantize_module(module, x, name="net")
