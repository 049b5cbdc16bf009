"""Import of models: what they become, and how each that cannot be imported is refused."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from project_root import ROOT
from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork, network_name
from sim.importers.tflite.conversion import import_tflite, lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.scales import quantize_multiplier
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.network import LayerKind, Padding
from testbench.cases.tflite_models import random_model
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

NETS = Path(os.environ.get("COSILICO_NETS", ROOT.parent / "shared" / "nets"))
Z = 5
SCALE = 0.5
WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


class Model(ModelWriter):
    """Writer of TensorFlow Lite models with the usual tensors of these tests."""

    def activation(self, *shape: int, scale: float = SCALE, zero_point: int = Z) -> int:
        """Append an int8 activation."""
        return self.tensor(shape, scales=[scale], zero_points=[zero_point])

    def weights(self, *shape: int, axis: int = 0) -> int:
        """Append random weights."""
        data = np.random.default_rng(1).integers(-127, 128, shape)
        return self.constant(data, "int8", scales=[0.01], axis=axis)

    def conv(
        self, source: int, shape: tuple[int, ...], out: tuple[int, ...], **options: Any
    ) -> int:
        """Append a convolution; return its output."""
        result = self.activation(*out, scale=2.0, zero_point=-7)
        fields = WINDOW | options
        self.operator("CONV_2D", [source, self.weights(*shape)], [result], **fields)
        return result

    def pool(self, name: str, source: int, out: int, size: int, **options: Any) -> int:
        """Append a pool; return its output."""
        fields = {
            "Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": size, "FilterWidth": size,
        } | options  # fmt: skip
        self.operator(name, [source], [out], **fields)
        return out

    def lowered(self, source: int, result: int) -> ImportedNetwork:
        """Import the model."""
        return lower_tflite(parse_tflite(self.finish([source], [result]), "model"), "net")

    def check(self, source: int, result: int, images: int = 3) -> ImportedNetwork:
        """Import the model, and compare the outputs with the interpreter's."""
        pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
        content = self.finish([source], [result])
        imported = lower_tflite(parse_tflite(content, "model"), "net")
        rng = np.random.default_rng(2)
        shape = (images, *imported.host.input.shape)
        x = rng.integers(-128, 128, shape).astype(imported.host.input.dtype)
        expected, _ = run_model(content, x)
        assert np.array_equal(computed(imported, x), expected)
        return imported


def computed(imported: ImportedNetwork, x: NDArray[Any]) -> NDArray[Any]:
    values = golden.run(imported.network, imported.host.prepare(x))
    return imported.host.finish(imported.host.logits(values[imported.network.output.name]))


def refusal(model: Model, source: int, result: int) -> str:
    with pytest.raises(UnsupportedModelError) as caught:
        model.lowered(source, result)
    return str(caught.value)


def kinds(imported: ImportedNetwork) -> list[LayerKind]:
    return [layer.kind for layer in imported.network.layers]


def test_reads_a_depth_multiplier_on_one_channel_as_a_convolution() -> None:
    model = Model()
    source, result = model.activation(1, 9, 7, 1), model.activation(1, 5, 4, 6, scale=3.0)
    model.operator(
        "DEPTHWISE_CONV_2D", [source, model.weights(1, 3, 2, 6, axis=3)], [result],
        Padding=0, StrideH=2, StrideW=2, DepthMultiplier=6,
    )  # fmt: skip
    assert kinds(model.check(source, result)) == [LayerKind.CONV]


