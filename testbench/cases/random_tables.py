"""Random networks whose layers have activation tables, on accelerators that have them."""

from dataclasses import replace

import numpy as np

from sim.realizability import attempt, check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace
from testbench.cases.random_networks import (
    MOST_MACS,
    NETWORKS_PER_CONFIG,
    TRIES,
    Case,
    Corner,
    describe_case,
    draw_group_of,
    next_batch,
    random_network,
    strata,
    tabled,
)

__all__ = ["TABLES_PER_CONFIG", "draw_table_group"]

TABLES_PER_CONFIG = NETWORKS_PER_CONFIG
"""Networks that share a configuration, for a build takes longer than a run."""


def draw_table_group(
    group: int,
    first: int,
    size: int,
    space: HardwareSpace,
    seed: int,
    *,
    max_macs: int | None = None,
) -> list[Case]:
    """Draw cases ``first`` … ``first + size - 1``; see :func:`testbench.cases.random_networks.draw_group_of`.

    The accelerators are those of a space, which has none with tables, each with tables.
    """
    return draw_group_of(_try_case, group, first, size, space, seed, max_macs=max_macs)


def _try_case(index: int, config: AcceleratorConfig, rng: np.random.Generator) -> Case | None:
    config = replace(config, activation_table=1)
    if check(config):
        return None
    order = strata()
    stratum = order[index % len(order)]
    corner = list(Corner)[index % len(Corner)]
    for _ in range(TRIES):
        network = tabled(random_network(stratum, config, rng, corner), rng)
        if network.macs > MOST_MACS:
            continue
        _, mapped = attempt(config, network, next_batch(rng))
        if mapped is not None:
            return describe_case(index, stratum, mapped, rng, corner)
    return None
