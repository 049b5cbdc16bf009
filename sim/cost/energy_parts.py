"""Work of a run that energy is counted for, and the parts that it is counted by."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

__all__ = ["Activity", "EnergyBreakdown", "HasWork", "Prediction", "Work"]


class HasWork(Protocol):
    """A layer: a prediction's or a network's."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        ...

    @property
    def results(self) -> int:
        """Values that are made for one image."""
        ...


class Prediction(Protocol):
    """Activity of a run that is priced: cycles and bytes of all its images."""

    @property
    def total_cycles(self) -> int:
        """Cycles of the run."""
        ...

    @property
    def images(self) -> int:
        """Images that the run computes."""
        ...

    @property
    def execute_busy(self) -> int:
        """Cycles in which EXECUTE works."""
        ...

    @property
    def read_bytes(self) -> int:
        """Bytes read from external memory."""
        ...

    @property
    def write_bytes(self) -> int:
        """Bytes written to external memory."""
        ...

    @property
    def store_bytes(self) -> int:
        """Bytes read from the weight store."""
        ...

    @property
    def descriptor_bytes(self) -> int:
        """Bytes of the program's header and descriptors, read from external memory."""
        ...

    @property
    def layers(self) -> Sequence[HasWork]:
        """Layers that were run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All layers together, as a single layer.

    Parameters
    ----------
    macs, results : int
        Multiply-accumulates and made values, for one image.
    """

    macs: int
    results: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Activity of a run as plain totals, which a table gives; it satisfies :class:`Prediction`.

    Parameters
    ----------
    total_cycles, execute_busy : int
        Cycles in all, and in which EXECUTE works.
    read_bytes, write_bytes : int
        External bytes of data.
    descriptor_bytes : int
        External bytes of the header and of descriptors.
    layers : sequence with ``macs`` and ``results``
        ``network.layers`` will do.
    store_bytes : int
        Bytes read from the weight store.
    images : int
        Images of the run, each of which costs the layers' MACs and results.
    """

    total_cycles: int
    execute_busy: int
    read_bytes: int
    write_bytes: int
    descriptor_bytes: int
    layers: Sequence[HasWork]
    store_bytes: int = 0
    images: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyBreakdown:
    """Energy of a run by part, pJ in 45 nm.

    Parameters
    ----------
    multiply_accumulate : float
        Arithmetic.
    register_files : float
        Weight rows read and written, and parameters.
    local_memory : float
        Vectors read and written, and external traffic passing through.
    weight_store : float
        Weights read from the weight store.
    external_memory : float
        Data and descriptors that cross the interface, with what the memory device takes.
    requantizers : float
        Requantizers and activation tables.
    accumulators : float
        Lanes besides their arithmetic: selection, saved accumulators, window rings.
    interconnect : float
        PEs, the ways between them, and what hands out windows.
    control : float
        Queues, engines, the bus and its pacing.
    leakage : float
        Cells and memories at rest, for the time of the run.
    """

    multiply_accumulate: float
    register_files: float
    local_memory: float
    weight_store: float
    external_memory: float
    requantizers: float = 0.0
    accumulators: float = 0.0
    interconnect: float = 0.0
    control: float = 0.0
    leakage: float = 0.0

    @property
    def total(self) -> float:
        """Sum of all parts, pJ, added one after another as those of many accelerators are."""
        total = 0.0
        for part in fields(self):
            total += getattr(self, part.name)
        return total
