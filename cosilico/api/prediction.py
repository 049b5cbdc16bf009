"""Predictions of the public API: cycles, traffic, energy and area, by layer and by descriptor."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosilico.api import arguments
from cosilico.api.networks import NetworkSource
from cosilico.api.pairs import AcceleratorSource, calibration_in_force, load_pair
from cosilico.api.table import Table
from cosilico.gateware import current_calibration
from cosilico.summary import accelerator_text
from sim import model
from sim.cost.area import area
from sim.cost.energy import cold_energy, energy, energy_delay, layer_energy
from sim.plan import Mapped
from sim.prediction import DescriptorTimes, Prediction
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.memories import DETERMINISTIC, MemorySystem
from sim.stream import stream_of
from sim.timing.calibration import Calibration

__all__ = ["PredictedRun", "predict"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PredictedRun:
    """Predicted run of a network on an accelerator; all figures are for all images of the program.

    Parameters
    ----------
    design : Design
        The network and the accelerator.
    mapped : Mapped
        Its plan and schedule.
    prediction : Prediction
        The performance model's own answer, with the counters and the descriptors' times.
    stream_cycles : int or None
        Predicted cycles of each image of a stream, doorbell to done; None where there can be none.
    """

    design: Design
    mapped: Mapped
    prediction: Prediction
    stream_cycles: int | None = None

    def __repr__(self) -> str:
        """Return a line with cycles, time, utilization, area and energy."""
        images = "" if self.images == 1 else f" for {self.images} images"
        return (
            f"PredictedRun({self.design.network.name}: {self.cycles:,} cycles{images}, "
            f"{self.milliseconds:.3f} ms, {100 * self.utilization:.1f} % utilization, "
            f"{self.area_mm2:.3f} mm², {self.energy_pj * 1e-6:.2f} µJ, on "
            f"{accelerator_text(self.accelerator.to_json())})"
        )

    @property
    def accelerator(self) -> AcceleratorConfig:
        """Accelerator of the design."""
        return self.design.accelerator

    @property
    def cycles(self) -> int:
        """Predicted cycles from doorbell to done."""
        return self.prediction.total_cycles

    @property
    def images(self) -> int:
        """Images that the program computes."""
        return self.prediction.images

    @property
    def milliseconds(self) -> float:
        """Predicted time from doorbell to done at the accelerator's clock, ms."""
        return self.cycles / (self.accelerator.clock_mhz * 1000)

    @property
    def utilization(self) -> float:
        """MACs of the network divided by those that the accelerator could have done in the same cycles."""
        return self.prediction.utilization

    @property
    def read_bytes(self) -> int:
        """Bytes that LOAD reads from external memory."""
        return self.prediction.read_bytes

    @property
    def write_bytes(self) -> int:
        """Bytes that STORE writes to external memory."""
        return self.prediction.write_bytes

    @property
    def area_mm2(self) -> float:
        """Area of the accelerator, mm² in 45 nm."""
        return area(self.accelerator).total

    @property
    def energy_pj(self) -> float:
        """Energy of the program, pJ in 45 nm: that of the layers, of the header, and of clock and leakage before the first and behind the last."""
        return energy(self.accelerator, self.prediction).total

    @property
    def energy_by_part(self) -> dict[str, float]:
        """Energy of the program by part, pJ in 45 nm; external memory is that of data and descriptors."""
        return asdict(energy(self.accelerator, self.prediction))

    @property
    def edp(self) -> float:
        """Energy-delay product of the program, pJ · s."""
        return energy_delay(self.accelerator, self.energy_pj, self.cycles)

    @property
    def cold_energy_pj(self) -> float:
        """Energy of the run that fills the weight store, pJ in 45 nm; ``energy_pj`` where nothing is stored."""
        return cold_energy(self.accelerator, self.prediction).total

    @property
    def cold_energy_by_part(self) -> dict[str, float]:
        """Energy of the run that fills the weight store by part, pJ in 45 nm."""
        return asdict(cold_energy(self.accelerator, self.prediction))

    @property
    def cold_edp(self) -> float:
        """Energy-delay product of the run that fills the weight store, pJ · s."""
        return energy_delay(self.accelerator, self.cold_energy_pj, self.prediction.cold_cycles)

    @property
    def layers(self) -> Table:
        """Layers in order: cycles, bytes of external memory, energy."""
        rows = [
            (
                layer.name,
                str(layer.kind),
                layer.macs,
                layer.cycles,
                layer.execute_busy,
                layer.utilization,
                layer.read_bytes,
                layer.write_bytes,
                layer_energy(self.accelerator, layer, self.images).total,
            )
            for layer in self.prediction.layers
        ]
        return Table.of_rows("layers", _LAYER_COLUMNS, rows)

    @property
    def timeline(self) -> Table:
        """Descriptors in program order: queue, layer, and cycles after the doorbell."""
        rows = [(times.queue.name, *times[1:]) for times in self.prediction.timeline()]
        return Table.of_rows("descriptors", DescriptorTimes._fields, rows)

    def to_json(self) -> dict[str, Any]:
        """Return all figures but the timeline as a JSON object."""
        known = self.prediction
        return {
            "network": self.design.network.name,
            "accelerator": self.accelerator.to_json(),
            "memory": known.memory.to_json(),
            "images": self.images,
            "predicted_cycles": self.cycles,
            "predicted_cold_cycles": known.cold_cycles,
            "predicted_stream_cycles": self.stream_cycles,
            "milliseconds": self.milliseconds,
            "utilization": self.utilization,
            "execute_busy": known.execute_busy,
            "execute_wait_load": known.execute_wait_load,
            "execute_wait_store": known.execute_wait_store,
            "load_active": known.load_active,
            "store_active": known.store_active,
            "read_bytes": self.read_bytes,
            "write_bytes": self.write_bytes,
            "cold_read_bytes": known.cold_read_bytes,
            "store_bytes": known.store_bytes,
            "descriptor_bytes": known.descriptor_bytes,
            "area_mm2": self.area_mm2,
            "energy_pj": self.energy_pj,
            "energy_by_part": self.energy_by_part,
            "edp": self.edp,
            "cold_energy_pj": self.cold_energy_pj,
            "cold_energy_by_part": self.cold_energy_by_part,
            "cold_edp": self.cold_edp,
            "spilled": list(known.spilled),
            "layers": self.layers.to_json(),
        }


