"""A quantized network: tensors, layers and their integer parameters (TensorFlow Lite int8)."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sim.spec.activation_table import ActivationTable
from sim.spec.concatenation import Concatenation, PixelPlace, require_parts
from sim.spec.inputs import image_shape, require_inputs
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

ADD_LEFT_SHIFT = 20
"""Left shift of both operands of a residual add (TensorFlow Lite Micro's int8 ADD)."""

NETWORK_VALUES_LIMIT = 1 << 27
"""Most values of all of a network's tensors."""

WEIGHTS_LIMIT = 1 << 28
"""Most weights of a network."""

MACS_LIMIT = 1 << 36
"""Most multiply-accumulates for one image, taps of pools included; ResNet-50 has 2^32."""

LAYERS_LIMIT = 4096
"""Most layers of a network."""


class LayerKind(StrEnum):
    """Function that a layer computes; everything else is refused by name."""

    CONV = "conv"
    DEPTHWISE = "depthwise"
    FULLY_CONNECTED = "fully_connected"
    ADD = "add"
    GLOBAL_AVERAGE_POOL = "global_average_pool"
    AVERAGE_POOL = "average_pool"
    MAX_POOL = "max_pool"
    MEAN = "mean"
    FACTORS = "factors"
    MULTIPLY = "multiply"


FACTOR_BYTES = 4
"""Channels of FACTORS for each of its input's: those of v are v, two that sum up to -zero point, and -1 - v."""

PRODUCT_KINDS = (LayerKind.FACTORS, LayerKind.MULTIPLY)
"""Layer kinds that make a product of activations: the one prepares the vector, the other multiplies by it."""

_DENSE = (LayerKind.CONV, LayerKind.FULLY_CONNECTED, LayerKind.FACTORS)
"""Layer kinds whose outputs lie side by side, whatever they read."""

WINDOW_POOLS = (LayerKind.MAX_POOL, LayerKind.AVERAGE_POOL)
"""Layer kinds that pool windows, channel by channel, without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A layer of a network; ``name`` is also the name of its output tensor.

    Parameters
    ----------
    kind : LayerKind
    inputs : tuple of str
        Names of tensors made earlier (the network's input or layers): one tensor, two for ADD and MULTIPLY, whose
        second one FACTORS has made.
    output : TensorSpec
        ``output.name == name``.
    kernel, stride : (int, int)
        (vertical, horizontal). Fully connected: the kernel is the input's (height, width),
        stride (1, 1), no padding. ADD, GLOBAL_AVERAGE_POOL, MEAN, FACTORS and MULTIPLY leave the
        defaults.
    padding : Padding
        None for AVERAGE_POOL: every window divides by kh·kw.
    weights : int8 array
        conv and fully connected [K, kh, kw, C]; depthwise [kh, kw, C]; else empty.
    bias : int32[K]
        In units of s_in·s_w[k], without the input's zero point folded in; empty for the kinds without
        weights.
    multiplier : int32[K], not negative
        Q31 significand of s_in·s_w[k]/s_out = multiplier · 2^(shift - 31), normally in
        [2^30, 2^31). ADD: three entries
        for operand a, operand b and the sum. MEAN: one entry, s_in/s_out over the count, for the sum of
        all pixels less their zero points. MULTIPLY: one entry, s_a·s_b/s_out. Pools and FACTORS: empty.
    shift : int32[K]
        Positive shifts left; each in -31 … 30.
    clamp : (int, int)
        Lowest and highest result: the fused activation.
    table : ActivationTable or None
        What becomes of the clamped results; None leaves them as they are.
    """

    name: str
    kind: LayerKind
    inputs: tuple[str, ...]
    output: TensorSpec
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    weights: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    bias: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    multiplier: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    shift: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    clamp: tuple[int, int] = (-128, 127)
    table: ActivationTable | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the input's shape."""
        if self.output.name != self.name:
            raise ValueError(f"output of layer {self.name!r} must bear its name")
        if len(self.inputs) != (2 if self.kind in (LayerKind.ADD, LayerKind.MULTIPLY) else 1):
            raise ValueError(f"layer {self.name!r} has the wrong number of inputs")
        if not -128 <= self.clamp[0] <= self.clamp[1] <= 127:
            raise ValueError(f"clamp of layer {self.name!r} must be ordered int8 values")
        for name, dtype in (
            ("weights", np.int8),
            ("bias", np.int32),
            ("multiplier", np.int32),
            ("shift", np.int32),
        ):
            given = getattr(self, name).dtype
            if given != dtype:
                rule = f"must be {np.dtype(dtype).name}, not {given.name}"
                raise ValueError(f"{name} of layer {self.name!r} {rule}")
        least = int(self.multiplier.min(initial=0))
        if least < 0:
            raise ValueError(f"multiplier of layer {self.name!r} must not be negative, not {least}")
        if int(self.shift.min(initial=0)) < -31 or int(self.shift.max(initial=0)) > 30:
            raise ValueError(f"shift of layer {self.name!r} must be in -31 … 30")
        pad = self.padding
        for size in (*self.kernel, *self.stride):
            EXTENT.require(size, f"kernel and stride of layer {self.name!r}")
        for size in (pad.top, pad.bottom, pad.left, pad.right):
            PADDED.require(size, f"padding of layer {self.name!r}")

    @property
    def result_zero_point(self) -> int:
        """Zero point of what is clamped: the table's, or without a table the output's."""
        return self.output.zero_point if self.table is None else self.table.zero_point

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer for one image; 0 for ADD, MEAN and pools."""
        pixels = self.output.height * self.output.width
        return pixels * int(self.weights.size)


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
            _check_shapes(layer, [known[name] for name in layer.inputs])
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
        operations = sum(map(_operations, self.layers))
        if operations > MACS_LIMIT:
            rule = f"must have at most {MACS_LIMIT} MACs for one image, taps of pools included"
            raise ValueError(f"network {self.name!r} {rule}, not {operations}")

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


def _operations(layer: Layer) -> int:
    """Multiply-accumulates of a layer, or what a pool compares or adds."""
    pool = math.prod(layer.output.shape) * math.prod(layer.kernel)
    return pool if layer.kind in WINDOW_POOLS else layer.macs


_UNWEIGHTED = {
    LayerKind.ADD: 3,
    LayerKind.MEAN: 1,
    LayerKind.MULTIPLY: 1,
    LayerKind.FACTORS: 0,
    LayerKind.GLOBAL_AVERAGE_POOL: 0,
    LayerKind.MAX_POOL: 0,
    LayerKind.AVERAGE_POOL: 0,
}
"""Entries of multiplier and shift of the kinds that have no weights and no bias."""

_NEUTRAL = {"kernel": (1, 1), "stride": (1, 1), "padding": Padding()}
"""Values of what a kind without windows ignores."""

_WINDOWLESS = (
    LayerKind.ADD, LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.MEAN, LayerKind.FACTORS, LayerKind.MULTIPLY,
)  # fmt: skip


def _check_ignored(layer: Layer) -> None:
    """Raise if a field that the layer's kind ignores says anything."""
    entries = _UNWEIGHTED.get(layer.kind)
    if entries is not None:
        for name, size in (
            ("weights", 0),
            ("bias", 0),
            ("multiplier", entries),
            ("shift", entries),
        ):
            _expect(layer, name, getattr(layer, name).shape, (size,))
    if layer.kind in _WINDOWLESS:
        for name, neutral in _NEUTRAL.items():
            value = getattr(layer, name)
            if value != neutral:
                kind = layer.kind.replace("_", " ")
                raise ValueError(
                    f"{name} of {kind} {layer.name!r} must be left out, not {_sides(value)}"
                )


def _sides(value: tuple[int, int] | Padding) -> tuple[int, ...]:
    if isinstance(value, Padding):
        return value.top, value.bottom, value.left, value.right
    return value


def _check_shapes(layer: Layer, inputs: list[TensorSpec]) -> None:
    source, out = inputs[0], layer.output
    expected: tuple[int, ...]
    _check_ignored(layer)
    if layer.kind is LayerKind.ADD:
        if not inputs[0].shape == inputs[1].shape == out.shape:
            raise ValueError(f"operands and output of {layer.name!r} must have one shape")
        return
    if layer.kind is LayerKind.MULTIPLY:
        _expect(layer, "factors", inputs[1].shape, (1, 1, FACTOR_BYTES * source.channels))
        _expect(layer, "output", out.shape, source.shape)
        return
    if layer.kind is LayerKind.FACTORS:
        _expect(layer, "input", source.shape, (1, 1, source.channels))
        _expect(layer, "output", out.shape, (1, 1, FACTOR_BYTES * source.channels))
        _expect_alike(layer, source)
        if layer.table is not None or layer.clamp != (-128, 127):
            raise ValueError(f"factors {layer.name!r} must have neither clamp nor table")
        return
    if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        _expect(layer, "output", out.shape, (1, 1, source.channels))
        _expect_alike(layer, source)
        return
    if layer.kind is LayerKind.MEAN:
        _expect(layer, "output", out.shape, (1, 1, source.channels))
        return
    if layer.kind is LayerKind.AVERAGE_POOL and layer.padding != Padding():
        raise ValueError(
            f"padding of average pool {layer.name!r} must be 0 on every side, "
            f"not {_sides(layer.padding)}"
        )
    if layer.kind is LayerKind.FULLY_CONNECTED and (
        layer.kernel != source.shape[:2] or layer.padding != Padding() or layer.stride != (1, 1)
    ):
        raise ValueError(
            f"kernel of {layer.name!r} must be its input's size {source.shape[:2]}, without padding"
        )
    height, width = layer.padding.around(source.shape[:2])
    padded = height * width * source.channels
    require_size(f"padded input of layer {layer.name!r}", padded, VALUES_LIMIT)
    windows = layer.padding.windows(source.shape[:2], layer.kernel, layer.stride)
    own = layer.kind in (LayerKind.DEPTHWISE, *WINDOW_POOLS)
    channels = source.channels if own else out.channels
    _expect(layer, "output", out.shape, (*windows, channels))
    if layer.kind in WINDOW_POOLS:
        _expect_alike(layer, source)
        return
    expected = (*layer.kernel, source.channels)
    if layer.kind is not LayerKind.DEPTHWISE:
        expected = (channels, *expected)
    _expect(layer, "weights", layer.weights.shape, expected)
    for name in ("bias", "multiplier", "shift"):
        _expect(layer, name, getattr(layer, name).shape, (channels,))


def _expect_alike(layer: Layer, source: TensorSpec) -> None:
    if layer.table is not None:
        if layer.table.zero_point != source.zero_point:
            rule = f"must be its input's {source.zero_point}, not {layer.table.zero_point}"
            raise ValueError(f"zero_point of the table of {layer.name!r} {rule}")
        return
    if (source.scale, source.zero_point) != (layer.output.scale, layer.output.zero_point):
        raise ValueError(f"input and output of {layer.name!r} must be quantized alike")


def _expect(layer: Layer, what: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise ValueError(f"{what} of layer {layer.name!r} must have shape {expected}, not {shape}")
