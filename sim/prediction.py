"""Predictions: the records of the performance model, for a program, its layers and descriptors."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.memories import MemorySystem
from sim.spec.network import LayerKind

__all__ = ["DescriptorTimes", "LayerPrediction", "Prediction", "cycles_by_layer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPrediction:
    """A layer's share of a program's run.

    Parameters
    ----------
    name : str
    kind : LayerKind
    macs, results : int
        Multiply-accumulates of one image, and values that the layer makes of it.
    cycles : int
        From the end of the layer before (the doorbell for the first) to the layer's own end: the
        latest done of its EXECUTE and STORE descriptors. The sum where images take turns.
    execute_busy : int
        Cycles in which EXECUTE works on the layer.
    read_bytes, write_bytes : int
        Traffic of the layer's LOAD and STORE descriptors, for all images.
    store_bytes : int
        Bytes of weights that its LOADs read from the weight store.
    descriptor_bytes : int
        Those of its own descriptors; the header's are no layer's.
    utilization : float
        MACs of all images per cycle over the configuration's MACs.
    """

    name: str
    kind: LayerKind
    macs: int
    results: int
    cycles: int
    execute_busy: int
    read_bytes: int
    write_bytes: int
    store_bytes: int
    descriptor_bytes: int
    utilization: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self) | {"kind": str(self.kind)}


class DescriptorTimes(NamedTuple):
    """Times of a descriptor, in cycles after the doorbell.

    ``issued`` is the cycle from which the queue's next descriptor may start, which for LOAD and STORE
    is ``done``.
    """

    queue: Queue
    layer: str
    start: int
    issued: int
    done: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Prediction:
    """Predicted run of one program, doorbell to done; all figures are for all its images.

    Parameters
    ----------
    memory : MemorySystem
        What it runs on. A DRAM begins with all rows closed and its refresh calendar anew.
    images : int
        Images that the program computes.
    total_cycles : int
        Doorbell to done, what the CYCLES counter shows.
    cold_cycles : int
        The same of a run that fills the weight store; ``total_cycles`` are those of a run after it. Equal
        where nothing is stored.
    execute_busy, execute_wait_load, execute_wait_store, load_active, store_active : int
        Cycles, what the counters of the same names show.
    read_bytes, write_bytes : int
        Traffic of the data port, without descriptors.
    cold_execute_busy, cold_read_bytes, cold_store_bytes : int
        ``execute_busy``, ``read_bytes`` and ``store_bytes`` of the run of ``cold_cycles``; it writes the same bytes.
    store_bytes : int
        Bytes of weights that LOAD reads from the weight store.
    descriptor_bytes : int
        Traffic of the descriptor port: the header and all descriptors, as many in either run.
    layers : tuple of LayerPrediction
    utilization : float
        Over all layers and cycles.
    spilled : tuple of str
        Tensors between layers that go through external memory.
    queues, layer_indices : int64[n_descriptors]
        Queue of every descriptor, and place of its layer in ``layers``, in program order.
    start, issued, done : int64[n_descriptors]
        Cycles after the doorbell, in program order.
    """

    memory: MemorySystem
    images: int
    total_cycles: int
    cold_cycles: int
    execute_busy: int
    execute_wait_load: int
    execute_wait_store: int
    load_active: int
    store_active: int
    read_bytes: int
    write_bytes: int
    cold_execute_busy: int
    cold_read_bytes: int
    cold_store_bytes: int
    store_bytes: int
    descriptor_bytes: int
    layers: tuple[LayerPrediction, ...]
    utilization: float
    spilled: tuple[str, ...]
    queues: NDArray[np.int64]
    layer_indices: NDArray[np.int64]
    start: NDArray[np.int64]
    issued: NDArray[np.int64]
    done: NDArray[np.int64]

    def __repr__(self) -> str:
        """Return one line: cycles, images, memory, utilization and layers."""
        images = "1 image" if self.images == 1 else f"{self.images} images"
        layers = "1 layer" if len(self.layers) == 1 else f"{len(self.layers)} layers"
        return (
            f"Prediction({self.total_cycles:,} cycles for {images} on {self.memory} memory, "
            f"{self.utilization:.1%} utilization, {layers})".replace("%", " %")
        )

    def counters(self, config: AcceleratorConfig) -> dict[str, int]:
        """Return what the accelerator's performance counters show after the run, by their names."""
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

    def timeline(self) -> Iterator[DescriptorTimes]:
        """Yield every descriptor's queue, layer and times, in program order."""
        columns = (self.queues, self.layer_indices, self.start, self.issued, self.done)
        for queue, layer, start, issued, done in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            yield DescriptorTimes(Queue(queue), self.layers[layer].name, start, issued, done)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the descriptors as a JSON object."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _ARRAYS:
            del document[name]
        return document | {
            "memory": self.memory.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
            "spilled": list(self.spilled),
        }


_ARRAYS = ("queues", "layer_indices", "start", "issued", "done")


def cycles_by_layer(
    queues: NDArray[np.int64], layers: NDArray[np.int64], done: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Cycles of every layer: from the end of what runs before it to its own end.

    A layer ends with the latest done of its EXECUTE and STORE descriptors. A layer that runs for
    image after image has the sum of all its turns.

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