_LAYER_COLUMNS = (
    "layer",
    "kind",
    "macs",
    "predicted_cycles",
    "execute_busy",
    "utilization",
    "read_bytes",
    "write_bytes",
    "energy_pj",
)


def predict(
    network: NetworkSource,
    accelerator: AcceleratorSource | None = None,
    *,
    images: int = 1,
    memory: MemorySystem | str | Path = DETERMINISTIC,
    calibration: Calibration | str | Path | None = None,
    seed: int = 0,
) -> PredictedRun:
    """Predict the run of a network on an accelerator.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path
        As of :func:`cosilico.load_network`.
    accelerator : AcceleratorConfig, str or Path, optional
        As of :func:`cosilico.load_accelerator`; a design's own if not given.
    images : int
        Images that the program computes.
    memory : FixedLatency, DramSystem, str or Path
        What lies behind the ports, as of :func:`cosilico.load_memory`. Cycles are exact on every
        memory of fixed latency.
    calibration : Calibration, str or Path, optional
        Timing constants or a file of them; those shipped with the gateware if not given.
    seed : int
        Of a named network's weights, which change no cycle.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong.
    NotRealizableError
        With the line of the first broken rule.
    CosilicoError
        If a file is wrong or the timing constants are of another gateware.

    Examples
    --------
    >>> import cosilico
    >>> cosilico.predict("resnet8", "tiny").cycles
    61079
    """
    images = arguments.positive_integer("images", images)
    memory = arguments.memory(memory)
    seed = arguments.seed_integer("seed", seed)
    pair = load_pair(network, accelerator, seed=seed)
    if calibration is None:
        constants = calibration_in_force()
    elif isinstance(calibration, Calibration):
        constants = calibration
    else:
        constants = current_calibration(arguments.path("calibration", calibration))
    mapped = map_realizable(pair.accelerator, pair.network, images)
    prediction = model.predict_mapped(mapped, constants, memory=memory)
    stream, cycles = stream_of(mapped), None
    if stream is not None:
        cycles = model.predict_stream(stream, constants, memory=memory)[1].total_cycles
    return PredictedRun(design=pair, mapped=mapped, prediction=prediction, stream_cycles=cycles)
