"""The figures of a design's RTL run, layer by layer, beside what was predicted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.engines import Engine
from sim.spec.memories import FixedLatency, MemorySystem
from sim.spec.views import View
from sim.timing.calibration import DRAM_ERROR_LIMIT

__all__ = ["LayerMeasurement", "SimulationResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMeasurement:
    """One layer, predicted and measured.

    Parameters
    ----------
    name, kind : str
    macs : int
        Of one image.
    predicted_cycles, measured_cycles : int
        Of a program, from the end of the layer before (the doorbell for the first) to the layer's own
        end: the latest done of its EXECUTE and STORE descriptors. Measured: the first run's.
    utilization : float
        MACs of all images of a program per measured cycle over the configuration's MACs.
    mismatched_activations : int
        Values that differ from the reference, over all images.
    """

    name: str
    kind: str
    macs: int
    predicted_cycles: int
    measured_cycles: int
    utilization: float
    mismatched_activations: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SimulationResult:
    """Figures of an RTL run of a design, beside what was predicted.

    Parameters
    ----------
    simulator, simulator_version : str
    engine : Engine
        Bench around the accelerator; all other figures but the rate are the same with each.
    view : View
        Of the datapath.
    images : int
        Compared.
    batch : int
        Images per program.
    macs, macs_per_cycle : int
        Of the network for one image, and of the accelerator.
    accuracy, golden_accuracy : float or None
        Of RTL and of the reference; None without labels.
    mismatched_activations : int
        Values of all layers and images that differ from the reference.
    predicted_cycles, measured_cycles : int
        Of a program, doorbell to done; measured: the first run's CYCLES. Where weights stay in the weight
        store, of a run that finds them there.
    predicted_cold_cycles, cold_cycles : int
        Of the run that fills the weight store; the same as the others where nothing is stored.
    predicted_stream_cycles, stream_cycles : int or None
        Of each image of a stream, doorbell to done; measured: the first. None if no stream was asked for.
    mismatched_cycles : int
        Over all runs, how many durations of EXECUTE descriptors differ from the model, and on the
        deterministic memory without stalls how many descriptors' starts or ends, totals and counters.
    memory : MemorySystem
        What lay behind the ports, and what was predicted for.
    stall_seed : int or None
        Seed of the random AXI stalls.
    initial_seed : int
        Seed of what memories and registers held at power-up.
    descriptors : int
        Compared, over all runs.
    cycles_per_s : float
        Simulation rate.
    weight_cycles, tile_cycles : int
        Cycles of the first run in which LOAD brings weights, and tiles.
    layers : tuple of LayerMeasurement
    counters : dict
        The first run's performance counters.
    outputs : int8[images, height, width, channels]
        The first output, the only one of most networks.
    named_outputs : mapping of str to int8[images, height, width, channels]
        All outputs, by their names.
    cycles : int64[runs]
    execute_durations : int64[runs, n_execute]
        Start to done of every EXECUTE descriptor.
    start, end, issue_end : int64[runs, n_descriptors]
        As of :class:`testbench.rtl.run_result.RunResult`.
    """

    simulator: str
    simulator_version: str
    engine: Engine
    view: View
    images: int
    batch: int
    macs: int
    macs_per_cycle: int
    accuracy: float | None
    golden_accuracy: float | None
    mismatched_activations: int
    predicted_cycles: int
    measured_cycles: int
    predicted_cold_cycles: int
    cold_cycles: int
    mismatched_cycles: int
    memory: MemorySystem
    stall_seed: int | None
    initial_seed: int
    descriptors: int
    cycles_per_s: float
    weight_cycles: int
    tile_cycles: int
    layers: tuple[LayerMeasurement, ...]
    counters: dict[str, int]
    outputs: NDArray[np.int8]
    named_outputs: Mapping[str, NDArray[np.int8]]
    cycles: NDArray[np.int64]
    execute_durations: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    issue_end: NDArray[np.int64]
    predicted_stream_cycles: int | None = None
    stream_cycles: int | None = None

    def __repr__(self) -> str:
        """Return one line: images, cycles, view, memory and what differs."""
        images = "1 image" if self.images == 1 else f"{self.images} images"
        stalls = "" if self.stall_seed is None else f" with stalls {self.stall_seed}"
        return (
            f"SimulationResult({images} in {self.view} view, {self.measured_cycles:,} cycles for "
            f"{self.batch} on {self.memory} memory{stalls}, {self.mismatched_activations} "
            f"activations and {self.mismatched_cycles} cycle counts differ)"
        )

    @property
    def exact(self) -> bool:
        """No activation and no compared cycle differs."""
        return self.mismatched_activations == 0 and self.mismatched_cycles == 0

    @property
    def cycles_error(self) -> float:
        """Largest relative error of the predicted cycles from doorbell to done, over all runs."""
        return float(np.max(np.abs(self.predicted_cycles - self.cycles) / self.cycles))

    @property
    def passed(self) -> bool:
        """The run is exact and, on the DRAM, within the bound that its calibration claims."""
        close = isinstance(self.memory, FixedLatency) or self.cycles_error <= DRAM_ERROR_LIMIT
        return self.exact and close

    @property
    def cycles_per_image(self) -> float:
        """Measured cycles of a program over its images."""
        return self.measured_cycles / self.batch

    @property
    def utilization(self) -> float:
        """MACs over what the accelerator could have done from doorbell to done."""
        return self.batch * self.macs / (self.measured_cycles * self.macs_per_cycle)

    @property
    def busy_utilization(self) -> float:
        """MACs over what the accelerator could have done while EXECUTE was busy."""
        busy = max(1, self.counters["execute_busy"])
        return self.batch * self.macs / (busy * self.macs_per_cycle)

    def to_json(self) -> dict[str, Any]:
        """Return the ``rtl`` object of ``results.json``: everything but the arrays."""
        names = [name for name in self.__slots__ if name not in _ARRAYS]
        document = {name: getattr(self, name) for name in names}
        document["output_shapes"] = {
            name: list(x.shape[1:]) for name, x in self.named_outputs.items()
        }
        document["memory"] = self.memory.to_json()
        document["predicted_warm_cycles"] = self.predicted_cycles
        document["warm_cycles"] = self.measured_cycles
        document["cycles_error"] = self.cycles_error
        document["utilization"] = self.utilization
        document["busy_utilization"] = self.busy_utilization
        document["layers"] = [
            {name: getattr(layer, name) for name in layer.__slots__} for layer in self.layers
        ]
        return document


_ARRAYS = ("outputs", "named_outputs", "cycles", "execute_durations", "start", "end", "issue_end")
