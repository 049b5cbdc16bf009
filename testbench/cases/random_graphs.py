"""Random networks that are no chains: several inputs and outputs, and tensors that consist of others."""

from dataclasses import replace

import numpy as np

from sim.realizability import attempt
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import (
    Concatenation,
    Layer,
    LayerKind,
    Network,
    Padding,
    PixelPlace,
    TensorSpec,
)
from sim.spec.spaces import HardwareSpace
from testbench.cases.layers import add, fully_connected, mean, padded, pool, windowed
from testbench.cases.random_networks import (
    MOST_MACS,
    TRIES,
    Case,
    describe_case,
    draw_group_of,
    next_batch,
)

__all__ = ["GRAPH", "GRAPHS_PER_CONFIG", "GraphDraw", "draw_graph_group", "random_graph"]

GRAPH = "graph"
"""Word in the place of a stratum, which graphs do not have."""

GRAPHS_PER_CONFIG = 4
"""Graphs that share a configuration, for a build takes longer than a run."""

SEVERAL_SHARE = 3
"""Graphs of which the last has several inputs, two and three in turn."""

MOST_PARTS = 4
STEPS = (3, 9)
"""Fewest and most steps of a graph: a layer or a concatenation each."""

SIDE = 14
"""Most rows and columns of an input."""

CHANCE_OF_OUTPUT = 0.15
"""Share of tensors that are read on and are outputs, too."""


def random_graph(
    config: AcceleratorConfig, rng: np.random.Generator, name: str, inputs: int = 1
) -> Network:
    """Draw a network of layers that read any earlier tensor, with concatenations, mosaics and several outputs.

    Channels are around whole vectors of the accelerator as often as anywhere. ``inputs`` is at most four.
    """
    return GraphDraw(config, rng).network(name, inputs)


