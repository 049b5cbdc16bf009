"""A streaming wake-word model, imported and run step by step: bits of the interpreter, cycles of the prediction."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cosilico.cli import main
from cosilico.exits import ExitStatus
from sim import golden
from sim.importers.folder import ImportedNetwork
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import LayerKind
from testbench.judges.tflite_oracle import judge
from wake_word_model import FEATURES, ROWS, wake_word_model

STEPS = 30
"""More than the longest kernel looks back."""


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "wake_word")


def features(steps: int) -> NDArray[np.int8]:
    rng = np.random.default_rng(3)
    return rng.integers(-128, 128, (steps, ROWS, FEATURES)).astype(np.int8)


def test_every_step_is_the_interpreters() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    content, x = wake_word_model(), features(STEPS)
    network = imported(content)
    assert len(network.network.states) == 6
    kinds = [layer.kind for layer in network.network.layers]
    assert kinds.count(LayerKind.CONV) >= 5
    values = golden.run(network.network, network.host.prepare(x))
    expected, (output,) = judge(content, network, x)
    for name, activation in expected.items():
        assert np.array_equal(values[name].reshape(-1), activation.reshape(-1)), name
    made = network.host.finish(network.host.logits(values[network.network.output.name]))
    assert np.array_equal(made, output)
    assert len(np.unique(output)) > STEPS // 2
    first = network.network.layers[-1].name
    assert not np.array_equal(values[first][0], values[first][-1])


def test_what_a_step_finds_matters() -> None:
    """Without the steps before it, the last step ends otherwise."""
    network, x = imported(wake_word_model()), features(STEPS)
    name = network.network.output.name
    whole = golden.run(network.network, network.host.prepare(x))[name][-1]
    alone = golden.run(network.network, network.host.prepare(x[-1:]))[name][0]
    assert not np.array_equal(whole, alone)


@pytest.mark.rtl
@pytest.mark.slow
def test_import_and_simulate_are_exact(tmp_path: Path) -> None:
    """A narrow form on the command line: what a user does."""
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    content, x = wake_word_model(first=8, channels=16), features(6)
    model, inputs, outputs = (tmp_path / name for name in ("wake.tflite", "x.npz", "y.npz"))
    model.write_bytes(content)
    np.savez(inputs, x=x)
    folder = tmp_path / "net"
    assert main(["import", str(model), "--out", str(folder)]) == ExitStatus.DONE
    command = ["simulate", str(folder), "--accelerator", "tiny", "--input", str(inputs)]
    assert main([*command, "--output", str(outputs)]) == ExitStatus.DONE
    _, (expected,) = judge(content, imported(content), x)
    with np.load(outputs) as arrays:
        assert np.array_equal(arrays["output"], expected)
        assert np.array_equal(arrays["measured_cycles"], arrays["predicted_cycles"])
        assert len(arrays["measured_cycles"]) == len(x)