@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "CONV_2D"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_multiplies_scales_in_double_precision(name: str, per_channel: bool) -> None:
    """Both differ from single precision in the last bits of the multiplier.

    Biases lie between the sums that round up under one multiplier and under the other.
    """
    scales = np.array([0.1, 0.3], np.float32)
    product = {True: float(scales[0] * scales[1]), False: float(scales[0]) * float(scales[1])}
    assert product[True] != product[False]
    out = float(np.float32(product[True] * 2.0**30 / 100))
    ties = np.arange(20, 90) + 0.5
    biases = np.rint((ties / (product[True] / out) + ties / (product[False] / out)) / 2)
    count = len(ties)
    model = Model()
    image = (1, 1) if name == "CONV_2D" else ()
    source = model.activation(1, *image, 1, scale=float(scales[0]))
    given = [float(scales[1])] * (count if per_channel else 1)
    weights = model.constant(np.zeros((count, *image, 1)), "int8", scales=given)
    bias = model.constant(biases, "int32", scales=[product[True]] * len(given))
    result = model.activation(1, *image, count, scale=out, zero_point=0)
    model.operator(name, [source, weights, bias], [result], **(WINDOW if image else {}))
    (layer,) = model.check(source, result).network.layers
    multiplier, shift = quantize_multiplier(product[False] / out)
    assert set(layer.multiplier.tolist()) == {multiplier}
    other, _ = quantize_multiplier(product[True] / out)
    chosen, passed_over = (
        golden.requantize(layer.bias, factor, shift) for factor in (multiplier, other)
    )
    assert not np.array_equal(chosen, passed_over)


def sensitive_scales(count: int) -> list[tuple[float, float]]:
    """Pairs (input, output) whose ratio in single precision requantizes some value otherwise."""
    rng = np.random.default_rng(11)
    values = np.arange(-255, 256)
    scales: list[tuple[float, float]] = []
    while len(scales) < count:
        source, out = (np.float32(2.0 ** rng.uniform(-5, 0)) for _ in range(2))
        wide = quantize_multiplier(float(source) / float(out))
        narrow = quantize_multiplier(float(source / out))
        if not np.array_equal(golden.requantize(values, *wide), golden.requantize(values, *narrow)):
            scales.append((float(source), float(out)))
    return scales


