"""Random TensorFlow Lite models as cases: RTL against reference, prediction and interpreter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.importers.folder import ImportedNetwork
from sim.realizability import attempt
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace
from testbench.cases.random_networks import BATCHES, TRIES, Case, describe_case, draw_group_of
from testbench.cases.tflite_convolutions import convolution_model
from testbench.cases.tflite_extremes import EXTREMES, extreme_model
from testbench.cases.tflite_inputs import inputs_model
from testbench.cases.tflite_models import RandomModel, import_random, random_model
from testbench.judges.tflite_oracle import judge

__all__ = [
    "IMPORTED",
    "IMPORTED_PER_CONFIG",
    "DrawModel",
    "ImportedCase",
    "Judgement",
    "draw_imported_group",
    "imported_case",
]

DrawModel: TypeAlias = Callable[[int, int], tuple[RandomModel, str]]
"""Draws a model from a seed with a number of inputs, and says in code how."""

IMPORTED = "imported network"
"""Word in the place of a stratum, which imported networks do not have."""

IMPORTED_PER_CONFIG = 8
"""Models that share a configuration, for a build takes longer than their runs."""

_CONVOLUTION_SHARE = 4
"""Models of which the last is one of convolutions that become others."""

_INPUTS_SHARE, _INPUTS_PLACE = 8, 5
"""Every eighth model has several inputs: its place among eight."""

_EXTREMES_PLACE = 2
"""Place among eight of the model with one of ``EXTREMES``, which take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Comparison of a case's RTL run with TensorFlow Lite Micro.

    Parameters
    ----------
    values : int
        Compared: of the activation of every layer that computes a tensor of the model, and of the
        model's outputs.
    differences : int
        Values of these that differ.
    """

    values: int
    differences: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedCase(Case):
    """A configuration and a network that the importer made of a random model.

    Parameters
    ----------
    model_seed : int
    recipe : str
        Call that draws the model again.
    model : RandomModel
        With inputs in the model's own type.
    imported : ImportedNetwork
    """

    model_seed: int
    recipe: str
    model: RandomModel
    imported: ImportedNetwork

    @property
    def images(self) -> NDArray[np.int8]:
        """The model's inputs as the host prepares them."""
        return self.imported.host.prepare(self.model.inputs)

    @property
    def label(self) -> str:
        """Short name for tables: the network's, in which the model's seed is."""
        return self.network.name

    @property
    def title(self) -> str:
        """Name of the case, which says how to draw its model again."""
        return f"{self.recipe}, {self.batch} images per program,"

    def judge(
        self, activations: Mapping[int, NDArray[np.int8]], outputs: Mapping[str, NDArray[np.int8]]
    ) -> Judgement:
        """Compare a run's activations and outputs with TensorFlow Lite Micro's."""
        expected, finished = judge(self.model.content, self.imported, self.model.inputs)
        values = differences = 0
        for index, layer in enumerate(self.network.layers):
            if (
                layer.name not in expected
            ):  # a step within an operator: the model has no such tensor
                continue
            computed = activations[index].reshape(-1)
            values += computed.size
            differences += int(np.count_nonzero(computed != expected[layer.name].reshape(-1)))
        for (_, result), wanted in zip(
            self.imported.host.all_outputs(outputs), finished, strict=True
        ):
            values += result.size
            differences += int(np.count_nonzero(result != wanted))
        return Judgement(values=values, differences=differences)


def draw_imported_group(
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


def imported_case(
    index: int,
    config: AcceleratorConfig,
    rng: np.random.Generator,
    draw: DrawModel,
    stratum: str,
    batches: Sequence[int] = BATCHES,
) -> Case | None:
    """A case of a drawn model, None if the accelerator can run none of some that are drawn."""
    for _ in range(TRIES):
        model_seed = int(rng.integers(1 << 31))
        batch = int(rng.choice(batches))
        model, recipe = draw(model_seed, 2 if batch == 1 else batch + 1)
        imported = import_random(model, model_seed)
        _, mapped = attempt(config, imported.network, batch)
        if mapped is None:
            continue
        case = describe_case(index, stratum, mapped, rng)
        return case.extended(
            ImportedCase, model_seed=model_seed, recipe=recipe, model=model, imported=imported
        )
    return None


def _try_case(index: int, config: AcceleratorConfig, rng: np.random.Generator) -> Case | None:
    convolves = index % _CONVOLUTION_SHARE == _CONVOLUTION_SHARE - 1
    draw = _convolution_model if convolves else _random_model
    if index % _INPUTS_SHARE == _INPUTS_PLACE:
        draw = _inputs_model
    if index % _INPUTS_SHARE == _EXTREMES_PLACE:
        name = EXTREMES[index // _INPUTS_SHARE % len(EXTREMES)]
        draw = partial(_extreme_model, name)
    return imported_case(index, config, rng, draw, IMPORTED)


def _inputs_model(seed: int, images: int) -> tuple[RandomModel, str]:
    return inputs_model(seed, images), f"inputs_model({seed}, images={images})"


def _extreme_model(name: str, seed: int, images: int) -> tuple[RandomModel, str]:
    model = extreme_model(name, np.random.default_rng(seed), images)
    return model, f"extreme_model({name!r}, np.random.default_rng({seed}), images={images})"


def _convolution_model(seed: int, images: int) -> tuple[RandomModel, str]:
    return convolution_model(seed, images), f"convolution_model({seed}, images={images})"


def _random_model(seed: int, images: int) -> tuple[RandomModel, str]:
    return random_model(seed, images), f"random_model({seed}, images={images})"
