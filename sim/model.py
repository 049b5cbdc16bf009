"""The performance model: predicted cycles and traffic of a network on an accelerator."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import TensorPlan
from sim.arrays.tables import COLUMNS, accelerator_row
from sim.plan import Mapped, map_network, network_tables
from sim.realizability import arithmetic_violations, check, describe, require
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.errors import DesignFileError
from sim.spec.network import LayerKind, Network
from sim.sweep import Found, sweep
from sim.timing import calibration as calibrations
from sim.timing import lpddr4
from sim.timing.calibration import Calibration
from sim.timing.cycles import summarize, walk
from sim.timing.dram import initial_state
from sim.timing.dram_walk import walk_dram

__all__ = [
    "EvaluationTable",
    "LayerPrediction",
    "Memory",
    "Prediction",
    "evaluate_many",
    "layer_cycles",
    "predict",
    "schedule",
]


class Memory(StrEnum):
    """The external memory that a prediction is for.

    DETERMINISTIC is tier T1, a fixed latency, for which cycles are exact. DRAM is tier T3, an LPDDR4
    memory whose parameters are fitted; docs/calibration.md states the error.
    """

    DETERMINISTIC = "deterministic"
    DRAM = "dram"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPrediction:
    """One layer's share of a program's run.

    Parameters
    ----------
    name : str
    kind : LayerKind
    macs : int
        Of one image.
    cycles : int
        From the end of the layer before (the doorbell for the first) to the layer's own end: the
        latest done of its EXECUTE and STORE descriptors. The sum where images take turns.
    execute_busy : int
        Cycles in which EXECUTE works on the layer.
    utilization : float
        MACs of all images per cycle over the configuration's MACs.
    """

    name: str
    kind: LayerKind
    macs: int
    cycles: int
    execute_busy: int
    utilization: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Predicted run of one program, warm start to done; all figures are for all its images.

    Parameters
    ----------
    memory : Memory
        What it runs on. A DRAM begins with all rows closed and its refresh calendar anew.
    images : int
        Images that the program computes.
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

    memory: Memory
    images: int
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


def schedule(config: AcceleratorConfig, network: Network, images: int = 1) -> Mapped:
    """Map a realizable pair, ``images`` per program.

    Raises
    ------
    NotRealizableError
        With the first violation's line.
    """
    require(config, network, images)
    return map_network(config, network, images)


def layer_cycles(
    queues: NDArray[np.int64], layers: NDArray[np.int64], done: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Cycles of every layer: from the end of what runs before it to its own end.

    A layer ends with the latest done of its EXECUTE and STORE descriptors. One that runs for image
    after image has the sum of all its turns.

    Parameters
    ----------
    queues, layers, done : int64[n_descriptors]
        In program order; ``done`` predicted or measured.
    count : int
        Number of layers.
    """
    turns = np.cumsum(np.diff(layers, prepend=layers[0]) != 0)
    ends = np.zeros(turns[-1] + 1, np.int64)
    chosen = queues != Queue.LOAD
    np.maximum.at(ends, turns[chosen], done[chosen])
    cycles = np.zeros(count, np.int64)
    firsts = np.flatnonzero(np.diff(turns, prepend=-1))
    np.add.at(cycles, layers[firsts], np.diff(ends, prepend=0))
    return cycles


def predict(
    config: AcceleratorConfig,
    network: Network,
    calibration: Calibration | None = None,
    images: int = 1,
    *,
    memory: Memory = Memory.DETERMINISTIC,
) -> Prediction:
    """Predict one program's run.

    Parameters
    ----------
    config, network
        A realizable pair.
    calibration : Calibration, optional
        Timing constants; those shipped with the gateware if not given.
    images : int
        Images that the program computes.
    memory : Memory
        What lies behind the ports.

    Raises
    ------
    NotRealizableError
        With the first violation's line.
    DesignFileError
        If the memory is a DRAM and the calibration has no parameters of one.
    CosilicoError
        If the bus is too fast for the DRAM's channels.
    """
    mapped = schedule(config, network, images)
    constants = calibration or calibrations.default()
    hw = accelerator_row(config, images)
    start, issued, done, waits, total = _walk(config, mapped, constants, memory)
    active, traffic = summarize(mapped.rows, hw, start, done)
    queues, layers = mapped.rows[:, COLUMNS["queue"]], mapped.rows[:, COLUMNS["layer"]]
    cycles = layer_cycles(queues, layers, done, len(network.layers))
    predictions = []
    for i, layer in enumerate(network.layers):
        own = mapped.rows[layers == i]
        mine = layers == i
        busy, _ = summarize(own, hw, start[mine], done[mine])
        predictions.append(
            LayerPrediction(
                name=layer.name,
                kind=layer.kind,
                macs=layer.macs,
                cycles=int(cycles[i]),
                execute_busy=int(busy[Queue.EXECUTE]),
                utilization=images * layer.macs / (int(cycles[i]) * config.macs),
            )
        )
    names = list(network.tensors)
    stored = mapped.tensor_plan[:, TensorPlan.STORED]
    return Prediction(
        memory=memory,
        images=images,
        total_cycles=total,
        execute_busy=int(active[Queue.EXECUTE]),
        execute_wait_load=int(waits[0]),
        execute_wait_store=int(waits[1]),
        load_active=int(active[Queue.LOAD]),
        store_active=int(active[Queue.STORE]),
        read_bytes=int(traffic[0]),
        write_bytes=int(traffic[1]),
        descriptor_bytes=64 * (len(mapped.rows) + 1),
        layers=tuple(predictions),
        utilization=images * network.macs / (total * config.macs),
        spilled=tuple(n for n, s in zip(names[1:-1], stored[1:-1], strict=True) if s),
        start=start,
        issued=issued,
        done=done,
    )


def _walk(
    config: AcceleratorConfig, mapped: Mapped, calibration: Calibration, memory: Memory
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """What :func:`sim.timing.cycles.walk` returns, on either memory."""
    hw = accelerator_row(config)
    if memory is Memory.DETERMINISTIC:
        start, issued, done, waits, total = walk(mapped.rows, hw, calibration.array)
    else:
        if calibration.dram is None:
            raise DesignFileError(
                "calibration must have a dram section for memory dram: run cosilico calibrate "
                "--memory dram"
            )
        p = lpddr4.parameters(config, calibration.dram.parameters)
        state = initial_state(p)
        start, issued, done, waits, total = walk_dram(
            mapped.rows, hw, calibration.array, p, state, 0, mapped.end
        )
    return start, issued, done, waits, int(total)


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
        forms = [(layers, tensors) for _, layers, tensors in network_tables(network)]
        accelerators = [accelerator_row(configs[i]) for i in open_rows]
        found[open_rows] = sweep(forms, accelerators, constants)
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
