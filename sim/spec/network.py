"""A quantized network: layers in their order, and the tensors that it takes and gives (TensorFlow Lite int8)."""

import math
from dataclasses import dataclass

from sim.spec.activation_table import ActivationTable
from sim.spec.concatenation import Concatenation, PixelPlace, require_parts
from sim.spec.inputs import image_shape, require_inputs
from sim.spec.layer import (
    ADD_LEFT_SHIFT,
    FACTOR_BYTES,
    PRODUCT_KINDS,
    WINDOW_POOLS,
    Layer,
    LayerKind,
    check_shapes,
    operations,
)
from sim.spec.state import State
from sim.spec.state_rules import check_mosaics, check_states
from sim.spec.tensors import (
    CHANNELS,
    EXTENT,
    INT8,
    NAME,
    PADDED,
    SCALE,
    VALUES_LIMIT,
    Padding,
    TensorSpec,
    require_size,
)

__all__ = [
    "ADD_LEFT_SHIFT",
    "CHANNELS",
    "EXTENT",
    "FACTOR_BYTES",
    "INT8",
    "LAYERS_LIMIT",
    "MACS_LIMIT",
    "NAME",
    "NETWORK_VALUES_LIMIT",
    "PADDED",
    "PRODUCT_KINDS",
    "SCALE",
    "VALUES_LIMIT",
    "WEIGHTS_LIMIT",
    "WINDOW_POOLS",
    "ActivationTable",
    "Concatenation",
    "Layer",
    "LayerKind",
    "Network",
    "Padding",
    "PixelPlace",
    "State",
    "TensorSpec",
]

NETWORK_VALUES_LIMIT = 1 << 27
"""Most values of all of a network's tensors."""

WEIGHTS_LIMIT = 1 << 28
"""Most weights of a network."""

MACS_LIMIT = 1 << 36
"""Most multiply-accumulates for one image, taps of pools included; ResNet-50 has 2^32."""

LAYERS_LIMIT = 4096
"""Most layers of a network."""


