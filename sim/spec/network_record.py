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
    ActivationTable,
    Concatenation,
    Layer,
    LayerKind,
    Network,
    Padding,
    PixelPlace,
    State,
    TensorSpec,
)
from sim.spec.rules import Choice, Integer, Shape

__all__ = [
    "ARRAYS",
    "GRAPH_VERSION",
    "INITIAL_ARRAY",
    "INPUTS_VERSION",
    "TABLE_ARRAY",
    "LayerRecord",
    "NetworkRecord",
]

TABLE_ARRAY = "table"
"""Array of an activation table's values; the layer's field of that name has the rest of it."""

ARRAYS: Mapping[str, type] = {
    "weights": np.int8,
    "bias": np.int32,
    "multiplier": np.int32,
    "shift": np.int32,
    TABLE_ARRAY: np.int8,
}
"""A layer's arrays and their types; in the npz file they are called ``<layer>.<array>``."""

INITIAL_ARRAY = "initial"
"""Array of a state's values in the first run: ``<state>.initial``."""

GRAPH_VERSION = 2
"""Version of networks with several outputs, with concatenations or with states."""

INPUTS_VERSION = 3
"""Version of networks with several inputs."""

_FIRST_VERSIONS = {
    "outputs": GRAPH_VERSION,
    "concatenations": GRAPH_VERSION,
    "states": GRAPH_VERSION,
    "further_inputs": INPUTS_VERSION,
}
"""Fields that version 1 does not have, and the first version that has each."""

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


class TableRecord(Record):
    """An activation table without its values."""

    zero_point: Annotated[int, INT8]


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
    table: TableRecord | None = None

    def layer(self, arrays: Mapping[str, NDArray[Any]]) -> Layer:
        """The layer with its arrays of a weights file; those that are not there are empty."""
        values: dict[str, Any] = {}
        for array, dtype in ARRAYS.items():
            values[array] = arrays.get(f"{self.name}.{array}", np.zeros(0, dtype))
            if values[array].dtype != dtype:
                given = values[array].dtype.name
                raise DesignFileError(
                    f"array {self.name}.{array} must be {np.dtype(dtype).name}, not {given}"
                )
        values[TABLE_ARRAY] = self._table(values[TABLE_ARRAY])
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

    def _table(self, values: NDArray[np.int8]) -> ActivationTable | None:
        """The layer's activation table, of which the array and the field must be there, or neither."""
        if self.table is None:
            if values.size:
                raise DesignFileError(
                    f"array {self.name}.{TABLE_ARRAY} needs the layer's field of that name"
                )
            return None
        return ActivationTable(values=values, zero_point=self.table.zero_point)


class PixelPlaceRecord(Record):
    """Where the pixels of a mosaic's part lie."""

    begin: Annotated[tuple[int, int], Shape(2, 2, 0, EXTENT.high)] = (0, 0)
    step: Annotated[tuple[int, int], Shape(2, 2, 1, EXTENT.high)] = (1, 1)
    times: Annotated[tuple[int, int], Shape(2, 2, 1, EXTENT.high)] = (1, 1)


class ConcatenationRecord(Record):
    """A tensor that consists of others."""

    name: _Name
    parts: Annotated[list[_Name], Field(max_length=LAYERS_LIMIT)]
    output: TensorRecord
    pixels: Annotated[list[PixelPlaceRecord], Field(max_length=LAYERS_LIMIT)] = Field(
        default_factory=list
    )

    def concatenation(self) -> Concatenation:
        """Return the concatenation that the record describes."""
        return Concatenation(
            name=self.name,
            parts=tuple(self.parts),
            output=self.output.spec(),
            pixels=tuple(PixelPlace(**dict(place)) for place in self.pixels),
        )


class StateRecord(Record):
    """A state without its initial values."""

    name: _Name
    next: _Name
    output: TensorRecord

    def state(self, arrays: Mapping[str, NDArray[Any]]) -> State:
        """Return the state with its array of a weights file; it begins with its zero point where there is none."""
        output = self.output.spec()
        initial = np.broadcast_to(np.int8(output.zero_point), output.shape)
        return State(
            name=self.name,
            next=self.next,
            output=output,
            initial=arrays.get(f"{self.name}.{INITIAL_ARRAY}", initial),
        )


class NetworkRecord(Record):
    """A network without its arrays.

    Version 1 is a network whose one output is its last layer's, without concatenations and states; versions before 3 have one
    input.
    """

    version: Annotated[int, Integer(1, INPUTS_VERSION)] = 1
    name: _Name
    input: TensorRecord
    layers: Annotated[list[LayerRecord], Field(max_length=LAYERS_LIMIT)]
    outputs: Annotated[list[_Name], Field(max_length=LAYERS_LIMIT)] = Field(default_factory=list)
    concatenations: Annotated[list[ConcatenationRecord], Field(max_length=LAYERS_LIMIT)] = Field(
        default_factory=list
    )
    further_inputs: Annotated[list[TensorRecord], Field(max_length=LAYERS_LIMIT)] = Field(
        default_factory=list
    )
    states: Annotated[list[StateRecord], Field(max_length=LAYERS_LIMIT)] = Field(
        default_factory=list
    )

    def network(self, arrays: Mapping[str, NDArray[Any]]) -> Network:
        """The network with the arrays of its weights file.

        Raises
        ------
        DesignFileError
            If layers, shapes and arrays do not fit together, or an array belongs to no layer.
        """
        for name, least in _FIRST_VERSIONS.items():
            if self.version < least and getattr(self, name):
                rule = f"network.version must be {least} with {name}, not {self.version}"
                raise DesignFileError(rule)
        try:
            network = Network(
                name=self.name,
                input=self.input.spec(),
                layers=tuple(layer.layer(arrays) for layer in self.layers),
                outputs=tuple(self.outputs),
                concatenations=tuple(joint.concatenation() for joint in self.concatenations),
                further_inputs=tuple(source.spec() for source in self.further_inputs),
                states=tuple(state.state(arrays) for state in self.states),
            )
        except ValueError as error:
            raise DesignFileError(str(error)) from None
        known = {f"{layer.name}.{array}" for layer in network.layers for array in ARRAYS}
        known |= {f"{state.name}.{INITIAL_ARRAY}" for state in network.states}
        for name in arrays:
            if name not in known:
                raise DesignFileError(f"weights file has array {name!r}, which no layer uses")
        return network
