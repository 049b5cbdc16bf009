"""The performance model: predicted cycles and traffic of a network on an accelerator."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import TensorPlan
from sim.arrays.tables import COLUMNS, accelerator_row
from sim.plan import Mapped
from sim.prediction import LayerPrediction, Prediction, cycles_by_layer
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES, LoadStore, Queue
from sim.spec.header import program_bytes
from sim.spec.memories import DETERMINISTIC, FixedLatency, MemorySystem
from sim.spec.network import Network
from sim.spec.queued_memory import QueuedMemory
from sim.stream import Stream
from sim.timing import calibration as calibrations
from sim.timing.calibration import Calibration
from sim.timing.cycles import summarize, walk
from sim.timing.dram_organization import parameters
from sim.timing.dram_walk import run_on_dram
from sim.timing.queued_walk import require_clock, walk_queued

__all__ = ["predict", "predict_mapped", "predict_stream"]


def predict(
    config: AcceleratorConfig,
    network: Network,
    calibration: Calibration | None = None,
    images: int = 1,
    *,
    memory: MemorySystem = DETERMINISTIC,
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
    memory : MemorySystem
        What lies behind the ports.

    Raises
    ------
    NotRealizableError
        With the first violation's line.
    DesignFileError, CosilicoError
        As :func:`predict_mapped`.
    """
    return predict_mapped(map_realizable(config, network, images), calibration, memory=memory)


def predict_mapped(
    mapped: Mapped,
    calibration: Calibration | None = None,
    *,
    memory: MemorySystem = DETERMINISTIC,
    cold: bool = False,
) -> Prediction:
    """Predict the run of a program that is planned already.

    Parameters
    ----------
    mapped : Mapped
        Of :func:`sim.realizability.map_realizable`.
    calibration : Calibration, optional
        Timing constants; those shipped with the gateware if not given.
    memory : MemorySystem
        What lies behind the ports.
    cold : bool
        Predict the run that fills the weight store, and not one after it.

    Raises
    ------
    DesignFileError
        If the memory is a DRAM and the calibration has no parameters of it.
    CosilicoError
        If the bus is too fast for the DRAM's channels.
    """
    constants = calibration or calibrations.default()
    rows = mapped.cold_rows if cold else mapped.rows
    prediction = _of_rows(mapped, rows, mapped.header(cold=cold), constants, memory)
    if cold or not mapped.stored:
        return prediction
    config, rows, header = mapped.config, mapped.cold_rows, mapped.header(cold=True)
    start, _, done, _, cycles = _walk(config, rows, header, constants, memory)
    active, traffic = summarize(rows, accelerator_row(config, mapped.images), start, done)
    return replace(
        prediction,
        cold_cycles=cycles,
        cold_execute_busy=int(active[Queue.EXECUTE]),
        cold_read_bytes=int(traffic[0]),
        cold_store_bytes=_store_bytes(rows, config),
    )


def predict_stream(
    stream: Stream,
    calibration: Calibration | None = None,
    *,
    memory: MemorySystem = DETERMINISTIC,
) -> tuple[Prediction, Prediction]:
    """Predict the two programs of a stream of images.

    Parameters
    ----------
    stream : Stream
        Of :func:`sim.stream.stream_of`.
    calibration, memory
        As of :func:`predict_mapped`.

    Returns
    -------
    first : Prediction
        Of the program that loads the first image and computes nothing.
    steady : Prediction
        Of the program that computes an image and loads the next; its ``total_cycles`` are those of each image.
    """
    constants = calibration or calibrations.default()
    first = _of_rows(stream.first, stream.first.rows, stream.first_header, constants, memory)
    steady = _of_rows(stream.mapped, stream.mapped.rows, stream.header, constants, memory)
    return first, steady


def _of_rows(
    mapped: Mapped,
    rows: NDArray[np.int64],
    header: int,
    calibration: Calibration,
    memory: MemorySystem,
) -> Prediction:
    """Predict the run of a schedule; the cold run's figures are its own."""
    config, network, images = mapped.config, mapped.source, mapped.images
    hw = accelerator_row(config, images)
    start, issued, done, waits, total = _walk(config, rows, header, calibration, memory)
    active, traffic = summarize(rows, hw, start, done)
    queues, indices = rows[:, COLUMNS["queue"]], rows[:, COLUMNS["layer"]]
    cycles = cycles_by_layer(queues, indices, done, len(network.layers))
    layers = []
    for i, layer in enumerate(network.layers):
        own = indices == i
        busy, moved = summarize(rows[own], hw, start[own], done[own])
        layers.append(
            LayerPrediction(
                name=layer.name,
                kind=layer.kind,
                macs=layer.macs,
                results=layer.results,
                cycles=int(cycles[i]),
                execute_busy=int(busy[Queue.EXECUTE]),
                read_bytes=int(moved[0]),
                write_bytes=int(moved[1]),
                store_bytes=_store_bytes(rows[own], config),
                descriptor_bytes=DESCRIPTOR_BYTES * int(own.sum()),
                utilization=images * layer.macs / (max(1, int(cycles[i])) * config.macs),
            )
        )
    store_bytes = _store_bytes(rows, config)
    stored = zip(network.tensors, mapped.tensor_plan[:, TensorPlan.STORED], strict=True)
    ends = {*(source.name for source in network.inputs), *network.outputs}
    ends |= {name for state in network.states for name in (state.name, state.next)}
    return Prediction(
        memory=memory,
        images=images,
        total_cycles=total,
        cold_cycles=total,
        execute_busy=int(active[Queue.EXECUTE]),
        cold_execute_busy=int(active[Queue.EXECUTE]),
        execute_wait_load=int(waits[0]),
        execute_wait_store=int(waits[1]),
        load_active=int(active[Queue.LOAD]),
        store_active=int(active[Queue.STORE]),
        read_bytes=int(traffic[0]),
        cold_read_bytes=int(traffic[0]),
        write_bytes=int(traffic[1]),
        store_bytes=store_bytes,
        cold_store_bytes=store_bytes,
        descriptor_bytes=program_bytes(len(rows)),
        layers=tuple(layers),
        utilization=images * network.macs / (total * config.macs),
        spilled=tuple(name for name, is_stored in stored if is_stored and name not in ends),
        queues=queues.copy(),
        layer_indices=indices.copy(),
        start=start,
        issued=issued,
        done=done,
    )


def _store_bytes(rows: NDArray[np.int64], config: AcceleratorConfig) -> int:
    """Bytes that LOADs read from the weight store."""
    own = rows[rows[:, COLUMNS["store"]] == LoadStore.READ]
    of_a_lane = own[:, COLUMNS["parameter_rows"]] + own[:, COLUMNS["weight_rows"]]
    return int((own[:, COLUMNS["lanes"]] * of_a_lane).sum()) * config.row_bytes


def _walk(
    config: AcceleratorConfig,
    rows: NDArray[np.int64],
    header: int,
    calibration: Calibration,
    memory: MemorySystem,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Walk a schedule as :func:`sim.timing.cycles.walk` does, on either memory."""
    hw = accelerator_row(config)
    if isinstance(memory, QueuedMemory):
        require_clock(memory, config)
        start, issued, done, waits, total = walk_queued(rows, hw, calibration, memory, header)
    elif isinstance(memory, FixedLatency):
        start, issued, done, waits, total = walk(rows, hw, calibration.walked(memory))
    else:
        p = parameters(config, memory, calibration.dram(memory).parameters)
        start, issued, done, waits, total = run_on_dram(rows, hw, calibration.array, p, header)
    return start, issued, done, waits, int(total)
