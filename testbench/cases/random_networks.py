"""Random small networks for validation: every layer kind in the middle of real neighbours."""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import TensorColumn
from sim.plan import Mapped
from sim.realizability import attempt, check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.network import WINDOW_POOLS, Layer, LayerKind, Network, TensorSpec
from sim.spec.spaces import HardwareSpace
from testbench.cases.layers import add, fully_connected, mean, pool, windowed

__all__ = [
    "BATCHES",
    "NETWORKS_PER_CONFIG",
    "Case",
    "Corner",
    "Stratum",
    "TryCase",
    "case_of_stratum",
    "describe_case",
    "draw_cases",
    "draw_cases_on",
    "draw_group",
    "draw_group_of",
    "next_batch",
    "random_network",
    "strata",
]

NETWORKS_PER_CONFIG = 3
"""Cases that share a configuration, for a build takes longer than a run."""

SIZES = (13, 13, 13, 40)
"""Largest images, one drawn per case; the large one overflows small local memories."""

MOST_MACS = 100_000_000
"""Larger networks are drawn again, so that no case takes minutes."""

TRIES = 8
"""Networks drawn for a configuration before another configuration is taken."""

IMAGE_CHANNELS = 4
"""Most channels of an input that is an image."""

BATCHES = (1, 1, 1, 2, 3, 4)
"""Images per program, one drawn per case."""

STORES_KB = (1, 1, 1, 2, 2, 4, 8, 64)
"""Weight stores that are drawn: they hold none, some or all weights of a case."""

SEEDS = 1 << 31
"""Seeds of images are below."""

WAYS: dict[str, tuple[LayerPlan, int]] = {
    "weights in the store": (LayerPlan.STORED_ROWS, 1),
    "PE columns split channels": (LayerPlan.SPREAD, 1),
    "inputs in strips": (LayerPlan.IN_STRIPS, 1),
    "outputs in strips": (LayerPlan.SOURCES, 1),
    "border rows apart": (LayerPlan.BORDER_TOP, 1),
    "images together": (LayerPlan.IMAGES, 2),
    "activation table": (LayerPlan.TABLE_ADDRESS, 1),
    "weights are a tensor": (LayerPlan.FACTORS, 1),
}
"""Ways of a mapping with a layer: a column of the plan, and from which value on it goes that way.

With weights in the store, a pair has a cold and a warm run, both compared.
"""

AWKWARD_GROUPS = 4
"""Every so many groups have a grid whose width divides few images."""


KindOfCase = TypeVar("KindOfCase", bound="Case")


