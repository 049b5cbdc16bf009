"""PyTorch modules of several outputs: against PyTorch's own quantization, and against the module itself."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cosilico.cli import main
from cosilico.imports import import_to_folder
from sim import golden
from sim.importers.folder import ImportedNetwork, load
from sim.importers.pytorch.aten import export_module
from sim.importers.pytorch.conversion import import_with_ends
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.quantize import quantize_module
from sim.spec.errors import CosilicoError

Q = torch.ops.quantized_decomposed
IMAGES = 6


class Giving(nn.Module):
    """A module with two convolutions and a linear layer, which returns what ``how`` makes of an image."""

    def __init__(self, how: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.conv, self.other = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 5, 1)
        self.linear = nn.Linear(8, 4)
        self.how = how

    def forward(self, x: Tensor) -> Any:
        """Outputs of the image."""
        return self.how(self, x)


def pair(x: Tensor, scale: float, zero_point: int) -> Tensor:
    """A tensor quantized and dequantized."""
    given = (scale, zero_point, -128, 127, torch.int8)
    result: Tensor = Q.dequantize_per_tensor(Q.quantize_per_tensor(x, *given), *given)
    return result


def drawn(*shape: int) -> Tensor:
    return torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(2))


def results(
    module: nn.Module, x: Tensor, folder: Path, *, calibrated: bool
) -> tuple[ImportedNetwork, list[Any], list[Any]]:
    """The network of a saved program, and all outputs of network, host's steps included, and module."""
    torch.export.save(export_module(module.eval(), x[:1]), folder / "m.pt2")
    np.savez(folder / "x.npz", x=x.numpy())
    import_to_folder(
        folder / "m.pt2", folder / "net", folder / "x.npz" if calibrated else None, force=True
    )
    imported = load(folder / "net")
    values = golden.run(imported.network, imported.host.prepare(x.numpy()))
    given = {name: values[name] for name in imported.network.outputs}
    made = [output for _, output in imported.host.all_outputs(given)]
    with torch.no_grad():
        rows = [flat(module(x[i : i + 1])) for i in range(IMAGES)]
    expected = [torch.cat(row).numpy() for row in zip(*rows, strict=True)]
    assert [(y.shape, y.dtype) for y in made] == [(y.shape, y.dtype) for y in expected]
    return imported, made, expected


def flat(result: Any) -> list[Tensor]:
    """Tensors of nested tuples, lists and mappings, in their order."""
    if isinstance(result, Tensor):
        return [result]
    items = result.values() if isinstance(result, dict) else result
    return [tensor for item in items for tensor in flat(item)]


def read_on(m: Giving, x: Tensor) -> dict[str, Any]:
    """A sum, what is made of it, and the two in other forms."""
    x = pair(x, 0.03, 5)
    total = pair(x + x, 0.05, -7)
    pooled = pair(total.mean((2, 3)), 0.011, 4)
    return {"sum": total, "nested": (pooled, [total.flatten(1)]), "pooled": pooled[:, :, None]}


