"""A network for scikit-learn's digits that least squares train in a moment, and held-out images."""

import functools

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from sim.scales import quantize_multipliers
from sim.spec.network import Layer, LayerKind, Network, TensorSpec

__all__ = ["CLASSES", "linear_digits"]

CLASSES = 10
HELD_OUT = 360
LEVELS = 16
STEPS_PER_LEVEL = 15
BLACK = -120
RIDGE = 3.0
OUTPUT_SCALE = 1 / 64


@functools.cache
def linear_digits() -> tuple[Network, NDArray[np.int8], NDArray[np.int64]]:
    """Return a fully connected layer, and images int8[360, 8, 8, 1] with labels that it has not seen."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    held, seen = order[:HELD_OUT], order[HELD_OUT:]
    levels = data.images / LEVELS  # [N, 8, 8], 0 … 1
    inputs = np.hstack([levels[seen].reshape(len(seen), -1), np.ones((len(seen), 1))])
    targets = np.eye(CLASSES)[data.target[seen]] * 2 - 1
    solved = np.linalg.solve(
        inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1]), inputs.T @ targets
    )
    real, offset = solved[:-1].T, solved[-1]  # [10, 64], [10]
    source = TensorSpec.of_shape("image", (8, 8, 1), 1 / (LEVELS * STEPS_PER_LEVEL), BLACK)
    weight_scale = np.abs(real).max(axis=1) / 127
    multiplier, shift = quantize_multipliers(source.scale * weight_scale / OUTPUT_SCALE)
    layer = Layer(
        name="classes",
        kind=LayerKind.FULLY_CONNECTED,
        inputs=("image",),
        output=TensorSpec.of_shape("classes", (1, 1, CLASSES), OUTPUT_SCALE, 0),
        kernel=(8, 8),
        weights=np.rint(real / weight_scale[:, None]).astype(np.int8).reshape(CLASSES, 8, 8, 1),
        bias=np.rint(offset / (source.scale * weight_scale)).astype(np.int32),
        multiplier=multiplier,
        shift=shift,
    )
    network = Network(name="linear digits", input=source, layers=(layer,))
    images = data.images[held, :, :, None] * STEPS_PER_LEVEL + BLACK
    return network, images.astype(np.int8), data.target[held].astype(np.int64)