@pytest.mark.slow
@pytest.mark.parametrize("name", ["QUANTIZE", "RELU", "MEAN"])
def test_divides_scales_in_double_precision(name: str) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    for scale, out in sensitive_scales(6):
        for zero_point in (-128, 127):  # so that all differences of one sign occur
            model = Model()
            flat = model.activation(1, 256, scale=scale, zero_point=zero_point)
            source = model.activation(1, 1, 1, 256, scale=scale, zero_point=zero_point)
            model.operator("RESHAPE", [flat, model.constant([1, 1, 1, 256], "int32")], [source])
            # The same scale: a layer, so that what follows is not the host's.
            middle = model.activation(1, 1, 1, 256, scale=scale, zero_point=zero_point)
            model.pool("MAX_POOL_2D", source, middle, 1)
            result = model.activation(1, 1, 1, 256, scale=out, zero_point=-zero_point // 2)
            inputs = [middle] if name != "MEAN" else [middle, model.constant([1, 2], "int32")]
            options = {"KeepDims": True} if name == "MEAN" else {}
            model.operator(name, inputs, [result], **options)
            last = model.activation(1, 1, 1, 256, scale=out, zero_point=-zero_point // 2)
            model.pool("MAX_POOL_2D", result, last, 1)
            content = model.finish([flat], [last])
            imported = lower_tflite(parse_tflite(content, "model"), "net")
            x = np.arange(-128, 128).astype(np.int8)[None]
            expected, _ = run_model(content, x)
            assert np.array_equal(computed(imported, x), expected)


def test_flattens_an_image_into_a_kernel_of_its_size() -> None:
    model = Model()
    source = model.activation(1, 3, 4, 5)
    result = model.activation(1, 7, scale=9.0)
    middle = model.conv(source, (5, 1, 1, 5), (1, 3, 4, 5))
    flat = model.activation(1, 60, scale=2.0, zero_point=-7)
    model.operator("RESHAPE", [middle, model.constant([1, 60], "int32")], [flat])
    model.operator("FULLY_CONNECTED", [flat, model.weights(7, 60)], [result])
    imported = model.check(source, result)
    assert kinds(imported) == [LayerKind.CONV, LayerKind.FULLY_CONNECTED]
    assert imported.network.layers[1].kernel == (3, 4)


def test_applies_a_fully_connected_layer_to_every_pixel() -> None:
    model = Model()
    source, result = model.activation(1, 3, 4, 5), model.activation(1, 3, 4, 7, scale=9.0)
    model.operator("FULLY_CONNECTED", [source, model.weights(7, 5)], [result], KeepNumDims=True)
    assert kinds(model.check(source, result)) == [LayerKind.CONV]


def padded(widths: list[list[int]], reader: Callable[[Model, int], int], value: int | None) -> Any:
    """Model of a convolution, a PAD or PADV2 and its reader."""
    model = Model()
    source = model.activation(1, 6, 5, 3)
    middle = model.conv(source, (4, 1, 1, 3), (1, 6, 5, 4))
    shape = [n + sum(pair) for n, pair in zip((1, 6, 5, 4), widths, strict=True)]
    out = model.activation(*shape, scale=2.0, zero_point=-7)
    inputs = [middle, model.constant(widths, "int32")]
    if value is not None:
        inputs.append(model.constant([value], "int8", scales=[2.0], zero_points=[-7]))
    model.operator("PAD" if value is None else "PADV2", inputs, [out])
    return model, source, reader(model, out)


def same_conv(model: Model, index: int) -> int:
    """Append a 3x3 convolution of stride 2 with padding SAME, on 9x8 pixels."""
    return model.conv(index, (2, 3, 3, 4), (1, 5, 4, 2), Padding=0, StrideH=2, StrideW=2)


def max_pool(model: Model, index: int) -> int:
    out = model.activation(1, 8, 7, 4, scale=2.0, zero_point=-7)
    return model.pool("MAX_POOL_2D", index, out, 2)


SIDES = [[0, 0], [1, 2], [0, 3], [0, 0]]


def test_folds_a_pad_into_the_convolution_that_alone_reads_it() -> None:
    model, source, result = padded(SIDES, same_conv, None)
    imported = model.check(source, result)
    assert len(imported.network.layers) == 2
    assert imported.network.layers[1].padding == Padding(top=2, bottom=3, left=0, right=4)


def test_does_not_fold_zeros_into_a_maximum() -> None:
    model, source, result = padded(SIDES, max_pool, None)
    imported = model.check(source, result)
    assert kinds(imported) == [LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.MAX_POOL]


def test_folds_the_least_value_into_a_maximum() -> None:
    model, source, result = padded(SIDES, max_pool, -128)
    imported = model.check(source, result)
    assert kinds(imported) == [LayerKind.CONV, LayerKind.MAX_POOL]


def test_refuses_to_pad_with_another_value() -> None:
    model, source, result = padded(SIDES, same_conv, 3)
    assert refusal(model, source, result) == (
        "operator 1 PADV2 (tensor 'tensor3'): value must be the zero point -7, not 3"
    )


def test_pads_channels_with_a_convolution_that_selects() -> None:
    widths = [[0, 0], [1, 0], [0, 0], [2, 3]]
    model, source, result = padded(widths, lambda model, index: index, None)
    assert kinds(model.check(source, result)) == [LayerKind.CONV, LayerKind.CONV]


def test_keeps_a_pad_that_two_read() -> None:
    def two(model: Model, index: int) -> int:
        left, right = same_conv(model, index), same_conv(model, index)
        out = model.activation(1, 5, 4, 2, scale=3.0)
        model.operator("ADD", [left, right], [out])
        return out

    model, source, result = padded(SIDES, two, None)
    assert kinds(model.check(source, result)) == [
        LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.CONV, LayerKind.CONV, LayerKind.ADD,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["RELU", "RELU6"])
def test_fuses_a_clamp_in_one_scale_into_the_layer_before(name: str) -> None:
    model = Model()
    source = model.activation(1, 4, 4, 3)
    middle = model.conv(source, (4, 1, 1, 3), (1, 4, 4, 4), FusedActivationFunction=2)
    result = model.activation(1, 4, 4, 4, scale=2.0, zero_point=-7)
    model.operator(name, [middle], [result])
    imported = model.check(source, result)
    # RELU_N1_TO_1 gives -8 … -6 (0.5 rounds away from zero); what is below 0 goes next.
    assert [layer.clamp for layer in imported.network.layers] == [(-7, -6)]


def test_keeps_a_clamp_that_is_not_the_only_reader() -> None:
    model = Model()
    source = model.activation(1, 4, 4, 3)
    middle = model.conv(source, (4, 1, 1, 3), (1, 4, 4, 4))
    clamped = model.activation(1, 4, 4, 4, scale=2.0, zero_point=-7)
    result = model.activation(1, 4, 4, 4, scale=4.0, zero_point=0)
    model.operator("RELU", [middle], [clamped])
    model.operator("ADD", [middle, clamped], [result])
    imported = model.check(source, result)
    assert kinds(imported) == [LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.ADD]


def test_passes_over_what_only_computes_a_shape() -> None:
    model = Model()
    source = model.activation(1, 3, 4, 5)
    middle = model.conv(source, (5, 1, 1, 5), (1, 3, 4, 5))
    sizes, batch = model.tensor([4], "int32"), model.tensor([], "int32")
    shape = model.tensor([2], "int32")
    flat, result = model.activation(1, 60, scale=2.0, zero_point=-7), model.activation(1, 2)
    model.operator("SHAPE", [middle], [sizes])
    ends = [model.constant([value], "int32") for value in (0, 1, 1)]
    model.operator("STRIDED_SLICE", [sizes, *ends], [batch])
    model.operator("PACK", [batch, model.constant(60, "int32")], [shape])
    model.operator("RESHAPE", [middle, shape], [flat])
    model.operator("FULLY_CONNECTED", [flat, model.weights(2, 60)], [result])
    assert kinds(model.lowered(source, result)) == [LayerKind.CONV, LayerKind.FULLY_CONNECTED]


def test_reshapes_the_input_on_the_host() -> None:
    model = Model()
    flat, source = model.activation(1, 48), model.activation(1, 4, 4, 3)
    model.operator("RESHAPE", [flat, model.constant([1, 4, 4, 3], "int32")], [source])
    imported = model.check(flat, model.conv(source, (4, 2, 2, 3), (1, 3, 3, 4)))
    assert imported.host.input.shape == (48,)
    assert imported.network.input.shape == (4, 4, 3)


def with_activation(name: str, **options: Any) -> Any:
    model = Model()
    source = model.activation(1, 4, 4, 3)
    middle = model.conv(source, (4, 1, 1, 3), (1, 4, 4, 4))
    result = model.activation(1, 4, 4, 4)
    model.operator(name, [middle], [result], **options)
    return model, source, result


SUPPORTED = (
    "supported are ADD, ARG_MAX, ASSIGN_VARIABLE, AVERAGE_POOL_2D, BATCH_TO_SPACE_ND, CALL_ONCE, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D, "
    "DEQUANTIZE, ELU, EXPAND_DIMS, FULLY_CONNECTED, HARD_SWISH, LEAKY_RELU, LOGISTIC, LOG_SOFTMAX, MAXIMUM, "
    "MAX_POOL_2D, MEAN, MINIMUM, MUL, PAD, PADV2, PRELU, QUANTIZE, READ_VARIABLE, REDUCE_MAX, RELU, RELU6, RELU_N1_TO_1, RESHAPE, "
    "RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR, SLICE, SOFTMAX, SPACE_TO_BATCH_ND, SPLIT, SPLIT_V, SQUEEZE, STRIDED_SLICE, SUB, SVDF, "
    "TANH, TRANSPOSE, TRANSPOSE_CONV, VAR_HANDLE"
)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            "is not supported, for its cell state is int16 in TensorFlow Lite Micro",
        ),
        ("CUMSUM", "is not supported"),
    ],
)
def test_refuses_operators_by_name(name: str, hint: str) -> None:
    line = f"operator 1 {name} (tensor 'tensor3'): {hint}; {SUPPORTED}"
    assert refusal(*with_activation(name)) == line


