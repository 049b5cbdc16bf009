"""Imported models against TensorFlow Lite Micro's interpreter: every activation that is a tensor of the model, and every output."""

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.importers.folder import ImportedNetwork
from sim.importers.host import ModelInputs
from testbench.judges.tflite_oracle import judge

__all__ = ["require_equal"]


def require_equal(
    content: bytes, model: ImportedNetwork, x: ModelInputs
) -> tuple[dict[str, NDArray[np.int8]], list[NDArray[np.generic]]]:
    """Compare what the reference makes of a model with what the interpreter does.

    Returns
    -------
    values : dict of str to int8 array
        Of all tensors of the network, by name.
    outputs : list of array
        The model's, as the interpreter gives them.
    """
    values = golden.run(model.network, model.host.prepare(x))
    expected, outputs = judge(content, model, x)
    for name, activation in expected.items():
        assert np.array_equal(values[name].reshape(-1), activation.reshape(-1)), name
    named = {name: values[name] for name in model.network.outputs}
    for (_, result), output in zip(model.host.all_outputs(named), outputs, strict=True):
        assert np.array_equal(result, output)
    return values, list(outputs)
