"""The schema of a network in a file, and the way from there to a :class:`Network`."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.spec.documents import Record
from sim.spec.errors import DesignFileError
from sim.spec.network import (
    CHANNELS,
    EXTENT,
    INT8,
    LAYERS_LIMIT,
    NAME,
    PADDED,
    SCALE,
    Layer,
    LayerKind,
    Network,
    Padding,
    TensorSpec,
)
from sim.spec.rules import Choice, Shape

__all__ = ["ARRAYS", "LayerRecord", "NetworkRecord"]

ARRAYS: Mapping[str, type] = {
    "weights": np.int8,
    "bias": np.int32,
    "multiplier": np.int32,
    "shift": np.int32,
}
"""A layer's arrays and their types; in the npz file they are called ``<layer>.<array>``."""

_Name = Annotated[str, NAME]
_Side = Annotated[int, PADDED]
_Sizes = Annotated[tuple[int, int], Shape(2, 2, EXTENT.low, EXTENT.high)]


class TensorRecord(Record):
    """A tensor of activations."""

    name: _Name
    height: Annotated[int, EXTENT]
    width: Annotated[int, EXTENT]
    channels: Annotated[int, CHANNELS]
    scale: Annotated[float, SCALE]
    zero_point: Annotated[int, INT8]

    def spec(self) -> TensorSpec:
        """Return the tensor that the record describes."""
        return TensorSpec(**dict(self))


class PaddingRecord(Record):
    """Padding of a layer; a side that is not given has none."""

    top: _Side = 0
    bottom: _Side = 0
    left: _Side = 0
    right: _Side = 0


class LayerRecord(Record):
    """A layer without its arrays."""

    name: _Name
    kind: Annotated[str, Choice(tuple(LayerKind))]
    inputs: Annotated[list[_Name], Field(max_length=2)]
    output: TensorRecord
    kernel: _Sizes = (1, 1)
    stride: _Sizes = (1, 1)
    padding: PaddingRecord = PaddingRecord()
    clamp: Annotated[tuple[int, int], Shape(2, 2, INT8.low, INT8.high)] = (-128, 127)

    def layer(self, arrays: Mapping[str, NDArray[Any]]) -> Layer:
        """The layer with its arrays of a weights file; those that are not there are empty."""
        values = {}
        for array, dtype in ARRAYS.items():
            values[array] = arrays.get(f"{self.name}.{array}", np.zeros(0, dtype))
            if values[array].dtype != dtype:
                given = values[array].dtype.name
                raise DesignFileError(
                    f"array {self.name}.{array} must be {np.dtype(dtype).name}, not {given}"
                )
        return Layer(
            name=self.name,
            kind=LayerKind(self.kind),
            inputs=tuple(self.inputs),
            output=self.output.spec(),
            kernel=self.kernel,
            stride=self.stride,
            padding=Padding(**dict(self.padding)),
            clamp=self.clamp,
            **values,
        )


class NetworkRecord(Record):
    """A network without its arrays."""

    name: _Name
    input: TensorRecord
    layers: Annotated[list[LayerRecord], Field(max_length=LAYERS_LIMIT)]

    def network(self, arrays: Mapping[str, NDArray[Any]]) -> Network:
        """The network with the arrays of its weights file.

        Raises
        ------
        DesignFileError
            If layers, shapes and arrays do not fit together, or an array belongs to no layer.
        """
        try:
            network = Network(
                name=self.name,
                input=self.input.spec(),
                layers=tuple(layer.layer(arrays) for layer in self.layers),
            )
        except ValueError as error:
            raise DesignFileError(str(error)) from None
        known = {f"{layer.name}.{array}" for layer in network.layers for array in ARRAYS}
        for name in arrays:
            if name not in known:
                raise DesignFileError(f"weights file has array {name!r}, which no layer uses")
        return network
