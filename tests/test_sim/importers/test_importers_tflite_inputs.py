"""TensorFlow Lite models of several inputs, in every bit as TensorFlow Lite Micro computes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers import folder
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.errors import CosilicoError, DesignFileError
from testbench.cases.tflite_inputs import inputs_model
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import judge

MODELS = 120
WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def two_inputs() -> bytes:
    """The sum of a convolved int8 image and an image of real numbers."""
    writer, rng = ModelWriter(), np.random.default_rng(3)
    image = writer.tensor((1, 4, 5, 3), scales=[0.05], zero_points=[-3], name="image")
    real = writer.tensor((1, 4, 5, 6), "float32", name="real")
    given = writer.tensor((1, 4, 5, 6), scales=[0.04], zero_points=[9])
    writer.operator("QUANTIZE", [real], [given])
    seen = writer.tensor((1, 4, 5, 6), scales=[0.05], zero_points=[3])
    kernel = writer.constant(rng.integers(-127, 128, (6, 1, 1, 3)), "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [seen], **WINDOW)
    result = writer.tensor((1, 4, 5, 6), scales=[0.08], zero_points=[1], name="y")
    writer.operator("ADD", [seen, given], [result], FusedActivationFunction=0)
    return writer.finish([image, real], [result])


def test_random_models_equal_the_interpreters() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    counts = dict.fromkeys((2, 3), 0)
    types: set[str] = set()
    lively = 0
    for seed in range(MODELS):
        model = inputs_model(seed, 3)
        network = imported(model.content)
        values = golden.run(network.network, network.host.prepare(model.inputs))
        expected, outputs = judge(model.content, network, model.inputs)
        for name, activation in expected.items():
            assert np.array_equal(values[name].reshape(-1), activation.reshape(-1)), (seed, name)
        pairs = network.host.all_outputs({name: values[name] for name in network.network.outputs})
        for (_, result), output in zip(pairs, outputs, strict=True):
            assert np.array_equal(result, output), seed
            lively += len(np.unique(output)) > 4
        counts[len(network.network.inputs)] += 1
        types |= {start.input.dtype for start in network.host.starts}
    assert min(counts.values()) > MODELS // 4
    assert types == {"int8", "uint8", "float32"}
    assert lively > MODELS // 4


def test_a_folder_keeps_all_inputs(tmp_path: Path) -> None:
    network = imported(two_inputs())
    folder.save(network, tmp_path)
    again = folder.load(tmp_path)
    assert again.host == network.host
    assert again.network.inputs == network.network.inputs
    assert [source.shape for source in again.network.inputs] == [(4, 5, 3), (4, 5, 6)]
    text = (tmp_path / folder.NETWORK_FILE).read_text()
    (tmp_path / folder.NETWORK_FILE).write_text(text.replace('"further_inputs"', '"further_in"', 1))
    with pytest.raises(DesignFileError):
        folder.load(tmp_path)


def test_a_host_that_prepares_fewer_inputs_does_not_fit(tmp_path: Path) -> None:
    network = imported(two_inputs())
    host = network.host.to_json()
    del host["further_inputs"]
    fewer = folder.ImportedNetwork(
        network=network.network, host=type(network.host).from_json(host), source=network.source
    )
    folder.save(fewer, tmp_path)
    line = "host.further_inputs must be 1, for the network's inputs but the first, not 0"
    with pytest.raises(DesignFileError, match=f"^{line}$"):
        folder.load(tmp_path)


def inputs(count: int = 2) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    image = rng.integers(-128, 128, (count, 4, 5, 3)).astype(np.int8)
    return [image, rng.normal(0, 3, (count, 4, 5, 6)).astype(np.float32)]


def test_inputs_are_prepared_each() -> None:
    network = imported(two_inputs())
    given = inputs()
    x = network.host.prepare(given)
    assert x.shape == (2, 4 * 5 * 9)
    values = golden.run(network.network, x)
    assert np.array_equal(values["input"], given[0])
    expected = np.round(given[1] / np.float32(0.04)) + 9
    assert np.array_equal(values["input_1"], expected.clip(-128, 127))
    rule = "x must be 2 arrays, one for each input of the model, not 1"
    with pytest.raises(CosilicoError, match=f"^{rule}$"):
        network.host.prepare(given[0])
    rule = r"x\.1 must be float32 of shape \(N, 4, 5, 6\), not int8 of shape \(2, 4, 5, 3\)"
    with pytest.raises(CosilicoError, match=f"^{rule}$"):
        network.host.prepare([given[0], given[0]])
    rule = r"x\.1 must have 2 inferences, as x has, not 1"
    with pytest.raises(CosilicoError, match=f"^{rule}$"):
        network.host.prepare([given[0], given[1][:1]])


def test_refuses_an_input_that_nothing_is_computed_of() -> None:
    writer = ModelWriter()
    image = writer.tensor((1, 4, 5, 3), scales=[0.05], zero_points=[-3], name="image")
    other = writer.tensor((1, 4, 5, 3), scales=[0.05], zero_points=[-3], name="other")
    result = writer.tensor((1, 4, 5, 3), scales=[0.05], zero_points=[-3], name="y")
    writer.operator("RELU", [image], [result])
    rule = "model must compute something of its input 'other'"
    with pytest.raises(UnsupportedModelError, match=f"^{rule}$"):
        imported(writer.finish([image, other], [result]))
    rule = r"model must have inputs, each once, not \['image', 'image'\]"
    with pytest.raises(UnsupportedModelError, match=f"^{rule}$"):
        imported(writer.finish([image, image], [result]))
    with pytest.raises(
        UnsupportedModelError, match=r"^model must have inputs, each once, not \[\]$"
    ):
        imported(writer.finish([], [result]))
