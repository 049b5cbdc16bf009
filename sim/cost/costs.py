"""Costs of a network on many accelerators, realizable or not."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from sim.arrays.tables import Hw, accelerator_row
from sim.cost.columns import COLD_COLUMNS, COST_COLUMNS, Costing
from sim.cost.config_columns import ConfigColumns
from sim.cost.fpga_resources import resource_columns
from sim.cost.power import peak_power
from sim.cost.table import CostTable
from sim.plan import network_tables
from sim.realizability import (
    Violation,
    arithmetic_violations,
    channel_violations,
    check,
    describe,
    table_violations,
)
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.limits import NO_LIMITS, Limits
from sim.spec.memories import DETERMINISTIC, MemorySystem, require_fixed
from sim.spec.network import Network
from sim.sweep import SweepColumn, sweep
from sim.timing import calibration as calibrations
from sim.timing.calibration import Calibration

__all__ = ["accelerator_violations", "evaluate_many"]

_KEPT = 1 << 13
"""Accelerators of which what no network changes is kept."""


def evaluate_many(
    configs: Sequence[AcceleratorConfig],
    network: Network,
    calibration: Calibration | None = None,
    *,
    columns: Sequence[str] | None = None,
    memory: MemorySystem = DETERMINISTIC,
    images: int = 1,
    limits: Limits = NO_LIMITS,
) -> CostTable:
    """Evaluate many configurations, realizable or not, on a network.

    Parameters
    ----------
    configs : sequence of AcceleratorConfig
    network : Network
    calibration : Calibration, optional
        Timing constants; those shipped with the gateware if not given.
    columns : sequence of str, optional
        Columns of the table; all of :data:`sim.cost.columns.COST_COLUMNS` if not given.
    memory : MemorySystem
        What lies behind the ports.
    images : int
        Images of a program; the costs are those of the whole program.
    limits : Limits
        FPGA that accelerators have to fit, and their highest power; those that exceed them are not realizable.

    Raises
    ------
    CosilicoError
        If the memory is a DRAM.
    """
    constants = (calibration or calibrations.default()).walked(require_fixed(memory))
    blocked = arithmetic_violations(network)
    of_network = _NetworkViolations(network)
    violations = [
        broken or blocked or of_network.on(config)
        for config, broken in zip(configs, _violations(configs, limits), strict=True)
    ]
    open_rows = [i for i, broken in enumerate(violations) if not broken]
    swept = np.zeros((len(configs), len(SweepColumn)), np.int64)
    if open_rows:
        accelerators = [_row(configs[i], images) for i in open_rows]
        cold = columns is None or not COLD_COLUMNS.isdisjoint(columns)
        for widths, places in _by_tables(network, accelerators).items():
            rows = [open_rows[place] for place in places]
            swept[rows], refusals = sweep(
                network_tables(network, *widths),
                [accelerators[place] for place in places],
                constants,
                cold=cold,
            )
            for i, refusal in zip(rows, refusals, strict=True):
                if refusal is not None:
                    violations[i] = [describe(refusal, network)]
    realizable = np.array([not broken for broken in violations], np.bool_)
    costing = Costing(
        configs=configs, network=network, sweep=swept, realizable=realizable, images=images
    )
    return CostTable(
        configs=tuple(configs),
        violations=[tuple(v.code for v in broken) for broken in violations],
        excess=np.array([sum(v.excess for v in broken) for broken in violations], np.float64),
        values={name: costing[name] for name in (COST_COLUMNS if columns is None else columns)},
    )


class _NetworkViolations:
    """Rules of a network's tables and concatenations, each asked once for all accelerators that are alike to it.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[tuple[int, int, int], list[Violation]] = {}

    def on(self, config: AcceleratorConfig) -> list[Violation]:
        """List the rules that the network breaks on an accelerator."""
        key = config.activation_table, config.simd_units, config.compute_lanes
        if key not in self._known:
            self._known[key] = table_violations(config, self._network) or channel_violations(
                config, self._network
            )
        return self._known[key]


@lru_cache(maxsize=_KEPT)
def _row(config: AcceleratorConfig, images: int) -> Hw:
    """Return what kernels read of an accelerator; kept, as enumerations ask for the same with every network."""
    return accelerator_row(config, images)


@lru_cache(maxsize=_KEPT)
def _rules(config: AcceleratorConfig) -> tuple[Violation, ...]:
    """Rules that a configuration breaks whatever the network; kept as :func:`_row`."""
    return tuple(check(config))


def _by_tables(network: Network, accelerators: Sequence[Hw]) -> dict[tuple[int, int], list[int]]:
    """Places of accelerators that the same tables of a network are for, by (channels of a vector, lanes)."""
    if not network.concatenations:
        return {(1, 1): list(range(len(accelerators)))}
    groups: dict[tuple[int, int], list[int]] = {}
    for place, hw in enumerate(accelerators):
        groups.setdefault((hw.simd, hw.lanes), []).append(place)
    return groups


def accelerator_violations(
    config: AcceleratorConfig, limits: Limits = NO_LIMITS
) -> list[Violation]:
    """List the rules that a configuration breaks whatever the network, those of limits included."""
    return _violations([config], limits)[0]


def _violations(configs: Sequence[AcceleratorConfig], limits: Limits) -> list[list[Violation]]:
    """Broken rules of configurations, whatever the network."""
    violations = [list(_rules(config)) for config in configs]
    if not limits:
        return violations
    built = [i for i, broken in enumerate(violations) if not broken]
    fpga, columns = limits.fpga, {}
    if fpga is not None:
        columns = resource_columns(ConfigColumns.of([configs[i] for i in built]), fpga.family)
    for place, i in enumerate(built):
        violations[i] = check(
            configs[i],
            taken={name: float(values[place]) for name, values in columns.items()},
            fpga=fpga,
            power_mw=None if limits.power_mw is None else peak_power(configs[i]),
            power_budget_mw=limits.power_mw,
        )
    return violations