QUANTIZED: dict[str, tuple[Callable[..., Any], int]] = {
    "pair": (lambda m, x: (pair(pair(x, 0.03, 5) + pair(x, 0.03, 5), 0.05, -7),
                           pair(pair(x, 0.03, 5) * pair(x, 0.03, 5), 0.0417, -90)), 2),
    "read on": (read_on, 2),
    "pool": (lambda m, x: (pair(functional.max_pool2d(pair(x, 0.03, 5), 2), 0.03, 5),
                           pair(torch.relu(pair(x, 0.03, 5)), 0.0213, -128)), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_programs_are_within_one_step_of_pytorchs(name: str, tmp_path: Path) -> None:
    how, tensors = QUANTIZED[name]
    imported, made, expected = results(Giving(how), drawn(3, 6, 4), tmp_path, calibrated=False)
    assert len(imported.network.outputs) == tensors
    ends = [imported.network.outputs[0], *(end.tensor for end in imported.host.further)]
    for tensor, own, y in zip(ends, made, expected, strict=True):
        distance = np.abs(own - y) / imported.network.tensors[tensor].scale
        assert distance.max() < 1.01
        assert (distance > 0.5).mean() < 0.1
        assert len(np.unique(y)) > min(20, y.size // 2)


def detector(m: Giving, x: Tensor) -> dict[str, Any]:
    """Features that go on, a head, class probabilities, and scores of each pixel."""
    features = m.conv(x)
    strong = functional.silu(3 * features)
    head = m.other(strong)
    scores = m.linear(strong.mean((2, 3)))
    return {
        "features": features,
        "heads": [head, torch.sigmoid(head)],
        "classes": {"scores": scores, "probabilities": scores.softmax(1)},
        "flat": torch.relu(features).flatten(1),
        "again": features,
    }


def test_a_module_of_many_outputs_is_quantized_from_images(tmp_path: Path) -> None:
    module, x = Giving(detector), drawn(3, 6, 5)
    imported, made, expected = results(module, x, tmp_path, calibrated=True)
    assert len(made) == 7
    # the host computes both of the heads' tensor, both of the scores', and the features twice
    assert len(imported.network.outputs) == 4
    assert [tuple(type(step).__name__ for step in end.after) for end in imported.host.further] == [
        ("Transpose", "Dequantize"),
        ("Dequantize", "Logistic", "Transpose"),
        ("Dequantize",),
        ("Dequantize", "Softmax"),
        ("Transpose", "Reshape", "Dequantize"),
        ("Transpose", "Dequantize"),
    ]
    for own, y in zip(made, expected, strict=True):
        assert np.abs(own - y).max() < np.ptp(y) / 20
        assert (
            np.abs(own[::-1] - y).max() > np.ptp(y) / 5
        )  # images differ by more than quantization
    again = quantize_module(module, x, name="m")
    assert again.outputs == imported.network.outputs


def test_a_function_of_an_output_leaves_the_output_as_it_is(tmp_path: Path) -> None:
    """A table behind a convolution would replace what the module returns, too."""
    for how in (
        lambda m, x: (m.conv(x), functional.silu(m.conv(x))),
        lambda m, x: [functional.relu(y := m.conv(x)), y],
        lambda m, x: [y := m.conv(x), m.other(functional.gelu(y)), torch.tanh(y)],
    ):
        imported, made, expected = results(Giving(how), drawn(3, 6, 5), tmp_path, calibrated=True)
        for own, y in zip(made, expected, strict=True):
            assert np.abs(own - y).max() < np.ptp(y) / 20
        assert len(imported.network.outputs) == len(made)


def test_signals_and_joined_tensors_are_outputs(tmp_path: Path) -> None:
    class Signals(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.a, self.b = nn.Conv1d(3, 5, 3), nn.Conv1d(3, 4, 3)

        def forward(self, x: Tensor) -> Any:
            both = torch.cat([self.a(x), self.b(x)], 1)
            return both, functional.avg_pool1d(both, 2), both.mean(2, keepdim=True), both.mean(2)

    imported, made, expected = results(Signals(), drawn(3, 12), tmp_path, calibrated=True)
    assert imported.network.outputs[0] in {joint.name for joint in imported.network.concatenations}
    for own, y in zip(made, expected, strict=True):
        assert np.abs(own - y).max() < np.ptp(y) / 20


@pytest.mark.parametrize(
    ("how", "line"),
    [
        (lambda m, x: (m.conv(x), x), "module must compute output 1 from an image"),
        (lambda m, x: (m.conv.weight, m.conv(x)), "module must compute output 0 from an image"),
        (lambda m, x: (m.conv(x), None), "module must return tensors alone, not None as output 1"),
        (lambda m, x: {"a": m.conv(x), "b": 3}, "module must return tensors alone, not 3 as output 1"),
        (lambda m, x: [m.conv(x), float("inf")], "module must return tensors alone, not inf as output 1"),
        (lambda m, x: [True, m.conv(x), "y"], "module must return tensors alone, not True as output 0"),
        (lambda m, x: None if m.conv(x) is x else "no", "module must return tensors alone, not 'no' as its output"),
        (lambda m, x: (m.conv(x), functional.pad(m.conv(x), (1, 1))),
         "zero padding must be followed by a convolution or max pooling, not by output 'output'"),
        (lambda m, x: (y := m.conv(x).softmax(1), m.other(y)),
         "softmax must be at the end of the module, where the host computes it, not before "
         "operator 2 aten.convolution.default (tensor 'convolution_1')"),
    ],
)  # fmt: skip
def test_refuses_other_results(how: Callable[..., Any], line: str, tmp_path: Path) -> None:
    module, x = Giving(how).eval(), drawn(3, 6, 5)
    with pytest.raises(UnsupportedModuleError, match=f"^{re.escape(line)}$"):
        quantize_module(module, x, name="m")
    torch.export.save(export_module(module, x[:1]), tmp_path / "m.pt2")
    np.savez(tmp_path / "x.npz", x=x.numpy())
    with pytest.raises(UnsupportedModuleError, match=f"^{re.escape(line)}$"):
        import_with_ends(tmp_path / "m.pt2", tmp_path / "x.npz")


def test_refuses_more_results_than_it_names(tmp_path: Path) -> None:
    for count in (64, 65):
        module = Giving(lambda m, x, count=count: [m.conv(x)] * count).eval()
        torch.export.save(export_module(module, drawn(3, 6, 5)[:1]), tmp_path / f"{count}.pt2")
    np.savez(tmp_path / "x.npz", x=drawn(3, 6, 5).numpy())
    _, ends = import_with_ends(tmp_path / "64.pt2", tmp_path / "x.npz")
    assert len(ends.ends) == 64
    line = "module must return 1 … 64 tensors, not 65"
    with pytest.raises(UnsupportedModuleError, match=f"^{line}$"):
        import_with_ends(tmp_path / "65.pt2", tmp_path / "x.npz")


def test_refuses_real_values_of_a_quantized_tensor(tmp_path: Path) -> None:
    def how(m: Giving, x: Tensor) -> Any:
        total = pair(x, 0.03, 5) + pair(x, 0.03, 5)
        return pair(total, 0.05, -7), total

    torch.export.save(export_module(Giving(how), drawn(3, 6, 4)[:1]), tmp_path / "m.pt2")
    line = "tensor 'add' must be quantized alike by all that read its real values, not read by output 'output'"
    with pytest.raises(CosilicoError, match=f"^{line}$"):
        import_with_ends(tmp_path / "m.pt2", None)


def test_refuses_a_program_that_keeps_values(tmp_path: Path) -> None:
    module = Giving(lambda m, x: m.conv(x) * m.count.add_(1))
    module.register_buffer("count", torch.zeros(()))
    line = "module must be in inference mode and keep nothing for later, not 'count'"
    with pytest.raises(UnsupportedModuleError, match=f"^{line}$"):
        quantize_module(module, drawn(3, 6, 5), name="m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.export.export(module.eval(), (drawn(3, 6, 5)[:1],)).run_decompositions()
        torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(UnsupportedModuleError, match=f"^{line}$"):
        import_with_ends(tmp_path / "m.pt2", None)


@pytest.mark.rtl
@pytest.mark.slow
def test_outputs_of_rtl_are_the_modules(tmp_path: Path) -> None:
    def heads(m: Giving, x: Tensor) -> Any:
        y = torch.relu(m.conv(x))
        return {
            "map": m.other(y),
            "classes": m.linear(y.mean((2, 3))).softmax(1),
            "flat": y.flatten(1),
        }

    _, made, _ = results(Giving(heads), drawn(3, 6, 5), tmp_path, calibrated=True)
    words = ["simulate", str(tmp_path / "net"), "--accelerator", "tiny"]
    assert (
        main([*words, "--input", str(tmp_path / "x.npz"), "--output", str(tmp_path / "y.npz")]) == 0
    )
    with np.load(tmp_path / "y.npz") as arrays:
        for place, own in enumerate(made):
            assert np.array_equal(arrays[f"output.{place}" if place else "output"], own)
        assert np.array_equal(arrays["measured_cycles"], arrays["predicted_cycles"])
