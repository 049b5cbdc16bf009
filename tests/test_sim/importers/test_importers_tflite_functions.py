"""Functions of int8 and the tables that they become, against TensorFlow Lite Micro in every bit."""

import re
from typing import Any

import numpy as np
import pytest

from interpreter_checks import require_equal
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.host import ModelInputs
from sim.importers.tflite import functions
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.scales import Scale
from sim.spec.network import LayerKind
from testbench.cases.tflite_functions import FUNCTIONS, drawn_function, function_model
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

SCALES = 40
MODELS = 15
WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def check(content: bytes, x: ModelInputs) -> ImportedNetwork:
    """Compare all activations and outputs of a model with the interpreter's."""
    network = imported(content)
    require_equal(content, network, x)
    return network


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_value_equals_the_interpreters_over_random_scales(name: str) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    rng = np.random.default_rng(1)
    for _ in range(SCALES):
        writer = ModelWriter()
        ends = [
            Scale(float(np.float32(2.0 ** rng.uniform(-14, 2.9))), int(rng.integers(-128, 128)))
        ]
        ends.append(
            Scale(
                float(np.float32(ends[0].scale * 2.0 ** rng.uniform(-6, 6))),
                int(rng.integers(-128, 128)),
            )
        )
        function = drawn_function(name, ends[0], ends[1], rng)
        tensors = [
            writer.tensor((1, 256), scales=[end.scale], zero_points=[end.zero_point])
            for end in (ends[0], function.output)
        ]
        function.write(writer, *tensors)
        every = np.arange(-128, 128).astype(np.int8)[None]
        expected, _ = run_model(writer.finish(tensors[:1], tensors[1:]), every)
        assert np.array_equal(function.values, expected[0]), (name, ends)


@pytest.mark.parametrize("name", [*FUNCTIONS, "gate", "square"])
def test_layers_of_random_models_equal_the_interpreters(name: str) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    rng = np.random.default_rng(2)
    fused = carried = 0
    for _ in range(MODELS):
        model = function_model(name, rng)
        layers = check(model.content, model.inputs).network.layers
        tables = [layer for layer in layers if layer.table is not None]
        assert tables
        alone = sum(layer.kind is LayerKind.MAX_POOL for layer in tables)
        carried += alone
        fused += len(tables) - alone
    assert fused > MODELS // 3
    assert carried > MODELS // 10


def convolved(writer: ModelWriter, scale: float = 0.05) -> tuple[int, int]:
    image = writer.tensor((1, 2, 2, 4), scales=[0.05])
    seen = writer.tensor((1, 2, 2, 4), scales=[scale])
    data = np.random.default_rng(3).integers(-127, 128, (4, 1, 1, 4))
    kernel = writer.constant(data, "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [seen], **WINDOW)
    return image, seen


def test_a_clamp_behind_a_table_narrows_the_table() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    writer = ModelWriter()
    image, seen = convolved(writer)
    bent, cut, ended = (writer.tensor((1, 2, 2, 4), scales=[0.05]) for _ in range(3))
    writer.operator("LEAKY_RELU", [seen], [bent], Alpha=0.25)
    writer.operator("RELU6", [bent], [cut])
    writer.operator("HARD_SWISH", [cut], [ended])
    x = np.random.default_rng(4).integers(-128, 128, (9, 2, 2, 4)).astype(np.int8)
    network = check(writer.finish([image], [ended]), x)
    (layer,) = network.network.layers
    assert layer.table is not None
    assert layer.clamp == (-128, 127)


def refusal(name: str, scales: tuple[float, float], points: tuple[int, int], **options: Any) -> str:
    writer = ModelWriter()
    image, seen = convolved(writer, scales[0])
    result = writer.tensor((1, 2, 2, 4), scales=[scales[1]], zero_points=[points[1]], name="y")
    inputs = [seen]
    if name == "PRELU":
        inputs.append(writer.constant(options.pop("slopes"), "int8", scales=[0.01]))
    writer.operator(name, inputs, [result], **options)
    last = writer.tensor((1, 2, 2, 4), scales=[scales[1]], zero_points=[points[1]])
    writer.operator("RELU", [result], [last])
    with pytest.raises(UnsupportedModelError) as raised:
        imported(writer.finish([image], [last]))
    return str(raised.value)


def test_what_the_interpreter_does_not_define_is_refused() -> None:
    def line(name: str, rule: str) -> str:
        return f"operator 1 {name} (tensor 'y'): {rule}"

    assert refusal("LOGISTIC", (0.5, 0.5), (0, 0)) == line(
        "LOGISTIC", "output must have scale 1/256 and zero point -128, not 0.5 and 0"
    )
    assert refusal("TANH", (0.5, 1 / 128), (0, 3)) == line(
        "TANH", "output must have scale 1/128 and zero point 0, not 0.0078125 and 3"
    )
    assert refusal("TANH", (8.0, 1 / 128), (0, 0)) == line(
        "TANH", "input scale must be from 5.96046e-08 to below 8, not 8.0"
    )
    assert refusal("HARD_SWISH", (0.5, 0.00390625), (0, 0)) == line(
        "HARD_SWISH",
        "output scale must be 1 … 2^15 times 0.00390625, 1/128 of the input's, not 0.00390625",
    )
    assert refusal("HARD_SWISH", (2.0**-24, 2.0**-24), (0, 0)) == line(
        "HARD_SWISH", "input scale must be 1.78814e-07 or more, not 5.96046e-08"
    )
    assert refusal("LEAKY_RELU", (0.5, 0.5), (0, 0), Alpha=-0.5) == line(
        "LEAKY_RELU", "slope must be 0 or more, not -0.5"
    )
    slopes = [[[1, 2, 3, 4], [1, 2, 3, 5]]]
    given = refusal("PRELU", (0.5, 0.5), (0, 0), slopes=slopes)
    assert re.sub(r"'tensor\d+'", "'c'", given) == line(
        "PRELU", "constant 'c' must be one number for each channel"
    )


def test_a_function_of_another_tensor_is_multiplied_pixel_by_pixel() -> None:
    writer = ModelWriter()
    image, seen = convolved(writer)
    gates = writer.tensor((1, 2, 2, 4), scales=[1 / 256], zero_points=[-128])
    result = writer.tensor((1, 2, 2, 4), scales=[0.05], name="y")
    writer.operator("LOGISTIC", [seen], [gates])
    writer.operator("MUL", [image, gates], [result])
    network = imported(writer.finish([image], [result])).network
    assert network.layers[-1].kind is LayerKind.DEPTHWISE
    assert network.layers[0].table is not None


def test_tanh_and_the_logistic_function_are_monotonic_and_reach_both_ends() -> None:
    for values in (functions.tanh_of(Scale(0.1, 3)), functions.logistic(Scale(0.1, 3))):
        assert (np.diff(values.astype(int)) >= 0).all()
        assert (values[0], values[-1]) == (-128, 127)
