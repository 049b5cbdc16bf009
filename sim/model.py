"""The performance model: predicted cycles and traffic of a network on an accelerator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import calibration as calibrations
from sim.calibration import Calibration
from sim.cycles import summarize, walk
from sim.plan import Mapped, map_network, network_tables
from sim.plans import TensorPlan
from sim.realizability import arithmetic_violations, check, describe, require
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.network import LayerKind, Network
from sim.sweep import Found, sweep
from sim.tables import COLUMNS, accelerator_row

__all__ = [
    "EvaluationTable",
    "LayerPrediction",
    "Prediction",
    "evaluate_many",
    "layer_ends",
    "predict",
    "schedule",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPrediction:
    """One layer's share of the run.

    Parameters
    ----------
    name : str
    kind : LayerKind
    macs : int
    cycles : int
        From the end of the layer before (the doorbell for the first) to the layer's own end: the
        latest done of its EXECUTE and STORE descriptors.
    execute_busy : int
        Cycles in which EXECUTE works on the layer.
    utilization : float
        ``macs`` per cycle over the configuration's MACs.
    """

    name: str
    kind: LayerKind
    macs: int
    cycles: int
    execute_busy: int
    utilization: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Predicted run of one image on the deterministic memory (tier T1), warm start to done.

    Parameters
    ----------
    total_cycles : int
        Doorbell to done, what the CYCLES counter shows.
    execute_busy, execute_wait_load, execute_wait_store, load_active, store_active : int
        Cycles, what the counters of the same names show.
    read_bytes, write_bytes : int
        Traffic of the data port, without descriptors.
    descriptor_bytes : int
        Traffic of the descriptor port.
    layers : tuple of LayerPrediction
    utilization : float
        Over all layers and cycles.
    spilled : tuple of str
        Tensors between layers that go through external memory.
    start, issued, done : int64[n_descriptors]
        Cycles after the doorbell, in program order.
    """

    total_cycles: int
    execute_busy: int
    execute_wait_load: int
    execute_wait_store: int
    load_active: int
    store_active: int
    read_bytes: int
    write_bytes: int
    descriptor_bytes: int
    layers: tuple[LayerPrediction, ...]
    utilization: float
    spilled: tuple[str, ...]
    start: NDArray[np.int64]
    issued: NDArray[np.int64]
    done: NDArray[np.int64]

    def counters(self, config: AcceleratorConfig) -> dict[str, int]:
        """What the accelerator's performance counters show after the run, by their names."""
        return {
            "cycles": self.total_cycles,
            "execute_busy": self.execute_busy,
            "execute_wait_load": self.execute_wait_load,
            "execute_wait_store": self.execute_wait_store,
            "load_active": self.load_active,
            "store_active": self.store_active,
            "read_beats": self.read_bytes // config.bus_bytes,
            "write_beats": self.write_bytes // config.bus_bytes,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationTable:
    """Many configurations evaluated on one network; where not realizable, cycles are 0.

    Parameters
    ----------
    cycles, execute_busy, read_bytes, write_bytes : int64[n]
    violations : list of tuple of str
        Codes, empty where realizable.
    excess : float64[n]
        Sum of the violations' distances.
    """

    cycles: NDArray[np.int64]
    execute_busy: NDArray[np.int64]
    read_bytes: NDArray[np.int64]
    write_bytes: NDArray[np.int64]
    violations: list[tuple[str, ...]]
    excess: NDArray[np.float64]


def schedule(config: AcceleratorConfig, network: Network) -> Mapped:
    """Map a realizable pair.

    Raises
    ------
    NotRealizableError
        With the first violation's line.
    """
    require(config, network)
    return map_network(config, network)


def layer_ends(
    queues: NDArray[np.int64], layers: NDArray[np.int64], done: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """End of every layer: the latest done of its EXECUTE and STORE descriptors.

    Parameters
    ----------
    queues, layers, done : int64[n_descriptors]
        In program order; ``done`` predicted or measured.
    count : int
        Number of layers.
    """
    ends = np.zeros(count, np.int64)
    chosen = queues != Queue.LOAD
    np.maximum.at(ends, layers[chosen], done[chosen])
    return ends


def predict(
    config: AcceleratorConfig, network: Network, calibration: Calibration | None = None
) -> Prediction:
    """Predict one image's run.

    Parameters
    ----------
    config, network
        A realizable pair.
    calibration : Calibration, optional
        Timing constants; those shipped with the gateware if not given.

    Raises
    ------
    NotRealizableError
        With the first violation's line.
    """
    mapped = schedule(config, network)
    constants = (calibration or calibrations.default()).array
    hw = accelerator_row(config)
    start, issued, done, waits, total = walk(mapped.rows, hw, constants)
    active, traffic = summarize(mapped.rows, hw, start, done)
    queues, layers = mapped.rows[:, COLUMNS["queue"]], mapped.rows[:, COLUMNS["layer"]]
    ends = layer_ends(queues, layers, done, len(network.layers))
    predictions = []
    for i, layer in enumerate(network.layers):
        own = mapped.rows[layers == i]
        mine = layers == i
        busy, _ = summarize(own, hw, start[mine], done[mine])
        cycles = int(ends[i] - (ends[i - 1] if i else 0))
        predictions.append(
            LayerPrediction(
                name=layer.name,
                kind=layer.kind,
                macs=layer.macs,
                cycles=cycles,
                execute_busy=int(busy[Queue.EXECUTE]),
                utilization=layer.macs / (cycles * config.macs),
            )
        )
    names = list(network.tensors)
    stored = mapped.tensor_plan[:, TensorPlan.STORED]
    return Prediction(
        total_cycles=int(total),
        execute_busy=int(active[Queue.EXECUTE]),
        execute_wait_load=int(waits[0]),
        execute_wait_store=int(waits[1]),
        load_active=int(active[Queue.LOAD]),
        store_active=int(active[Queue.STORE]),
        read_bytes=int(traffic[0]),
        write_bytes=int(traffic[1]),
        descriptor_bytes=64 * (len(mapped.rows) + 1),
        layers=tuple(predictions),
        utilization=network.macs / (int(total) * config.macs),
        spilled=tuple(n for n, s in zip(names[1:-1], stored[1:-1], strict=True) if s),
        start=start,
        issued=issued,
        done=done,
    )


def evaluate_many(
    configs: Sequence[AcceleratorConfig],
    network: Network,
    calibration: Calibration | None = None,
) -> EvaluationTable:
    """Predict many configurations, realizable or not, on one network."""
    constants = (calibration or calibrations.default()).array
    blocked = arithmetic_violations(network)
    violations = [check(config) or blocked for config in configs]
    open_rows = [i for i, broken in enumerate(violations) if not broken]
    found = np.zeros((len(configs), len(Found)), np.int64)
    if open_rows:
        plain, *others = [tables for _, *tables in network_tables(network)]
        accelerators = np.array([accelerator_row(configs[i]) for i in open_rows])
        other = others[0] if others else plain
        found[open_rows] = sweep(tuple(plain), tuple(other), accelerators, constants)
    for i in open_rows:
        if not found[i, Found.MAPPED]:
            violations[i] = [describe(map_network(configs[i], network), network)]
    return EvaluationTable(
        cycles=found[:, Found.CYCLES],
        execute_busy=found[:, Found.EXECUTE_BUSY],
        read_bytes=found[:, Found.READ_BYTES],
        write_bytes=found[:, Found.WRITE_BYTES],
        violations=[tuple(v.code for v in broken) for broken in violations],
        excess=np.array([sum(v.excess for v in broken) for broken in violations], np.float64),
    )
