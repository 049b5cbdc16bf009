"""Accelerators that silicon is fitted to, and those on which the fit is judged: drawn from spaces with a seed.

Half of those that are drawn have activation tables, whether their space has or not.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["MOST_UNITS", "SAMPLES", "SamplePlan", "sample_plan"]

SAMPLES = 66
"""Accelerators that are drawn for a fit: of three spaces 42 are fitted to, and 24 held out."""

MOST_UNITS = 256
"""SIMD units of a PE up to which accelerators are drawn; abc takes many minutes for larger PEs."""


_PACE = 0.75
"""Bandwidth of a paced bus, of what it carries at most."""


class SamplePlan(NamedTuple):
    """Accelerators of a fit.

    Parameters
    ----------
    fitted, held_out : list of AcceleratorConfig
        None is in both.
    """

    fitted: list[AcceleratorConfig]
    held_out: list[AcceleratorConfig]


def sample_plan(
    spaces: Sequence[HardwareSpace], *, seed: int = 1, samples: int = SAMPLES
) -> SamplePlan:
    """Draw accelerators, as many of each space: corners to fit, random points to fit and to judge in turn.

    With fewer samples what is drawn is a part of what is drawn with more, each for the same. At the end comes what no accelerator of
    a clock has that is drawn: a bus that is paced.

    Parameters
    ----------
    spaces : sequence of HardwareSpace
        Each once.
    seed : int
    samples : int
        Accelerators in all; as many more as the spaces need for equal shares.
    """
    plan = SamplePlan([], [])
    known: dict[AcceleratorConfig, None] = {}
    for space in spaces:
        generator = random.Random(f"{seed} {space.name}")
        number = math.ceil(samples / len(spaces))
        corners = [corner for corner in _corners(space) if corner not in known][:number]
        drawn: dict[AcceleratorConfig, None] = {}
        while len(corners) + len(drawn) < number:
            point = space.config([generator.randrange(size) for size in space.sizes])
            point = replace(point, activation_table=generator.randrange(2))
            if _sampled(point) and point not in known and point not in corners:
                drawn[point] = None
        plan.fitted.extend([*corners, *list(drawn)[::2]])
        plan.held_out.extend(list(drawn)[1::2])
        known.update(dict.fromkeys([*corners, *drawn]))
    plan.fitted.extend(_paced(spaces, plan.fitted))
    return plan


def _paced(
    spaces: Sequence[HardwareSpace], fitted: Sequence[AcceleratorConfig]
) -> Iterator[AcceleratorConfig]:
    """Yield an accelerator whose bus is paced for every clock that has none: the smallest of a space, with less bandwidth."""
    clocks = {config.clock_mhz for config in fitted if _is_paced(config)}
    for space in spaces:
        if space.clock_mhz not in clocks:
            clocks.add(space.clock_mhz)
            least = _end(space, 0)
            paced = {"io_bandwidth_gbps": round(_PACE * least["io_bandwidth_gbps"], 6)}
            yield replace(space.default, **least | paced)


def _is_paced(config: AcceleratorConfig) -> bool:
    earn, cost = config.pacing
    return earn < cost


def _end(space: HardwareSpace, place: int) -> dict[str, Any]:
    """Fields of a space's smallest accelerator, place 0, or of the largest, place -1."""
    return {name: values[place] for name, values in space.values.items()}


def _corners(space: HardwareSpace) -> list[AcceleratorConfig]:
    """Return the default, the smallest and the largest accelerator, and those with the fewest and most lanes."""
    least, most = _end(space, 0), _end(space, -1)
    lanes, units = most["compute_lanes"], most["simd_units"]
    points = [
        least,
        least | {"compute_lanes": lanes},
        most | {"compute_lanes": min(lanes, MOST_UNITS // units), "pes_x": least["pes_x"]},
        most | {"simd_units": min(units, MOST_UNITS // lanes), "activation_table": 1},
    ]
    made = [space.default, *(replace(space.default, **point) for point in points)]
    return [point for point in dict.fromkeys(made) if _sampled(point)]


def _sampled(config: AcceleratorConfig) -> bool:
    return not check(config) and config.compute_lanes * config.simd_units <= MOST_UNITS
