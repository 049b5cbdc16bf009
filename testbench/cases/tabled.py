"""Cases with activation tables: random networks, and models with functions that the importer makes tables of."""

import dataclasses

import numpy as np

from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import WINDOW_POOLS, Layer, LayerKind, Network
from sim.spec.spaces import HardwareSpace
from testbench.cases.imported import imported_case
from testbench.cases.layers import with_table
from testbench.cases.random_networks import Case, case_of_stratum, draw_group_of
from testbench.cases.tflite_functions import FUNCTIONS, PRODUCTS, function_model
from testbench.cases.tflite_models import RandomModel

__all__ = ["MODELS", "TABLED_PER_CONFIG", "draw_tabled_group", "tabled"]

TABLED_PER_CONFIG = 12
"""Cases that share a configuration, for a build takes longer than their runs."""

MODELS = (*FUNCTIONS, "gate", "square", *PRODUCTS)
"""Kinds of models of `testbench.cases.tflite_functions.function_model`, in turn."""

_MODEL_SHARE = 3
"""Cases of which the first is a model."""


def tabled(network: Network, rng: np.random.Generator, share: float = 0.7) -> Network:
    """The network with random activation tables behind a share of its layers, and never without any.

    Factors have none.
    """
    chosen = rng.random(len(network.layers)) < share
    able = [i for i, layer in enumerate(network.layers) if layer.kind is not LayerKind.FACTORS]
    chosen[able[int(rng.integers(len(able)))]] = True
    tensors = network.tensors
    layers: list[Layer] = []
    for layer, tables in zip(network.layers, chosen, strict=True):
        source = tensors[layer.inputs[0]]
        if tables and layer.kind is not LayerKind.FACTORS:
            layers.append(with_table(layer, source, rng))
            tensors[layer.name] = layers[-1].output
            continue
        if layer.kind in (LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.FACTORS, *WINDOW_POOLS):
            # it keeps the quantization of its input
            point = source.zero_point
            layer = dataclasses.replace(
                layer, output=dataclasses.replace(layer.output, zero_point=point)
            )
            tensors[layer.name] = layer.output
        layers.append(layer)
    return dataclasses.replace(network, layers=tuple(layers))


def draw_tabled_group(
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1``: a model and two random networks in turn.

    The accelerators are the space's, with activation tables; see
    :func:`testbench.cases.random_networks.draw_group_of`.
    """
    return draw_group_of(_try_case, group, first, size, space, seed, max_macs=max_macs)


def _try_case(index: int, config: AcceleratorConfig, rng: np.random.Generator) -> Case | None:
    with_tables = dataclasses.replace(config, activation_table=1)
    if check(with_tables):
        return None
    turn, place = divmod(index, _MODEL_SHARE)
    if place:
        return case_of_stratum(index, with_tables, rng, tabled)
    name = MODELS[turn % len(MODELS)]

    def draw(seed: int, images: int) -> tuple[RandomModel, str]:
        recipe = f"function_model({name!r}, np.random.default_rng({seed}), images={images})"
        return function_model(name, np.random.default_rng(seed), images), recipe

    return imported_case(index, with_tables, rng, draw, f"model with {name}")