class Corner(StrEnum):
    """A shape that random draws alone would seldom meet."""

    NONE = "any shape"
    ONE_PIXEL = "1x1 image"
    BELOW_KERNEL = "image below kernel"
    ODD = "odd size"
    ONE_LESS = "C = S - 1"
    ONE_MORE = "C = S + 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Demand on a case: a layer kind with its kernel and stride; ``image``: it reads 1 … 4 input channels."""

    kind: LayerKind
    kernel: int = 1
    stride: int = 1
    image: bool = False

    def __str__(self) -> str:
        """Short name for tables."""
        if self.kind in (LayerKind.CONV, LayerKind.DEPTHWISE, *WINDOW_POOLS):
            first = "first " if self.image else ""
            return f"{first}{self.kind} {self.kernel}x{self.kernel}/{self.stride}"
        return str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A configuration, a network around one layer of the stratum, and what the mapping does.

    Parameters
    ----------
    index : int
        Within the draw.
    stratum : Stratum or str
    config : AcceleratorConfig
    network : Network
    image_seed, image_count : int
        Draw ``images``.
    batch : int
        Images per program.
    corner : Corner
    spills : bool
        Whether a tensor between layers goes through external memory.
    passes, pixels, splits : int
        Largest numbers, over the layers, of passes over a tensor, of pixels computed at once and of
        parts of a reduction.
    partial_tile : bool
        Whether the grid does not divide the input.
    ways : tuple of str
        Those of :data:`WAYS` that the mapping goes.
    """

    index: int
    stratum: Stratum | str
    config: AcceleratorConfig
    network: Network
    image_seed: int
    image_count: int = 2
    batch: int = 1
    corner: Corner = Corner.NONE
    spills: bool
    passes: int
    pixels: int
    splits: int
    partial_tile: bool
    ways: tuple[str, ...] = ()

    @property
    def images(self) -> NDArray[np.int8]:
        """Random bytes: int8[image_count, *network.image_shape]."""
        shape = (self.image_count, *self.network.image_shape)
        rng = np.random.default_rng(self.image_seed)
        return rng.integers(-128, 128, shape).astype(np.int8)

    @property
    def shares_build(self) -> bool:
        """Whether other cases run on the same configuration, so that a fast simulation pays."""
        return True

    @property
    def label(self) -> str:
        """Short name for tables."""
        return str(self.stratum)

    @property
    def title(self) -> str:
        """Name of the case, with which a line about a failure begins."""
        return self.network.name

    def extended(self, kind: type[KindOfCase], **more: Any) -> KindOfCase:
        """Return the case as a subclass, whose own fields are ``more``."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return kind(**own, **more)

    @property
    def verdict(self) -> str:
        """Whether the pair is realizable, if it was drawn to ask that."""
        return ""

    @property
    def traits(self) -> tuple[str, ...]:
        """Situations that the mapping meets, in words."""
        situations = {
            f"{self.passes} passes": self.passes > 1,
            f"{self.pixels} pixels": self.pixels > 1,
            f"{self.splits} splits": self.splits > 1,
            f"{self.batch} images": self.batch > 1,
            "partial": self.partial_tile,
            "spills": self.spills,
        }
        return (*(name for name, holds in situations.items() if holds), *self.ways)


TryCase: TypeAlias = Callable[[int, AcceleratorConfig, np.random.Generator], Case | None]
"""Draws the case of an index for a configuration, or finds none that it can run."""


def strata() -> tuple[Stratum, ...]:
    """All layer kinds, kernels and strides, in a fixed order."""
    convs = [Stratum(kind=LayerKind.CONV, kernel=k, stride=s) for k in (1, 3, 5) for s in (1, 2)]
    depthwise = [
        Stratum(kind=LayerKind.DEPTHWISE, kernel=k, stride=s) for k in (3, 5, 7) for s in (1, 2)
    ]
    pools = [
        Stratum(kind=kind, kernel=k, stride=s)
        for kind in WINDOW_POOLS
        for k in (2, 3, 5, 8)
        for s in (1, 2)
    ]
    rest = (
        LayerKind.ADD,
        LayerKind.GLOBAL_AVERAGE_POOL,
        LayerKind.MEAN,
        LayerKind.FULLY_CONNECTED,
    )
    images = [
        Stratum(kind=LayerKind.CONV, kernel=k, stride=s, image=True)
        for k in (2, 3, 5, 7)
        for s in (1, 2, 3)
    ]
    return (*convs, *depthwise, *pools, *(Stratum(kind=kind) for kind in rest), *images)


