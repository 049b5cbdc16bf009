"""Random pairs, realizable or not: what the check says against what can be built."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from hwgen.kept_emissions import emit_once
from hwgen.program import compile_design
from sim.networks.imagenet import IMAGENET_NETWORKS
from sim.networks.mlperf_tiny import MLPERF_TINY_NETWORKS
from sim.networks.named import named_network
from sim.realizability import Violation, attempt
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.errors import NotRealizableError
from sim.spec.files import cache_root
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace
from sim.spec.views import View
from testbench.cases.random_networks import (
    BATCHES,
    MOST_MACS,
    Case,
    Corner,
    describe_case,
    random_network,
    strata,
)

__all__ = ["POINTS_PER_CONFIG", "RealizabilityCase", "draw_realizability_group"]

POINTS_PER_CONFIG = 4
"""Networks asked for on a configuration: an ImageNet network, one of MLPerf Tiny, two at random."""

UNSIMULATED_GROUPS = 3
"""All but every so many configurations run their first realizable random network."""

ODD_GROUPS = 4
"""Number of configurations of which the first has a value that its space does not have."""

ODD_VALUES: Mapping[str, tuple[int | float, ...]] = MappingProxyType(
    {
        "pes_x": (3, 5, 7, 9),
        "pes_y": (3, 5, 7, 9),
        "simd_units": (2, 12, 24, 256),
        "compute_lanes": (3, 16),
        "local_memory_kb": (1, 3, 5, 100, 9_000, 70_000),
        "register_file_kb": (1, 3, 7, 300),
        "io_bandwidth_gbps": (0.1, 0.7, 3.3, 12.8, 51.2, 150.0),
        "weight_store_kb": (1, 3, 100, 90_000, 600_000),
    }
)
"""Values outside the spaces, with which some configurations can be built and some cannot."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealizabilityCase(Case):
    """A configuration and a network of which nobody has asked whether they go together.

    Parameters
    ----------
    violations : tuple of Violation
        What :func:`sim.realizability.check` says.
    simulated : bool
        Whether the pair, which is realizable, also runs in RTL.
    """

    violations: tuple[Violation, ...]
    simulated: bool

    @property
    def verdict(self) -> str:
        """Verdict of the check: the first violation's code, or "realizable"."""
        return self.violations[0].code if self.violations else "realizable"

    @property
    def shares_build(self) -> bool:
        """Whether others run on its configuration; no other does."""
        return False

    @property
    def title(self) -> str:
        """Name of the case: its network, and how many images it runs."""
        return f"{self.network.name}, {self.batch} images per program,"

    def contradiction(self) -> str:
        """Say what generator and compiler do other than the check says; empty if nothing.

        Where there are no violations the generator must emit the Verilog to synthesize and the
        compiler the whole program; where there are, the one concerned must refuse with that line.
        """
        expected = ("", "")
        if self.violations:
            who = "generator" if self.verdict.startswith("GEN") else "compiler"
            expected = (who, self.violations[0].detail)
        refusal = self._refusal()
        if refusal == expected:
            return ""
        said, done = (
            f"{who} refuses: {why}" if who else "all agree" for who, why in (expected, refusal)
        )
        return f"by the check {said}; in fact {done}"

    def _refusal(self) -> tuple[str, str]:
        """Who refuses the pair, and why; empty texts if nobody does."""
        try:
            emit_once(self.config, cache_root(), View.SYNTHESIS)
        except NotRealizableError as error:
            return "generator", str(error)
        try:
            compile_design(Design(network=self.network, accelerator=self.config), self.batch)
        except NotRealizableError as error:
            return "compiler", str(error)
        return "", ""


def draw_realizability_group(
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1``, which share a configuration.

    As :func:`testbench.cases.random_networks.draw_group`, but nothing that cannot be built is passed over.
    """
    rng = np.random.default_rng([seed, len(space), group])
    config = _draw_config(space, rng, max_macs, odd=group % ODD_GROUPS == 0)
    cases: list[Case] = []
    chosen = group % UNSIMULATED_GROUPS != 0
    for index in range(first, first + size):
        case = _draw_case(index, config, rng, chosen)
        chosen = chosen and not case.simulated
        cases.append(case)
    return cases


def _draw_config(
    space: HardwareSpace, rng: np.random.Generator, max_macs: int | None, *, odd: bool
) -> AcceleratorConfig:
    """Draw a point of the space, or beside it; perhaps it cannot be generated."""
    while True:
        config = space.at(int(rng.integers(len(space))))
        if odd:
            name = str(rng.choice(list(ODD_VALUES)))
            value = ODD_VALUES[name][int(rng.integers(len(ODD_VALUES[name])))]
            odd_field: dict[str, Any] = {name: value}
            config = replace(config, **odd_field)
        if max_macs is None or config.macs <= max_macs:
            return config


def _draw_case(
    index: int, config: AcceleratorConfig, rng: np.random.Generator, chosen: bool
) -> RealizabilityCase:
    rounds, place = divmod(index, POINTS_PER_CONFIG)
    batch = 1
    if place == 0:
        network = named_network(tuple(IMAGENET_NETWORKS)[rounds % len(IMAGENET_NETWORKS)])
    elif place == 1:
        network = named_network(tuple(MLPERF_TINY_NETWORKS)[rounds % len(MLPERF_TINY_NETWORKS)])
    else:
        network = _small(config, rng)
        batch = int(rng.choice(BATCHES))
    violations, mapped = attempt(config, network, batch)
    if mapped is not None:
        case = describe_case(index, network.name, mapped, rng)
        simulated = chosen and place > 1
        return case.extended(RealizabilityCase, violations=(), simulated=simulated)
    return RealizabilityCase(
        index=index,
        stratum=network.name,
        config=config,
        network=network,
        image_seed=0,
        batch=batch,
        spills=False,
        passes=1,
        pixels=1,
        splits=1,
        partial_tile=False,
        violations=tuple(violations),
        simulated=False,
    )


def _small(config: AcceleratorConfig, rng: np.random.Generator) -> Network:
    """A random network around a layer of any stratum, of a shape of any corner."""
    order, corners = strata(), tuple(Corner)
    while True:
        stratum = order[int(rng.integers(len(order)))]
        corner = corners[int(rng.integers(len(corners)))]
        network = random_network(stratum, config, rng, corner)
        if network.macs <= MOST_MACS:
            return network