_DENSE = (LayerKind.CONV, LayerKind.FULLY_CONNECTED, LayerKind.FACTORS)
"""Layer kinds whose outputs lie side by side, whatever they read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Network:
    """A network: layers in execution order, and the tensors that it gives.

    Parameters
    ----------
    name : str
    input : TensorSpec
    layers : tuple of Layer
    outputs : tuple of str
        Names of what the host gets, in its order; layers may read it, too. The last layer's if not given.
    concatenations : tuple of Concatenation
        Tensors that consist of others; layers after their last part may read them.
    further_inputs : tuple of TensorSpec
        What the host gives beside ``input``, in its order. A layer reads each.
    states : tuple of State
        Tensors of the run before; no layer reads them behind the layer that makes the next value.

    Raises
    ------
    ValueError
        If names, shapes, array shapes and kinds do not fit together, or a layer reads what is not there yet.
    """

    name: str
    input: TensorSpec
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...] = ()
    concatenations: tuple[Concatenation, ...] = ()
    further_inputs: tuple[TensorSpec, ...] = ()
    states: tuple[State, ...] = ()

    def __post_init__(self) -> None:
        """Check names and shapes layer by layer."""
        NAME.require(self.name, "name of a network")
        if not self.layers:
            raise ValueError(f"network {self.name!r} must have layers")
        if len(self.layers) > LAYERS_LIMIT:
            count = len(self.layers)
            raise ValueError(
                f"network {self.name!r} must have at most {LAYERS_LIMIT} layers, not {count}"
            )
        if self.further_inputs:
            read = {name for layer in self.layers for name in layer.inputs}
            require_inputs(self.name, self.inputs, read)
        known = {source.name: source for source in self.inputs}
        for state in self.states:
            if state.name in known:
                raise ValueError(f"tensor name {state.name!r} must be unique")
            known[state.name] = state.output
        factors: set[str] = set()
        left = list(self.concatenations)
        for layer in self.layers:
            for name in layer.inputs:
                if name not in known:
                    raise ValueError(f"layer {layer.name!r} reads unknown tensor {name!r}")
            if layer.name in known:
                raise ValueError(f"tensor name {layer.name!r} must be unique")
            check_shapes(layer, [known[name] for name in layer.inputs])
            if layer.kind is LayerKind.MULTIPLY and layer.inputs[1] not in factors:
                rule = "must multiply by what a layer of kind factors makes"
                raise ValueError(f"layer {layer.name!r} {rule}, not by {layer.inputs[1]!r}")
            if layer.kind is LayerKind.FACTORS:
                factors.add(layer.name)
            known[layer.name] = layer.output
            while whole := [joint for joint in left if known.keys() >= set(joint.parts)]:
                for joint in whole:
                    if joint.name in known:
                        raise ValueError(f"tensor name {joint.name!r} must be unique")
                    require_parts(joint, [known[name] for name in joint.parts])
                    known[joint.name] = joint.output
                    left.remove(joint)
        self._check_concatenations(known, factors)
        self._check_outputs()
        check_states(self)
        values = sum(math.prod(tensor.shape) for tensor in known.values())
        if values > NETWORK_VALUES_LIMIT:
            rule = f"must have at most {NETWORK_VALUES_LIMIT} values in all"
            raise ValueError(f"tensors of network {self.name!r} {rule}, not {values}")
        weights = sum(layer.weights.size for layer in self.layers)
        require_size(f"weights of network {self.name!r}", weights, WEIGHTS_LIMIT)
        macs = sum(map(operations, self.layers))
        if macs > MACS_LIMIT:
            rule = f"must have at most {MACS_LIMIT} MACs for one image, taps of pools included"
            raise ValueError(f"network {self.name!r} {rule}, not {macs}")

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """All tensors that the host gives."""
        return (self.input, *self.further_inputs)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of an image's values, see :func:`sim.spec.inputs.image_shape`."""
        return image_shape(self.inputs)

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """All tensors by name: the input, the layers' outputs, the concatenations, the states, further inputs.

        This is the order of :class:`sim.arrays.tables.TensorColumn`'s rows.
        """
        made = {layer.name: layer.output for layer in self.layers}
        joined = {joint.name: joint.output for joint in self.joints}
        further = {source.name: source for source in self.further_inputs}
        return {self.input.name: self.input} | made | joined | further

    @property
    def joints(self) -> tuple[Concatenation, ...]:
        """Tensors that layers store parts of: the concatenations, then the states, each of one part."""
        return (*self.concatenations, *(state.place for state in self.states))

    @property
    def segments(self) -> dict[str, tuple[int, ...]]:
        """Channels of each tensor's segments: the parts of concatenations lie apart, in whole vectors.

        What is computed channel by channel has the segments of what it reads.
        """
        known: dict[str, tuple[int, ...]] = {
            source.name: (source.channels,) for source in self.inputs
        }
        known |= {state.name: (state.output.channels,) for state in self.states}
        joints = {joint.name: joint for joint in self.concatenations}

        def segments_of(name: str) -> tuple[int, ...]:
            if name not in known:
                # a mosaic's parts have its channels
                parts = joints[name].parts[:1] if joints[name].pixels else joints[name].parts
                known[name] = sum((segments_of(part) for part in parts), ())
            return known[name]

        for layer in self.layers:
            dense = layer.kind in _DENSE
            own = (layer.output.channels,)
            known[layer.name] = own if dense else segments_of(layer.inputs[0])
        for name in joints:
            segments_of(name)
        return known

    @property
    def output(self) -> TensorSpec:
        """The first of the outputs, the only one of most networks."""
        return self.tensors[self.outputs[0]]

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def results(self) -> int:
        """Values that all layers make for one image."""
        return sum(layer.results for layer in self.layers)

    def _check_concatenations(self, known: dict[str, TensorSpec], factors: set[str]) -> None:
        """Raise where a concatenation's parts are not there, or cannot lie where they must."""
        within = {source.name: "" for source in self.inputs}
        states = {state.name for state in self.states}
        for joint in self.concatenations:
            for part in joint.parts:
                if part not in known:
                    raise ValueError(f"concatenation {joint.name!r} has unknown part {part!r}")
                if part in states:
                    raise ValueError(
                        f"part {part!r} of concatenation {joint.name!r} must be no state"
                    )
                if part in factors:
                    raise ValueError(
                        f"part {part!r} of concatenation {joint.name!r} must not be factors"
                    )
                if part in within:
                    rule = "must be no input and in one concatenation only"
                    raise ValueError(f"part {part!r} of concatenation {joint.name!r} {rule}")
                within[part] = joint.name
        if not self.concatenations:
            return
        segments = self.segments
        check_mosaics(self, segments)
        for layer in self.layers:
            if layer.kind in PRODUCT_KINDS and len(segments[layer.inputs[0]]) > 1:
                rule = f"must not read concatenated parts, as {layer.inputs[0]!r} has"
                raise ValueError(f"layer {layer.name!r} {rule}")
            if layer.kind is LayerKind.ADD:
                a, b = (segments[name] for name in layer.inputs)
                if a != b:
                    rule = "must consist of concatenated parts alike"
                    raise ValueError(
                        f"operands of {layer.name!r} {rule}, not of {a} and {b} channels"
                    )

    def _check_outputs(self) -> None:
        """Name the last layer's output where none is named; raise where names are wrong."""
        if not self.outputs:
            object.__setattr__(self, "outputs", (self.layers[-1].name,))
        given = {source.name for source in self.inputs} | {state.name for state in self.states}
        made = self.tensors.keys() - given
        for place, name in enumerate(self.outputs):
            if name not in made:
                raise ValueError(f"output {name!r} of network {self.name!r} must be made by layers")
            if name in self.outputs[:place]:
                raise ValueError(f"output {name!r} of network {self.name!r} must be given once")
