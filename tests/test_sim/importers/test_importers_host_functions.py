"""Functions that the host computes on int8, against TensorFlow Lite Micro."""

import numpy as np
import pytest

from sim.importers.errors import UnsupportedModelError
from sim.importers.softmax import log_softmax_int8, logistic_int8, softmax_int8
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

MODELS = 60
EVERY = np.arange(-128, 128).astype(np.int8)[None]


def model(name: str, width: int, scale: float, zero_point: int) -> bytes:
    writer = ModelWriter()
    source = writer.tensor((1, width), scales=[scale], zero_points=[zero_point])
    logarithm = name == "LOG_SOFTMAX"
    kind = ([1 / 16], [127]) if logarithm else ([1 / 256], [-128])
    result = writer.tensor((1, width), scales=kind[0], zero_points=kind[1], name="y")
    writer.operator(name, [source], [result], **({"Beta": 1.0} if name == "SOFTMAX" else {}))
    return writer.finish([source], [result])


@pytest.mark.parametrize("name", ["LOGISTIC", "LOG_SOFTMAX", "SOFTMAX"])
def test_equals_the_interpreter_over_random_scales(name: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(MODELS):
        scale = float(np.float32(2.0 ** rng.uniform(-20, 2.9)))
        zero_point = int(rng.integers(-128, 128))
        width = 256 if name == "LOGISTIC" else int(rng.integers(1, 40))
        x = EVERY if width == 256 else rng.integers(-128, 128, (10, width)).astype(np.int8)
        expected, _ = run_model(model(name, width, scale, zero_point), x)
        match name:
            case "LOGISTIC":
                outputs = logistic_int8(x, scale, zero_point)
            case "LOG_SOFTMAX":
                outputs = log_softmax_int8(x, scale)
            case _:
                outputs = softmax_int8(x, scale, 1.0)
        assert np.array_equal(outputs, expected), (scale, zero_point, width)


@pytest.mark.parametrize("name", ["LOGISTIC", "LOG_SOFTMAX"])
def test_scales_that_leave_the_interpreters_shifts_are_refused(name: str) -> None:
    writer = ModelWriter()
    image = writer.tensor((1, 1, 1, 4), scales=[0.5])
    seen = writer.tensor((1, 1, 1, 4), scales=[8.0])
    kernel = writer.constant(np.ones((4, 1, 1, 4)), "int8", scales=[0.01])
    window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    writer.operator("CONV_2D", [image, kernel], [seen], **window)
    kind = ([1 / 16], [127]) if name == "LOG_SOFTMAX" else ([1 / 256], [-128])
    result = writer.tensor((1, 1, 1, 4), scales=kind[0], zero_points=kind[1], name="y")
    writer.operator(name, [seen], [result])
    parsed = parse_tflite(writer.finish([image], [result]), "model")
    line = rf"operator 1 {name} \(tensor 'y'\): input scale must be from 5\.96046e-08 to below 8, not 8\.0"
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lower_tflite(parsed, "net")


def test_steps_saturate_where_a_scale_is_vast() -> None:
    """A folder may hold any scale, though no importer writes these."""
    assert logistic_int8(EVERY, 1e6, 0)[0, [127, 128, 129]].tolist() == [-128, -128, 127]
    assert log_softmax_int8(EVERY, 1e6)[0, [254, 255]].tolist() == [-128, 127]
