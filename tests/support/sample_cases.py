"""Seeded sample of the random pairs: what the tests run of them, on accelerators that build quickly."""

import functools

from chain_cases import draw_chains
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.random_networks import Case, draw_group

__all__ = ["ALWAYS", "FIRST", "GROUPS", "MAX_MACS", "SEED", "SIZES", "chains", "drawn"]

SEED = 24
MAX_MACS = {TINY: 384, EDGE: 1024}
"""With these, a group of other cases is drawn for the accelerator of the random pairs' group of that number."""

FIRST = {TINY: [11] * 4, EDGE: [22] * 2}
"""Cases of each of the first groups, which have every stratum once; drawn as by ``cosilico validate --random``."""

SIZES = {TINY: [*FIRST[TINY], *[8] * 4], EDGE: [*FIRST[EDGE], *[12] * 2]}
"""Cases of each group."""

ALWAYS = {TINY: (0, 1), EDGE: (1,)}
"""Groups that ``make test`` runs: of the strata those of the one space have the first half, of the other the second."""

GROUPS = [(space, group) for space, sizes in SIZES.items() for group in range(len(sizes))]


@functools.cache
def drawn(space: HardwareSpace, group: int) -> tuple[Case, ...]:
    """Random cases of a space that share a build."""
    sizes = SIZES[space]
    first = sum(sizes[:group])
    limit = MAX_MACS[space]
    return tuple(draw_group(group, first, sizes[group], space, SEED, max_macs=limit))


@functools.cache
def chains(space: HardwareSpace, group: int) -> tuple[Case, ...]:
    """One deep network with residual blocks on each of the same configurations."""
    configs = dict.fromkeys(case.config for case in drawn(space, group))
    return tuple(draw_chains(list(configs), SEED + GROUPS.index((space, group))))
