"""The host's steps, bit by bit against TensorFlow Lite Micro where it has them."""

import json
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.importers.host import (
    STEPS,
    Argmax,
    Dequantize,
    HostProgram,
    ModelPort,
    Quantize,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)
from sim.importers.softmax import softmax_int8
from sim.spec.errors import CosilicoError, DesignFileError
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

PROGRAM = HostProgram(
    input=ModelPort(dtype="float32", shape=(6,)),
    before=(
        Quantize(scale=0.5, zero_point=-3, dtype="int8"),
        Reshape(shape=(1, 2, 3)),
        Transpose(axes=(1, 0, 2)),
        Requantize(
            multiplier=1 << 30, shift=1, input_zero_point=1, output_zero_point=2, dtype="int8"
        ),
    ),
    logits_shape=(4,),
    after=(Softmax(beta=1.0, scale=0.25), Dequantize(scale=1 / 256, zero_point=-128)),
    output=ModelPort(dtype="float32", shape=(4,)),
)


def oracle(name: str, x: NDArray[Any], source: dict[str, Any], out: dict[str, Any]) -> NDArray[Any]:
    """Output of TensorFlow Lite Micro for one operator of one input."""
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    writer = ModelWriter()
    options = {"Beta": 1.0} if name == "SOFTMAX" else {}
    shape = (1, *x.shape[1:])
    begin, end = writer.tensor(shape, **source), writer.tensor(shape, **out)
    writer.operator(name, [begin], [end], **options)
    return run_model(writer.finish([begin], [end]), x)[0]


@pytest.mark.parametrize("scale", [2.0**-10, 0.0678567, 0.19312842, 0.5, 1.0, 7.3, 64.0, 1000.0])
def test_softmax_has_the_interpreters_bits(scale: float) -> None:
    rng = np.random.default_rng(int(scale * 1000))
    pairs = np.stack([np.arange(-128, 128), np.full(256, 127)], 1)  # every difference
    cases = [pairs.astype(np.int8)]
    for classes in (1, 3, 10, 100):
        spread = rng.choice([3, 20, 200], (40, 1))
        values = rng.integers(-128, 128, (40, 1)) + rng.normal(0, 1, (40, classes)) * spread
        cases.append(values.round().clip(-128, 127).astype(np.int8))
    alike = {"scales": [1 / 256], "zero_points": [-128]}
    for x in cases:
        source = {"scales": [scale], "zero_points": [11]}
        expected = oracle("SOFTMAX", x, source, alike)
        assert np.array_equal(softmax_int8(x, float(np.float32(scale)), 1.0), expected)


def test_quantization_rounds_as_the_interpreter_does() -> None:
    scale = float(np.float32(0.1))
    ticks = (np.arange(-400, 400) / 2 * np.float32(scale)).astype(np.float32)
    x = np.concatenate(
        [ticks, np.nextafter(ticks, np.float32(9)), np.nextafter(ticks, np.float32(-9))]
    )
    x = np.concatenate([x, np.array([1e8, -1e8, 0.0, -0.0], np.float32)])[None]
    out = {"scales": [scale], "zero_points": [-20]}
    expected = oracle("QUANTIZE", x, {"dtype": "float32"}, out)
    step = Quantize(scale=scale, zero_point=-20, dtype="int8")
    assert np.array_equal(step.run(x), expected)


def test_dequantization_rounds_as_the_interpreter_does() -> None:
    x = np.arange(-128, 128, dtype=np.int8)[None]
    source = {"scales": [0.1], "zero_points": [-20]}
    expected = oracle("DEQUANTIZE", x, source, {"dtype": "float32"})
    step = Dequantize(scale=float(np.float32(0.1)), zero_point=-20)
    assert np.array_equal(step.run(x), expected)


def test_refuses_numbers_without_an_integer() -> None:
    step = Quantize(scale=0.5, zero_point=0, dtype="int8")
    for wrong in (np.inf, np.nan):
        with pytest.raises(CosilicoError, match=r"^x must hold finite numbers, but has infinities"):
            step.run(np.array([[wrong]], np.float32))


