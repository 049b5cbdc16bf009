"""TensorFlow Lite models that join and split tensors, and that have several outputs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico.imports import import_to_folder
from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork, load
from sim.importers.host import Reshape, Softmax
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.errors import DesignFileError
from sim.spec.network import LayerKind
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import judge

KIND: dict[str, Any] = {"scales": [0.5], "zero_points": [3]}
WINDOW = {
    "Padding": 1,
    "StrideH": 1,
    "StrideW": 1,
    "DilationHFactor": 1,
    "DilationWFactor": 1,
}


class Model(ModelWriter):
    """An image of 4×5 pixels and 2 channels, which convolutions read."""

    def __init__(self) -> None:
        """Begin with the image."""
        super().__init__()
        self.rng = np.random.default_rng(0)
        self.image = self.made(2)

    def made(self, channels: int, shape: tuple[int, ...] = (4, 5), **changes: Any) -> int:
        """Append an activation of the usual scale."""
        return self.tensor((1, *shape, channels), **KIND | changes)

    def conv(self, source: int, channels: int, **changes: Any) -> int:
        """Append a 1×1 convolution."""
        depth = self.tensors[source].shape[-1]
        data = self.rng.integers(-127, 128, (channels, 1, 1, depth))
        weights = self.constant(data, "int8", scales=[0.02])
        result = self.made(channels, **changes)
        self.operator("CONV_2D", [source, weights], [result], **WINDOW)
        return result

    def joined(self, *parts: int, axis: int = 3, **options: Any) -> int:
        """Append a concatenation."""
        result = self.made(sum(self.tensors[part].shape[3] for part in parts))
        self.operator("CONCATENATION", parts, [result], Axis=axis, **options)
        return result

    def content(self, *results: int) -> bytes:
        """Finish the model."""
        return self.finish([self.image], results)

    def lowered(self, *results: int) -> ImportedNetwork:
        """Import the model."""
        return lower_tflite(parse_tflite(self.content(*results), "model"), "net")

    def check(self, *results: int) -> ImportedNetwork:
        """Import the model, and compare all activations and outputs with the interpreter's."""
        pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
        imported = self.lowered(*results)
        x = self.rng.integers(-128, 128, (3, *imported.host.input.shape)).astype(np.int8)
        values = golden.run(imported.network, imported.host.prepare(x))
        expected, outputs = judge(self.content(*results), imported, x)
        for name, activation in expected.items():
            assert np.array_equal(values[name].reshape(-1), activation.reshape(-1)), name
        own = {name: values[name] for name in imported.network.outputs}
        computed = [output for _, output in imported.host.all_outputs(own)]
        for ours, theirs in zip(computed, outputs, strict=True):
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs)
        return imported


def test_nothing_is_computed_for_a_concatenation() -> None:
    model = Model()
    joined = model.joined(model.conv(model.image, 3), model.conv(model.image, 4), axis=-1)
    imported = model.check(model.conv(joined, 5))
    assert [layer.kind for layer in imported.network.layers] == [LayerKind.CONV] * 3
    (joint,) = imported.network.concatenations
    assert joint.parts == ("conv_2d_0", "conv_2d_1")
    assert imported.source["tensors"][joint.name] == model.tensors[joined].name


def test_what_is_stored_elsewhere_already_is_copied() -> None:
    model = Model()
    part = model.conv(model.image, 3)
    first = model.joined(part, model.image)
    second = model.joined(first, part, part)
    imported = model.check(model.conv(second, 4), first)
    copies = [layer for layer in imported.network.layers if layer.kind is LayerKind.DEPTHWISE]
    assert [copy.inputs for copy in copies] == [("input",), ("conv_2d_0",), ("conv_2d_0",)]


def test_one_tensor_alone_is_itself() -> None:
    model = Model()
    imported = model.check(model.conv(model.joined(model.conv(model.image, 3)), 2))
    assert not imported.network.concatenations


def test_operands_of_other_parts_are_copied_before_they_are_added() -> None:
    model = Model()
    joined = model.joined(model.conv(model.image, 2), model.conv(model.image, 4))
    total = model.made(6, scales=[0.9])
    model.operator("ADD", [model.conv(model.image, 6), joined], [total])
    imported = model.check(total)
    assert [layer.kind for layer in imported.network.layers[-2:]] == [LayerKind.CONV, LayerKind.ADD]


def test_parts_of_a_split_that_nothing_reads_are_not_computed() -> None:
    model = Model()
    middle = model.conv(model.image, 6)
    parts = [model.made(2) for _ in range(3)]
    model.operator("SPLIT", [model.constant(3, "int32"), middle], parts, NumSplits=3)
    imported = model.check(parts[2], parts[0])
    assert [layer.name for layer in imported.network.layers] == [
        "conv_2d_0",
        "split_1_0",
        "split_1_2",
    ]
    assert imported.network.outputs == ("split_1_2", "split_1_0")