def conv_refusal(shape: tuple[int, ...] = (4, 1, 1, 3), **options: Any) -> str:
    model = Model()
    source = model.activation(1, 4, 4, 3)
    return refusal(model, source, model.conv(source, shape, (1, 4, 4, 4), **options))


def test_refuses_parameters_without_arithmetic() -> None:
    where = "operator 0 CONV_2D (tensor 'tensor1'): "
    assert conv_refusal(DilationHFactor=0) == f"{where}dilation must be at least 1, not (0, 1)"
    assert conv_refusal((4, 3, 1, 3), DilationHFactor=40000) == (
        f"{where}rows of the dilated kernel must be at most 65536, not 80001"
    )
    assert conv_refusal((4, 1, 1, 1)) == (
        f"{where}weights must be for the input's 3 channels or for groups of them, not for 1 of 4 outputs"
    )
    assert conv_refusal(FusedActivationFunction=4) == (
        f"{where}fused activation must be one of NONE, RELU, RELU_N1_TO_1, RELU6, not 4"
    )
    assert (
        conv_refusal(StrideH=2) == f"{where}output must have shape (1, 2, 4, 4), not (1, 4, 4, 4)"
    )
    assert conv_refusal(StrideH=0) == (
        f"{where}kernel and stride must be at least 1, not (1, 1) and (0, 1)"
    )


