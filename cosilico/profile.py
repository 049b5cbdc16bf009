"""Profiles: where the cycles, bytes, joules and square millimetres of a design go, layer by layer."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from cosilico.layer_times import layer_times
from cosilico.occupancy import occupancy
from cosilico.timeline import Timeline
from sim.cost.area import area
from sim.cost.energy import energy, layer_energy
from sim.plan import Mapped
from sim.prediction import Prediction
from sim.timing.clock_reach import slowest_module

__all__ = ["CAUSES", "LayerProfile", "MemoryUse", "Profile", "profile_of"]

_TUPLES = ("inputs", "kernel", "stride", "output")

CAUSES = {
    "unfilled": "multipliers not filled",
    "without_macs": "computing without MACs",
    "waits_load": "waiting for LOAD",
    "waits_store": "waiting for STORE",
    "other": "fetching, draining",
}
"""Causes of lost cycles, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProfile:
    """A layer's share of a run, of all images of the program.

    Parameters
    ----------
    name, kind : str
    inputs : tuple of str
        Tensors that it reads: names of layers, or of the network's input.
    kernel, stride : tuple of int
        Down and across.
    output : tuple of int
        Height, width and channels.
    macs : int
        Of one image.
    cycles : int
        From the end of the layer before to its own, the sum of the next four.
    computing, waits_load, waits_store, other : int
        Cycles by the state of EXECUTE (:data:`cosilico.layer_times.STATES`).
    ideal_cycles : float
        Cycles in which all multipliers would do the layer's MACs.
    read_bytes, write_bytes : int
        External traffic.
    store_read_bytes : int
        Weights read from the weight store.
    energy_pj : float
        In 45 nm.
    local_input_bytes, local_output_bytes, local_kept_bytes : int
        Of a PE's local memory: what the layer reads, what it makes, what a later layer reads.
    register_bytes : int
        Most bytes of weights in a half of a lane's register file.
    store_bytes : int
        Bytes of the layer's weights in the weight store.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    output: tuple[int, ...]
    macs: int
    cycles: int
    computing: int
    waits_load: int
    waits_store: int
    other: int
    ideal_cycles: float
    read_bytes: int
    write_bytes: int
    store_read_bytes: int
    energy_pj: float
    local_input_bytes: int
    local_output_bytes: int
    local_kept_bytes: int
    register_bytes: int
    store_bytes: int

    @property
    def lost_cycles(self) -> float:
        """Cycles beyond those that the layer's MACs would take with all multipliers busy."""
        return self.cycles - self.ideal_cycles

    @property
    def losses(self) -> dict[str, float]:
        """Lost cycles by their cause (:data:`CAUSES`), which add up to all of them."""
        return {
            "unfilled": self.computing - self.ideal_cycles if self.macs else 0,
            "without_macs": 0 if self.macs else self.computing,
            "waits_load": self.waits_load,
            "waits_store": self.waits_store,
            "other": self.other,
        }

    @property
    def cause(self) -> str:
        """Largest cause of lost cycles."""
        return max(self.losses, key=self.losses.__getitem__)

    @property
    def loads_from(self) -> str:
        """Memories that the layer's LOADs read, in words; empty for none."""
        moved = {"external memory": self.read_bytes, "the weight store": self.store_read_bytes}
        return " and ".join(name for name, count in moved.items() if count)

    @property
    def local_bytes(self) -> int:
        """Bytes that are taken in a PE's local memory."""
        return self.local_input_bytes + self.local_output_bytes + self.local_kept_bytes


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """A memory, and what a run uses of it.

    Parameters
    ----------
    memory : str
    size_bytes : int or None
        None of external memory.
    used_bytes : int
        Most that is taken at once; of external memory, what is moved in the run.
    purpose : str
    """

    memory: str
    size_bytes: int | None
    used_bytes: int
    purpose: str

    @property
    def share(self) -> float | None:
        """Share of the memory that is used; None where there is none."""
        return self.used_bytes / self.size_bytes if self.size_bytes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A design's run, by layer and by part of the accelerator.

    Parameters
    ----------
    source : str
        "measured" or "predicted" times.
    total_cycles : int
    layers : tuple of LayerProfile
    area_mm2, energy_pj : dict of part to number
        In 45 nm.
    local_memory_bytes, register_bytes, weight_store_bytes : int
        There are in a PE, in a half of a lane's register file for weights, and in all.
    read_bytes, write_bytes, descriptor_bytes, store_read_bytes : int
        Traffic of a run: external memory, its descriptors, and the weight store.
    bytes_per_cycle : float
        External bandwidth in each direction.
    slowest_module : str
        Module that limits the clock in 45 nm.
    reach_mhz : int
        Highest clock that it reaches.
    """

    source: str
    total_cycles: int
    layers: tuple[LayerProfile, ...]
    area_mm2: dict[str, float]
    energy_pj: dict[str, float]
    local_memory_bytes: int
    register_bytes: int
    weight_store_bytes: int
    read_bytes: int
    write_bytes: int
    descriptor_bytes: int
    store_read_bytes: int
    bytes_per_cycle: float
    slowest_module: str
    reach_mhz: int

    def worst(self, count: int = 5) -> list[LayerProfile]:
        """Return the layers that lose the most cycles, the worst first."""
        return sorted(self.layers, key=lambda layer: -layer.lost_cycles)[:count]

    def timed(self, timeline: Timeline) -> "Profile":
        """Return the profile with the cycles of a timeline of the same run, by this version's rules of who waits for whom."""
        rows = zip(self.layers, layer_times(timeline), strict=True)
        layers = (replace(row, **times, cycles=sum(times.values())) for row, times in rows)
        return replace(self, layers=tuple(layers), total_cycles=timeline.total_cycles)

    def memories(self) -> list[MemoryUse]:
        """Return the memories on chip and the traffic of external memory."""
        fullest = max(self.layers, key=lambda layer: layer.local_bytes)
        widest = max(self.layers, key=lambda layer: layer.register_bytes)
        kept = [layer.store_bytes for layer in self.layers if layer.store_bytes]
        return [
            MemoryUse(
                "local memory, of a PE",
                self.local_memory_bytes,
                fullest.local_bytes,
                f"activations; most in {fullest.name}",
            ),
            MemoryUse(
                "register file, half of a lane",
                self.register_bytes,
                widest.register_bytes,
                f"weights; most in {widest.name}",
            ),
            MemoryUse(
                "weight store",
                self.weight_store_bytes,
                sum(kept),
                f"weights of {len(kept)} of {len(self.layers)} layers, from run to run",
            ),
            MemoryUse("external memory, read", None, self.read_bytes, "in a run"),
            MemoryUse("external memory, written", None, self.write_bytes, "in a run"),
            MemoryUse("external memory, descriptors", None, self.descriptor_bytes, "in a run"),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the profile as a JSON object."""
        layers = [asdict(layer) for layer in self.layers]
        for layer in layers:
            layer.update({name: list(layer[name]) for name in _TUPLES})
        return asdict(self) | {"layers": layers}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Profile":
        """Build from what :meth:`to_json` made and a schema has checked; other fields are passed over."""
        layers = []
        for row in data["layers"]:
            known = {part.name: row[part.name] for part in fields(LayerProfile)}
            shapes = {name: tuple(known[name]) for name in _TUPLES}
            layers.append(LayerProfile(**known | shapes))
        known = {part.name: data[part.name] for part in fields(cls)}
        return cls(**known | {"layers": tuple(layers)})


def profile_of(mapped: Mapped, prediction: Prediction, timeline: Timeline) -> Profile:
    """Return the profile of a run.

    Parameters
    ----------
    mapped : Mapped
        Its program.
    prediction : Prediction
        Of the same program: traffic, which RTL does not count by layer, and energy.
    timeline : Timeline
        Times of the descriptors, measured or predicted.
    """
    config = mapped.config
    slowest = slowest_module(config)
    return Profile(
        source=timeline.source,
        total_cycles=timeline.total_cycles,
        layers=tuple(_layers(mapped, prediction, timeline)),
        area_mm2=_parts(area(config)),
        energy_pj=_parts(energy(config, prediction)),
        local_memory_bytes=config.local_memory_kb * 1024,
        register_bytes=config.weight_rows * config.row_bytes,
        weight_store_bytes=config.store_rows * config.row_bytes,
        read_bytes=prediction.read_bytes,
        write_bytes=prediction.write_bytes,
        descriptor_bytes=prediction.descriptor_bytes,
        store_read_bytes=prediction.store_bytes,
        bytes_per_cycle=float(config.bytes_per_cycle),
        slowest_module=slowest.module,
        reach_mhz=slowest.reach_mhz,
    )


def _layers(mapped: Mapped, prediction: Prediction, timeline: Timeline) -> Iterator[LayerProfile]:
    config, times, places = mapped.config, layer_times(timeline), occupancy(mapped)
    network = mapped.source.layers
    for layer, given, states, taken in zip(prediction.layers, network, times, places, strict=True):
        yield LayerProfile(
            name=layer.name,
            kind=str(layer.kind),
            inputs=tuple(given.inputs),
            kernel=given.kernel,
            stride=given.stride,
            output=given.output.shape,
            macs=layer.macs,
            cycles=sum(states.values()),
            **states,
            ideal_cycles=prediction.images * layer.macs / config.macs,
            read_bytes=layer.read_bytes,
            write_bytes=layer.write_bytes,
            store_read_bytes=layer.store_bytes,
            energy_pj=layer_energy(config, layer, prediction.images).total,
            **taken.to_json(),
        )


def _parts(breakdown: Any) -> dict[str, float]:
    return {part.name: float(getattr(breakdown, part.name)) for part in fields(breakdown)}
