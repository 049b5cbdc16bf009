"""Random networks with states, that run step by step: each run finds what the run before has left."""

from dataclasses import replace

import numpy as np

from sim.realizability import attempt
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network, Padding, State, TensorSpec
from sim.spec.spaces import HardwareSpace
from testbench.cases.imported import imported_case
from testbench.cases.layers import fully_connected, padded
from testbench.cases.random_graphs import GraphDraw
from testbench.cases.random_networks import MOST_MACS, TRIES, Case, describe_case, draw_group_of
from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_streams import stream_model

__all__ = ["STATEFUL", "STATEFUL_PER_CONFIG", "draw_stateful_group", "stateful_graph"]

STATEFUL = "stateful"
"""Word in the place of a stratum, which these networks do not have."""

STATEFUL_PER_CONFIG = 4
"""Networks that share a configuration, for a build takes longer than a run."""

RUNS = 5
"""Images of a case: each is computed with what those before have left."""

MOST_STATES = 3


def stateful_graph(
    config: AcceleratorConfig, rng: np.random.Generator, name: str, inputs: int = 1
) -> Network:
    """Draw a graph of :func:`testbench.cases.random_graphs.random_graph` of which layers read states, too.

    A state's next value is made of any tensor of its size, or of all of a tensor where it is a single pixel.
    """
    draw = GraphDraw(config, rng)
    for index in range(int(rng.integers(1, MOST_STATES + 1))):
        height, width = draw.input.shape[:2] if rng.random() < 0.7 else (1, 1)
        draw.states[f"state{index}"] = TensorSpec(
            name=f"state{index}", height=height, width=width, channels=int(rng.integers(1, 3 * config.simd_units + 1)),
            scale=1.0, zero_point=int(rng.integers(-128, 128)),
        )  # fmt: skip
        draw.segments[f"state{index}"] = (draw.states[f"state{index}"].channels,)
    outputs = draw.outputs(inputs)
    layers, states = list(draw.layers), []
    made = [tensor for tensor in draw.tensors if tensor.name not in draw.states]
    for spec in draw.states.values():
        sources = [tensor for tensor in made if tensor.shape[:2] == spec.shape[:2]]
        layer = _next(f"{spec.name}_next", spec, sources, draw.input, rng)
        layers.append(layer)
        initial = rng.integers(-128, 128, spec.shape).astype(np.int8)
        states.append(State(name=spec.name, next=layer.name, output=spec, initial=initial))
    return Network(
        name=name,
        input=draw.input,
        layers=tuple(layers),
        outputs=outputs,
        concatenations=tuple(draw.joints),
        further_inputs=tuple(draw.further),
        states=tuple(states),
    )


def _next(
    name: str,
    state: TensorSpec,
    sources: list[TensorSpec],
    whole: TensorSpec,
    rng: np.random.Generator,
) -> Layer:
    """Layer that makes a state's next value."""
    if state.shape[:2] == (1, 1) and (not sources or rng.random() < 0.5):
        layer = fully_connected(name, whole, state.channels, rng)
    else:
        source = sources[int(rng.integers(len(sources)))]
        kernel = int(rng.choice([1, 3]))
        same = Padding.same(source.shape[:2], (kernel, kernel), (1, 1))
        layer = padded(
            name, LayerKind.CONV, source, (kernel, kernel), (1, 1), same, rng, state.channels
        )
    return replace(layer, output=replace(state, name=name))


def draw_stateful_group(
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1``: by turns a graph, and a TensorFlow Lite model that keeps variables.

    Every second of each has two inputs.
    See :func:`testbench.cases.random_networks.draw_group_of`.
    """
    return draw_group_of(_try_case, group, first, size, space, seed, max_macs=max_macs)


def _try_case(index: int, config: AcceleratorConfig, rng: np.random.Generator) -> Case | None:
    with_tables = replace(config, activation_table=1)
    inputs = 1 + index // 2 % 2
    if index % 2:
        draw = _two_inputs_model if inputs > 1 else _stream_model
        return imported_case(index, with_tables, rng, draw, STATEFUL, batches=(1,))
    for _ in range(TRIES):
        network = stateful_graph(with_tables, rng, f"{STATEFUL}{index}", inputs)
        if network.macs > MOST_MACS:
            continue
        _, mapped = attempt(with_tables, network)
        if mapped is not None:
            return describe_case(index, STATEFUL, mapped, rng, image_count=RUNS)
    return None


def _stream_model(seed: int, images: int) -> tuple[RandomModel, str]:
    """Draw a model with as many inputs as show what it keeps, whatever is asked for."""
    return stream_model(seed), f"stream_model({seed})"


def _two_inputs_model(seed: int, images: int) -> tuple[RandomModel, str]:
    return stream_model(seed, inputs=2), f"stream_model({seed}, inputs=2)"