def test_refuses_outputs_that_inputs_do_not_divide() -> None:
    model = Model()
    source, result = model.activation(1, 4, 4, 3), model.activation(1, 4, 4, 5)
    model.operator(
        "DEPTHWISE_CONV_2D", [source, model.weights(1, 1, 1, 5, axis=3)], [result],
        Padding=0, StrideH=1, StrideW=1, DilationHFactor=1, DilationWFactor=1, DepthMultiplier=2,
    )  # fmt: skip
    assert refusal(model, source, result) == (
        "operator 0 DEPTHWISE_CONV_2D (tensor 'tensor1'): output channels must be a multiple of the input's 3, not 5"
    )


def input_refusal(*shape: int, dtype: str = "int8", **fields: Any) -> str:
    model = Model()
    given: dict[str, Any] = {"scales": [SCALE], "zero_points": [Z]} | fields
    source = model.tensor(shape, dtype, name="x", **given)
    return refusal(model, source, model.conv(source, (4, 1, 1, 3), (*shape[:3], 4)))


def test_refuses_inputs_that_are_not_quantized_images() -> None:
    where = "operator 0 CONV_2D (tensor 'tensor1'): "
    float_line = f"{where}activation 'x' must be int8, not float32"
    assert input_refusal(1, 4, 4, 3, dtype="float32") == float_line
    assert (
        input_refusal(1, 4, 4, 3, dtype="int16") == f"{where}activation 'x' must be int8, not int16"
    )
    assert (
        input_refusal(1, 4, 4, 3, dtype="uint8") == f"{where}activation 'x' must be int8, not uint8"
    )
    missing = input_refusal(1, 4, 4, 3, scales=[], zero_points=[])
    assert missing == f"{where}activation 'x' must have one scale, not 0"
    assert input_refusal(2, 4, 4, 3) == f"{where}batch of activation 'x' must be 1, not 2"
    assert input_refusal(1, 4, 4, 3, signature=(1, -1, 4, 3)) == (
        f"{where}shape of activation 'x' must be fixed and positive, not (1, -1, 4, 3)"
    )


def test_accepts_an_open_batch() -> None:
    model = Model()
    source = model.tensor((1, 4, 4, 3), scales=[SCALE], zero_points=[Z], signature=(-1, 4, 4, 3))
    assert model.lowered(source, model.conv(source, (4, 1, 1, 3), (1, 4, 4, 4))) is not None