def test_every_output_has_steps_of_its_own(tmp_path: Path) -> None:
    """Logits that are an output, that a softmax reads, and an image that is read on."""
    model = Model()
    seen = model.conv(model.image, 3)
    flat = model.tensor((1, 60), **KIND)
    model.operator("RESHAPE", [seen, model.constant([1, 60], "int32")], [flat])
    logits = model.tensor((1, 4), **KIND)
    shares = model.tensor((1, 4), scales=[1 / 256], zero_points=[-128])
    weights = model.constant(model.rng.integers(-9, 9, (4, 60)), "int8", scales=[0.01])
    model.operator("FULLY_CONNECTED", [flat, weights, -1], [logits])
    model.operator("SOFTMAX", [logits], [shares], Beta=1.0)
    imported = model.check(shares, seen, logits)
    assert imported.network.outputs == ("fully_connected_2", "conv_2d_0")
    assert [end.tensor for end in imported.host.further] == ["conv_2d_0", "fully_connected_2"]
    assert [type(step) for step in imported.host.after] == [Softmax]
    assert [end.after for end in imported.host.further] == [(), ()]
    path = tmp_path / "model.tflite"
    path.write_bytes(model.content(shares, seen, logits))
    summary = import_to_folder(path, tmp_path / "net")
    assert "output int8 (4, 5, 3); the host computes nothing after" in summary
    again = load(tmp_path / "net")
    assert (again.host, again.network.outputs) == (imported.host, imported.network.outputs)


def test_steps_must_fit_the_outputs_that_they_begin_with(tmp_path: Path) -> None:
    model = Model()
    path = tmp_path / "model.tflite"
    path.write_bytes(model.content(model.conv(model.image, 3), model.conv(model.image, 2)))
    import_to_folder(path, tmp_path / "net")
    file = tmp_path / "net" / "network.json"
    text = file.read_text()
    file.write_text(text.replace('"tensor": "conv_2d_1"', '"tensor": "conv_2d_7"'))
    rule = "host.further[0].tensor must be one of conv_2d_0, conv_2d_1, not 'conv_2d_7'"
    with pytest.raises(DesignFileError, match=f"^{re.escape(rule)}$"):
        load(tmp_path / "net")


def refusal(model: Model, *results: int) -> str:
    with pytest.raises(UnsupportedModelError) as caught:
        model.lowered(*results)
    return str(caught.value).partition("): ")[2]


def test_other_concatenations_are_refused() -> None:
    model = Model()
    parts = model.conv(model.image, 3), model.conv(model.image, 3)
    rows = model.made(3, (8, 5))
    model.operator("CONCATENATION", parts, [rows], Axis=0)
    rule = "must be over channels, or over an image's height or width, not over axis 0"
    assert refusal(model, rows) == rule
    model = Model()
    parts = model.conv(model.image, 3), model.conv(model.image, 2)
    rows = model.made(3, (8, 5))
    model.operator("CONCATENATION", parts, [rows], Axis=1)
    rule = f"input 'tensor{parts[1]}' must have the output's shape (1, 8, 5, 3) but for axis 1, not (1, 4, 5, 2)"
    assert refusal(model, rows) == rule
    model = Model()
    parts = model.conv(model.image, 3), model.conv(model.image, 3)
    rows = model.made(3, (9, 5))
    model.operator("CONCATENATION", parts, [rows], Axis=-3)
    assert refusal(model, rows) == "output must have 8 rows or columns along axis 1, not 9"
    model = Model()
    other = model.conv(model.image, 3, scales=[0.7])
    joined = model.joined(model.conv(model.image, 3), other)
    rule = f"input 'tensor{other}' must be quantized as the output"
    assert refusal(model, joined) == rule
    model = Model()
    clamped = model.joined(
        *(model.conv(model.image, 3) for _ in range(2)), FusedActivationFunction=1
    )
    assert refusal(model, clamped) == "must have no fused activation"


@pytest.mark.parametrize(
    ("begin", "size", "rule"),
    [
        ((0, 0, 0), (1, 4, 5), "begin and size must have 4 numbers, not 3 and 3"),
        (
            (0, 0, 3, 0),
            (1, 4, 3, 2),
            "parts must lie within the input of shape (1, 4, 5, 2), and not be empty",
        ),
        ((0, 0, 0, 0), (1, 3, 5, 2), "output must have shape (1, 3, 5, 2), not (1, 4, 5, 2)"),
    ],
)
def test_slices_beyond_the_tensor_are_refused(
    begin: tuple[int, ...], size: tuple[int, ...], rule: str
) -> None:
    model = Model()
    source, result = model.conv(model.image, 2), model.made(2)
    ends = [model.constant(numbers, "int32") for numbers in (begin, size)]
    model.operator("SLICE", [source, *ends], [result])
    assert refusal(model, result) == rule


def test_a_strided_slice_has_no_new_axes() -> None:
    model = Model()
    source, result = model.conv(model.image, 2), model.made(2)
    ends = [model.constant(numbers, "int32") for numbers in ([0] * 4, [1, 4, 5, 2], [1] * 4)]
    model.operator("STRIDED_SLICE", [source, *ends], [result], ShrinkAxisMask=2)
    assert refusal(model, result) == "option ShrinkAxisMask must be 0, not 2"


def test_the_input_is_no_output() -> None:
    model = Model()
    seen = model.conv(model.image, 2)
    with pytest.raises(
        UnsupportedModelError, match=r"^output 'tensor0' must be computed by the accelerator$"
    ):
        model.lowered(seen, model.image)


def test_what_a_step_of_the_host_gives_is_not_read_on() -> None:
    model = Model()
    seen = model.conv(model.image, 2)
    flat = model.tensor((1, 40), **KIND)
    model.operator("RESHAPE", [seen, model.constant([1, 40], "int32")], [flat])
    result = model.tensor((1, 3), **KIND)
    weights = model.constant(model.rng.integers(-9, 9, (3, 40)), "int8", scales=[0.01])
    model.operator("FULLY_CONNECTED", [flat, weights, -1], [result])
    imported = model.check(result, flat)
    (end,) = imported.host.further
    assert (end.tensor, end.after, end.logits_shape) == ("conv_2d_0", (), (40,))
    assert not any(isinstance(step, Reshape) for step in imported.host.after)