def draw_cases(
    count: int,
    space: HardwareSpace,
    seed: int,
    *,
    networks_per_config: int = NETWORKS_PER_CONFIG,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw ``count`` realizable cases, the strata and the corners in turn.

    Parameters
    ----------
    count : int
    space : HardwareSpace
    seed : int
    networks_per_config : int
    max_macs : int, optional
        Pass over larger configurations.
    """
    cases: list[Case] = []
    group = 0
    while len(cases) < count:
        size = min(networks_per_config, count - len(cases))
        cases += draw_group(group, len(cases), size, space, seed, max_macs=max_macs)
        group += 1
    return cases


def draw_cases_on(config: AcceleratorConfig, count: int, seed: int) -> list[Case]:
    """Draw cases for one configuration, the strata and the corners in turn; those it cannot run are left out.

    Parameters
    ----------
    config : AcceleratorConfig
    count : int
        Cases to try.
    seed : int
    """
    rng = np.random.default_rng(seed)
    drawn = (case_of_stratum(index, config, rng) for index in range(count))
    return [case for case in drawn if case is not None]


def draw_group(
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1`` of the strata; see :func:`draw_group_of`."""
    return draw_group_of(case_of_stratum, group, first, size, space, seed, max_macs=max_macs)


def draw_group_of(
    try_case: TryCase,
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1``, which share a configuration where they can.

    A configuration for which ``try_case`` finds no case is replaced for the rest of the
    group. No group depends on another.
    """
    rng = np.random.default_rng([seed, len(space), group])
    configs = _draw_configs(space, rng, max_macs, awkward=group % AWKWARD_GROUPS == 0)
    config = next(configs)
    cases: list[Case] = []
    while len(cases) < size:
        case = try_case(first + len(cases), config, rng)
        if case is None:
            config = next(configs)
            continue
        cases.append(case)
    return cases


def _draw_configs(
    space: HardwareSpace, rng: np.random.Generator, max_macs: int | None, *, awkward: bool
) -> Iterator[AcceleratorConfig]:
    """Configurations that the generator can build; ``awkward``: 6 PEs wide, or 3 in small spaces."""
    smallest = space.at(0)
    if max_macs is not None and smallest.macs > max_macs:
        raise CosilicoError(
            f"max_macs must be at least {smallest.macs} in space {space.name!r}, not {max_macs}"
        )
    width = 6 if 6 in space.values["pes_x"] else 3
    if width not in space.values["pes_x"] or (max_macs or np.inf) < width * smallest.macs:
        awkward = False
    while True:
        config = space.at(int(rng.integers(len(space))))
        if awkward:
            config = dataclasses.replace(config, pes_x=width)
        config = _with_store(config)
        if not check(config) and (max_macs is None or config.macs <= max_macs):
            yield config


def _with_store(config: AcceleratorConfig) -> AcceleratorConfig:
    """Give a configuration a weight store, drawn by its own fields.

    A third has none, a third a store that may be too small for a case, and a third its own.
    """
    rng = np.random.default_rng(config.fingerprint)
    size = (0, int(rng.choice(STORES_KB)), config.weight_store_kb)[rng.integers(3)]
    return dataclasses.replace(config, weight_store_kb=size)


def case_of_stratum(
    index: int,
    config: AcceleratorConfig,
    rng: np.random.Generator,
    change: Callable[[Network, np.random.Generator], Network] = lambda network, rng: network,
) -> Case | None:
    """A case of the stratum and the corner that are an index's turn, None if the accelerator has none.

    ``change`` is applied to each network that is drawn.
    """
    order, corners = strata(), tuple(Corner)
    rounds, place = divmod(index, len(order))
    stratum = order[place]
    # One corner further with every round of the strata, so that each meets each.
    corner = corners[(place + rounds) % len(corners)]
    for _ in range(TRIES):
        network = change(random_network(stratum, config, rng, corner), rng)
        if network.macs > MOST_MACS:
            continue
        _, mapped = attempt(config, network, next_batch(rng))
        if mapped is not None:
            return describe_case(index, stratum, mapped, rng, corner)
    return None


def next_batch(rng: np.random.Generator) -> int:
    """Images per program of the case that a generator draws next.

    Nothing is drawn yet, so that a network which is then refused takes no more than itself.
    """
    image_seed = int(copy.deepcopy(rng).integers(SEEDS))
    return int(np.random.default_rng(image_seed).choice(BATCHES))


def describe_case(
    index: int,
    stratum: Stratum | str,
    mapped: Mapped,
    rng: np.random.Generator,
    corner: Corner = Corner.NONE,
    *,
    image_count: int = 2,
) -> Case:
    """Draw images for a pair that is mapped and note what the mapping does.

    With more than one image per program there are images for a whole run and a run that is not full.
    The plan stays behind, for a case travels between processes and its schedule is large.
    """
    config, network, batch = mapped.config, mapped.source, mapped.images
    image_seed = int(rng.integers(SEEDS))
    inner = mapped.tensor_plan[1:, TensorPlan.STORED] > mapped.tensors[1:, TensorColumn.OUTPUT]
    plan = mapped.layer_plan
    passes = plan[:, LayerPlan.PASSES_Y] * plan[:, LayerPlan.PASSES_X]
    source = network.input
    return Case(
        index=index,
        stratum=stratum,
        config=config,
        network=network,
        image_seed=image_seed,
        image_count=image_count if batch == 1 else batch + 1,
        batch=batch,
        corner=corner,
        spills=bool(inner.any()),
        passes=int(passes.max(initial=1)),
        pixels=int(plan[:, LayerPlan.PIXELS].max(initial=1)),
        splits=int(plan[:, LayerPlan.SPLITS].max(initial=1)),
        partial_tile=bool(source.height % config.pes_y or source.width % config.pes_x),
        ways=tuple(
            name for name, (column, least) in WAYS.items() if plan[:, column].max() >= least
        ),
    )


def random_network(
    stratum: Stratum,
    config: AcceleratorConfig,
    rng: np.random.Generator,
    corner: Corner = Corner.NONE,
) -> Network:
    """A layer of the stratum, often with a producer before and a halo-hungry consumer behind."""

    def channels() -> int:
        return _channels(config.simd_units, rng, corner)

    height, width = _size(stratum, rng, corner)
    read = int(rng.integers(1, IMAGE_CHANNELS + 1)) if stratum.image else channels()
    source = TensorSpec(
        name="input", height=height, width=width, channels=read, scale=1.0,
        zero_point=int(rng.integers(-128, 128)),
    )  # fmt: skip
    layers: list[Layer] = []
    current = source
    if stratum.kind is LayerKind.ADD or (not stratum.image and rng.random() < 0.7):
        layers.append(_dense("producer", current, channels(), 1, 1, rng))
        current = layers[-1].output
    if stratum.kind is LayerKind.ADD:
        layers.append(windowed("branch", LayerKind.DEPTHWISE, current, 3, 1, rng, plain=True))
        layers.append(add("layer", current, layers[-1].output, rng))
    elif stratum.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        layers.append(pool("layer", current))
    elif stratum.kind is LayerKind.MEAN:
        layers.append(mean("layer", current, rng))
    elif stratum.kind is LayerKind.FULLY_CONNECTED:
        if rng.random() < 0.5:
            layers.append(pool("pool", current))
            current = layers[-1].output
        layers.append(fully_connected("layer", current, channels(), rng))
    elif stratum.kind in (LayerKind.DEPTHWISE, *WINDOW_POOLS):
        layers.append(windowed("layer", stratum.kind, current, stratum.kernel, stratum.stride, rng))
    else:
        layers.append(_dense("layer", current, channels(), stratum.kernel, stratum.stride, rng))
    if rng.random() < 0.5:
        stride = int(rng.integers(1, 3))
        kernel = int(rng.choice([1, 3, 5]))
        layers.append(
            windowed("consumer", LayerKind.DEPTHWISE, layers[-1].output, kernel, stride, rng)
        )
    return Network(name=str(stratum), input=source, layers=tuple(layers))


def _size(stratum: Stratum, rng: np.random.Generator, corner: Corner) -> tuple[int, int]:
    """Height and width of the input."""
    most = int(rng.choice(SIZES))
    if corner is Corner.ONE_PIXEL:
        most = 1
    elif corner is Corner.BELOW_KERNEL:
        most = max(1, stratum.kernel - 1)
    least = 1
    if stratum.kind is LayerKind.AVERAGE_POOL:
        least = min(stratum.kernel, most)  # its windows do not reach beyond the image
    height, width = (int(x) for x in rng.integers(least, most + 1, 2))
    if corner is Corner.ODD:
        return height | 1, width | 1
    return height, width


def _channels(simd: int, rng: np.random.Generator, corner: Corner) -> int:
    """Draw a number of channels, around whole vectors as often as anywhere."""
    if corner is Corner.ONE_LESS:
        return simd - 1
    if corner is Corner.ONE_MORE:
        return simd + 1
    edge = int(rng.integers(1, 4)) * simd + int(rng.integers(-1, 2))
    return max(1, edge if rng.random() < 0.5 else int(rng.integers(1, 3 * simd + 1)))


def _dense(
    name: str, source: TensorSpec, channels: int, kernel: int, stride: int, rng: np.random.Generator
) -> Layer:
    return windowed(name, LayerKind.CONV, source, kernel, stride, rng, channels)