def test_refuses_weights_with_a_zero_point() -> None:
    model = Model()
    source, result = model.activation(1, 3), model.activation(1, 2)
    weights = model.constant(np.ones((2, 3)), "int8", scales=[0.1, 0.2], zero_points=[0, 4])
    model.operator("FULLY_CONNECTED", [source, weights], [result])
    assert refusal(model, source, result) == (
        "operator 0 FULLY_CONNECTED (tensor 'tensor1'): zero points of the weights must be 0, not 4"
    )


def test_refuses_a_sum_over_shapes_that_differ() -> None:
    model = Model()
    source = model.activation(1, 4, 4, 3)
    pooled, out = model.activation(1, 1, 1, 3), model.activation(1, 4, 4, 3)
    model.pool("AVERAGE_POOL_2D", source, pooled, 4)
    model.operator("ADD", [source, pooled], [out])
    assert refusal(model, source, out) == (
        "operator 1 ADD (tensor 'tensor2'): operands must have one shape, "
        "not (1, 4, 4, 3) and (1, 1, 1, 3)"
    )


def test_refuses_models_with_several_ends_or_nothing_to_compute() -> None:
    model = Model()
    source = model.activation(1, 4)
    result = model.tensor((1, 4), "float32")
    model.operator("DEQUANTIZE", [source], [result])
    empty = "model must have a layer that the accelerator computes"
    assert refusal(model, source, result) == empty
    content = model.finish([source, source], [result])
    with pytest.raises(UnsupportedModelError, match=r"^model must have inputs, each once, not \["):
        lower_tflite(parse_tflite(content, "model"), "net")


def test_a_truncated_file_is_one_line(tmp_path: Path) -> None:
    content, _ = random_model(1)
    path = tmp_path / "cut.tflite"
    for size in range(0, len(content), max(1, len(content) // 400)):
        path.write_bytes(content[:size])
        with pytest.raises(CosilicoError) as caught:
            import_tflite(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        DesignFileError, match=rf"^model file {re.escape(str(path))} is truncated or damaged$"
    ):
        import_tflite(path)
    path.write_bytes(b"no model")
    with pytest.raises(DesignFileError, match=r"must be a TensorFlow Lite model \(TFL3\)$"):
        import_tflite(path)
    with pytest.raises(DesignFileError, match=r"cannot be read: No such file or directory$"):
        import_tflite(tmp_path / "none.tflite")


def test_a_damaged_byte_is_one_line_or_another_model() -> None:
    rng = np.random.default_rng(5)
    lines = []
    for seed in range(12):
        content, _ = random_model(seed)
        for _ in range(60):
            damaged = bytearray(content)
            for position in rng.integers(0, len(content), 3):
                damaged[position] = int(rng.integers(256))
            try:
                lower_tflite(parse_tflite(bytes(damaged), "model"), "net")
            except CosilicoError as error:
                lines.append(str(error))
    assert len(lines) > 100
    assert not any("\n" in line for line in lines)


def test_names_networks_after_their_files() -> None:
    assert network_name("mobilenet v1-0.25") == "mobilenet_v1_0_25"
    assert network_name("96x96") == "network_96x96"


@pytest.mark.parametrize("name", ["visual_wake_words", "keyword_spotting_mobilenetv2"])
def test_networks_of_others_equal_the_interpreter(name: str) -> None:
    path = NETS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is not there: set COSILICO_NETS to the folder of the two networks")
    imported = import_tflite(path)
    with np.load(NETS / f"{name}_io.npz") as file:
        known = {key: file[key] for key in file.files}
    x = imported.host.prepare(known["x"])
    values = golden.run(imported.network, x)
    logits = imported.host.logits(values[imported.network.output.name])
    assert np.array_equal(logits, known["logits_tflm"])
    assert np.array_equal(imported.host.finish(logits), known["out_tflm"])
    model = parse_tflite(path.read_bytes(), "model")
    assert {tensor.name for tensor in model.tensors} >= set(imported.source["tensors"].values())