def draw_graph_group(
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1``; see :func:`testbench.cases.random_networks.draw_group_of`."""
    return draw_group_of(_try_case, group, first, size, space, seed, max_macs=max_macs)


def _try_case(index: int, config: AcceleratorConfig, rng: np.random.Generator) -> Case | None:
    turn, place = divmod(index, SEVERAL_SHARE)
    inputs = 1 if place < SEVERAL_SHARE - 1 else 2 + turn % 2
    for _ in range(TRIES):
        network = random_graph(config, rng, f"{GRAPH}{index}", inputs)
        if network.macs > MOST_MACS:
            continue
        _, mapped = attempt(config, network, next_batch(rng))
        if mapped is not None:
            return describe_case(index, GRAPH, mapped, rng)
    return None


class GraphDraw:
    """A network in the making; ``states`` are the tensors that no layer makes and that are no input."""

    def __init__(self, config: AcceleratorConfig, rng: np.random.Generator) -> None:
        self.rng, self.simd = rng, config.simd_units
        height, width = (int(x) for x in rng.integers(1, SIDE + 1, 2))
        self.input = TensorSpec(
            name="input", height=height, width=width, channels=self._channels(), scale=1.0,
            zero_point=int(rng.integers(-128, 128)),
        )  # fmt: skip
        self.further: list[TensorSpec] = []
        self.layers: list[Layer] = []
        self.joints: list[Concatenation] = []
        self.tensors = [self.input]
        self.states: dict[str, TensorSpec] = {}
        self.segments: dict[str, tuple[int, ...]] = {"input": (self.input.channels,)}

    def network(self, name: str, inputs: int) -> Network:
        """Draw a network without states."""
        return Network(
            name=name,
            input=self.input,
            outputs=self.outputs(inputs),
            layers=tuple(self.layers),
            concatenations=tuple(self.joints),
            further_inputs=tuple(self.further),
        )

    def outputs(self, inputs: int) -> tuple[str, ...]:
        """Draw layers, concatenations and further inputs, and which tensors are outputs: their names."""
        if inputs == 1 or self.rng.random() < 0.7:
            self._layer(self.input)
        for turn in range(int(self.rng.integers(*STEPS))):
            if turn < inputs - 1:
                self._further_input()
            if turn == max(inputs - 2, 0):
                self.tensors += self.states.values()
            drawn = self.rng.random()
            if drawn < 0.3:
                self._concatenation()
            elif drawn < 0.45 and max(self.tensors[-1].shape[:2]) <= SIDE:
                self._mosaic()
            else:
                recent = self.tensors[-3:]
                self._layer(recent[int(self.rng.integers(len(recent)))])
        if not any(self.input.name in layer.inputs for layer in self.layers):
            self._layer(self.input)
        read = {tensor for layer in self.layers for tensor in layer.inputs}
        within = {part for joint in self.joints for part in joint.parts}
        made = [tensor.name for tensor in self._made]
        outputs = [
            tensor
            for tensor in made
            if tensor not in read | within or self.rng.random() < CHANCE_OF_OUTPUT
        ]
        self.rng.shuffle(outputs)
        return tuple(outputs)

    @property
    def _made(self) -> list[TensorSpec]:
        """Tensors that are no inputs and no states."""
        given = {tensor.name for tensor in self.further} | self.states.keys()
        return [tensor for tensor in self.tensors[1:] if tensor.name not in given]

    def _further_input(self) -> None:
        """Give the network another input, which a layer reads; often of a shape that is added to others."""
        rng, name = self.rng, f"input{1 + len(self.further)}"
        size = self.tensors[-1] if rng.random() < 0.6 else self.input
        channels = size.channels if rng.random() < 0.5 else self._channels()
        point = int(rng.integers(-128, 128))
        source = replace(size, name=name, channels=channels, zero_point=point)
        self.further.append(source)
        self.segments[name] = (channels,)
        self.tensors.append(source)
        self._layer(source)

    def _layer(self, source: TensorSpec) -> None:
        name, rng = f"layer{len(self.layers)}", self.rng
        alike = [
            tensor
            for tensor in self.tensors
            if tensor.shape == source.shape
            and self.segments[tensor.name] == self.segments[source.name]
        ]
        kind = str(
            rng.choice(
                ["conv", "depthwise", "max_pool", "add", "pool", "mean", "fully_connected"],
                p=[0.45, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05],
            )
        )
        kernel, stride = int(rng.choice([1, 3, 5])), int(rng.choice([1, 1, 1, 2]))
        if kind == "add":
            layer = add(name, source, alike[int(rng.integers(len(alike)))], rng)
        elif kind == "pool":
            layer = pool(name, source)
        elif kind == "mean":
            layer = mean(name, source, rng)
        elif kind == "fully_connected":
            layer = fully_connected(name, source, self._channels(), rng)
        else:
            layer = windowed(name, LayerKind(kind), source, kernel, stride, rng, self._channels())
        self.layers.append(layer)
        dense = kind in ("conv", "fully_connected")
        own = (layer.output.channels,)
        self.segments[name] = own if dense else self.segments[source.name]
        self.tensors.append(layer.output)

    def _concatenation(self) -> None:
        """Join tensors of the latest tensor's size; where there are too few, convolutions make more."""
        rng, name = self.rng, f"joint{len(self.joints)}"
        latest = self.tensors[-1]
        within = {part for joint in self.joints for part in joint.parts}
        count = int(rng.integers(2, MOST_PARTS + 1))
        parts = [
            tensor
            for tensor in self._made
            if tensor.name not in within
            and tensor.shape[:2] == latest.shape[:2]
            and (tensor.scale, tensor.zero_point) == (latest.scale, latest.zero_point)
        ]
        rng.shuffle(parts)
        parts = parts[:count]
        while len(parts) < count:
            source = latest if rng.random() < 0.7 else self.tensors[-1]
            if source.shape[:2] != latest.shape[:2]:
                source = latest
            kernel = int(rng.choice([1, 3]))
            same = Padding.same(latest.shape[:2], (kernel, kernel), (1, 1))
            kind = LayerKind.CONV if rng.random() < 0.8 else LayerKind.DEPTHWISE
            layer = padded(
                f"layer{len(self.layers)}", kind, source, (kernel, kernel), (1, 1), same, rng,
                self._channels(),
            )  # fmt: skip
            output = replace(layer.output, zero_point=latest.zero_point)
            layer = replace(layer, output=output)
            self.layers.append(layer)
            dense = kind is LayerKind.CONV
            self.segments[layer.name] = (output.channels,) if dense else self.segments[source.name]
            self.tensors.append(output)
            parts.append(output)
        output = replace(latest, name=name, channels=sum(part.channels for part in parts))
        joint = Concatenation(name=name, parts=tuple(part.name for part in parts), output=output)
        self.joints.append(joint)
        self.segments[name] = sum((self.segments[part.name] for part in parts), ())
        self.tensors.append(output)

    def _mosaic(self) -> None:
        """Make a larger image of layers' pixels: each several times, in turn, side by side, or one over the other."""
        rng, name = self.rng, f"joint{len(self.joints)}"
        source = self.tensors[-1]
        kind = LayerKind.CONV if rng.random() < 0.7 else LayerKind.DEPTHWISE
        channels = self._channels()
        step = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        way = str(rng.choice(["times", "turns", "side", "over"]))
        size = (source.height, source.width)
        if way == "times":
            places = [PixelPlace(step=step, times=step)]
        elif way == "turns":
            places = [PixelPlace(begin=(y, x), step=step) for y, x in np.ndindex(*step)]
        elif way == "side":
            places = [PixelPlace(begin=(y * size[0], x * size[1])) for y, x in np.ndindex(*step)]
        else:
            step, begins = (1, 1), rng.integers(0, 3, (int(rng.integers(1, 3)), 2))
            places = [PixelPlace(), *(PixelPlace(begin=(int(y), int(x))) for y, x in begins)]
        parts: list[TensorSpec] = []
        for place in places:
            # a part that lies over others ends before them where its kernel is larger
            rows, columns = place.begin if way == "over" else (0, 0)
            kernel = (min(rows, size[0] - 1) + 1, min(columns, size[1] - 1) + 1)
            layer = padded(
                f"layer{len(self.layers)}", kind, source, kernel, (1, 1), Padding(), rng, channels
            )
            if parts:
                quantized = replace(
                    layer.output, scale=parts[0].scale, zero_point=parts[0].zero_point
                )
                layer = replace(layer, output=quantized)
            self.layers.append(layer)
            dense = kind is LayerKind.CONV
            own = (layer.output.channels,)
            self.segments[layer.name] = own if dense else self.segments[source.name]
            parts.append(layer.output)
        if way == "over":
            places = [
                replace(place, begin=(size[0] - part.height, size[1] - part.width))
                for place, part in zip(places, parts, strict=True)
            ]
        output = replace(parts[0], name=name, height=size[0] * step[0], width=size[1] * step[1])
        joint = Concatenation(
            name=name,
            parts=tuple(part.name for part in parts),
            output=output,
            pixels=tuple(places),
        )
        self.joints.append(joint)
        self.segments[name] = self.segments[parts[0].name]
        self.tensors.append(output)

    def _channels(self) -> int:
        rng, simd = self.rng, self.simd
        if rng.random() < 0.5:
            return int(rng.integers(1, 4)) * simd
        return int(rng.integers(1, 3 * simd + 1))