def test_float_softmax_sums_to_one() -> None:
    y = Softmax(beta=2.0, scale=1.0).run(np.array([[0.0, 1.0, -1000.0]], np.float32))
    assert y.dtype == np.float32
    assert y[0] == pytest.approx([1 / (1 + np.e**2), 1 / (1 + np.e**-2), 0], abs=1e-6)


def test_argmax_takes_the_first_of_equals() -> None:
    step = Argmax(dtype="int64")
    assert step.run(np.array([[1, 5, 5], [7, 5, 5]], np.int8)).tolist() == [1, 0]


def test_prepares_inputs_step_by_step() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    y = PROGRAM.prepare(x)
    assert y.dtype == np.int8
    assert y[0].tolist() == [[[-2, 0, 2]], [[4, 6, 8]]]


def test_refuses_inputs_of_another_type_or_shape() -> None:
    for x, finished in (
        (np.zeros((2, 6), np.int8), "int8 of shape (2, 6)"),
        (np.zeros((2, 5), np.float32), "float32 of shape (2, 5)"),
        (np.zeros((0, 6), np.float32), "float32 of shape (0, 6)"),
    ):
        line = re.escape(f"x must be float32 of shape (N, 6), not {finished}")
        with pytest.raises(CosilicoError, match=f"^{line}$"):
            PROGRAM.prepare(x)


def test_survives_json() -> None:
    assert HostProgram.from_json(json.loads(json.dumps(PROGRAM.to_json()))) == PROGRAM


def test_names_what_is_wrong_in_json() -> None:
    def broken(change: Any) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(json.dumps(PROGRAM.to_json()))
        change(data)
        return data

    kinds = ", ".join(STEPS)
    for change, line in (
        (lambda d: d.pop("after"), "host.after must be given"),
        (
            lambda d: d["before"][0].update(kind="blur"),
            f"host.before[0].kind must be one of {kinds}, not 'blur'",
        ),
        (
            lambda d: d["before"][1].update(shape=[-1]),
            "host.before[1].shape must be a list of 0 … 8 integers in 1 … 16777216, not [-1]",
        ),
        (
            lambda d: d["input"].update(dtype="int4"),
            "host.input.dtype must be one of int8, uint8, int32, int64, float32, not 'int4'",
        ),
        (lambda d: d["after"][0].pop("beta"), "host.after[0].beta must be given"),
        (lambda d: d["after"][0].update(axis=1), "host.after[0] has no field 'axis'"),
        (lambda d: d.update(during=[]), "host has no field 'during'"),
        (lambda d: d.update(after=[7]), "host.after[0] must be an object, not 7"),
        (
            lambda d: d.update(before=[{"kind": "reshape", "shape": [6]}] * 65),
            "host.before must be a list of at most 64 items, not "
            + "["
            + ", ".join(["{'kind': 'reshape', 'shape': [6]}"] * 6)[:78]
            + "…",
        ),
        (
            lambda d: d["before"][0].update(scale=0),
            "host.before[0].scale must be a number in 1e-38 … 1e+38, not 0",
        ),
        (
            lambda d: d["before"][0].update(zero_point=True),
            "host.before[0].zero_point must be an integer in -2147483648 … 2147483647, not True",
        ),
        (
            lambda d: d["before"][3].update(shift=31),
            "host.before[3].shift must be an integer in -31 … 30, not 31",
        ),
        (
            lambda d: d["before"][3].update(multiplier=-1),
            "host.before[3].multiplier must be an integer in 0 … 2147483647, not -1",
        ),
        (
            lambda d: d["after"][0].update(beta="1"),
            "host.after[0].beta must be a number in 1e-06 … 1000000.0, not '1'",
        ),
    ):
        with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
            HostProgram.from_json(broken(change))
