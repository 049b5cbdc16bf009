"""Inputs of a network: the values of an image, which are one input's or, of several inputs, all of theirs in a row."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.spec.tensors import TensorSpec

__all__ = ["image_shape", "join", "require_inputs", "split"]


def image_shape(inputs: Sequence[TensorSpec]) -> tuple[int, ...]:
    """Shape of an image's values: the input's; of several inputs the number of all their values, one input behind the other."""
    if len(inputs) == 1:
        return inputs[0].shape
    return (sum(math.prod(source.shape) for source in inputs),)


def split(inputs: Sequence[TensorSpec], x: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
    """Inputs by name, int8[N, height, width, channels], of images int8[N, ...] of :func:`image_shape`.

    Raises
    ------
    ValueError
        If `x` has another shape.
    """
    shape = image_shape(inputs)
    if x.shape[1:] != shape:
        raise ValueError(f"x must have shape (N, *{shape}), not {x.shape}")
    if len(inputs) == 1:
        return {inputs[0].name: x}
    ends = np.cumsum([math.prod(source.shape) for source in inputs])[:-1]
    parts = np.split(x, ends, axis=1)
    return {
        source.name: part.reshape(len(x), *source.shape)
        for source, part in zip(inputs, parts, strict=True)
    }


def join(inputs: Sequence[TensorSpec], values: Mapping[str, NDArray[np.int8]]) -> NDArray[np.int8]:
    """Images of inputs by name, each int8[N, height, width, channels]: the opposite of :func:`split`.

    Raises
    ------
    ValueError
        If an input lacks, has another shape, or another number of images than the first.
    """
    if unknown := sorted(values.keys() - {source.name for source in inputs}):
        known = ", ".join(source.name for source in inputs)
        raise ValueError(f"inputs must be {known}, not {', '.join(unknown)}")
    count = -1
    for source in inputs:
        if source.name not in values:
            raise ValueError(f"input {source.name!r} must be given")
        given = values[source.name]
        count = len(given) if count < 0 else count
        if given.dtype != np.int8 or given.shape != (count, *source.shape):
            rule = f"must be int8 of shape {(count, *source.shape)}"
            raise ValueError(
                f"input {source.name!r} {rule}, not {given.dtype} of shape {given.shape}"
            )
    if len(inputs) == 1:
        return values[inputs[0].name]
    return np.concatenate([values[source.name].reshape(count, -1) for source in inputs], axis=1)


def require_inputs(network: str, inputs: Sequence[TensorSpec], read: Collection[str]) -> None:
    """Raise ValueError where two of several inputs have one name, or none of the tensors that are ``read`` is one of them."""
    names = [source.name for source in inputs]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ValueError(f"tensor name {name!r} must be unique")
        if name not in read:
            raise ValueError(f"input {name!r} of network {network!r} must be read by a layer")
